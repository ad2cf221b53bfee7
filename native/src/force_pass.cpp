// How atoms are divided depends on the structures alone, never on threads or on the company in the batch, and every
// sum runs in the order of atoms and pairs: results repeat bit for bit.
//
//     chunk   some hundred centres: whole small structures, or a part of a large one; the unit of parallel work.
//             It sums what its pairs do to atoms lo .. hi into memory of its own.
//     slab    at most kSlab centres of a chunk: their pairs fit the cache
//     block   kernel-width atoms of a slab, of one element
#include "force_pass.hpp"

#include "chunks.hpp"
#include "workspace.hpp"

#include <algorithm>
#include <cmath>

#include "thalweg/check.hpp"
#include "thalweg/threads.hpp"

namespace thalweg {
namespace {

constexpr int kSlab = 256;
constexpr int kRange = 2048;                        // atoms whose chunks are summed by one task

template <class Real>
class Pass {
public:
    Pass(const PackedModel<Real>& model, const ZblTable* zbl, const Batch& batch, const PairList& pairs,
         const ForceOutput& out, Chosen chosen)
        : model_(model), zbl_(zbl), batch_(batch), pairs_(pairs), out_(out), chosen_(std::move(chosen)),
          n_centres_(static_cast<int>(pairs.first.size()) - 1),
          members_(out.deviation || out.member_forces || out.look),
          forces_(out.forces || out.virials || out.atom_virials || members_),
          screened_(members_ && out.screen && !out.member_forces),
          n_sets_(screened_ ? 2 : members_ ? model.n_sets : 1) {
        check(n_centres_ <= batch.n_atoms() && (n_centres_ == batch.n_atoms() || batch.n_structures == 1),
              "neighbour list: only a single structure may have ghost atoms");
    }

    void run(const std::vector<double>& reference_energies) {
        static thread_local Caller caller;
        energies_ = grown(caller.energies, n_centres_);
        std::vector<Chunk>& chunks = caller.chunks;
        divide(batch_, n_centres_, chosen_, chunks);
        grown(caller.spare_sums, chunks.size());
        for (std::size_t k = 0; k < chunks.size(); ++k) chunks[k].sums.swap(caller.spare_sums[k]);
        if (out_.atom_virials) std::fill_n(out_.atom_virials, 18 * std::size_t(batch_.n_atoms()), 0.0);
        parallel_for(int(chunks.size()), [&](int k) { run_chunk(chunks[k]); });
        if (out_.forces || members_) {
            for (int s = 0; s < batch_.n_structures; ++s)
                if (chosen_.empty() || chosen_[s]) sum_structure(chunks, s);
        }
        if (out_.virials) sum_strain(chunks);
        if (out_.atom_virials) sum_atom_virials(chunks);
        if (out_.atom_energies)
            for (int i = 0; i < n_centres_; ++i)
                out_.atom_energies[i] = energies_[i] + reference_energies[batch_.species[i]];
        if (out_.energies) sum_energies(reference_energies);
        for (std::size_t k = 0; k < chunks.size(); ++k) chunks[k].sums.swap(caller.spare_sums[k]);
    }

private:
    int width() const { return 3 * n_sets_; }
    int n_members() const { return model_.n_sets - 1; }

    // Atoms that feel this chunk.
    void find_reach(Chunk& chunk) const {
        chunk.lo = chunk.begin, chunk.hi = chunk.end;
        if (chunk.whole && n_centres_ == batch_.n_atoms()) return;
        for (int p = pairs_.first[chunk.begin]; p < pairs_.first[chunk.end]; ++p) {
            chunk.lo = std::min(chunk.lo, pairs_.j[p]);
            chunk.hi = std::max(chunk.hi, pairs_.j[p] + 1);
        }
    }

    void run_chunk(Chunk& chunk) const {
        static thread_local Workspace<Real> work;
        find_reach(chunk);
        if (forces_) {
            const std::size_t n = std::size_t(chunk.hi - chunk.lo) * (width() + (out_.atom_virials ? 9 : 0));
            std::fill_n(grown(chunk.sums, n), n, 0.0);
        }
        chunk.strain.assign(out_.virials ? 9 * (chunk.last_structure - chunk.first_structure + 1) : 0, 0.0);
        for (int begin = chunk.begin; begin < chunk.end; begin += kSlab)
            run_slab(chunk, begin, std::min(begin + kSlab, chunk.end), work);
    }

