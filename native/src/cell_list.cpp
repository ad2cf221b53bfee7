// Cell lists. Atoms are wrapped into a box and sorted into cells at least r_list wide where the box allows; the
// candidates of a cell are laid out once and scanned for each of its atoms.
//
//     frame      the cell's vectors; a direction without periodicity gets a unit vector orthogonal to the others
//     wrap       whole cell vectors that take an atom into the box: r = wrapped + wrap . frame
//     shift      whole cell vectors by which a cell's image is moved
//     D_ij       r_j - r_i + S . cell with S = shift - wrap_j + wrap_i
#include "cell_list.hpp"

#include "frame.hpp"
#include "thalweg/check.hpp"
#include "thalweg/neighbors.hpp"
#include "thalweg/threads.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace thalweg {
namespace {

using Int3 = std::array<int, 3>;

constexpr int kMostImages = 200;  // of a cell along one direction, to each side
constexpr double kMostImagesTogether = 1 << 20;  // of the cells along all three directions
constexpr double kFarthestWrap = 1e9;            // whole cell vectors, differences of which are still an int
// Of an atom within reach of its cell, and within r_list: diamond at 20 Å has 6,000 of the latter. More is atoms on one
// place, and would take the machine's memory.
constexpr int kMostCandidates = 1 << 21, kMostNeighbors = 10'000;
constexpr int kMostTasks = 64;

// Pairs of the atoms of some cells, in their order: index into the sorted atoms' ids, and S packed.
struct Segment {
    std::vector<int> j;
    std::vector<Int3> S;
    std::vector<int> count;  // of each sorted atom of the segment
};

class CellList {
public:
    CellList(const double* positions, int n, const double* cell, const std::uint8_t* pbc, double r_list)
        : frame_(cell, pbc), cell_(cell), n_(n), r_list_(r_list) {
        place_cells(positions);
        sort_atoms(positions);
    }

    void append(int base, PairList& out) {
        const int n_cells = cells_[0] * cells_[1] * cells_[2], n_tasks = std::min(kMostTasks, n_cells);
        std::vector<Segment> segments(n_tasks);
        const auto cells_begin = [&](int task) { return int(std::int64_t(n_cells) * task / n_tasks); };
        parallel_for(n_tasks, [&](int k) { search(cells_begin(k), cells_begin(k + 1), segments[k]); });
        lay_out(segments, base, out);
        parallel_for(n_tasks, [&](int k) { fill(start_[cells_begin(k)], segments[k], base, out); });
    }

private:
    void place_cells(const double* positions) {
        const double widest = std::numeric_limits<double>::infinity();
        Vec3 high;
        for (int d = 0; d < 3; ++d) {
            low_[d] = frame_.periodic[d] ? 0.0 : widest;
            high[d] = frame_.periodic[d] ? 1.0 : -widest;
        }
        for (int i = 0; i < n_; ++i)
            for (int d = 0; d < 3; ++d) {
                if (frame_.periodic[d]) continue;
                const double f = fractional(positions + 3 * i, d);
                low_[d] = std::min(low_[d], f), high[d] = std::max(high[d], f);
            }
        for (int d = 0; d < 3; ++d) {
            span_[d] = std::max(high[d] - low_[d], 1e-9);
            cells_[d] = int(std::clamp(std::floor(span_[d] * frame_.height(d) / r_list_), 1.0, 1e4));
        }
        // Cells that hold nobody cost time as well: no more of them than atoms, more or less.
        const auto too_many = [&] { return double(cells_[0]) * cells_[1] * cells_[2] > std::max(64.0, 2.0 * n_); };
        while (too_many()) {
            int& most = *std::max_element(cells_.begin(), cells_.end());
            most = (most + 1) / 2;
        }
        for (int d = 0; d < 3; ++d) {
            const double images = std::ceil(r_list_ * cells_[d] / (span_[d] * frame_.height(d)));
            check(!frame_.periodic[d] || images <= kMostImages,
                  "neighbour list: the periodic cell is only " + std::to_string(frame_.height(d)) +
                      " Å high; repeat it, or give it in Å");
            reach_[d] = int(std::min(images, frame_.periodic[d] ? images : double(cells_[d] - 1)));
        }
        check((2.0 * reach_[0] + 1) * (2.0 * reach_[1] + 1) * (2.0 * reach_[2] + 1) <= kMostImagesTogether,
              "neighbour list: the periodic cell is too small for the cutoff; repeat it, or give it in Å");
    }

