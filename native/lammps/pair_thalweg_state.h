// What a PairThalweg holds, for the files that implement it.
#pragma once

#include "pair_thalweg.h"

#include "thalweg/potential_file.hpp"

#include <vector>

namespace LAMMPS_NS {

// What was read, and the field made of it.
struct PairThalweg::Model {
    thalweg::Precision precision = thalweg::Precision::Double;
    double screen_limit = 0.0;  // bound at which runs are to halt, eV/Å; 0: every look is the whole committee's
    std::unique_ptr<thalweg::LinearForceField> field;
    std::vector<std::string> elements;
    std::vector<int> species;  // of each atom type, -1: not ours
    std::vector<double> bound_factors, bound_floors;
    int n_members = 0;
};

// One structure for the core: centres, then atoms that have no environment of their own.
struct PairThalweg::Part {
    int n_centres = 0;
    std::vector<int> atoms;  // LAMMPS index of each
    std::vector<int> species;
    std::vector<double> positions;
    thalweg::PairList pairs;

    int n_atoms() const { return static_cast<int>(atoms.size()); }
};

struct PairThalweg::Work {
    Part all;                // local atoms are centres, ghosts are not
    Part doubted;            // what is felt by atoms whose bound is in doubt
    std::vector<int> place;  // in `all` of each LAMMPS atom, -1: not ours
    std::vector<double> forces, atom_energies, atom_virials, deviations, looks, novelties;  // the core's results
    double energy = 0.0;
    double strain_gradient[9] = {};
    int row = 0;                         // of `owed`: 3 numbers for each member, or for a look
    std::vector<double> owed;            // (nlocal + nghost, row): what ghosts owe to other ranks
    std::vector<double> in_doubt;        // (nlocal + nghost): 1 where the whole committee is to be asked
    std::vector<double> bound, novelty;  // (nlocal), for `fix pair`; empty where not asked for
    int n_looks = 0;                     // so far, the same on all ranks
};

}  // namespace LAMMPS_NS
