// What no potential exceeds. A file that somebody else made may claim anything: these caps keep what it can ask of
// memory and time within what a person would call a potential. Those of the configuration are the same there
// (thalweg.features.basis, thalweg.config.schema).
#pragma once

#include <cstddef>

namespace thalweg {

inline constexpr double kShortestCutoff = 0.5, kLongestCutoff = 20.0;  // Å; the shortest itself is too short
inline constexpr int kMostElements = 118;
inline constexpr int kLargestL = 8;       // of channels: the pair stage is instantiated up to here
inline constexpr int kLargestNodeL = 2 * kLargestL;
inline constexpr int kMostRadial = 81;    // degrees 0 to 80
inline constexpr int kLargestExponent = 64;
inline constexpr int kMostMembers = 1024, kMostDirections = 4096;

inline constexpr std::size_t kMostFileBytes = std::size_t(1) << 30;
// Components of v: a thread's scratch takes some 320 bytes for each.
inline constexpr std::size_t kMostComponents = std::size_t(1) << 20;
// Components of A times models: 64 bytes of a thread's scratch for each.
inline constexpr std::size_t kMostAdjoints = std::size_t(1) << 22;
inline constexpr std::size_t kMostFeatures = std::size_t(1) << 22;

}  // namespace thalweg
