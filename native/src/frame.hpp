// A periodic cell completed to three directions, and what turns positions into fractions of it.
#pragma once

#include "thalweg/check.hpp"

#include <array>
#include <cmath>
#include <cstdint>

namespace thalweg {

using Vec3 = std::array<double, 3>;

inline Vec3 cross(const Vec3& a, const Vec3& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

inline double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

inline Vec3 scaled(const Vec3& a, double factor) { return {a[0] * factor, a[1] * factor, a[2] * factor}; }

// v less its parts along two others, of which either may be zero.
inline Vec3 rejected(Vec3 v, const Vec3& a, const Vec3& b) {
    const auto reject = [](const Vec3& from, const Vec3& along) {
        const double square = dot(along, along), part = square > 0.0 ? dot(from, along) / square : 0.0;
        return Vec3{from[0] - part * along[0], from[1] - part * along[1], from[2] - part * along[2]};
    };
    return reject(reject(v, a), reject(b, a));
}

// A unit vector orthogonal to both, which may be zero or parallel.
inline Vec3 orthogonal(const Vec3& a, const Vec3& b) {
    Vec3 best{};
    for (const Vec3& axis : {Vec3{1, 0, 0}, Vec3{0, 1, 0}, Vec3{0, 0, 1}})
        if (const Vec3 v = rejected(axis, a, b); dot(v, v) > dot(best, best) + 1e-9) best = v;
    return scaled(best, 1 / std::sqrt(dot(best, best)));
}

struct Frame {
    std::array<Vec3, 3> vectors, inverse;  // fractional coordinate d: dot(r, inverse[d])
    std::array<bool, 3> periodic;

    Frame(const double* cell, const std::uint8_t* pbc) {
        for (int d = 0; d < 3; ++d) {
            periodic[d] = pbc[d] != 0;
            vectors[d] = periodic[d] ? Vec3{cell[3 * d], cell[3 * d + 1], cell[3 * d + 2]} : Vec3{};
        }
        for (int d = 0; d < 3; ++d)
            if (!periodic[d]) vectors[d] = orthogonal(vectors[(d + 1) % 3], vectors[(d + 2) % 3]);
        const double volume = dot(vectors[0], cross(vectors[1], vectors[2]));
        double size = 1.0;
        for (const Vec3& v : vectors) size *= std::sqrt(dot(v, v));
        check(std::isfinite(volume) && std::abs(volume) > 1e-9 * size && size > 0.0,
              "neighbour list: the periodic cell vectors are zero, lie in one plane or are too long; give the cell in Å");
        for (int d = 0; d < 3; ++d)
            inverse[d] = scaled(cross(vectors[(d + 1) % 3], vectors[(d + 2) % 3]), 1.0 / volume);
    }

    double height(int d) const { return 1.0 / std::sqrt(dot(inverse[d], inverse[d])); }
};

}  // namespace thalweg
