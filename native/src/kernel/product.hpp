// The product stage: nodes u = (A x A)^L, features as block dots, and their derivatives both ways.
#pragma once

#include "vec.hpp"

namespace thalweg {
namespace {

// out[row] (+)= sum c x[p] y[q]; x and y may be vectors or, for tangents about one atom, broadcast scalars.
template <bool Add, class X, class Y>
inline void trilinear(const TermTable& t, const X* x, const Y* y, V* out) {
    for (int row = 0; row < t.n_rows; ++row) {
        V sum = Add ? out[row] : V{};
        for (int e = t.start[row]; e < t.start[row + 1]; ++e) sum += (t.c[e] * x[t.p[e]]) * y[t.q[e]];
        out[row] = sum;
    }
}

inline void forward_nodes(const PlanView& plan, V* v) {
    for (int k = 0; k < plan.n_nodes; ++k) {
        const Node& node = plan.nodes[k];
        trilinear<false>(plan.couplings[node.coupling].forward, v + node.a, v + node.b, v + node.out);
    }
}

// bar holds the adjoint of all of v; that of A is complete afterwards.
inline void backward_nodes(const PlanView& plan, const V* v, V* bar) {
    for (int k = 0; k < plan.n_nodes; ++k) {
        const Node& node = plan.nodes[k];
        const Coupling& coupling = plan.couplings[node.coupling];
        trilinear<true>(coupling.to_a, bar + node.out, v + node.b, bar + node.a);
        trilinear<true>(coupling.to_b, bar + node.out, v + node.a, bar + node.b);
    }
}

template <int DIM>
inline V matrix_row(const V* v, const int* offset, const double* c, int n, const V* own, V* out) {
    V acc[DIM] = {};
    for (int e = 0; e < n; ++e) {
        const V* x = v + offset[e];
        const V scale = splat(c[e]);
        for (int m = 0; m < DIM; ++m) acc[m] += scale * x[m];
    }
    V dot = V{};
    for (int m = 0; m < DIM; ++m) {
        out[m] = acc[m];
        dot += acc[m] * own[m];
    }
    return dot;
}

inline V matrix_row_any(const V* v, const int* offset, const double* c, int n, const V* own, V* out, int dim) {
    V dot = V{};
    for (int m = 0; m < dim; ++m) dot += matrix_row<1>(v + m, offset, c, n, own + m, out + m);
    return dot;
}

// bar = M v + lin; returns lin . A + v^T M v / 2.
inline V linear_adjoint(const PlanView& plan, const V* v, const double* c, const double* linear, V* bar) {
    V energy = V{};
    for (int k = 0; k < plan.n_rows; ++k) {
        const Row& row = plan.rows[k];
        const int n = row.end - row.begin;
        const int* offset = plan.entry_offset + row.begin;
        const double* coefficient = c + row.begin;
        const V* own = v + row.offset;
        V* out = bar + row.offset;
        switch (row.dim) {
            case 1: energy += matrix_row<1>(v, offset, coefficient, n, own, out); break;
            case 3: energy += matrix_row<3>(v, offset, coefficient, n, own, out); break;
            case 5: energy += matrix_row<5>(v, offset, coefficient, n, own, out); break;
            case 7: energy += matrix_row<7>(v, offset, coefficient, n, own, out); break;
            case 9: energy += matrix_row<9>(v, offset, coefficient, n, own, out); break;
            default: energy += matrix_row_any(v, offset, coefficient, n, own, out, row.dim);
        }
    }
    energy *= 0.5;
    for (int k = 0; k < plan.n_first; ++k) {
        energy += linear[k] * v[plan.features[k].p];
        bar[plan.features[k].p] += linear[k];
    }
    return energy;
}

inline void forward_features(const PlanView& plan, const V* v, V* phi) {
    for (int k = 0; k < plan.n_first; ++k) phi[k] = plan.scale[k] * v[plan.features[k].p];
    for (int k = plan.n_first; k < plan.n_features; ++k) {
        const Feature f = plan.features[k];
        V sum = V{};
        for (int m = 0; m < f.dim; ++m) sum += v[f.p + m] * v[f.q + m];
        phi[k] = plan.scale[k] * sum;
    }
}

// bar = sum_k g_k d phi_k / d v (bar is overwritten).
inline void backward_features(const PlanView& plan, const V* v, const V* g, V* bar) {
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
inline void tangent_nodes(const PlanView& plan, const T* v, const int* list, int n, V* dv) {
    for (int k = 0; k < n; ++k) {
        const Node& node = plan.nodes[list[k]];
        const TermTable& t = plan.couplings[node.coupling].forward;
        trilinear<false>(t, dv + node.a, v + node.b, dv + node.out);
        trilinear<true>(t, v + node.a, dv + node.b, dv + node.out);
    }
}

template <class T>
inline void tangent_features(const PlanView& plan, const T* v, const int* list, int n, const V* dv, V* dphi) {
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
inline V mahalanobis(const PlanView& plan, const NoveltyView& model, const V* phi, V* x) {
    V rest = V{}, explained = V{};
    for (int k = 0; k < plan.n_features; ++k) {
        x[k] = (phi[k] - model.mean[k]) * model.scale[k];
        rest += x[k] * x[k];
    }
    const double* c = model.components;
    for (int group = 0; group < model.n_groups; ++group) {
        V t[8] = {};
        for (int k = 0; k < plan.n_features; ++k, c += 8)
            for (int r = 0; r < 8; ++r) t[r] += c[r] * x[k];
        for (int r = 0; r < 8; ++r) {
            rest -= t[r] * t[r];
            explained += model.factors[8 * group + r] * (t[r] * t[r]);
        }
    }
    for (int w = 0; w < W; ++w) rest[w] = rest[w] > 0.0 ? rest[w] : 0.0;  // rounding only
    return root(explained + model.rest * rest);
}

}  // namespace
}  // namespace thalweg
