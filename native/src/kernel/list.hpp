// What comes before and after the blocks: filtering a neighbour list, and summing pair gradients into atoms.
#pragma once

#include "vec.hpp"

namespace thalweg {
namespace {

void filter(const FilterJob& job) {
    int at = 0;
    for (int i = job.begin; i < job.end; ++i) {
        const double *own = job.positions + 3 * std::size_t(i);
        const double x = own[0], y = own[1], z = own[2];
        double nearest = __builtin_inf();
        const int begin = at;
        for (int p = job.first[i]; p < job.first[i + 1]; ++p) {
            const int j = job.j[p];
            const double *other = job.positions + 3 * std::size_t(j), *offset = job.offset + 3 * std::size_t(p);
            const double dx = other[0] - x + offset[0], dy = other[1] - y + offset[1], dz = other[2] - z + offset[2];
            const double r2 = dx * dx + dy * dy + dz * dz;
            double* d = job.d + 3 * std::size_t(at);
            d[0] = dx, d[1] = dy, d[2] = dz;
            job.own_j[at] = j;
            job.element[at] = job.species[j];
            at += r2 < job.limit;  // kept only then: no branch
            nearest = r2 < nearest ? r2 : nearest;
        }
        job.own_first[i - job.begin] = begin;
        job.count[i - job.begin] = at - begin;
        job.nearest[i - job.begin] = nearest;
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
    for (int p = begin; p < end; ++p)
        for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
                sum[3 * a + b] += job.rows[std::size_t(p) * job.width + a] * job.d[3 * std::size_t(p) + b];
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
