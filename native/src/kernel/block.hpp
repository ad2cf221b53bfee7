// One block of atoms from neighbours to energies, features and pair gradients, all stages fused.
#pragma once

#include "pair.hpp"
#include "product.hpp"

namespace thalweg {
namespace {

// Scratch of one block; with base == nullptr only `end` is meaningful: the size in vectors.
struct Work {
    V *slots, *R, *D, *Y, *angular, *gh, *v, *bar, *a_bar, *phi, *x;
    Real* scalars;    // (n_v): one atom's v
    int* index;       // (max_slots, W): pair of each slot and lane, or -1
    int* slot_begin;  // (n_elements + 1)
    std::size_t end;
};

inline Work place(const Tables& plan, int n_sets, int max_slots, V* base) {
    std::size_t at = 0;
    auto take = [&](std::size_t n) {
        V* p = base ? base + at : nullptr;
        at += n;
        return p;
    };
    const int L = plan.l_max, n_y = (L + 1) * (L + 1);
    const int n_angular = 4 + (L + 1) * (L + 2) / 2 + 2 * (L + 1);
    Work w{};
    w.slots = take(3 * std::size_t(max_slots + kForwardChunk));
    w.R = take(kForwardChunk * plan.n_radial);
    w.D = take(kForwardChunk * plan.n_radial);
    w.Y = take(kForwardChunk * n_y);
    w.angular = take(kForwardChunk * n_angular);
    w.gh = take(kTogether * n_y);
    w.v = take(plan.n_v);
    w.bar = take(std::size_t(kSetsTogether) * plan.n_v);
    w.a_bar = take(std::size_t(n_sets > 0 ? n_sets : 1) * plan.n_a);
    w.phi = take(plan.n_features);
    w.x = take(plan.n_features);
    w.scalars = reinterpret_cast<Real*>(take((plan.n_v + W - 1) / W));
    w.index = reinterpret_cast<int*>(take((max_slots * sizeof(int) + sizeof(Real) - 1) / sizeof(Real)));
    w.slot_begin = reinterpret_cast<int*>(take((plan.n_elements + 2 * W) / W));
    w.end = at;
    return w;
}

// Slots that the neighbours of one element take: the most of any lane. With one element all are of it.
inline int most_neighbors(const Job& job, int n_elements, int z) {
    const NeighborView& nb = job.neighbors;
    int most = 0;
    for (int lane = 0; lane < job.n_lanes; ++lane) {
        const int i = job.atoms[lane], begin = nb.first[i], end = begin + nb.count[i];
        int n = nb.count[i];
        if (n_elements > 1) {
            n = 0;
            for (int p = begin; p < end; ++p) n += nb.element[p] == z;
        }
        most = n > most ? n : most;
    }
    return most;
}

#if defined(__AVX512F__)
inline V gather(const double* from, const __m256i* at, const __mmask8* wanted, Real otherwise) {
    const __m512d fill = _mm512_set1_pd(otherwise);
    const __m512d low = _mm512_mask_i32gather_pd(fill, wanted[0], at[0], from, 8);
    if constexpr (kDouble) {
        return (V)low;
    } else {
        const __m512d high = _mm512_mask_i32gather_pd(fill, wanted[1], at[1], from, 8);
        return (V)_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
    }
}

// fill_slots for one element and displacements side by side in memory: a slot of all lanes at a time.
inline void fill_together(const Tables& plan, const Job& job, Work& w, int n_slots) {
    constexpr int n_halves = W / 8;
    const NeighborView& nb = job.neighbors;
    alignas(64) int first[W] = {}, count[W] = {};
    for (int lane = 0; lane < job.n_lanes; ++lane)
        first[lane] = nb.first[job.atoms[lane]], count[lane] = nb.count[job.atoms[lane]];
    for (int k = 0; k < n_slots; ++k) {
        __m256i at[n_halves];
        __mmask8 wanted[n_halves];
        for (int h = 0; h < n_halves; ++h) {
            const __m256i slot = _mm256_set1_epi32(k);
            at[h] = _mm256_add_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(first + 8 * h)), slot);
            wanted[h] = _mm256_cmpgt_epi32_mask(_mm256_load_si256(reinterpret_cast<const __m256i*>(count + 8 * h)), slot);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(w.index + k * W + 8 * h),
                                _mm256_mask_mov_epi32(_mm256_set1_epi32(-1), wanted[h], at[h]));
        }
        w.slots[3 * k] = gather(nb.x, at, wanted, 0);
        w.slots[3 * k + 1] = gather(nb.y, at, wanted, 0);
        w.slots[3 * k + 2] = gather(nb.z, at, wanted, plan.r_cut);
    }
}
#endif

