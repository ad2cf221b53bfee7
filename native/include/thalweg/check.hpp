// How the core refuses: std::invalid_argument, nothing else.
#pragma once

#include <stdexcept>
#include <string>

namespace thalweg {

// Throws std::invalid_argument with `message` unless `condition` holds.
inline void check(bool condition, const std::string& message) {
    if (!condition) throw std::invalid_argument(message);
}

}  // namespace thalweg
