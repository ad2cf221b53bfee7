// How the centres of a batch are shared out: a function of the structures alone.
#pragma once

#include "thalweg/system.hpp"

#include <vector>

namespace thalweg {

// The unit of parallel work.
struct Chunk {
    int begin, end;                       // centres
    int first_structure, last_structure;  // (inclusive)
    bool whole;                           // of structures: nobody else feels it
    int lo = 0, hi = 0;
    std::vector<double> sums;             // (hi - lo, width), then (hi - lo, 3, 3) for virials of neighbours
    std::vector<double> strain;           // (structures, 3, 3)
};

// Structures that a pass is about; all of them when empty.
using Chosen = std::vector<char>;

// Small structures share a chunk until it is full; a large one has several.
void divide(const Batch& batch, int n_centres, const Chosen& chosen, std::vector<Chunk>& chunks);

}  // namespace thalweg
