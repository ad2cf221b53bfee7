#include "packed_model.hpp"

#include <bit>

namespace thalweg {
namespace {

constexpr int kGroup = 8;  // directions per group of NoveltyTables

template <class Real>
std::vector<Real> slice(const std::vector<double>& from, std::size_t begin, std::size_t n) {
    return std::vector<Real>(from.begin() + begin, from.begin() + begin + n);
}

// Rows of a Hadamard matrix: orthogonal, of signs alone.
double sign(int row, int member) { return std::popcount(unsigned(row & member)) % 2 ? -1.0 : 1.0; }

}  // namespace

template <class Real>
PackedModel<Real>::PackedModel(const Evaluator& evaluator, const LinearModel& model)
    : plan(evaluator.plan().tables<Real>()), kernel(select_kernel<Real>(evaluator.kernel().name)) {
    pack_weights(evaluator, model);
    if (model.n_members > 0) pack_screen(evaluator, model);
    if (model.novelty) pack_novelty(*model.novelty);
}

template <class Real>
void PackedModel<Real>::pack_weights(const Evaluator& evaluator, const LinearModel& model) {
    const std::size_t S = plan.n_elements, p = plan.n_features;
    n_sets = 1 + model.n_members;
    std::vector<double> e(plan.n_entries), l(plan.n_first);
    for (std::size_t s = 0; s < S; ++s)
        for (int set = 0; set < n_sets; ++set) {
            const double* w = set == 0 ? &model.weights[s * p] : &model.member_deltas[((set - 1) * S + s) * p];
            evaluator.plan().matrix_coefficients(w, e.data(), l.data());
            entries.emplace_back(e.begin(), e.end());
            linear.emplace_back(l.begin(), l.end());
        }
    for (const auto& v : entries) entry_pointers.push_back(v.data());
    for (const auto& v : linear) linear_pointers.push_back(v.data());
}

template <class Real>
void PackedModel<Real>::pack_screen(const Evaluator& evaluator, const LinearModel& model) {
    const std::size_t S = plan.n_elements, p = plan.n_features;
    n_rows = int(std::bit_ceil(unsigned(model.n_members)));
    std::vector<double> w(p), e(plan.n_entries), l(plan.n_first);
    for (std::size_t s = 0; s < S; ++s)
        for (int row = 0; row < n_rows; ++row) {
            std::fill(w.begin(), w.end(), 0.0);
            for (int m = 0; m < model.n_members; ++m)
                for (std::size_t k = 0; k < p; ++k) w[k] += sign(row, m) * model.member_deltas[(m * S + s) * p + k];
            evaluator.plan().matrix_coefficients(w.data(), e.data(), l.data());
            screen_entries.emplace_back(e.begin(), e.end());
            screen_linear.emplace_back(l.begin(), l.end());
        }
    for (std::size_t k = 0; k < screen_entries.size(); ++k) {
        const std::size_t mean = k / n_rows * n_sets;
        screen_entry_pointers.insert(screen_entry_pointers.end(), {entries[mean].data(), screen_entries[k].data()});
        screen_linear_pointers.insert(screen_linear_pointers.end(), {linear[mean].data(), screen_linear[k].data()});
    }
}

template <class Real>
void PackedModel<Real>::pack_novelty(const NoveltyModel& m) {
    const std::size_t p = plan.n_features, rank = m.rank, n_groups = (rank + kGroup - 1) / kGroup;
    fewest_neighbors = m.fewest_neighbors;
    novelty_arrays.resize(plan.n_elements);
    for (int s = 0; s < plan.n_elements; ++s) {
        NoveltyArrays& to = novelty_arrays[s];
        to.mean = slice<Real>(m.mean, s * p, p);
        to.scale = slice<Real>(m.scale, s * p, p);
        to.factors = slice<Real>(m.factors, s * rank, rank);
        to.factors.resize(n_groups * kGroup);
        to.components.resize(n_groups * p * kGroup);
        for (std::size_t r = 0; r < rank; ++r)
            for (std::size_t k = 0; k < p; ++k)
                to.components[(r / kGroup * p + k) * kGroup + r % kGroup] = Real(m.components[(s * rank + r) * p + k]);
        novelty.push_back({int(n_groups), to.mean.data(), to.scale.data(), to.components.data(), to.factors.data(),
                           Real(m.rest[s])});
    }
}

template struct PackedModel<double>;
template struct PackedModel<float>;

}  // namespace thalweg
