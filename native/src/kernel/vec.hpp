// Vectors of THALWEG_LANES atoms. Everything in kernel/ sits in an unnamed namespace and uses raw pointers only, so
// that no inline function compiled for one instruction set can be linked into code for another.
#pragma once

#include <cstddef>

#include "thalweg/kernel.hpp"

namespace thalweg {
namespace {

constexpr int W = THALWEG_LANES;
constexpr int kChunk = 8;  // neighbour slots whose tables are held at once
typedef double V __attribute__((vector_size(8 * THALWEG_LANES), aligned(8 * THALWEG_LANES)));

inline V splat(double x) { return x - V{}; }

inline V root(V x) {
    V y;
    for (int w = 0; w < W; ++w) y[w] = __builtin_sqrt(x[w]);
    return y;
}

}  // namespace
}  // namespace thalweg
