// Counter-based random numbers: a pure function of (seed, stream, step, index), so that the whole state of a
// generator is a few integers, and streams never depend on who was drawn first.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011): Philox4x32-10.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace thalweg {

using Philox = std::array<std::uint32_t, 4>;

inline Philox philox4x32_10(Philox counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

// Fills out[0 .. n) with the normals first .. first + n of a step (Box-Muller on 53-bit uniforms; `first` is even).
inline void fill_normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t step, std::uint64_t first, int n,
                        double* out) {
    constexpr double kUnit = 0x1p-53, kTwoPi = 6.283185307179586476925;
    const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    for (int i = 0; i < n; i += 2) {
        const Philox bits = philox4x32_10({static_cast<std::uint32_t>((first + i) / 2), static_cast<std::uint32_t>(step),
                                           static_cast<std::uint32_t>(step >> 32), stream}, key);
        const std::uint64_t a = (std::uint64_t{bits[1]} << 32 | bits[0]) >> 11;
        const std::uint64_t b = (std::uint64_t{bits[3]} << 32 | bits[2]) >> 11;
        // u1 in (0, 1], so that its logarithm is finite.
        const double radius = std::sqrt(-2.0 * std::log((static_cast<double>(a) + 1.0) * kUnit));
        const double angle = kTwoPi * (static_cast<double>(b) * kUnit);
        out[i] = radius * std::cos(angle);
        if (i + 1 < n) out[i + 1] = radius * std::sin(angle);
    }
}

}  // namespace thalweg
