// Pairs of one structure within a distance, through cells.
#pragma once

#include "thalweg/system.hpp"

namespace thalweg {

// Appends the pairs of `n` atoms whose first is number `base` of the batch; `out.first` ends with where they begin.
void append_cell_list(const double* positions, int n, const double* cell, const std::uint8_t* pbc, double r_list, int base,
                      PairList& out);

}  // namespace thalweg
