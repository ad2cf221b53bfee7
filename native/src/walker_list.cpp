#include "walker_list.hpp"

#include "barostat.hpp"
#include "thalweg/neighbors.hpp"
#include "thalweg/threads.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

constexpr int kChunk = 16384;  // pairs of one task

double square(const double* d) { return d[0] * d[0] + d[1] * d[1] + d[2] * d[2]; }

}  // namespace

// The squared displacement at which a list stops serving after the cell's change; negative: at once.
double WalkerList::allowed_square(const double* change) const {
    double norm = 0.0;
    for (int e = 0; e < 9; ++e) {
        const double d = change[e] - (e % 4 == 0 ? 1.0 : 0.0);
        norm += d * d;
    }
    const double slack = (1.0 - std::sqrt(norm)) * (r_cut_ + skin_) - r_cut_;
    return slack < 0.0 ? -1.0 : 0.25 * slack * slack;
}

bool WalkerList::is_stale(const Walker& walker, const double* x, const double* cell) const {
    const std::vector<double>& origin = walker.list_positions;
    if (origin.empty()) return true;
    const Matrix3 M = moving_cell_ ? product(inverse(walker.list_cell.data()).data(), cell) : Matrix3{};
    const double allowed = moving_cell_ ? allowed_square(M.data()) : 0.25 * skin_ * skin_;
    for (int i = 0; i < walker.n_atoms(); ++i) {
        const double* o = origin.data() + 3 * i;
        double d[3];
        for (int c = 0; c < 3; ++c) {
            d[c] = x[3 * i + c] - (moving_cell_ ? o[0] * M[c] + o[1] * M[3 + c] + o[2] * M[6 + c] : o[c]);
        }
        if (square(d) > allowed) return true;
    }
    return false;
}

bool WalkerList::serves(const Walker& walker, const double* positions, const double* cell) const {
    return built_ && !is_stale(walker, positions, cell);
}

void WalkerList::build(Walker& walker, const double* positions, const double* cell, const Limits& limits) {
    if (is_stale(walker, positions, cell)) {
        walker.list_positions.assign(positions, positions + 3 * walker.n_atoms());
        std::copy_n(cell, 9, walker.list_cell.begin());
    }
    const int ends[2] = {0, walker.n_atoms()};
    pairs_ = build_pairs({1, ends, walker.species.data(), walker.list_positions.data(), walker.list_cell.data(),
                          walker.pbc.data()}, r_cut_ + skin_);
    built_ = true;
    find_close(walker, limits);
    if (moving_cell_) find_wrapped(walker.list_cell.data());
}

void WalkerList::find_wrapped(const double* cell) {
    const Matrix3 back = inverse(cell);
    wrapped_.clear();
    for (std::size_t k = 0; k < pairs_.j.size(); ++k) {
        const double* o = pairs_.offset.data() + 3 * k;
        if (o[0] == 0.0 && o[1] == 0.0 && o[2] == 0.0) continue;
        Wrapped wrapped{static_cast<int>(k), {}};
        for (int c = 0; c < 3; ++c) {
            wrapped.shift[c] = static_cast<std::int32_t>(std::lround(o[0] * back[c] + o[1] * back[3 + c] + o[2] * back[6 + c]));
        }
        wrapped_.push_back(wrapped);
    }
}

// While the list serves, no pair comes closer by more than the skin.
void WalkerList::find_close(const Walker& walker, const Limits& limits) {
    const std::size_t n_species = limits.species_factor.size();
    const double* x = walker.list_positions.data();
    close_.clear();
    for (int i = 0; i < walker.n_atoms(); ++i) {
        const double* row = limits.min_distance.data() + walker.species[i] * n_species;
        for (int k = pairs_.first[i]; k < pairs_.first[i + 1]; ++k) {
            const int j = pairs_.j[k];
            if (j < i) continue;  // met from the other end
            double d[3];
            for (int c = 0; c < 3; ++c) d[c] = x[3 * j + c] - x[3 * i + c] + pairs_.offset[3 * k + c];
            const double reach = row[walker.species[j]] + skin_;
            if (square(d) < reach * reach) close_.push_back({i, j, k});
        }
    }
}

void WalkerList::follow(const double* cell, double* offsets) const {
    const int n = static_cast<int>(wrapped_.size());
    const auto move = [&](int from, int to) {
        for (int w = from; w < to; ++w) {
            const auto& [pair, shift] = wrapped_[w];
            double* offset = offsets + 3 * static_cast<std::size_t>(pair);
            for (int c = 0; c < 3; ++c) offset[c] = shift[0] * cell[c] + shift[1] * cell[3 + c] + shift[2] * cell[6 + c];
        }
    };
    if (n <= kChunk) return move(0, n);
    parallel_for((n + kChunk - 1) / kChunk, [&](int c) { move(c * kChunk, std::min(n, (c + 1) * kChunk)); });
}

}  // namespace thalweg
