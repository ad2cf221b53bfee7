// Drives the kernel: filters neighbours, forms blocks, sums pair gradients in a fixed order.
#include "thalweg/evaluator.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "thalweg/check.hpp"
#include "thalweg/threads.hpp"

namespace thalweg {

namespace {

constexpr int kMostSets = 8;  // cotangents per pass: bounds the memory of pair gradients
constexpr std::size_t kMostJacobian = std::size_t(1) << 19;  // numbers of Jacobian held at once: 4 MB, stays in cache

// Scratch of this thread, 64-byte aligned, grown as needed.
void* scratch(std::size_t bytes) {
    static thread_local std::vector<char> memory;
    if (memory.size() < bytes + 64) memory.resize(bytes + 64);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return reinterpret_cast<void*>((address + 63) / 64 * 64);
}

void axpy(std::size_t n, double a, const double* x, double* y) {
    for (std::size_t k = 0; k < n; ++k) y[k] += a * x[k];
}

// Closes the gaps that filtered pairs leave.
void pack(Neighborhood& nb) {
    int at = 0;
    for (std::size_t i = 0; i < nb.first.size(); ++i) {
        const int from = nb.first[i];
        nb.first[i] = at;
        for (int k = from; k < from + nb.count[i]; ++k, ++at) {
            nb.j[at] = nb.j[k];
            nb.element[at] = nb.element[k];
            std::copy_n(&nb.d[3 * k], 3, &nb.d[3 * at]);
        }
    }
    nb.j.resize(at);
    nb.element.resize(at);
    nb.d.resize(3 * std::size_t(at));
}

}  // namespace

void add_strain(const Batch& batch, const Neighborhood& nb, const double* rows, int width, int column, double* strain) {
    for (int s = 0; s < batch.n_structures; ++s)
        for (int i = batch.first_atom[s]; i < batch.first_atom[s + 1]; ++i)
            for (int p = nb.first[i]; p < nb.first[i] + nb.count[i]; ++p)
                for (int a = 0; a < 3; ++a)
                    for (int b = 0; b < 3; ++b)
                        strain[9 * s + 3 * a + b] += rows[std::size_t(p) * width + column + a] * nb.d[3 * p + b];
}

Evaluator::Evaluator(PlanSpec spec, const std::string& instructions)
    : plan_(std::move(spec)), kernel_(select_kernel<double>(instructions.c_str())) {}

void Evaluator::gather(const Batch& batch, const PairList& pairs, Neighborhood& out) const {
    const int n_atoms = batch.n_atoms();
    check(pairs.r_list >= r_cut(), "neighbour list is shorter than the cutoff of the basis");
    for (int i = 0; i < n_atoms; ++i)
        check(batch.species[i] >= 0 && batch.species[i] < n_elements(), "species index outside the basis");
    const std::size_t n_pairs = pairs.j.size();
    out.first.resize(n_atoms);
    out.count.resize(n_atoms);
    out.j.resize(n_pairs);
    out.element.resize(n_pairs);
    out.d.resize(3 * n_pairs + 3);
    const double limit = r_cut() * r_cut();
    for (int i = 0; i < n_atoms; ++i) {
        const double* own = batch.positions + 3 * i;
        int at = out.first[i] = pairs.first[i];
        for (int p = pairs.first[i]; p < pairs.first[i + 1]; ++p) {
            const int j = pairs.j[p];
            const double *other = batch.positions + 3 * j, *offset = pairs.offset.data() + 3 * p;
            double* d = out.d.data() + 3 * at;
            for (int axis = 0; axis < 3; ++axis) d[axis] = other[axis] - own[axis] + offset[axis];
            out.j[at] = j;
            out.element[at] = batch.species[j];
            at += d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < limit;  // kept only then: no branch
        }
        out.count[i] = at - pairs.first[i];
    }
}

void Evaluator::run(const Batch& batch, const Neighborhood& nb, const BlockJob<double>& common,
                    const std::function<void(BlockJob<double>&)>& configure) const {
    run_atoms(batch, nb, common, configure, 0, batch.n_atoms());
}

void Evaluator::run_atoms(const Batch& batch, const Neighborhood& nb, const BlockJob<double>& common,
                          const std::function<void(BlockJob<double>&)>& configure, int first_atom, int last_atom) const {
    const int n_atoms = last_atom - first_atom;
    std::vector<int> order(n_atoms), begin;
    std::iota(order.begin(), order.end(), first_atom);
    // Like with like: the same element is needed, similar neighbour counts save empty slots.
    std::sort(order.begin(), order.end(), [&](int a, int b) {
        if (batch.species[a] != batch.species[b]) return batch.species[a] < batch.species[b];
        return nb.count[a] != nb.count[b] ? nb.count[a] < nb.count[b] : a < b;
    });
    for (int k = 0; k < n_atoms; ++k)
        if (begin.empty() || k - begin.back() == kernel_.width ||
            batch.species[order[k]] != batch.species[order[begin.back()]])
            begin.push_back(k);
    begin.push_back(n_atoms);
    parallel_for(int(begin.size()) - 1, [&](int block) {
        BlockJob<double> job = common;
        job.atoms = order.data() + begin[block];
        job.n_lanes = begin[block + 1] - begin[block];
        job.element = batch.species[job.atoms[0]];
        job.neighbors = {nb.first.data(), nb.count.data(), nb.element.data(), nb.d.data(), nb.d.data() + 1,
                         nb.d.data() + 2, 3};
        job.n_atoms = batch.n_atoms();
        job.max_slots = 0;
        for (int lane = 0; lane < job.n_lanes; ++lane)
            job.max_slots = std::max(job.max_slots, nb.count[job.atoms[lane]]);
        job.max_slots *= std::min(n_elements(), job.n_lanes * job.max_slots);
        if (configure) configure(job);
        kernel_.run_block(plan_.view(), job, scratch(kernel_.scratch_bytes(plan_.view(), job.n_sets, job.max_slots)));
    });
}

void Evaluator::phi(const Batch& batch, double* phi) const {
    Neighborhood nb;
    gather(batch, build_pairs(batch, r_cut()), nb);
    BlockJob<double> job{};
    job.phi = phi;
    run(batch, nb, job, nullptr);
}

void Evaluator::vjp(const Batch& batch, int n_cot, const double* g, double* gradients, double* strain) const {
    Neighborhood nb;
    gather(batch, build_pairs(batch, r_cut()), nb);
    const int n_atoms = batch.n_atoms();
    std::fill_n(strain, std::size_t(n_cot) * batch.n_structures * 9, 0.0);
    for (int begin = 0; begin < n_cot; begin += kMostSets) {
        const int n_sets = std::min(n_cot - begin, kMostSets), width = 3 * n_sets;
        std::vector<double> rows(nb.j.size() * width), sums(std::size_t(n_atoms) * width, 0.0);
        BlockJob<double> job{};
        job.n_sets = n_sets;
        job.cotangents = g + std::size_t(begin) * n_atoms * n_features();
        job.pair_gradient = rows.data();
        run(batch, nb, job, nullptr);
        kernel_.scatter({0, n_atoms, width, nb.first.data(), nb.count.data(), nb.j.data(), rows.data(), sums.data(), 0});
        for (int set = 0; set < n_sets; ++set) {
            double* to = gradients + std::size_t(begin + set) * n_atoms * 3;
            for (int i = 0; i < n_atoms; ++i) std::copy_n(&sums[std::size_t(i) * width + 3 * set], 3, to + 3 * i);
            add_strain(batch, nb, rows.data(), width, 3 * set, strain + std::size_t(begin + set) * batch.n_structures * 9);
        }
    }
}

void Evaluator::jvp(const Batch& batch, const double* v, double* tangent) const {
    Neighborhood nb;
    gather(batch, build_pairs(batch, r_cut()), nb);
    std::vector<double> change(nb.d.size());
    for (int i = 0; i < batch.n_atoms(); ++i)
        for (int p = nb.first[i]; p < nb.first[i] + nb.count[i]; ++p)
            for (int axis = 0; axis < 3; ++axis) change[3 * p + axis] = v[3 * nb.j[p] + axis] - v[3 * i + axis];
    BlockJob<double> job{};
    job.pair_tangent = change.data();
    job.phi_tangent = tangent;
    run(batch, nb, job, nullptr);
}

void Evaluator::jacobian(const Batch& batch, std::vector<int>& i, std::vector<int>& j, std::vector<double>& rows) const {
    Neighborhood nb;
    gather(batch, build_pairs(batch, r_cut()), nb);
    pack(nb);
    rows.resize(nb.j.size() * 3 * n_features());
    BlockJob<double> job{};
    job.jacobian = rows.data();
    run(batch, nb, job, nullptr);
    i.clear();
    for (int atom = 0; atom < batch.n_atoms(); ++atom) i.insert(i.end(), nb.count[atom], atom);
    j = nb.j;
}

void Evaluator::add_design_rows(const Batch& batch, const Neighborhood& nb, int i, const double* jacobian,
                                double* forces, double* strain) const {
    static constexpr int voigt[6][2] = {{0, 0}, {1, 1}, {2, 2}, {1, 2}, {0, 2}, {0, 1}};
    const std::size_t p = n_features(), n_columns = p * n_elements(), column = batch.species[i] * p;
    for (int k = nb.first[i]; k < nb.first[i] + nb.count[i]; ++k, jacobian += 3 * p) {
        for (int axis = 0; axis < 3 && nb.j[k] != i; ++axis) {
            axpy(p, 1.0, jacobian + axis * p, forces + (3 * i + axis) * n_columns + column);
            axpy(p, -1.0, jacobian + axis * p, forces + (3 * nb.j[k] + axis) * n_columns + column);
        }
        for (int e = 0; strain && e < 6; ++e)
            axpy(p, nb.d[3 * k + voigt[e][1]], jacobian + voigt[e][0] * p, strain + e * n_columns + column);
    }
}

void Evaluator::design_rows(const Batch& batch, double* energy, double* forces, double* strain) const {
    const std::size_t p = n_features(), n_columns = p * n_elements();
    const int n_atoms = batch.n_atoms();
    Neighborhood nb;
    gather(batch, build_pairs(batch, r_cut()), nb);
    pack(nb);
    std::vector<double> phi(n_atoms * p), jacobian;
    std::fill_n(energy, n_columns, 0.0);
    std::fill_n(forces, 3 * n_atoms * n_columns, 0.0);
    if (strain) std::fill_n(strain, 6 * n_columns, 0.0);
    for (int begin = 0, end = 0; begin < n_atoms; begin = end) {
        std::size_t n_pairs = 0;
        while (end < n_atoms && (end == begin || (n_pairs + nb.count[end]) * 3 * p <= kMostJacobian))
            n_pairs += nb.count[end++];
        jacobian.resize(n_pairs * 3 * p);
        BlockJob<double> job{};
        job.phi = phi.data();
        job.jacobian = jacobian.data();
        job.jacobian_base = nb.first[begin];
        run_atoms(batch, nb, job, nullptr, begin, end);
        for (int i = begin; i < end; ++i) {
            axpy(p, 1.0, &phi[i * p], energy + batch.species[i] * p);
            add_design_rows(batch, nb, i, jacobian.data() + std::size_t(nb.first[i] - nb.first[begin]) * 3 * p, forces,
                            strain);
        }
    }
}

}  // namespace thalweg
