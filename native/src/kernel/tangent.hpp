// Forward mode: d phi along given pair displacements (lanes = atoms), and the Jacobian (lanes = pair and axis).
#pragma once

#include "block.hpp"

namespace thalweg {
namespace {

template <int L>
inline void phi_tangent(const Tables& plan, const Job& job, const Work& w) {
    V* dv = w.bar;
    V* dY = w.gh;
    for (int k = 0; k < plan.n_v; ++k) dv[k] = V{};
    for_each_chunk<L, true, kForwardChunk>(plan, job, w, [&](int z, int slot, int n, const PairTables& t) {
        for (int k = 0; k < n; ++k) {
            V e[3] = {};
            for (int lane = 0; lane < job.n_lanes; ++lane) {
                const int p = w.index[(slot + k) * W + lane];
                for (int axis = 0; axis < 3 && p >= 0; ++axis) e[axis][lane] = Real(job.pair_tangent[3 * p + axis]);
            }
            const V along = harmonic_tangent<L>(plan, t.angular + k * Sizes<L>::n_angular, e[0], e[1], e[2], dY);
            accumulate_tangent<L>(plan, offsets_of(plan, z), t.R + k * plan.n_radial, t.D + k * plan.n_radial,
                                  t.Y + k * Sizes<L>::n_y, dY, along, dv);
        }
    });
    // Every element's lists together hold all nodes; an atom's neighbours may be of any element.
    for (int k = 0; k < plan.n_nodes; ++k) tangent_nodes(plan, w.v, &k, 1, dv);
    for (int k = 0; k < plan.n_features; ++k) tangent_features(plan, w.v, &k, 1, dv, w.phi);
    store_rows(job, w.phi, plan.n_features, job.phi_tangent);
}

// W (pair, axis) combinations of one atom and one neighbour element: lane w is pair pairs[w], axis axes[w].
template <int L>
inline void jacobian_lanes(const Tables& plan, const Job& job, const Work& w, int z, const int* pairs,
                           const int* axes, int n_lanes) {
    V d[3] = {V{}, V{}, splat(plan.r_cut)}, e[3] = {};
    for (int lane = 0; lane < n_lanes; ++lane) {
        const std::size_t at = std::size_t(pairs[lane]) * job.neighbors.stride;
        d[0][lane] = Real(job.neighbors.x[at]), d[1][lane] = Real(job.neighbors.y[at]);
        d[2][lane] = Real(job.neighbors.z[at]);
        e[axes[lane]][lane] = 1;
    }
    fill_together<L, true, 1>(plan, recurrence_of(plan, job.element, z), d, w.R, w.D, w.Y, w.angular);
    V* dY = w.gh;
    V* dv = w.bar;
    const V along = harmonic_tangent<L>(plan, w.angular, e[0], e[1], e[2], dY);
    const int begin = offsets_of(plan, z)[0];
    const int end = z + 1 < plan.n_elements ? offsets_of(plan, z + 1)[0] : plan.n_a;
    for (int k = begin; k < end; ++k) dv[k] = V{};
    accumulate_tangent<L>(plan, offsets_of(plan, z), w.R, w.D, w.Y, dY, along, dv);
    const int node = plan.element_node_start[z], feature = plan.element_feature_start[z];
    tangent_nodes(plan, w.scalars, plan.element_nodes + node, plan.element_node_start[z + 1] - node, dv);
    tangent_features(plan, w.scalars, plan.element_features + feature, plan.element_feature_start[z + 1] - feature,
                     dv, w.phi);
    const Real* from = reinterpret_cast<const Real*>(w.phi);
    for (int lane = 0; lane < n_lanes; ++lane) {
        double* to = job.jacobian + ((pairs[lane] - job.jacobian_base) * 3 + axes[lane]) * plan.n_features;
        for (int k = 0; k < plan.n_features; ++k) to[k] = from[k * W + lane];
    }
}

template <int L>
inline void jacobian_atom(const Tables& plan, const Job& job, const Work& w, int lane_of_atom) {
    const int i = job.atoms[lane_of_atom], first = job.neighbors.first[i], count = job.neighbors.count[i];
    for (int k = 0; k < plan.n_v; ++k) w.scalars[k] = w.v[k][lane_of_atom];
    for (int z = 0; z < plan.n_elements; ++z) {
        // What a neighbour of element z cannot change stays zero.
        for (int k = 0; k < plan.n_v; ++k) w.bar[k] = V{};
        for (int k = 0; k < plan.n_features; ++k) w.phi[k] = V{};
        int pairs[W], axes[W], n = 0;
        for (int p = first; p < first + count; ++p) {
            if (job.neighbors.element[p] != z) continue;
            for (int axis = 0; axis < 3; ++axis) {
                pairs[n] = p, axes[n] = axis;
                if (++n < W) continue;
                jacobian_lanes<L>(plan, job, w, z, pairs, axes, n);
                n = 0;
            }
        }
        if (n) jacobian_lanes<L>(plan, job, w, z, pairs, axes, n);
    }
}

}  // namespace
}  // namespace thalweg