// Sorts the neighbours of each lane by element into slots; empty slots sit at the cutoff, where all is zero.
inline void fill_slots(const Tables& plan, const Job& job, Work& w) {
    const NeighborView& nb = job.neighbors;
    const bool one_element = plan.n_elements == 1;
#if defined(__AVX512F__)
    if (one_element && nb.stride == 1) {
        w.slot_begin[0] = 0;
        w.slot_begin[1] = most_neighbors(job, 1, 0);
        return fill_together(plan, job, w, w.slot_begin[1]);
    }
#endif
    Real* slots = reinterpret_cast<Real*>(w.slots);
    w.slot_begin[0] = 0;
    for (int z = 0; z < plan.n_elements; ++z) {
        const int begin_slot = w.slot_begin[z], end_slot = begin_slot + most_neighbors(job, plan.n_elements, z);
        w.slot_begin[z + 1] = end_slot;
        for (int lane = 0; lane < W; ++lane) {
            int k = begin_slot;
            if (lane < job.n_lanes) {
                const int i = job.atoms[lane], begin = nb.first[i], end = begin + nb.count[i];
                for (int p = begin; p < end; ++p) {
                    if (!one_element && nb.element[p] != z) continue;
                    const std::size_t at = std::size_t(p) * nb.stride;
                    Real* to = slots + 3 * std::size_t(k) * W + lane;
                    to[0] = Real(nb.x[at]), to[W] = Real(nb.y[at]), to[2 * W] = Real(nb.z[at]);
                    w.index[k++ * W + lane] = p;
                }
            }
            for (; k < end_slot; ++k) {
                Real* to = slots + 3 * std::size_t(k) * W + lane;
                to[0] = to[W] = 0, to[2 * W] = plan.r_cut;
                w.index[k * W + lane] = -1;
            }
        }
    }
}

inline const Real* recurrence_of(const Tables& plan, int s, int z) {
    return plan.recurrence + (std::size_t(s) * plan.n_elements + z) * plan.n_radial * 3;
}

// Calls f(z, slot, n, reload tables) over the chunks of all elements; the tables are filled on entry.
template <int L, bool Slopes, int Chunk, class F>
inline void for_each_chunk(const Tables& plan, const Job& job, const Work& w, F f) {
    const PairTables t{w.R, w.D, w.Y, w.angular};
    for (int z = 0; z < plan.n_elements; ++z) {
        const int end = w.slot_begin[z + 1];
        for (int slot = w.slot_begin[z]; slot < end; slot += Chunk) {
            const int n = end - slot < Chunk ? end - slot : Chunk;
            fill_tables<L, Slopes>(plan, recurrence_of(plan, job.element, z), w.slots + 3 * slot, n, t);
            f(z, slot, n, t);
        }
    }
}

inline const int* offsets_of(const Tables& plan, int z) { return plan.channel_offset + z * (plan.l_max + 1); }

template <int L>
inline void forward_A(const Tables& plan, const Job& job, const Work& w) {
    for (int k = 0; k < plan.n_a; ++k) w.v[k] = V{};
    for_each_chunk<L, false, kForwardChunk>(plan, job, w, [&](int z, int, int n, const PairTables& t) {
        accumulate<L>(plan, offsets_of(plan, z), t, n, w.v);
    });
}

inline void store_pair(const Job& job, const Work& w, int slot, int set, const V* f) {
    for (int lane = 0; lane < job.n_lanes; ++lane) {
        const int p = w.index[slot * W + lane];
        if (p < 0) continue;
        Real* out = job.pair_gradient + (std::size_t(p) * job.n_sets + set) * 3;
        out[0] = f[0][lane], out[1] = f[1][lane], out[2] = f[2][lane];
    }
}

