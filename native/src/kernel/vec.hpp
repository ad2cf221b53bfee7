// Vectors of THALWEG_LANES atoms of THALWEG_REAL. Everything in kernel/ sits in an unnamed namespace and uses raw pointers
// only, so that no inline function compiled for one instruction set can be linked into code for another.
#pragma once

#if defined(__AVX512F__)
// Some of gcc's own headers read what they mean to leave undefined (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#include <cstddef>

#include "thalweg/kernel.hpp"

namespace thalweg {
namespace {

typedef THALWEG_REAL Real;
constexpr int W = THALWEG_LANES;
typedef Real V __attribute__((vector_size(sizeof(Real) * THALWEG_LANES), aligned(sizeof(Real) * THALWEG_LANES)));
using Tables = PlanTables<Real>;
using Job = BlockJob<Real>;
constexpr bool kManyRegisters = sizeof(V) == 64;  // 32 of AVX-512
constexpr int kTogether = kManyRegisters ? 4 : 2; // slots that are computed side by side, to hide latencies
// Neighbour slots whose tables are held at once: they should fit the first-level cache.
constexpr int kForwardChunk = 8, kBackwardChunk = 4;
constexpr bool kDouble = sizeof(Real) == sizeof(double);

inline V splat(Real x) { return x - V{}; }

inline V root(V x) {
    V y;
    for (int w = 0; w < W; ++w) y[w] = Real(__builtin_sqrt(x[w]));
    return y;
}

}  // namespace
}  // namespace thalweg
