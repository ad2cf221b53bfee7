#include "thalweg/neighbors.hpp"

#include "thalweg/check.hpp"

#include <vesin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>

namespace thalweg {
namespace {

using NeighborsFunction = decltype(&vesin_neighbors);
using FreeFunction = decltype(&vesin_free);

std::atomic<NeighborsFunction> neighbors_function{nullptr};
std::atomic<FreeFunction> free_function{nullptr};

// Up to here a plain double loop beats a cell list and its sorting (measured at r_list = 5.5 Å and 0.1 atoms/Å³:
// ten times faster at 64 atoms, five times at 200; its cost grows with the square, theirs with the number).
constexpr int kAllPairsLimit = 500;

struct Found {
    int i, j;
    std::array<std::int32_t, 3> shift;
};

// Owns what vesin allocates.
class VesinList {
public:
    VesinList() = default;
    VesinList(const VesinList&) = delete;
    VesinList& operator=(const VesinList&) = delete;
    ~VesinList() {
        if (const FreeFunction free = free_function.load()) free(&list);
    }
    VesinNeighborList list;
};

void all_pairs(const double* positions, int n, double r_list, int base, PairList& out) {
    const double limit = r_list * r_list;
    for (int i = 0; i < n; ++i) {
        const double* a = positions + 3 * i;
        for (int j = 0; j < n; ++j) {
            const double* b = positions + 3 * j;
            const double x = b[0] - a[0], y = b[1] - a[1], z = b[2] - a[2];
            if (j != i && x * x + y * y + z * z < limit) out.j.push_back(base + j);
        }
        out.first.push_back(static_cast<int>(out.j.size()));
    }
    out.offset.resize(3 * out.j.size(), 0.0);
}

std::vector<Found> call_vesin(const double* positions, int n, const double* cell, const std::uint8_t* pbc,
                              double r_list) {
    const NeighborsFunction neighbors = neighbors_function.load();
    check(neighbors != nullptr, "neighbour list: vesin is not connected; call thalweg.features.neighbors.connect()");
    VesinOptions options{};
    options.cutoff = r_list;
    options.full = true;
    options.algorithm = VesinAutoAlgorithm;
    options.n_threads = 1;
    options.return_shifts = true;
    const bool periodic[3] = {pbc[0] != 0, pbc[1] != 0, pbc[2] != 0};
    VesinList found;
    const char* message = nullptr;
    const int status = neighbors(reinterpret_cast<const double(*)[3]>(positions), static_cast<std::size_t>(n),
                                 reinterpret_cast<const double(*)[3]>(cell), periodic, VesinDevice{VesinCPU, 0},
                                 options, &found.list, &message);
    check(status == 0, std::string("neighbour list: vesin refused: ") + (message ? message : "no reason given"));
    std::vector<Found> pairs(found.list.length);
    for (std::size_t k = 0; k < pairs.size(); ++k) {
        const auto& shift = found.list.shifts[k];
        pairs[k] = {static_cast<int>(found.list.pairs[k][0]), static_cast<int>(found.list.pairs[k][1]),
                    {shift[0], shift[1], shift[2]}};
    }
    return pairs;
}

// vesin leaves the order open, and sums of floating-point numbers depend on it: (i, j, shift) fixes it.
void append_sorted(std::vector<Found>& pairs, int n, const double* cell, int base, PairList& out) {
    std::sort(pairs.begin(), pairs.end(), [](const Found& a, const Found& b) {
        if (a.i != b.i) return a.i < b.i;
        return a.j != b.j ? a.j < b.j : a.shift < b.shift;
    });
    auto next = pairs.begin();
    for (int i = 0; i < n; ++i) {
        for (; next != pairs.end() && next->i == i; ++next) {
            out.j.push_back(base + next->j);
            for (int c = 0; c < 3; ++c) {
                out.offset.push_back(next->shift[0] * cell[c] + next->shift[1] * cell[3 + c] +
                                     next->shift[2] * cell[6 + c]);
            }
        }
        out.first.push_back(static_cast<int>(out.j.size()));
    }
}

}  // namespace

void use_vesin(std::uintptr_t neighbors, std::uintptr_t free) {
    check(neighbors != 0 && free != 0, "use_vesin: needs the addresses of vesin_neighbors and vesin_free");
    free_function.store(reinterpret_cast<FreeFunction>(free));
    neighbors_function.store(reinterpret_cast<NeighborsFunction>(neighbors));
}

PairList build_pairs(const Batch& batch, double r_list) {
    check(std::isfinite(r_list) && r_list > 0, "neighbour list: r_list must be positive and finite");
    PairList out;
    out.r_list = r_list;
    out.first.reserve(static_cast<std::size_t>(batch.n_atoms()) + 1);
    out.first.push_back(0);
    for (int s = 0; s < batch.n_structures; ++s) {
        const int base = batch.first_atom[s], n = batch.first_atom[s + 1] - base;
        const double* positions = batch.positions + 3 * base;
        check(std::all_of(positions, positions + 3 * n, [](double x) { return std::isfinite(x); }),
              "neighbour list: positions hold NaN or infinity");
        const std::uint8_t* pbc = batch.pbc + 3 * s;
        if (!pbc[0] && !pbc[1] && !pbc[2] && n <= kAllPairsLimit) {
            all_pairs(positions, n, r_list, base, out);
        } else {
            std::vector<Found> pairs = call_vesin(positions, n, batch.cells + 9 * s, pbc, r_list);
            append_sorted(pairs, n, batch.cells + 9 * s, base, out);
        }
    }
    return out;
}

void concatenate_pairs(const std::vector<const PairList*>& lists, PairList& out) {
    out.first.assign(1, 0);
    out.j.clear();
    out.offset.clear();
    int base = 0;
    for (const PairList* list : lists) {
        out.r_list = list->r_list;
        const int done = static_cast<int>(out.j.size());
        for (const int j : list->j) out.j.push_back(base + j);
        for (std::size_t k = 1; k < list->first.size(); ++k) out.first.push_back(done + list->first[k]);
        out.offset.insert(out.offset.end(), list->offset.begin(), list->offset.end());
        base += static_cast<int>(list->first.size()) - 1;
    }
}

}  // namespace thalweg
