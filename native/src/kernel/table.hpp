// The kernel's table of functions for one instruction set. THALWEG_LANES and THALWEG_KERNEL are set by the includer.
#pragma once

#include "tangent.hpp"

namespace thalweg {
namespace {

template <int L>
void run(const PlanView& plan, const BlockJob& job, void* scratch) {
    Work w = place(plan, job.n_sets, job.max_slots, static_cast<V*>(scratch));
    fill_slots(plan, job, w);
    forward_A<L>(plan, job, w);
    forward_nodes(plan, w.v);
    if (job.phi || job.novelty) features(plan, job, w);
    if (job.cotangents) cotangent_adjoints(plan, job, w);
    else if (job.n_sets) linear_adjoints(plan, job, w);
    if (job.pair_gradient) pair_gradients<L>(plan, job, w);
    if (job.phi_tangent) phi_tangent<L>(plan, job, w);
    for (int lane = 0; job.jacobian && lane < job.n_lanes; ++lane) jacobian_atom<L>(plan, job, w, lane);
}

void run_block(const PlanView& plan, const BlockJob& job, void* scratch) {
    using Run = void (*)(const PlanView&, const BlockJob&, void*);
    static constexpr Run runs[] = {run<0>, run<1>, run<2>, run<3>, run<4>, run<5>, run<6>, run<7>, run<8>};
    runs[plan.l_max](plan, job, scratch);
}

std::size_t scratch_bytes(const PlanView& plan, int n_sets, int max_slots) {
    return place(plan, n_sets, max_slots, nullptr).end * sizeof(V);
}

void scatter(int begin, int end, const int* first, const int* count, const int* j, const double* rows, int width,
             double* gradient) {
    for (int i = begin; i < end; ++i)
        for (int p = first[i]; p < first[i] + count[i]; ++p) {
            const double* row = rows + std::size_t(p) * width;
            double* own = gradient + std::size_t(i) * width;
            double* other = gradient + std::size_t(j[p]) * width;
            for (int k = 0; k < width; ++k) other[k] += row[k];
            for (int k = 0; k < width; ++k) own[k] -= row[k];
        }
}

}  // namespace
}  // namespace thalweg
