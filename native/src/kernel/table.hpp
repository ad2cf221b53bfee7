// The kernel's table of functions for one instruction set and precision: the includer sets THALWEG_LANES, THALWEG_REAL.
#pragma once

#include "list.hpp"
#include "tangent.hpp"

namespace thalweg {
namespace {

template <int L>
void run(const Tables& plan, const Job& job, void* scratch) {
    Work w = place(plan, job.n_sets, job.max_slots, static_cast<V*>(scratch));
    fill_slots(plan, job, w);
    forward_A<L>(plan, job, w);
    forward_nodes(plan, w.v);
    if (job.phi || job.novelty) features(plan, job, w);
    if (kDouble && job.cotangents) cotangent_adjoints(plan, job, w);
    else if (job.n_sets) linear_adjoints(plan, job, w);
    if (job.pair_gradient) pair_gradients<L>(plan, job, w);
    if constexpr (kDouble) {
        if (job.phi_tangent) phi_tangent<L>(plan, job, w);
        for (int lane = 0; job.jacobian && lane < job.n_lanes; ++lane) jacobian_atom<L>(plan, job, w, lane);
    }
}

void run_block(const Tables& plan, const Job& job, void* scratch) {
    using Run = void (*)(const Tables&, const Job&, void*);
    static constexpr Run runs[] = {run<0>, run<1>, run<2>, run<3>, run<4>, run<5>, run<6>, run<7>, run<8>};
    runs[plan.l_max](plan, job, scratch);
}

std::size_t scratch_bytes(const Tables& plan, int n_sets, int max_slots) {
    return place(plan, n_sets, max_slots, nullptr).end * sizeof(V);
}

constexpr KernelTable<Real> table(const char* name) { return {name, W, scratch_bytes, run_block, filter, scatter}; }

}  // namespace
}  // namespace thalweg
