// Builds the kernel's tables from a specification.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>

#include "thalweg/caps.hpp"
#include "thalweg/check.hpp"
#include "thalweg/plan.hpp"

namespace thalweg {

namespace {

double factorial(int n) { return n < 2 ? 1.0 : n * factorial(n - 1); }

// Normalisation of Y_lm against d^m P_l / dz^m, real harmonics.
double norm(int l, int m) {
    const double square = (2 * l + 1) / (4 * std::numbers::pi) * factorial(l - m) / factorial(l + m);
    return std::sqrt(m > 0 ? 2 * square : square);
}

void check_spec(const PlanSpec& spec) {
    check(spec.n_elements > 0 && spec.n_elements <= kMostElements, "plan: needs 1 to 118 elements");
    check(spec.r_cut > kShortestCutoff && spec.r_cut <= kLongestCutoff,  // nor where it is no number
          "plan: the cutoff must be above 0.5 and at most 20 Å, got " + std::to_string(spec.r_cut));
    check(spec.exponent >= 1 && spec.exponent <= kLargestExponent, "plan: radial exponent must be 1 to 64");
    check(!spec.radial_count.empty() && spec.radial_count.size() <= kLargestL + 1, "plan: l must be 0 to 8");
    const std::size_t pairs = std::size_t(spec.n_elements) * spec.n_elements, n_radial = spec.recurrence.size() / (3 * pairs);
    check(n_radial > 0 && n_radial <= kMostRadial && spec.recurrence.size() == 3 * pairs * n_radial,
          "plan: recurrence has a wrong size, or more than 81 radial functions");
    for (int n : spec.radial_count) check(n >= 0 && n <= int(n_radial), "plan: radial_count exceeds the recurrence");
    check(spec.nodes.size() % 4 == 0 && spec.nodes.size() / 4 <= kMostComponents, "plan: nodes must have 4 columns");
    check(spec.features.size() == 2 * spec.scale.size() && !spec.scale.empty(), "plan: features and scale differ");
    check(spec.scale.size() <= kMostFeatures, "plan: there are too many features");
    check(spec.tensors.size() <= kMostComponents, "plan: there are too many coupling tensors");
}

}  // namespace

TermTable<double> Plan::Terms::table() const {
    return {std::max(int(start.size()) - 1, 0), start.data(), p.data(), q.data(), c.data()};
}

TermTable<float> Plan::Terms::single_table() const {
    return {std::max(int(start.size()) - 1, 0), start.data(), p.data(), q.data(), single.data()};
}

std::vector<std::vector<CouplingTerm>> split_tensors(const std::vector<int>& start, const std::vector<int>& index,
                                                     const std::vector<double>& value) {
    // All of it before anything is read by it.
    check(!start.empty() && start.front() == 0 && std::is_sorted(start.begin(), start.end()) &&
              std::size_t(start.back()) == value.size() && index.size() == 3 * value.size(),
          "plan: the coupling tensors' arrays do not fit each other: tensor_start must rise from 0 to the number of terms");
    std::vector<std::vector<CouplingTerm>> tensors(start.size() - 1);
    for (std::size_t t = 0; t < tensors.size(); ++t)
        for (std::size_t k = start[t]; k < std::size_t(start[t + 1]); ++k)
            tensors[t].push_back({index[3 * k], index[3 * k + 1], index[3 * k + 2], value[k]});
    return tensors;
}

Plan::Plan(PlanSpec spec) : spec_(std::move(spec)) {
    check_spec(spec_);
    view_.n_elements = spec_.n_elements;
    view_.n_radial = int(spec_.recurrence.size() / (3 * std::size_t(spec_.n_elements) * spec_.n_elements));
    view_.l_max = int(spec_.radial_count.size()) - 1;
    view_.exponent = spec_.exponent;
    view_.r_cut = spec_.r_cut;
    view_.recurrence = spec_.recurrence.data();
    view_.radial_count = spec_.radial_count.data();
    place_channels();
    place_nodes();
    place_features();
    index_rows();
    index_elements();
    build_legendre();
    round_tables();
}

void Plan::place_channels() {
    int at = 0;
    for (int z = 0; z < view_.n_elements; ++z)
        for (int l = 0; l <= view_.l_max; ++l) {
            channel_offset_.push_back(at);
            for (int n = 0; n < spec_.radial_count[l]; ++n, at += 2 * l + 1) {
                block_offset_.push_back(at);
                block_dim_.push_back(2 * l + 1);
            }
        }
    view_.n_a = view_.n_v = at;
    view_.channel_offset = channel_offset_.data();
}

int Plan::coupling_of(int tensor, bool same, int l1, int l2, int L) {
    // What is looked up is what was checked: a tensor that fits one node need not fit the next.
    const auto [found, is_new] = coupling_of_.try_emplace({tensor, same, l1, l2, L}, int(coupling_data_.size()));
    if (!is_new) return found->second;
    const std::vector<CouplingTerm>& tensor_terms = spec_.tensors[tensor];
    check(tensor_terms.size() <= std::size_t(2 * l1 + 1) * (2 * l2 + 1) * (2 * L + 1),
          "plan: a coupling tensor has more terms than its node has products");
    // (row, p, q) -> coefficient, summed where symmetry merges two terms.
    using Sparse = std::map<std::array<int, 3>, double>;
    Sparse forward, to_a, to_b;
    for (const CouplingTerm& t : tensor_terms) {
        check(t.m1 >= 0 && t.m1 <= 2 * l1 && t.m2 >= 0 && t.m2 <= 2 * l2 && t.M >= 0 && t.M <= 2 * L,
              "plan: a coupling tensor does not fit its node");
        if (same) {
            forward[{t.M, std::min(t.m1, t.m2), std::max(t.m1, t.m2)}] += t.c;
            to_a[{t.m1, t.M, t.m2}] += t.c;
            to_a[{t.m2, t.M, t.m1}] += t.c;
        } else {
            forward[{t.M, t.m1, t.m2}] += t.c;
            to_a[{t.m1, t.M, t.m2}] += t.c;
            to_b[{t.m2, t.M, t.m1}] += t.c;
        }
    }
    auto flatten = [](const Sparse& terms, int n_rows) {
        Terms out;
        out.start.assign(n_rows + 1, 0);
        for (const auto& [index, c] : terms) {
            if (std::abs(c) < 1e-14) continue;
            ++out.start[index[0] + 1];
            out.p.push_back(index[1]);
            out.q.push_back(index[2]);
            out.c.push_back(c);
        }
        for (int row = 0; row < n_rows; ++row) out.start[row + 1] += out.start[row];
        return out;
    };
    coupling_data_.push_back({flatten(forward, 2 * L + 1), flatten(to_a, 2 * l1 + 1),
                              same ? Terms{} : flatten(to_b, 2 * l2 + 1)});
    return int(coupling_data_.size()) - 1;
}

void Plan::place_nodes() {
    const int n_channels = int(block_offset_.size()), per_element = n_channels / view_.n_elements;
    for (std::size_t k = 0; k < spec_.nodes.size(); k += 4) {
        const int a = spec_.nodes[k], b = spec_.nodes[k + 1], L = spec_.nodes[k + 2], tensor = spec_.nodes[k + 3];
        check(a >= 0 && b >= 0 && a < n_channels && b < n_channels, "plan: a node's channel is out of range");
        check(L >= 0 && L <= kLargestNodeL, "plan: a node's degree must be 0 to 16");
        check(std::size_t(view_.n_v) + 2 * L + 1 <= kMostComponents, "plan: there are too many nodes");
        check(tensor >= 0 && tensor < int(spec_.tensors.size()), "plan: a node's tensor is out of range");
        const int coupling = coupling_of(tensor, a == b, block_dim_[a] / 2, block_dim_[b] / 2, L);
        nodes_.push_back({block_offset_[a], block_offset_[b], view_.n_v, coupling, a / per_element, b / per_element});
        block_offset_.push_back(view_.n_v);
        block_dim_.push_back(2 * L + 1);
        view_.n_v += 2 * L + 1;
    }
    for (const CouplingData& data : coupling_data_)
        couplings_.push_back({data.forward.table(), data.to_a.table(), data.to_b.table()});
    view_.n_nodes = int(nodes_.size());
    view_.nodes = nodes_.data();
    view_.couplings = couplings_.data();
}

void Plan::place_features() {
    const int n_blocks = int(block_offset_.size());
    for (std::size_t k = 0; k < spec_.features.size(); k += 2) {
        const int p = spec_.features[k], q = spec_.features[k + 1];
        const bool first = q < 0;
        check(p >= 0 && p < n_blocks && q < n_blocks, "plan: a feature's block is out of range");
        check(!first || (view_.n_first == int(k / 2) && block_dim_[p] == 1), "plan: order-1 features must come first");
        check(first || block_dim_[p] == block_dim_[q], "plan: a feature's blocks differ in length");
        features_.push_back({block_offset_[p], first ? -1 : block_offset_[q], block_dim_[p]});
        view_.n_first += first;
    }
    view_.n_features = int(features_.size());
    view_.features = features_.data();
    view_.scale = spec_.scale.data();
}

void Plan::index_rows() {
    struct Entry {
        int other, feature;
        double factor;
    };
    std::map<int, std::vector<Entry>> entries;
    for (int k = view_.n_first; k < view_.n_features; ++k) {
        const Feature f = features_[k];
        entries[f.p].push_back({f.q, k, f.p == f.q ? 2.0 : 1.0});
        if (f.p != f.q) entries[f.q].push_back({f.p, k, 1.0});
    }
    std::vector<int> order(block_offset_.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = int(k);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return block_dim_[a] < block_dim_[b]; });
    for (int block : order) {
        const int begin = int(entry_offset_.size());
        for (const Entry& e : entries[block_offset_[block]]) {
            entry_offset_.push_back(e.other);
            entry_feature_.push_back(e.feature);
            entry_factor_.push_back(e.factor * spec_.scale[e.feature]);
        }
        rows_.push_back({block_offset_[block], block_dim_[block], begin, int(entry_offset_.size())});
    }
    view_.n_rows = int(rows_.size());
    view_.n_entries = int(entry_offset_.size());
    view_.rows = rows_.data();
    view_.entry_offset = entry_offset_.data();
}

