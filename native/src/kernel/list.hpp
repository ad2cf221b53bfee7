// What comes before and after the blocks: filtering a neighbour list, and summing pair gradients into atoms.
#pragma once

#include "vec.hpp"

namespace thalweg {
namespace {

#if defined(__AVX512F__)
// Numbers 0, 3, 6, ... (or 1, 4, ... or 2, 5, ...) of 24 in a row.
inline __m512d every_third(__m512d a, __m512d b, __m512d c, __m512i from_ab, __m512i from_c) {
    return _mm512_permutex2var_pd(_mm512_permutex2var_pd(a, from_ab, b), from_c, c);
}

// One atom's pairs, eight at a time; returns how many are kept from `at` on.
inline int filter_atom(const FilterJob& job, int i, int at) {
    const __m512i x_ab = _mm512_setr_epi64(0, 3, 6, 9, 12, 15, 0, 0), x_c = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 10, 13);
    const __m512i y_ab = _mm512_setr_epi64(1, 4, 7, 10, 13, 0, 0, 0), y_c = _mm512_setr_epi64(0, 1, 2, 3, 4, 8, 11, 14);
    const __m512i z_ab = _mm512_setr_epi64(2, 5, 8, 11, 14, 0, 0, 0), z_c = _mm512_setr_epi64(0, 1, 2, 3, 4, 9, 12, 15);
    const double* own = job.positions + 3 * std::size_t(i);
    const __m512d x = _mm512_set1_pd(own[0]), y = _mm512_set1_pd(own[1]), z = _mm512_set1_pd(own[2]);
    const __m512d limit = _mm512_set1_pd(job.limit), zero = _mm512_setzero_pd();
    __m512d nearest = _mm512_set1_pd(__builtin_inf());
    const int begin = at, last = job.first[i + 1];
    for (int p = job.first[i]; p < last; p += 8) {
        const int n = last - p < 8 ? last - p : 8;
        const __mmask8 valid = __mmask8((1u << n) - 1);
        const unsigned three = (1u << 3 * n) - 1;
        const double* o = job.offset + 3 * std::size_t(p);
        const __m512d a = _mm512_maskz_loadu_pd(__mmask8(three), o), b = _mm512_maskz_loadu_pd(__mmask8(three >> 8), o + 8),
                      c = _mm512_maskz_loadu_pd(__mmask8(three >> 16), o + 16);
        const __m256i j = _mm256_maskz_loadu_epi32(valid, job.j + p), j3 = _mm256_add_epi32(j, _mm256_slli_epi32(j, 1));
        const auto along = [&](int axis, __m512d from, __m512i ab, __m512i other_c) {
            const __m512d to = _mm512_mask_i32gather_pd(zero, valid, j3, job.positions + axis, 8);
            return _mm512_add_pd(_mm512_sub_pd(to, from), every_third(a, b, c, ab, other_c));
        };
        const __m512d dx = along(0, x, x_ab, x_c), dy = along(1, y, y_ab, y_c), dz = along(2, z, z_ab, z_c);
        const __m512d r2 = _mm512_fmadd_pd(dx, dx, _mm512_fmadd_pd(dy, dy, _mm512_mul_pd(dz, dz)));
        const __mmask8 keep = _mm512_mask_cmp_pd_mask(valid, r2, limit, _CMP_LT_OQ);
        nearest = _mm512_mask_min_pd(nearest, valid, nearest, r2);
        _mm512_storeu_pd(job.x + at, _mm512_maskz_compress_pd(keep, dx));
        _mm512_storeu_pd(job.y + at, _mm512_maskz_compress_pd(keep, dy));
        _mm512_storeu_pd(job.z + at, _mm512_maskz_compress_pd(keep, dz));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(job.own_j + at), _mm256_maskz_compress_epi32(keep, j));
        if (job.element) {
            const __m256i s = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), valid, j, job.species, 4);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(job.element + at), _mm256_maskz_compress_epi32(keep, s));
        }
        at += __builtin_popcount(keep);
    }
    job.nearest[i - job.begin] = _mm512_reduce_min_pd(nearest);
    return at - begin;
}
#else
inline int filter_atom(const FilterJob& job, int i, int at) {
    const double* own = job.positions + 3 * std::size_t(i);
    const double x = own[0], y = own[1], z = own[2];
    double nearest = __builtin_inf();
    const int begin = at;
    for (int p = job.first[i]; p < job.first[i + 1]; ++p) {
        const int j = job.j[p];
        const double *other = job.positions + 3 * std::size_t(j), *offset = job.offset + 3 * std::size_t(p);
        const double dx = other[0] - x + offset[0], dy = other[1] - y + offset[1], dz = other[2] - z + offset[2];
        const double r2 = dx * dx + dy * dy + dz * dz;
        job.x[at] = dx, job.y[at] = dy, job.z[at] = dz;
        job.own_j[at] = j;
        if (job.element) job.element[at] = job.species[j];
        at += r2 < job.limit;  // kept only then: no branch
        nearest = r2 < nearest ? r2 : nearest;
    }
    job.nearest[i - job.begin] = nearest;
    return at - begin;
}
#endif

void filter(const FilterJob& job) {
    int at = 0;
    for (int i = job.begin; i < job.end; ++i) {
        const int n = filter_atom(job, i, at);
        job.own_first[i - job.begin] = at;
        job.count[i - job.begin] = n;
        at += n;
    }
}

inline void add_row(const Real* row, int width, double* own, double* other) {
    for (int k = 0; k < width; ++k) other[k] += row[k];
    for (int k = 0; k < width; ++k) own[k] -= row[k];
}

// The same for a single model; what the atom itself feels stays in registers.
inline void add_rows_of_one(const ScatterJob<Real>& job, int begin, int end, double* own) {
    double x = 0.0, y = 0.0, z = 0.0;
    for (int p = begin; p < end; ++p) {
        const Real* row = job.rows + 3 * std::size_t(p);
        double* other = job.gradient + 3 * std::size_t(job.j[p] - job.lo);
        const double a = row[0], b = row[1], c = row[2];
        other[0] += a, other[1] += b, other[2] += c;
        x += a, y += b, z += c;
    }
    own[0] -= x, own[1] -= y, own[2] -= z;
}

inline void add_strain(const ScatterJob<Real>& job, int begin, int end) {
    double sum[9] = {};
    for (int p = begin; p < end; ++p) {
        const Real* row = job.rows + std::size_t(p) * job.width;
        for (int a = 0; a < 3; ++a) {
            sum[3 * a] += row[a] * job.x[p];
            sum[3 * a + 1] += row[a] * job.y[p];
            sum[3 * a + 2] += row[a] * job.z[p];
        }
    }
    for (int e = 0; e < 9; ++e) job.strain[e] += sum[e];
}

void scatter(const ScatterJob<Real>& job) {
    for (int i = job.begin; i < job.end; ++i) {
        double* own = job.gradient + std::size_t(i - job.lo) * job.width;
        const int begin = job.first[i - job.begin], end = begin + job.count[i - job.begin];
        if (job.width == 3) add_rows_of_one(job, begin, end, own);
        for (int p = begin; p < end && job.width > 3; ++p)
            add_row(job.rows + std::size_t(p) * job.width, job.width, own,
                    job.gradient + std::size_t(job.j[p] - job.lo) * job.width);
        if (job.strain) add_strain(job, begin, end);
    }
}

}  // namespace
}  // namespace thalweg
