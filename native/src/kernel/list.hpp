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
    if (width == 3) {
        other[0] += row[0], other[1] += row[1], other[2] += row[2];
        own[0] -= row[0], own[1] -= row[1], own[2] -= row[2];
        return;
    }
    for (int k = 0; k < width; ++k) other[k] += row[k];
    for (int k = 0; k < width; ++k) own[k] -= row[k];
}

void scatter(const ScatterJob<Real>& job) {
    for (int i = job.begin; i < job.end; ++i) {
        double* own = job.gradient + std::size_t(i - job.lo) * job.width;
        const int begin = job.first[i - job.begin], end = begin + job.count[i - job.begin];
        for (int p = begin; p < end; ++p) {
            const Real* row = job.rows + std::size_t(p) * job.width;
            add_row(row, job.width, own, job.gradient + std::size_t(job.j[p] - job.lo) * job.width);
            if (!job.strain) continue;
            for (int a = 0; a < 3; ++a)
                for (int b = 0; b < 3; ++b) job.strain[3 * a + b] += row[a] * job.d[3 * std::size_t(p) + b];
        }
    }
}

}  // namespace
}  // namespace thalweg
