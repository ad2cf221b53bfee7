#include "thalweg/neighbors.hpp"

#include "cell_list.hpp"
#include "thalweg/check.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

// Up to here a plain double loop beats a cell list and its sorting (free molecules).
constexpr int kAllPairsLimit = 300;

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

}  // namespace

void check_pairs(std::size_t n_pairs) {
    check(n_pairs <= kMostPairs, "neighbour list: it has more than 700 million pairs; take fewer atoms or a shorter cutoff");
}

PairList build_pairs(const Batch& batch, double r_list) {
    check(std::isfinite(r_list) && r_list > 0, "neighbour list: r_list must be positive and finite");
    PairList out;
    out.r_list = r_list;
    out.first.reserve(static_cast<std::size_t>(batch.n_atoms()) + 1);
    out.first.push_back(0);
    for (int s = 0; s < batch.n_structures; ++s) {
        const int base = batch.first_atom[s], n = batch.first_atom[s + 1] - base;
        const double* positions = batch.positions + 3 * std::size_t(base);
        check(std::all_of(positions, positions + 3 * n, [](double x) { return std::abs(x) < kFarthestPosition; }),
              "neighbour list: positions hold NaN, infinity or lie farther than 1e7 Å from the origin; move the atoms there");
        const std::uint8_t* pbc = batch.pbc + 3 * s;
        if (n == 0) continue;
        if (!pbc[0] && !pbc[1] && !pbc[2] && n <= kAllPairsLimit) all_pairs(positions, n, r_list, base, out);
        else append_cell_list(positions, n, batch.cells + 9 * s, pbc, r_list, base, out);
        check_pairs(out.j.size());
    }
    return out;
}

KeptPairs::KeptPairs(double skin) : skin_(skin) {
    check(std::isfinite(skin) && skin >= 0.0, "neighbour list: the skin must be finite and not negative");
}

bool KeptPairs::serves(const Batch& batch, double r_cut) const {
    const int n = batch.n_structures;
    if (pairs_.r_list != r_cut + skin_ || first_atom_.size() != std::size_t(n) + 1) return false;
    if (!std::equal(first_atom_.begin(), first_atom_.end(), batch.first_atom) ||
        !std::equal(cells_.begin(), cells_.end(), batch.cells) || !std::equal(pbc_.begin(), pbc_.end(), batch.pbc))
        return false;
    for (std::size_t i = 0; i < positions_.size(); i += 3) {
        double square = 0.0;
        for (std::size_t k = i; k < i + 3; ++k) square += (batch.positions[k] - positions_[k]) * (batch.positions[k] - positions_[k]);
        if (!(square <= 0.25 * skin_ * skin_)) return false;  // nor where it is no number
    }
    return true;
}

const PairList& KeptPairs::of(const Batch& batch, double r_cut) {
    if (serves(batch, r_cut)) return pairs_;
    pairs_ = build_pairs(batch, r_cut + skin_);
    const std::size_t n = batch.n_structures;
    first_atom_.assign(batch.first_atom, batch.first_atom + n + 1);
    positions_.assign(batch.positions, batch.positions + 3 * std::size_t(batch.n_atoms()));
    cells_.assign(batch.cells, batch.cells + 9 * n);
    pbc_.assign(batch.pbc, batch.pbc + 3 * n);
    return pairs_;
}

void concatenate_pairs(const std::vector<const PairList*>& lists, PairList& out) {
    out.first.assign(1, 0);
    out.j.clear();
    out.offset.clear();
    int base = 0;
    for (const PairList* list : lists) {
        check_pairs(out.j.size() + list->j.size());
        out.r_list = list->r_list;
        const int done = static_cast<int>(out.j.size());
        for (const int j : list->j) out.j.push_back(base + j);
        for (std::size_t k = 1; k < list->first.size(); ++k) out.first.push_back(done + list->first[k]);
        out.offset.insert(out.offset.end(), list->offset.begin(), list->offset.end());
        base += static_cast<int>(list->first.size()) - 1;
    }
}

}  // namespace thalweg
