// The product stage: nodes u = (A x A)^L, features as block dots, and their derivatives both ways.
#pragma once

#include "vec.hpp"

namespace thalweg {
namespace {

// out[row] (+)= sum c x[p] y[q]; x and y may be vectors or, for tangents about one atom, broadcast scalars.
template <bool Add, class X, class Y>
inline void trilinear(const TermTable<Real>& t, const X* x, const Y* y, V* out) {
    for (int row = 0; row < t.n_rows; ++row) {
        V sum = Add ? out[row] : V{};
        for (int e = t.start[row]; e < t.start[row + 1]; ++e) sum += (t.c[e] * x[t.p[e]]) * y[t.q[e]];
        out[row] = sum;
    }
}

inline void forward_nodes(const Tables& plan, V* v) {
    for (int k = 0; k < plan.n_nodes; ++k) {
        const Node& node = plan.nodes[k];
        trilinear<false>(plan.couplings[node.coupling].forward, v + node.a, v + node.b, v + node.out);
    }
}

// Adjoints of NS models at once, that of model s for component k at bar[k * NS + s]: what they share is loaded once.
constexpr int kSetsTogether = W == 8 ? 4 : 2;

// out_s[row] += sum c x_s[p] y[q] with y shared by the NS models.
template <int NS>
inline void trilinear_sets(const TermTable<Real>& t, const V* x, const V* y, V* out) {
    for (int row = 0; row < t.n_rows; ++row) {
        V sum[NS];
        for (int s = 0; s < NS; ++s) sum[s] = out[row * NS + s];
        for (int e = t.start[row]; e < t.start[row + 1]; ++e) {
            const V scaled = t.c[e] * y[t.q[e]];
            const V* xp = x + t.p[e] * NS;
            for (int s = 0; s < NS; ++s) sum[s] += scaled * xp[s];
        }
        for (int s = 0; s < NS; ++s) out[row * NS + s] = sum[s];
    }
}

// bar holds the adjoint of all of v; that of A is complete afterwards.
template <int NS>
inline void backward_nodes(const Tables& plan, const V* v, V* bar) {
    for (int k = 0; k < plan.n_nodes; ++k) {
        const Node& node = plan.nodes[k];
        const Coupling<Real>& coupling = plan.couplings[node.coupling];
        trilinear_sets<NS>(coupling.to_a, bar + node.out * NS, v + node.b, bar + node.a * NS);
        trilinear_sets<NS>(coupling.to_b, bar + node.out * NS, v + node.a, bar + node.b * NS);
    }
}

// Models first .. first + COUNT of NS for one row of DIM components.
template <int DIM, int NS, int COUNT>
inline void matrix_row(const V* v, const int* offset, const Real* const* c, int n, V* out, int first) {
    V acc[DIM][COUNT] = {};
    for (int e = 0; e < n; ++e) {
        const V* x = v + offset[e];
        for (int m = 0; m < DIM; ++m) {
            const V xm = x[m];
            for (int s = 0; s < COUNT; ++s) acc[m][s] += c[first + s][e] * xm;
        }
    }
    for (int m = 0; m < DIM; ++m)
        for (int s = 0; s < COUNT; ++s) out[m * NS + first + s] = acc[m][s];
}

// As many models at a time as the registers hold.
template <int DIM, int NS>
inline void matrix_row_all(const V* v, const int* offset, const Real* const* c, int n, V* out) {
    constexpr int count = DIM * NS <= 2 * W + 4 ? NS : 1;
    for (int first = 0; first < NS; first += count) matrix_row<DIM, NS, count>(v, offset, c, n, out, first);
}

// bar_s = M_s v + lin_s.
template <int NS>
inline void linear_adjoint(const Tables& plan, const V* v, const Real* const* entries, const Real* const* linear,
                           V* bar) {
    for (int k = 0; k < plan.n_rows; ++k) {
        const Row& row = plan.rows[k];
        const int n = row.end - row.begin;
        const int* offset = plan.entry_offset + row.begin;
        const Real* c[NS];
        for (int s = 0; s < NS; ++s) c[s] = entries[s] + row.begin;
        V* out = bar + row.offset * NS;
        switch (row.dim) {
            case 1: matrix_row_all<1, NS>(v, offset, c, n, out); break;
            case 3: matrix_row_all<3, NS>(v, offset, c, n, out); break;
            case 5: matrix_row_all<5, NS>(v, offset, c, n, out); break;
            case 7: matrix_row_all<7, NS>(v, offset, c, n, out); break;
            case 9: matrix_row_all<9, NS>(v, offset, c, n, out); break;
            default:
                for (int m = 0; m < row.dim; ++m) matrix_row_all<1, NS>(v + m, offset, c, n, out + m * NS);
        }
    }
    for (int k = 0; k < plan.n_first; ++k)
        for (int s = 0; s < NS; ++s) bar[plan.features[k].p * NS + s] += linear[s][k];
}

// lin . A + v^T M v / 2, from bar = M v + lin: half of v . bar, and half of lin . A again.
inline V linear_energy(const Tables& plan, const V* v, const Real* linear, const V* bar) {
    V energy = V{};
    for (int k = 0; k < plan.n_v; ++k) energy += v[k] * bar[k];
    for (int k = 0; k < plan.n_first; ++k) energy += linear[k] * v[plan.features[k].p];
    return Real(0.5) * energy;
}

inline void forward_features(const Tables& plan, const V* v, V* phi) {
    for (int k = 0; k < plan.n_first; ++k) phi[k] = plan.scale[k] * v[plan.features[k].p];
    for (int k = plan.n_first; k < plan.n_features; ++k) {
        const Feature f = plan.features[k];
        V sum = V{};
        for (int m = 0; m < f.dim; ++m) sum += v[f.p + m] * v[f.q + m];
        phi[k] = plan.scale[k] * sum;
    }
}

// bar = sum_k g_k d phi_k / d v (bar is overwritten).
inline void backward_features(const Tables& plan, const V* v, const V* g, V* bar) {
    for (int k = 0; k < plan.n_v; ++k) bar[k] = V{};
    for (int k = 0; k < plan.n_first; ++k) bar[plan.features[k].p] += plan.scale[k] * g[k];
    for (int k = plan.n_first; k < plan.n_features; ++k) {
        const Feature f = plan.features[k];
        const V scaled = plan.scale[k] * g[k];
        for (int m = 0; m < f.dim; ++m) bar[f.p + m] += scaled * v[f.q + m];
        for (int m = 0; m < f.dim; ++m) bar[f.q + m] += scaled * v[f.p + m];
    }
}

// Tangents about v (vectors, or one atom's scalars): dv has its A part set; list = the nodes that may change.
template <class T>
inline void tangent_nodes(const Tables& plan, const T* v, const int* list, int n, V* dv) {
    for (int k = 0; k < n; ++k) {
        const Node& node = plan.nodes[list[k]];
        const TermTable<Real>& t = plan.couplings[node.coupling].forward;
        trilinear<false>(t, dv + node.a, v + node.b, dv + node.out);
        trilinear<true>(t, v + node.a, dv + node.b, dv + node.out);
    }
}

template <class T>
inline void tangent_features(const Tables& plan, const T* v, const int* list, int n, const V* dv, V* dphi) {
    for (int i = 0; i < n; ++i) {
        const int k = list[i];
        const Feature f = plan.features[k];
        V sum = V{};
        if (k < plan.n_first) {
            sum = dv[f.p];
        } else {
            for (int m = 0; m < f.dim; ++m) sum += dv[f.p + m] * v[f.q + m];
            for (int m = 0; m < f.dim; ++m) sum += dv[f.q + m] * v[f.p + m];
        }
        dphi[k] = plan.scale[k] * sum;
    }
}

// sqrt of the low-rank Mahalanobis form; x is scratch for n_features vectors.
inline V mahalanobis(const Tables& plan, const NoveltyTables<Real>& model, const V* phi, V* x) {
    V rest = V{}, explained = V{};
    for (int k = 0; k < plan.n_features; ++k) {
        x[k] = (phi[k] - model.mean[k]) * model.scale[k];
        rest += x[k] * x[k];
    }
    const Real* c = model.components;
    for (int group = 0; group < model.n_groups; ++group) {
        V t[8] = {};
        for (int k = 0; k < plan.n_features; ++k, c += 8)
            for (int r = 0; r < 8; ++r) t[r] += c[r] * x[k];
        for (int r = 0; r < 8; ++r) {
            rest -= t[r] * t[r];
            explained += model.factors[8 * group + r] * (t[r] * t[r]);
        }
    }
    for (int w = 0; w < W; ++w) rest[w] = rest[w] > 0 ? rest[w] : 0;  // rounding only
    return root(explained + model.rest * rest);
}

}  // namespace
}  // namespace thalweg
