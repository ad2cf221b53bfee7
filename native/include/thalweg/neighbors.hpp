// Neighbour lists: a cell list of its own for periodic and for large structures, all pairs for small molecules.
#pragma once

#include "thalweg/system.hpp"

#include <cstddef>

namespace thalweg {

// Positions farther from the origin than this, in Å, are refused: nothing sane is there.
inline constexpr double kFarthestPosition = 1e7;

// Three times as many pairs are still an int, by which their displacements are found: some 20 GB of them.
inline constexpr std::size_t kMostPairs = 700'000'000;

// Throws std::invalid_argument where a list would hold more.
void check_pairs(std::size_t n_pairs);

// Appends the pairs of `lists[k]`, each of one structure, into one list over structures laid end to end.
// All must share one r_list. The result equals build_pairs on the whole batch, entry by entry.
void concatenate_pairs(const std::vector<const PairList*>& lists, PairList& out);

// The list of a batch, kept while no atom has moved by half the skin and nothing but positions has changed.
class KeptPairs {
public:
    explicit KeptPairs(double skin);
    const PairList& of(const Batch& batch, double r_cut);

private:
    bool serves(const Batch& batch, double r_cut) const;

    double skin_;
    PairList pairs_;
    std::vector<int> first_atom_;
    std::vector<double> positions_, cells_;
    std::vector<std::uint8_t> pbc_;
};

}  // namespace thalweg
