// The border between portable code and the kernel that is compiled once per instruction set: plain pointers only.
#pragma once

#include <cstddef>

#include "thalweg/plan.hpp"

namespace thalweg {

// Pairs within the cutoff, atom by atom: those of atom i are first[i] .. first[i] + count[i].
struct NeighborView {
    const int* first;
    const int* count;
    const int* element;  // of the neighbour
    const double* d;     // (n, 3), Å
};

// Low-rank Mahalanobis model of one element's features, see linear_force_field.hpp.
// components are stored in groups of 8 directions: (n_groups, n_features, 8), zero padded.
struct NoveltyView {
    int n_groups;
    const double *mean, *scale, *components, *factors;
    double rest;
};

// Up to kernel-width atoms of one element. Null outputs are not computed.
struct BlockJob {
    int element;
    int n_lanes;
    const int* atoms;
    NeighborView neighbors;
    int max_slots;  // upper bound of neighbour slots of the block
    // Outputs per atom.
    double* phi = nullptr;      // (n_atoms, n_features)
    double* energy = nullptr;   // (n_atoms)
    double* novelty = nullptr;  // (n_atoms)
    const NoveltyView* novelty_model = nullptr;
    // Adjoints: either coefficient sets of linear models (this element's), or cotangents of phi.
    int n_sets = 0;
    const double* const* entries = nullptr;  // n_sets pointers to (n_entries)
    const double* const* linear = nullptr;   // n_sets pointers to (n_first)
    const double* cotangents = nullptr;      // (n_sets, n_atoms, n_features)
    int n_atoms = 0;
    double* pair_gradient = nullptr;  // (n_pairs, n_sets, 3): d(sum)/dD
    // Tangent: displacement of each pair, (n_pairs, 3), to d phi (n_atoms, n_features).
    const double* pair_tangent = nullptr;
    double* phi_tangent = nullptr;
    // Jacobian: (n_pairs, 3, n_features) of this block's atoms at their pair positions minus jacobian_base.
    double* jacobian = nullptr;
    std::size_t jacobian_base = 0;
};

struct KernelTable {
    const char* name;
    int width;  // atoms per block
    std::size_t (*scratch_bytes)(const PlanView& plan, int n_sets, int max_slots);
    void (*run_block)(const PlanView& plan, const BlockJob& job, void* scratch);  // scratch 64-byte aligned
    // gradient (n_atoms, width): adds each pair's row to its j and subtracts it from its i, in order.
    void (*scatter)(int begin, int end, const int* first, const int* count, const int* j, const double* pair_rows,
                    int width, double* gradient);
};

// Best kernel that this processor runs, or the one called `name` ("baseline", "avx2", "avx512"); throws for an
// unknown one or one the processor lacks. An empty name asks for the best.
const KernelTable& select_kernel(const char* name);

}  // namespace thalweg
