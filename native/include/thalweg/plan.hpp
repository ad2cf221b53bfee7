// What the kernel evaluates, as flat tables.
//
// v = [A | u]: the components of all channels A_(z,n,l) (length 2l+1 each), then of all nodes
// u^L = (A_a x A_b)^L (length 2L+1). Every feature of order >= 2 is scale * v[p:p+dim] . v[q:q+dim], so a
// linear model is E = lin . A + v^T M v / 2 with one coefficient per block.
#pragma once

#include <array>
#include <map>
#include <vector>

namespace thalweg {

// out[row] += sum over its terms of c * x[p] * y[q]; the terms of a row are start[row] .. start[row + 1].
template <class Real>
struct TermTable {
    int n_rows = 0;
    const int* start = nullptr;
    const int* p = nullptr;
    const int* q = nullptr;
    const Real* c = nullptr;
};

// Clebsch-Gordan coupling of one (l1, l2, L): u = forward(a, b), a_bar += to_a(u_bar, b), b_bar += to_b(u_bar, a).
// With a == b the two adjoints are one and to_b is empty.
template <class Real>
struct Coupling {
    TermTable<Real> forward, to_a, to_b;
};

struct Node {
    int a, b, out;  // component offsets in v
    int coupling;
    int element_a, element_b;  // neighbour elements of the two channels
};

// Feature k >= n_first: scale[k] * v[p:p+dim] . v[q:q+dim]. Feature k < n_first: scale[k] * v[p].
struct Feature {
    int p, q, dim;
};

// Row of the symmetric matrix M: its block of v, and its entries in `entry_*`.
struct Row {
    int offset, dim, begin, end;
};

// The tables in the precision in which a kernel computes.
template <class Real>
struct PlanTables {
    int n_elements, n_radial, l_max, exponent;
    Real r_cut;
    const Real* recurrence;  // (n_elements, n_elements, n_radial, 3): R_n = (a x + b) R_(n-1) + c R_(n-2)
    const int* radial_count;   // (l_max + 1): number of n for each l
    const int* channel_offset; // (n_elements, l_max + 1): component offset of n = 0, m = -l in v
    int n_a, n_v;              // components of A, of v
    int n_nodes;
    const Node* nodes;
    const Coupling<Real>* couplings;
    int n_features, n_first;
    const Feature* features;
    const Real* scale;
    int n_rows, n_entries;
    const Row* rows;
    const int* entry_offset;  // (n_entries): component offset of the other block
    // Normalised Legendre tables, index l (l + 1) / 2 + m: Q_lm = alpha z Q_(l-1)m + beta Q_(l-2)m,
    // dQ_lm/dz = delta Q_l(m+1); diagonal (l_max + 1): Q_mm.
    const Real *diagonal, *alpha, *beta, *delta;
    // Nodes and features that a neighbour of element z can change: element_nodes[element_node_start[z] ...].
    const int *element_node_start, *element_nodes, *element_feature_start, *element_features;
};

using PlanView = PlanTables<double>;

// One row of a coupling's tensor: C[m1, m2, M] = c, indices from 0.
struct CouplingTerm {
    int m1, m2, M;
    double c;
};

// Tensors laid end to end, as files and arrays hold them: the terms of tensor t are start[t] .. start[t + 1] of
// `index` (n, 3) and `value` (n). Throws std::invalid_argument where they do not fit each other.
std::vector<std::vector<CouplingTerm>> split_tensors(const std::vector<int>& start, const std::vector<int>& index,
                                                     const std::vector<double>& value);

// The specification from which the tables are built. Channels are numbered with (z, l, n), n fastest.
struct PlanSpec {
    int n_elements = 0;
    double r_cut = 0.0;
    int exponent = 3;
    std::vector<double> recurrence;                        // (n_elements, n_elements, n_radial, 3)
    std::vector<int> radial_count;                         // (l_max + 1)
    std::vector<int> nodes;                                // (n_nodes, 4): channel a, channel b, L, tensor
    std::vector<std::vector<CouplingTerm>> tensors;
    std::vector<int> features;                             // (n_features, 2): blocks; -1 second for order 1
    std::vector<double> scale;                             // (n_features)
};

// Owner of the tables.
class Plan {
public:
    explicit Plan(PlanSpec spec);
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    const PlanView& view() const { return view_; }
    template <class Real>
    const PlanTables<Real>& tables() const;
    // Coefficients of the matrix entries and of the order-1 part for one element's weights (n_features).
    void matrix_coefficients(const double* weights, double* entries, double* linear) const;

private:
    struct Terms {
        std::vector<int> start, p, q;
        std::vector<double> c;
        std::vector<float> single;
        TermTable<double> table() const;
        TermTable<float> single_table() const;
    };
    struct CouplingData {
        Terms forward, to_a, to_b;
    };
    void place_channels();
    void place_nodes();
    void place_features();
    void index_rows();
    void index_elements();
    void build_legendre();
    void round_tables();
    int coupling_of(int tensor, bool same, int l1, int l2, int L);

    PlanSpec spec_;
    PlanView view_{};
    std::vector<int> channel_offset_, block_offset_, block_dim_;
    std::vector<Node> nodes_;
    std::vector<CouplingData> coupling_data_;
    std::map<std::array<int, 5>, int> coupling_of_;  // (tensor, same, l1, l2, L) -> its place in coupling_data_
    std::vector<Coupling<double>> couplings_;
    std::vector<Feature> features_;
    std::vector<Row> rows_;
    std::vector<int> entry_offset_, entry_feature_;
    std::vector<double> entry_factor_;
    std::vector<double> diagonal_, alpha_, beta_, delta_;
    // The same in single precision.
    PlanTables<float> single_{};
    std::vector<Coupling<float>> single_couplings_;
    std::vector<float> single_recurrence_, single_scale_, single_diagonal_, single_alpha_, single_beta_, single_delta_;
    std::vector<int> node_start_, node_list_, feature_start_, feature_list_;
};

}  // namespace thalweg