    void run_slab(Chunk& chunk, int begin, int end, Workspace<Real>& w) const {
        filter(begin, end, w);
        form_blocks(begin, end, w);
        const std::size_t n_pairs = w.first[end - begin - 1] + w.count[end - begin - 1];
        BlockJob<Real> job{};
        job.n_sets = n_sets_;
        job.energy = energies_ + begin;
        job.novelty = out_.novelty ? out_.novelty + begin : nullptr;
        job.neighbors = {w.first.data(), w.count.data(), w.element.data(), w.x.data(), w.y.data(), w.z.data(), 1};
        if (forces_) job.pair_gradient = grown(w.rows, n_pairs * width() + width());
        for (std::size_t b = 0; b + 1 < w.begin.size(); ++b) {
            job.atoms = w.order.data() + w.begin[b];
            job.n_lanes = w.begin[b + 1] - w.begin[b];
            run_block(job, batch_.species[begin + job.atoms[0]], w);
        }
        if (job.novelty) guard(job.novelty, begin, end, w);
        if (zbl_) add_repulsion(begin, end, w);
        if (forces_) scatter(chunk, begin, end, w);
        if (out_.atom_virials) scatter_virials(chunk, begin, end, w);
    }

    void filter(int begin, int end, Workspace<Real>& w) const {
        const std::size_t n = end - begin, n_listed = pairs_.first[end] - pairs_.first[begin];
        const double r_cut = model_.plan.r_cut;
        const std::size_t room = n_listed + kFilterRoom;
        const bool several = model_.plan.n_elements > 1;
        grown(w.element, room);
        model_.kernel.filter({begin, end, r_cut * r_cut, pairs_.first.data(), pairs_.j.data(), batch_.species,
                              pairs_.offset.data(), batch_.positions, grown(w.first, n), grown(w.count, n),
                              grown(w.j, room), several ? w.element.data() : nullptr, grown(w.x, room),
                              grown(w.y, room), grown(w.z, room), grown(w.nearest, n)});
    }

    // Like with like: the same element is needed, similar neighbour counts save empty slots. A counting sort.
    void form_blocks(int begin, int end, Workspace<Real>& w) const {
        const int n = end - begin, most = *std::max_element(w.count.begin(), w.count.begin() + n);
        const int* species = batch_.species + begin;
        const auto key = [&](int i) { return species[i] * (most + 1) + w.count[i]; };
        w.bucket.assign(std::size_t(model_.plan.n_elements) * (most + 1) + 1, 0);
        for (int i = 0; i < n; ++i) ++w.bucket[key(i) + 1];
        for (std::size_t k = 1; k < w.bucket.size(); ++k) w.bucket[k] += w.bucket[k - 1];
        grown(w.order, n);
        for (int i = 0; i < n; ++i) w.order[w.bucket[key(i)]++] = i;
        w.begin.clear();
        for (int k = 0; k < n; ++k)
            if (w.begin.empty() || k - w.begin.back() == model_.kernel.width ||
                species[w.order[k]] != species[w.order[w.begin.back()]])
                w.begin.push_back(k);
        w.begin.push_back(n);
    }

    void run_block(BlockJob<Real>& job, int element, Workspace<Real>& w) const {
        job.element = element;
        job.max_slots = 0;
        for (int lane = 0; lane < job.n_lanes; ++lane)
            job.max_slots = std::max(job.max_slots, w.count[job.atoms[lane]]);
        job.max_slots *= std::min(model_.plan.n_elements, job.n_lanes * job.max_slots);
        const std::size_t at = std::size_t(element) * model_.n_sets;
        job.entries = model_.entry_pointers.data() + at;
        job.linear = model_.linear_pointers.data() + at;
        if (screened_) {
            const std::size_t row = std::size_t(element) * model_.n_rows + out_.screen->row % model_.n_rows;
            job.entries = model_.screen_entry_pointers.data() + 2 * row;
            job.linear = model_.screen_linear_pointers.data() + 2 * row;
        }
        if (job.novelty) job.novelty_model = &model_.novelty[element];
        model_.kernel.run_block(model_.plan, job,
                                w.aligned(model_.kernel.scratch_bytes(model_.plan, n_sets_, job.max_slots)));
    }

