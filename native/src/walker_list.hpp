// One walker's neighbour list with a skin, kept over many steps while atoms move and the cell breathes.
#pragma once

#include "thalweg/walkers.hpp"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace thalweg {

// Two atoms of the list, numbered within the walker, that may come as close as a limit while the list serves.
struct ClosePair {
    int i, j, pair;
};

// When a list serves. With M = h_list^-1 h the cell's change and u an atom's displacement beyond it, a pair that is
// not listed is at least sigma_min(M) r_list - 2 max|u| apart, and sigma_min(M) >= 1 - |M - 1|_F.
class WalkerList {
public:
    WalkerList(double r_cut, double skin, bool moving_cell) : r_cut_(r_cut), skin_(skin), moving_cell_(moving_cell) {}

    bool serves(const Walker& walker, const double* positions, const double* cell) const;
    // Where the walker's own list is stale, builds it here and tells the walker; else as the walker says it was.
    void build(Walker& walker, const double* positions, const double* cell, const Limits& limits);
    // Offsets of the pairs that cross a boundary, for the cell as it is now; `offsets` of this list's first pair.
    void follow(const double* cell, double* offsets) const;
    // Gives the pairs away; the rest stays.
    PairList take() { return std::move(pairs_); }
    const PairList& pairs() const { return pairs_; }
    const std::vector<ClosePair>& close() const { return close_; }

private:
    struct Wrapped {
        int pair;
        std::array<std::int32_t, 3> shift;
    };

    bool is_stale(const Walker& walker, const double* positions, const double* cell) const;
    double allowed_square(const double* change) const;
    void find_wrapped(const double* cell);
    void find_close(const Walker& walker, const Limits& limits);

    double r_cut_, skin_;
    bool moving_cell_, built_ = false;
    PairList pairs_;
    std::vector<Wrapped> wrapped_;
    std::vector<ClosePair> close_;
};

}  // namespace thalweg