    double fractional(const double* r, int d) const {
        const Vec3& v = frame_.inverse[d];
        return r[0] * v[0] + r[1] * v[1] + r[2] * v[2];
    }

    void sort_atoms(const double* positions) {
        std::vector<int> cell_of(n_);
        std::vector<Int3> wrap(n_);
        start_.assign(std::size_t(cells_[0]) * cells_[1] * cells_[2] + 1, 0);
        for (int i = 0; i < n_; ++i) {
            Int3 c;
            for (int d = 0; d < 3; ++d) {
                const double f = fractional(positions + 3 * i, d);
                if (frame_.periodic[d] && std::abs(f) >= kFarthestWrap)
                    throw std::invalid_argument("neighbour list: an atom is too many cells away; wrap it into the cell");
                wrap[i][d] = frame_.periodic[d] ? int(std::floor(f)) : 0;
                c[d] = std::clamp(int((f - wrap[i][d] - low_[d]) / span_[d] * cells_[d]), 0, cells_[d] - 1);
            }
            cell_of[i] = (c[0] * cells_[1] + c[1]) * cells_[2] + c[2];
            ++start_[cell_of[i] + 1];
        }
        for (std::size_t k = 1; k < start_.size(); ++k) start_[k] += start_[k - 1];
        std::vector<int> next(start_.begin(), start_.end() - 1);
        id_.resize(n_), wrap_.resize(n_);
        for (auto& axis : x_) axis.resize(n_);
        for (int i = 0; i < n_; ++i) {
            const int at = next[cell_of[i]]++;
            id_[at] = i, wrap_[at] = wrap[i];
            for (int c = 0; c < 3; ++c) {
                x_[c][at] = positions[3 * i + c];
                for (int d = 0; d < 3; ++d) x_[c][at] -= wrap[i][d] * frame_.vectors[d][c];
            }
        }
    }

    [[noreturn]] static void refuse_crowd() {
        throw std::invalid_argument("neighbour list: more than " + std::to_string(kMostNeighbors) + " atoms are within the "
                                    "cutoff of one; give positions and cell in Å, no two atoms at the same position");
    }

    // Atoms within reach of a cell, images included.
    struct Candidates {
        std::vector<double> x, y, z, r2;
        std::vector<int> j;      // sorted index
        std::vector<Int3> shift;
        std::vector<int> found;
        int own = 0;             // where the cell's own atoms begin
        int size = 0;

        void resize(std::size_t n) {
            if (x.size() >= n) return;
            for (auto* values : {&x, &y, &z, &r2}) values->resize(2 * n);
            j.resize(2 * n), shift.resize(2 * n), found.resize(2 * n);
        }
    };

    void add_cell(const Int3& cell, const Int3& shift, Candidates& out) const {
        const int c = (cell[0] * cells_[1] + cell[1]) * cells_[2] + cell[2], n = start_[c + 1] - start_[c];
        Vec3 move{};
        for (int d = 0; d < 3; ++d)
            for (int axis = 0; axis < 3; ++axis) move[axis] += shift[d] * frame_.vectors[d][axis];
        if (out.size + n > kMostCandidates) refuse_crowd();
        out.resize(out.size + n);
        for (int k = 0; k < n; ++k) {
            const int from = start_[c] + k, to = out.size + k;
            out.x[to] = x_[0][from] + move[0];
            out.y[to] = x_[1][from] + move[1];
            out.z[to] = x_[2][from] + move[2];
            out.j[to] = from;
            for (int d = 0; d < 3; ++d) out.shift[to][d] = shift[d] - wrap_[from][d];
        }
        out.size += n;
    }