    // An environment that has lost neighbours looks ordinary to a distance in features, which vanish with them.
    void guard(double* novelty, int begin, int end, const Workspace<Real>& w) const {
        if (model_.fewest_neighbors.empty()) return;
        for (int i = 0; i < end - begin; ++i)
            if (w.count[i] < model_.fewest_neighbors[batch_.species[begin + i]]) novelty[i] = kTooFewNeighbors;
    }

    // The core repulsion, half a pair at each of its ends: added to the mean's energies and pair gradients.
    void add_repulsion(int begin, int end, Workspace<Real>& w) const {
        const double reach = zbl_->r_max * zbl_->r_max;
        for (int i = 0; i < end - begin; ++i) {
            if (w.nearest[i] >= reach) continue;
            const ZblPair* row = zbl_->pairs.data() + std::size_t(batch_.species[begin + i]) * zbl_->n_species;
            for (int p = w.first[i]; p < w.first[i] + w.count[i]; ++p) {
                const double d[3] = {w.x[p], w.y[p], w.z[p]}, r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                const ZblPair& pair = row[batch_.species[w.j[p]]];
                if (r >= pair.outer) continue;
                const ZblTerm term = zbl_term(pair, r);
                energies_[begin + i] += 0.5 * term.energy;
                for (int axis = 0; axis < 3 && forces_; ++axis)
                    w.rows[std::size_t(p) * width() + axis] += Real(0.5 * term.slope / r * d[axis]);
            }
        }
    }

    void scatter(Chunk& chunk, int begin, int end, Workspace<Real>& w) const {
        for (int s = chunk.first_structure; s <= chunk.last_structure; ++s) {
            const int from = std::max(begin, batch_.first_atom[s]), to = std::min(end, batch_.first_atom[s + 1]);
            if (from >= to) continue;
            double* strain = out_.virials ? &chunk.strain[9 * std::size_t(s - chunk.first_structure)] : nullptr;
            model_.kernel.scatter({from, to, width(), w.first.data() + (from - begin), w.count.data() + (from - begin),
                                   w.j.data(), w.rows.data(), chunk.sums.data(), chunk.lo, w.x.data(), w.y.data(), w.z.data(),
                                   strain});
        }
    }

    // What each pair adds to dE/dstrain: with its centre, which no other chunk has, and with its neighbour.
    void scatter_virials(Chunk& chunk, int begin, int end, const Workspace<Real>& w) const {
        double* neighbors = chunk.sums.data() + std::size_t(chunk.hi - chunk.lo) * width();
        for (int i = 0; i < end - begin; ++i) {
            double* centre = out_.atom_virials + 18 * std::size_t(begin + i);
            for (int p = w.first[i]; p < w.first[i] + w.count[i]; ++p) {
                const Real* gradient = &w.rows[std::size_t(p) * width()];
                const double d[3] = {w.x[p], w.y[p], w.z[p]};
                double* neighbor = neighbors + 9 * std::size_t(w.j[p] - chunk.lo);
                for (int k = 0; k < 9; ++k) {
                    const double product = gradient[k / 3] * d[k % 3];
                    centre[k] += product, neighbor[k] += product;
                }
            }
        }
    }

    void sum_structure(const std::vector<Chunk>& chunks, int s) const {
        const int first = batch_.first_atom[s], last = batch_.first_atom[s + 1];
        const auto range = [&](int k) { sum_forces(chunks, first + k * kRange, std::min(last, first + (k + 1) * kRange)); };
        if (last - first <= kRange) range(0);
        else parallel_for((last - first + kRange - 1) / kRange, range);
    }

