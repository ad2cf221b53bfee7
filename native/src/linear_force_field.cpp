#include "thalweg/linear_force_field.hpp"

#include <algorithm>
#include <cmath>

#include "thalweg/check.hpp"

namespace thalweg {

namespace {

constexpr int kGroup = 8;  // directions per group of NoveltyView

// Memory of one thread, kept between calls: a step of dynamics allocates nothing.
struct Buffers {
    Neighborhood neighbors;
    std::vector<double> rows, sums, energies;
};

double* grown(std::vector<double>& v, std::size_t n) {
    if (v.size() < n) v.resize(n);
    return v.data();
}

}  // namespace

LinearForceField::LinearForceField(std::shared_ptr<const Evaluator> evaluator, LinearModel model)
    : evaluator_(std::move(evaluator)), model_(std::move(model)) {
    check_model();
    pack_weights();
    if (model_.novelty) pack_novelty();
}

void LinearForceField::check_model() const {
    const std::size_t S = evaluator_->n_elements(), n = S * evaluator_->n_features();
    check(model_.weights.size() == n, "linear force field: weights must have shape (n_elements, n_features)");
    check(model_.member_deltas.size() == n * model_.n_members,
          "linear force field: member_deltas must have shape (n_members, n_elements, n_features)");
    check(model_.reference_energies.size() == S, "linear force field: reference_energies must have shape (n_elements,)");
    check(!model_.zbl || model_.zbl->n_species == int(S), "linear force field: ZBL is for other elements");
    if (!model_.novelty) return;
    const NoveltyModel& m = *model_.novelty;
    check(m.mean.size() == n && m.scale.size() == n && m.components.size() == n * m.rank &&
              m.factors.size() == S * m.rank && m.rest.size() == S,
          "linear force field: the novelty model's shapes do not fit (n_elements, rank, n_features)");
}

void LinearForceField::pack_weights() {
    const int S = evaluator_->n_elements(), p = evaluator_->n_features(), n_sets = 1 + model_.n_members;
    const PlanView& plan = evaluator_->plan().view();
    for (int s = 0; s < S; ++s)
        for (int set = 0; set < n_sets; ++set) {
            const double* w = set == 0 ? &model_.weights[std::size_t(s) * p]
                                       : &model_.member_deltas[(std::size_t(set - 1) * S + s) * p];
            entries_.emplace_back(plan.n_entries);
            linear_.emplace_back(plan.n_first);
            evaluator_->plan().matrix_coefficients(w, entries_.back().data(), linear_.back().data());
        }
    for (const auto& v : entries_) entry_pointers_.push_back(v.data());
    for (const auto& v : linear_) linear_pointers_.push_back(v.data());
}

void LinearForceField::pack_novelty() {
    const NoveltyModel& m = *model_.novelty;
    const int p = evaluator_->n_features(), n_groups = (m.rank + kGroup - 1) / kGroup;
    for (int s = 0; s < evaluator_->n_elements(); ++s) {
        std::vector<double> components(std::size_t(n_groups) * p * kGroup, 0.0), factors(n_groups * kGroup, 0.0);
        for (int r = 0; r < m.rank; ++r) {
            factors[r] = m.factors[std::size_t(s) * m.rank + r];
            const double* from = &m.components[(std::size_t(s) * m.rank + r) * p];
            double* to = &components[std::size_t(r / kGroup) * p * kGroup + r % kGroup];
            for (int k = 0; k < p; ++k) to[k * kGroup] = from[k];
        }
        packed_components_.push_back(std::move(components));
        packed_factors_.push_back(std::move(factors));
        novelty_views_.push_back({n_groups, &m.mean[std::size_t(s) * p], &m.scale[std::size_t(s) * p],
                                  packed_components_.back().data(), packed_factors_.back().data(), m.rest[s]});
    }
}

double LinearForceField::r_cut() const {
    return std::max(evaluator_->r_cut(), model_.zbl ? model_.zbl->r_max : 0.0);
}

void LinearForceField::sum_structures(const Batch& batch, const double* atom_energies, double* energies) const {
    for (int s = 0; s < batch.n_structures; ++s) {
        energies[s] = 0.0;
        for (int i = batch.first_atom[s]; i < batch.first_atom[s + 1]; ++i)
            energies[s] += atom_energies[i] + model_.reference_energies[batch.species[i]];
    }
}

void LinearForceField::compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const {
    static thread_local Buffers buffers;
    check(!out.deviation || has_committee(), "linear force field: a deviation needs a committee");
    check(!out.novelty || has_novelty(), "linear force field: it has no novelty model");
    Neighborhood& nb = buffers.neighbors;
    evaluator_->gather(batch, pairs, nb);
    const int n_atoms = batch.n_atoms(), n_all = 1 + model_.n_members;
    const bool forces = out.forces || out.virials || out.deviation;
    BlockJob job{};
    job.n_sets = out.deviation ? n_all : 1;
    const int width = 3 * job.n_sets;
    job.energy = grown(buffers.energies, n_atoms);
    if (forces) job.pair_gradient = grown(buffers.rows, nb.j.size() * width + width);
    job.novelty = out.novelty;
    evaluator_->run(batch, nb, job, [&](BlockJob& block) {
        block.entries = entry_pointers_.data() + std::size_t(block.element) * n_all;
        block.linear = linear_pointers_.data() + std::size_t(block.element) * n_all;
        if (out.novelty) block.novelty_model = &novelty_views_[block.element];
    });
    if (out.energies) sum_structures(batch, job.energy, out.energies);
    if (out.forces || out.deviation) {
        double* sums = grown(buffers.sums, std::size_t(n_atoms) * width);
        std::fill_n(sums, std::size_t(n_atoms) * width, 0.0);
        evaluator_->kernel().scatter(0, n_atoms, nb.first.data(), nb.count.data(), nb.j.data(), job.pair_gradient,
                                     width, sums);
        for (int i = 0; i < n_atoms; ++i) {
            const double* g = sums + std::size_t(i) * width;
            for (int axis = 0; axis < 3 && out.forces; ++axis) out.forces[3 * i + axis] = -g[axis];
            if (!out.deviation) continue;
            double most = 0.0;
            for (int k = 3; k < width; k += 3)
                most = std::max(most, g[k] * g[k] + g[k + 1] * g[k + 1] + g[k + 2] * g[k + 2]);
            out.deviation[i] = std::sqrt(most);
        }
    }
    if (out.virials) {
        std::fill_n(out.virials, std::size_t(batch.n_structures) * 9, 0.0);
        add_strain(batch, nb, job.pair_gradient, width, 0, out.virials);
    }
    if (model_.zbl) add_zbl(*model_.zbl, batch, pairs, out.energies, out.forces, out.virials);
}

}  // namespace thalweg
