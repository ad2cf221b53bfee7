// Ziegler-Biersack-Littmark screened nuclear repulsion, with the switching of LAMMPS' `pair_style zbl`.
//
//   e(r) = Zi Zj e^2 / (4 pi eps0 r) phi(r / a),   a = 0.46850 / (Zi^0.23 + Zj^0.23) Å
//   phi(x) = 0.18175 exp(-3.19980 x) + 0.50986 exp(-0.94229 x) + 0.28022 exp(-0.40290 x) + 0.02817 exp(-0.20162 x)
//   E(r) = e(r) + C                                                         r < inner
//        = e(r) + A/3 (r - inner)^3 + B/4 (r - inner)^4 + C        inner <= r < outer
//        = 0                                                       outer <= r
// A, B, C make E, E' and E'' vanish at `outer`.
// Sources: Ziegler, Biersack, Littmark, "The Stopping and Range of Ions in Matter", vol. 1 (1985);
// LAMMPS documentation of pair_style zbl (energy, switching function S(r), A, B, C).
#pragma once

#include "thalweg/force_field.hpp"

#include <vector>

namespace thalweg {

struct ZblPair {
    double scale = 0.0;         // Zi Zj e^2 / (4 pi eps0), eV Å
    double inverse_a = 0.0;     // 1/Å
    double inner = 0.0, outer = 0.0;  // Å
    double A = 0.0, B = 0.0, C = 0.0;
};

struct ZblTable {
    int n_species = 0;
    double r_max = 0.0;           // largest outer cutoff, Å
    std::vector<ZblPair> pairs;   // (n_species, n_species)

    // `numbers` (n_species): atomic numbers. `inner`, `outer` (n_species, n_species), symmetric, Å;
    // 0 < inner < outer, or both zero for a pair without repulsion.
    static ZblTable make(const std::vector<int>& numbers, const std::vector<double>& inner,
                         const std::vector<double>& outer);
};

struct ZblTerm {
    double energy, slope;  // eV; dE/dr, eV/Å
};

// One pair at a distance 0 < r < pair.outer.
ZblTerm zbl_term(const ZblPair& pair, double r);

// Adds energies, forces, virials, atom_energies and atom_virials to those of `out` that are wanted; of a pair, half is at
// each of its ends. `pairs` must reach at least table.r_max.
void add_zbl(const ZblTable& table, const Batch& batch, const PairList& pairs, const ForceOutput& out);

}  // namespace thalweg
