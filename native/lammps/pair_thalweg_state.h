// What a PairThalweg holds, for the files that implement it.
#pragma once

#include "pair_thalweg.h"

#include "thalweg/potential_file.hpp"

#include <vector>

namespace LAMMPS_NS {

// What was read, and the field made of it.
struct PairThalweg::Model {
    thalweg::Precision precision = thalweg::Precision::Double;
    std::unique_ptr<thalweg::LinearForceField> field;
    std::vector<std::string> elements;
    std::vector<int> species;  // of each atom type, -1: not ours
    std::vector<double> bound_factors, bound_floors;
    int n_members = 0;
};

// One structure for the core: our local atoms, then the ghosts, which have no environment of their own.
struct PairThalweg::Work {
    int n_local = 0;
    std::vector<int> atoms;  // LAMMPS index of each of the core's atoms
    std::vector<int> place;  // the other way round, -1: not ours
    std::vector<int> species;
    std::vector<double> positions;
    thalweg::PairList pairs;
    std::vector<double> forces, atom_energies, atom_virials, deviations_of_members, novelties;  // the core's results
    std::vector<double> member_forces;                                            // (nlocal + nghost, M, 3)
    std::vector<double> bound, novelty;                                           // (nlocal), for `fix pair`
    double energy = 0.0;
    double strain_gradient[9] = {};

    int n_atoms() const { return static_cast<int>(atoms.size()); }
};

}  // namespace LAMMPS_NS
