// Structures as the core sees them: plain views, several structures laid end to end.
#pragma once

#include <cstdint>
#include <vector>

namespace thalweg {

// Non-owning view of `n_structures` structures laid end to end.
// Lengths in Å. `species` are indices into the basis' elements, not atomic numbers.
// `cells` has lattice vectors in rows. `pbc` holds 0 or 1.
struct Batch {
    int n_structures = 0;
    const int* first_atom = nullptr;     // (n_structures + 1), first_atom[0] == 0
    const int* species = nullptr;        // (n_atoms)
    const double* positions = nullptr;   // (n_atoms, 3)
    const double* cells = nullptr;       // (n_structures, 3, 3)
    const std::uint8_t* pbc = nullptr;   // (n_structures, 3)

    int n_atoms() const { return first_atom[n_structures]; }
};

// Full neighbour list (every pair seen from both ends; an atom may neighbour its own images), sorted by i.
// D_ij = r_j - r_i + offset, where offset = S @ cell is fixed when the list is built, so that a list
// made with a skin serves until an atom has moved by half of it.
struct PairList {
    double r_list = 0.0;            // cutoff plus skin, Å
    std::vector<int> first;         // (n_atoms + 1): pairs of atom i are first[i] .. first[i + 1]
    std::vector<int> j;             // (n_pairs), index into the batch
    std::vector<double> offset;     // (n_pairs, 3), Å
};

// Neighbour list of every structure in the batch within r_list; the order of an atom's pairs is a function of the
// positions alone.
PairList build_pairs(const Batch& batch, double r_list);

}  // namespace thalweg