    void gather(const Int3& cell, Candidates& out) const {
        out.size = 0;
        Int3 at, shift;
        const auto place = [&](int d, int offset) {
            const int t = cell[d] + offset;
            shift[d] = (t < 0 ? t - cells_[d] + 1 : t) / cells_[d];  // rounded down
            at[d] = t - shift[d] * cells_[d];
            return frame_.periodic[d] || shift[d] == 0;
        };
        for (int a = -reach_[0]; a <= reach_[0]; ++a) {
            if (!place(0, a)) continue;
            for (int b = -reach_[1]; b <= reach_[1]; ++b) {
                if (!place(1, b)) continue;
                for (int c = -reach_[2]; c <= reach_[2]; ++c) {
                    if (!place(2, c)) continue;
                    if (a == 0 && b == 0 && c == 0) out.own = out.size;
                    add_cell(at, shift, out);
                }
            }
        }
    }

    void search(int begin, int end, Segment& out) const {
        Candidates near;
        const double limit = r_list_ * r_list_;
        for (int c = begin; c < end; ++c) {
            if (start_[c] == start_[c + 1]) continue;
            gather({c / (cells_[1] * cells_[2]), c / cells_[2] % cells_[1], c % cells_[2]}, near);
            for (int i = start_[c]; i < start_[c + 1]; ++i) {
                const double x = x_[0][i], y = x_[1][i], z = x_[2][i];
                for (int k = 0; k < near.size; ++k) {
                    const double dx = near.x[k] - x, dy = near.y[k] - y, dz = near.z[k] - z;
                    near.r2[k] = dx * dx + dy * dy + dz * dz;
                }
                near.r2[near.own + i - start_[c]] = limit;  // the atom itself, not its images
                int n = 0;
                for (int k = 0; k < near.size; ++k) {
                    near.found[n] = k;
                    n += near.r2[k] < limit;  // kept only then: no branch
                }
                if (n > kMostNeighbors) refuse_crowd();
                for (int f = 0; f < n; ++f) {
                    const Int3 &shift = near.shift[near.found[f]], &wrap = wrap_[i];
                    out.j.push_back(id_[near.j[near.found[f]]]);
                    out.S.push_back({shift[0] + wrap[0], shift[1] + wrap[1], shift[2] + wrap[2]});
                }
                out.count.push_back(n);
            }
        }
    }

    // Where the pairs of each atom begin.
    void lay_out(const std::vector<Segment>& segments, int base, PairList& out) const {
        out.first.resize(std::size_t(base) + n_ + 1);
        int* count = out.first.data() + base + 1;
        int at = 0;
        std::size_t total = out.j.size();
        for (const Segment& segment : segments) {
            total += segment.j.size();
            for (const int n : segment.count) count[id_[at++]] = n;
        }
        check_pairs(total);
        for (int i = 0; i < n_; ++i) count[i] += count[i - 1];
        out.j.resize(count[n_ - 1]);
        out.offset.resize(3 * out.j.size());
    }

    void fill(int sorted, const Segment& segment, int base, PairList& out) const {
        std::size_t from = 0;
        for (const int n : segment.count) {
            int at = out.first[base + id_[sorted++]];
            for (const std::size_t end = from + n; from < end; ++from, ++at) {
                out.j[at] = base + segment.j[from];
                const Int3& S = segment.S[from];
                for (int c = 0; c < 3; ++c)
                    out.offset[3 * std::size_t(at) + c] = S[0] * cell_[c] + S[1] * cell_[3 + c] + S[2] * cell_[6 + c];
            }
        }
    }

    const Frame frame_;
    const double* cell_;
    const int n_;
    const double r_list_;
    Vec3 low_, span_;  // of the box, fractional
    Int3 cells_, reach_;
    std::vector<int> start_;  // (n_cells + 1): sorted atoms of each cell
    std::vector<int> id_;     // (n_atoms), sorted: index before
    std::vector<Int3> wrap_;
    std::array<std::vector<double>, 3> x_;  // wrapped, sorted
};

}  // namespace

void append_cell_list(const double* positions, int n, const double* cell, const std::uint8_t* pbc, double r_list, int base,
                      PairList& out) {
    CellList(positions, n, cell, pbc, r_list).append(base, out);
}

}  // namespace thalweg