void Plan::index_elements() {
    const int per_element = view_.n_a / view_.n_elements;
    node_start_.push_back(0);
    feature_start_.push_back(0);
    for (int z = 0; z < view_.n_elements; ++z) {
        std::vector<bool> touched(view_.n_v, false);
        for (int k = z * per_element; k < (z + 1) * per_element; ++k) touched[k] = true;
        for (int k = 0; k < view_.n_nodes; ++k) {
            if (nodes_[k].element_a != z && nodes_[k].element_b != z) continue;
            touched[nodes_[k].out] = true;
            node_list_.push_back(k);
        }
        for (int k = 0; k < view_.n_features; ++k) {
            const Feature f = features_[k];
            if (touched[f.p] || (f.q >= 0 && touched[f.q])) feature_list_.push_back(k);
        }
        node_start_.push_back(int(node_list_.size()));
        feature_start_.push_back(int(feature_list_.size()));
    }
    view_.element_node_start = node_start_.data();
    view_.element_nodes = node_list_.data();
    view_.element_feature_start = feature_start_.data();
    view_.element_features = feature_list_.data();
}

void Plan::build_legendre() {
    const int L = view_.l_max, n = (L + 1) * (L + 2) / 2;
    alpha_.assign(n, 0.0);
    beta_.assign(n, 0.0);
    delta_.assign(n, 0.0);
    double odd = 1.0;  // (2 l - 1)!!
    for (int l = 0; l <= L; ++l) {
        if (l > 0) odd *= 2 * l - 1;
        diagonal_.push_back(norm(l, l) * odd);
        for (int m = 0; m < l; ++m) {
            const int k = l * (l + 1) / 2 + m;
            // (l - m) Q_lm = (2 l - 1) z Q_(l-1)m - (l + m - 1) Q_(l-2)m for Q = d^m P_l / dz^m
            alpha_[k] = (2.0 * l - 1.0) / (l - m) * norm(l, m) / norm(l - 1, m);
            if (m < l - 1) beta_[k] = -(l + m - 1.0) / (l - m) * norm(l, m) / norm(l - 2, m);
            delta_[k] = norm(l, m) / norm(l, m + 1);
        }
    }
    view_.diagonal = diagonal_.data();
    view_.alpha = alpha_.data();
    view_.beta = beta_.data();
    view_.delta = delta_.data();
}