    // Forces and deviations of atoms begin .. end: the sums of the chunks that they feel, in order.
    void sum_forces(const std::vector<Chunk>& chunks, int begin, int end) const {
        static thread_local Workspace<Real> work;
        const std::size_t n = end - begin, columns = width();
        double* total = grown(work.total, n * columns);
        std::fill_n(total, n * columns, 0.0);
        for (const Chunk& chunk : chunks) {
            const int from = std::max(begin, chunk.lo), to = std::min(end, chunk.hi);
            if (from >= to) continue;
            const double* add = chunk.sums.data() + std::size_t(from - chunk.lo) * columns;
            double* sum = total + std::size_t(from - begin) * columns;
            for (std::size_t k = 0; k < std::size_t(to - from) * columns; ++k) sum[k] += add[k];
        }
        for (std::size_t i = 0; i < n; ++i) {
            const double* g = total + i * columns;
            for (int axis = 0; axis < 3 && out_.forces; ++axis) out_.forces[3 * (begin + i) + axis] = -g[axis];
            for (std::size_t k = 3; k < columns && out_.member_forces; ++k)
                out_.member_forces[(begin + i) * (columns - 3) + k - 3] = -g[k];
            for (int axis = 0; axis < 3 && out_.look; ++axis)
                out_.look[3 * (begin + i) + axis] = -g[3 + axis] / std::sqrt(double(n_members()));
            if (!out_.deviation) continue;
            double squares = 0.0;
            for (std::size_t k = 3; k < columns; ++k) squares += g[k] * g[k];
            out_.deviation[begin + i] = std::sqrt(squares / n_members());
        }
    }

    void sum_strain(const std::vector<Chunk>& chunks) const {
        std::fill_n(out_.virials, 9 * std::size_t(batch_.n_structures), 0.0);
        for (const Chunk& chunk : chunks)
            for (std::size_t k = 0; k < chunk.strain.size(); ++k)
                out_.virials[9 * std::size_t(chunk.first_structure) + k] += chunk.strain[k];
    }

    void sum_atom_virials(const std::vector<Chunk>& chunks) const {
        for (const Chunk& chunk : chunks) {
            const double* add = chunk.sums.data() + std::size_t(chunk.hi - chunk.lo) * width();
            for (int i = chunk.lo; i < chunk.hi; ++i)
                for (int k = 0; k < 9; ++k) out_.atom_virials[18 * std::size_t(i) + 9 + k] += *add++;
        }
    }

    void sum_energies(const std::vector<double>& reference_energies) const {
        for (int s = 0; s < batch_.n_structures; ++s) {
            out_.energies[s] = 0.0;
            for (int i = batch_.first_atom[s]; i < std::min(batch_.first_atom[s + 1], n_centres_); ++i)
                out_.energies[s] += energies_[i] + reference_energies[batch_.species[i]];
        }
    }

    const PackedModel<Real>& model_;
    const ZblTable* zbl_;
    const Batch& batch_;
    const PairList& pairs_;
    const ForceOutput& out_;
    const Chosen chosen_;
    const int n_centres_;
    const bool members_, forces_;
    const bool screened_;
    const int n_sets_;
    double* energies_ = nullptr;  // (n_centres)
};

// Structures with an atom whose estimate asks for the whole committee.
Chosen to_confirm(const Batch& batch, const ForceOutput& out) {
    Chosen chosen(batch.n_structures, 0);
    for (int s = 0; s < batch.n_structures; ++s)
        for (int i = batch.first_atom[s]; i < batch.first_atom[s + 1] && !chosen[s]; ++i)
            chosen[s] = !(out.deviation[i] <= out.screen->confirm[i]);
    return chosen;
}

}  // namespace

template <class Real>
void force_pass(const PackedModel<Real>& model, const ZblTable* zbl, const std::vector<double>& reference_energies,
                const Batch& batch, const PairList& pairs, const ForceOutput& out) {
    Pass<Real>(model, zbl, batch, pairs, out, {}).run(reference_energies);
    if (!out.screen || !out.deviation || out.member_forces) return;
    Chosen chosen = to_confirm(batch, out);
    if (std::find(chosen.begin(), chosen.end(), 1) == chosen.end()) return;
    ForceOutput whole;
    whole.deviation = out.deviation;
    Pass<Real>(model, nullptr, batch, pairs, whole, std::move(chosen)).run(reference_energies);
}

template void force_pass(const PackedModel<double>&, const ZblTable*, const std::vector<double>&, const Batch&,
                         const PairList&, const ForceOutput&);
template void force_pass(const PackedModel<float>&, const ZblTable*, const std::vector<double>&, const Batch&,
                         const PairList&, const ForceOutput&);

}  // namespace thalweg
