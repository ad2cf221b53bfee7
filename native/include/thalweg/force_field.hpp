// What the walkers need of a potential: one call over a batch, no Python object touched, thread safe.
#pragma once

#include "thalweg/system.hpp"

namespace thalweg {

// The novelty of an atom with fewer neighbours than any label of its element has.
inline constexpr double kTooFewNeighbors = 1e3;

// A committee looked at through one sum over its members with signs, s_k (F_k - F) / sqrt(M) summed over k: its square
// is, on average over the rows of signs, that of the deviation, and costs a member's forces instead of all members'. Rows are orthogonal: looked at one after another, they miss no member. Where the estimated deviation of
// an atom passes `confirm`, the whole committee is asked for its structure. A caller that knows more of its atoms (they
// may live in several processes) takes the sum itself, `look`, and decides on its own.
struct Screen {
    int row = 0;                      // any number; taken modulo the number of rows
    const double* confirm = nullptr;  // (n_atoms), eV/Å; with `deviation` only
};

// Caller-owned outputs; a null pointer means "not wanted". compute() overwrites, it does not add.
struct ForceOutput {
    double* energies = nullptr;   // (n_structures), eV: energy of each structure
    double* forces = nullptr;     // (n_atoms, 3), eV/Å: forces of the mean model
    double* virials = nullptr;    // (n_structures, 3, 3), eV: dE/dstrain (symmetric); stress = virial / volume
    double* deviation = nullptr;  // (n_atoms), eV/Å: root mean square of |F_member - F_mean| over members
    double* novelty = nullptr;    // (n_atoms): Mahalanobis distance to the training environments
    double* atom_energies = nullptr;  // (n_atoms), eV: of each environment; those of ghosts are left alone
    double* member_forces = nullptr;  // (n_atoms, M, 3), eV/Å: F_member - F_mean
    const Screen* screen = nullptr;   // null, or with member_forces: `deviation` is the whole committee's everywhere
    double* look = nullptr;  // (n_atoms, 3), eV/Å: with `screen`, the sum with signs; its length is the estimate
    // (n_atoms, 2, 3, 3), eV: dE_i/dD_ij times D_ij, summed over j for centre i, and over i for neighbour j, ghosts too.
    // Either of the two, summed over atoms, is dE/dstrain.
    double* atom_virials = nullptr;
};

class ForceField {
public:
    virtual ~ForceField() = default;
    virtual double r_cut() const = 0;
    virtual bool has_committee() const = 0;
    virtual bool has_novelty() const = 0;
    // `pairs` may hold pairs beyond r_cut (a skin); they contribute nothing. Results of one structure do not
    // depend on which others are in the batch, bit for bit.
    virtual void compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const = 0;
};

}  // namespace thalweg