// The tables once more in single precision; what is integer is shared.
void Plan::round_tables() {
    const auto rounded = [](const std::vector<double>& from) { return std::vector<float>(from.begin(), from.end()); };
    const auto round_terms = [&](Terms& terms) {
        terms.single = rounded(terms.c);
        return terms.single_table();
    };
    for (CouplingData& data : coupling_data_)
        single_couplings_.push_back({round_terms(data.forward), round_terms(data.to_a), round_terms(data.to_b)});
    single_recurrence_ = rounded(spec_.recurrence);
    single_scale_ = rounded(spec_.scale);
    single_diagonal_ = rounded(diagonal_);
    single_alpha_ = rounded(alpha_);
    single_beta_ = rounded(beta_);
    single_delta_ = rounded(delta_);
    const PlanView& v = view_;
    single_ = {v.n_elements, v.n_radial, v.l_max, v.exponent, float(v.r_cut), single_recurrence_.data(),
               v.radial_count, v.channel_offset, v.n_a, v.n_v, v.n_nodes, v.nodes, single_couplings_.data(),
               v.n_features, v.n_first, v.features, single_scale_.data(), v.n_rows, v.n_entries, v.rows, v.entry_offset,
               single_diagonal_.data(), single_alpha_.data(), single_beta_.data(), single_delta_.data(),
               v.element_node_start, v.element_nodes, v.element_feature_start, v.element_features};
}

template <>
const PlanTables<double>& Plan::tables<double>() const {
    return view_;
}

template <>
const PlanTables<float>& Plan::tables<float>() const {
    return single_;
}

void Plan::matrix_coefficients(const double* weights, double* entries, double* linear) const {
    for (int k = 0; k < view_.n_first; ++k) linear[k] = weights[k] * spec_.scale[k];
    for (int e = 0; e < view_.n_entries; ++e) entries[e] = weights[entry_feature_[e]] * entry_factor_[e];
}

}  // namespace thalweg
