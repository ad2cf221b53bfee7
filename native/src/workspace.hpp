// Memory that a force pass keeps between calls, so that a step of dynamics allocates nothing.
#pragma once

#include "chunks.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace thalweg {

template <class T>
T* grown(std::vector<T>& v, std::size_t n) {
    if (v.size() < n) v.resize(n);
    return v.data();
}

// Memory of one thread.
template <class Real>
struct Workspace {
    std::vector<int> first, count, j, element, order, begin, bucket;
    std::vector<double> x, y, z, nearest, total;
    std::vector<Real> rows;
    std::vector<char> scratch;

    void* aligned(std::size_t bytes) {
        grown(scratch, bytes + 64);
        const auto address = reinterpret_cast<std::uintptr_t>(scratch.data());
        return reinterpret_cast<void*>((address + 63) / 64 * 64);
    }
};

// Memory of the calling thread.
struct Caller {
    std::vector<Chunk> chunks;
    std::vector<std::vector<double>> spare_sums;
    std::vector<double> energies;
};

}  // namespace thalweg