template <int L>
inline void pair_gradients(const Tables& plan, const Job& job, const Work& w) {
    constexpr int n_y = Sizes<L>::n_y;
    const int N = plan.n_radial;
    V* G = w.gh;
    for_each_chunk<L, true, kBackwardChunk>(plan, job, w, [&](int z, int slot, int n, const PairTables& t) {
        for (int set = 0; set < job.n_sets; ++set) {
            const V* bar = w.a_bar + std::size_t(set) * plan.n_a;
            for (int k = 0; k < n; k += kTogether) {
                const V *R = t.R + k * N, *D = t.D + k * N, *Y = t.Y + k * n_y;
                V along[kTogether] = {};
                contract_all<L>(plan, offsets_of(plan, z), bar, R, D, Y, G, along);
                for (int e = 0; e < kTogether && k + e < n; ++e) {
                    V f[3];
                    slot_gradient<L>(plan, t.angular + (k + e) * Sizes<L>::n_angular, G + e * n_y, along[e], f);
                    store_pair(job, w, slot + k + e, set, f);
                }
            }
        }
    });
}

inline void load_rows(const Job& job, const double* rows, int width, V* out) {
    Real* to = reinterpret_cast<Real*>(out);
    for (int k = 0; k < width; ++k) out[k] = V{};
    for (int lane = 0; lane < job.n_lanes; ++lane) {
        const double* from = rows + std::size_t(job.atoms[lane]) * width;
        for (int k = 0; k < width; ++k) to[k * W + lane] = Real(from[k]);
    }
}

inline void store_rows(const Job& job, const V* in, int width, double* rows) {
    const Real* from = reinterpret_cast<const Real*>(in);
    for (int lane = 0; lane < job.n_lanes; ++lane) {
        double* to = rows + std::size_t(job.atoms[lane]) * width;
        for (int k = 0; k < width; ++k) to[k] = from[k * W + lane];
    }
}

// bar of models set .. set + NS, complete but for the nodes, to a_bar.
template <int NS>
inline void finish_adjoints(const Tables& plan, const Job& job, const Work& w, int set) {
    if (!job.pair_gradient) return;
    backward_nodes<NS>(plan, w.v, w.bar);
    for (int s = 0; s < NS; ++s)
        for (int k = 0; k < plan.n_a; ++k) w.a_bar[std::size_t(set + s) * plan.n_a + k] = w.bar[k * NS + s];
}

inline void cotangent_adjoints(const Tables& plan, const Job& job, const Work& w) {
    for (int set = 0; set < job.n_sets; ++set) {
        load_rows(job, job.cotangents + std::size_t(set) * job.n_atoms * plan.n_features, plan.n_features, w.x);
        backward_features(plan, w.v, w.x, w.bar);
        finish_adjoints<1>(plan, job, w, set);
    }
}

template <int NS>
inline void linear_adjoints_from(const Tables& plan, const Job& job, const Work& w, int set) {
    linear_adjoint<NS>(plan, w.v, job.entries + set, job.linear + set, w.bar);
    if (set == 0 && job.energy) {
        const V energy = linear_energy(plan, w.v, job.linear[0], w.bar);
        for (int lane = 0; lane < job.n_lanes; ++lane) job.energy[job.atoms[lane]] = energy[lane];
    }
    finish_adjoints<NS>(plan, job, w, set);
}

// The first goes alone, so that it does not depend on whether others follow, to the last bit.
inline void linear_adjoints(const Tables& plan, const Job& job, const Work& w) {
    linear_adjoints_from<1>(plan, job, w, 0);
    int set = 1;
    for (; set + kSetsTogether <= job.n_sets; set += kSetsTogether)
        linear_adjoints_from<kSetsTogether>(plan, job, w, set);
    for (; set < job.n_sets; ++set) linear_adjoints_from<1>(plan, job, w, set);
}

inline void features(const Tables& plan, const Job& job, const Work& w) {
    forward_features(plan, w.v, w.phi);
    if (job.phi) store_rows(job, w.phi, plan.n_features, job.phi);
    if (!job.novelty) return;
    const V novelty = mahalanobis(plan, *job.novelty_model, w.phi, w.x);
    for (int lane = 0; lane < job.n_lanes; ++lane) job.novelty[job.atoms[lane]] = novelty[lane];
}

}  // namespace
}  // namespace thalweg
