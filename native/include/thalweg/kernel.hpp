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
    const double *x, *y, *z;  // of the displacement of pair p, at p * stride, Å
    int stride;
};

// Low-rank Mahalanobis model of one element's features, see linear_force_field.hpp.
// components are stored in groups of 8 directions: (n_groups, n_features, 8), zero padded.
template <class Real>
struct NoveltyTables {
    int n_groups;
    const Real *mean, *scale, *components, *factors;
    Real rest;
};

// Up to kernel-width atoms of one element. Null outputs are not computed. Kernels in single precision know what a force
// field needs: energies, novelty, and pair gradients of linear models.
template <class Real>
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
    const NoveltyTables<Real>* novelty_model = nullptr;
    // Adjoints: either coefficient sets of linear models (this element's), or cotangents of phi.
    int n_sets = 0;
    const Real* const* entries = nullptr;    // n_sets pointers to (n_entries)
    const Real* const* linear = nullptr;     // n_sets pointers to (n_first)
    const double* cotangents = nullptr;      // (n_sets, n_atoms, n_features)
    int n_atoms = 0;
    Real* pair_gradient = nullptr;  // (n_pairs, n_sets, 3): d(sum)/dD
    // Tangent: displacement of each pair, (n_pairs, 3), to d phi (n_atoms, n_features).
    const double* pair_tangent = nullptr;
    double* phi_tangent = nullptr;
    // Jacobian: (n_pairs, 3, n_features) of this block's atoms at their pair positions minus jacobian_base.
    double* jacobian = nullptr;
    std::size_t jacobian_base = 0;
};

constexpr int kFilterRoom = 8;

// Atoms begin .. end of a neighbour list, to be filtered: pairs of atom i are first[i] .. first[i + 1] of it.
struct FilterJob {
    int begin, end;
    double limit;  // r_cut^2
    const int *first, *j, *species;
    const double *offset, *positions;
    // Outputs; entry k of atom i lies at own_first[i - begin] + k. What is kept per pair needs room for kFilterRoom more.
    int *own_first, *count, *own_j;
    int* element;         // null: not wanted
    double *x, *y, *z;    // displacements
    double* nearest;      // (end - begin): shortest squared distance, infinity without neighbours
};

// Pair gradients of atoms begin .. end, summed into what each atom feels.
template <class Real>
struct ScatterJob {
    int begin, end, width;  // width: numbers of a row, 3 for each model
    const int *first, *count, *j;  // of the atoms, counted from begin
    const Real* rows;
    double* gradient;       // (hi - lo, width): of atoms lo .. hi of the batch
    int lo;
    const double *x = nullptr, *y = nullptr, *z = nullptr;  // displacements, with `strain` only
    double* strain = nullptr;    // (3, 3) of the first model, added to
};

template <class Real>
struct KernelTable {
    const char* name;
    int width;  // atoms per block
    std::size_t (*scratch_bytes)(const PlanTables<Real>& plan, int n_sets, int max_slots);
    void (*run_block)(const PlanTables<Real>& plan, const BlockJob<Real>& job, void* scratch);  // 64-byte aligned
    void (*filter)(const FilterJob& job);
    // Adds each pair's row to its j and subtracts it from its i, in order.
    void (*scatter)(const ScatterJob<Real>& job);
};

// Best kernel that this processor runs, or the one called `name` ("baseline", "avx2", "avx512"); throws for an
// unknown one or one the processor lacks. An empty name asks for the best.
template <class Real>
const KernelTable<Real>& select_kernel(const char* name);

}  // namespace thalweg
