#include "chunks.hpp"

#include <algorithm>
#include <cstdint>

namespace thalweg {
namespace {

constexpr int kChunkAtoms = 256, kMostChunks = 16;  // of one structure

void divide_structure(int s, int begin, int end, std::vector<Chunk>& chunks) {
    const int n = end - begin, parts = std::clamp(n / kChunkAtoms, 1, kMostChunks);
    for (int k = 0; k < parts; ++k)
        chunks.push_back({begin + int(std::int64_t(n) * k / parts), begin + int(std::int64_t(n) * (k + 1) / parts), s, s,
                          parts == 1, 0, 0, {}, {}});
}

}  // namespace

void divide(const Batch& batch, int n_centres, const Chosen& chosen, std::vector<Chunk>& chunks) {
    chunks.clear();
    for (int s = 0; s < batch.n_structures; ++s) {
        if (!chosen.empty() && !chosen[s]) continue;
        const int begin = batch.first_atom[s], end = std::min(batch.first_atom[s + 1], n_centres);
        const bool joins = !chunks.empty() && chunks.back().whole && chunks.back().end == begin &&
                           end - chunks.back().begin <= kChunkAtoms;
        if (joins) chunks.back().end = end, chunks.back().last_structure = s;
        else divide_structure(s, begin, end, chunks);
    }
}

}  // namespace thalweg
