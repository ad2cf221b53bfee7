// Shorthands over checks.hpp.
#pragma once

#include "checks.hpp"

#include <exception>

// The expression itself is the message.
#define EXPECT(...) thalweg::testing::expect(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__)

namespace thalweg::testing {

template <class Call>
bool throws(Call call) {
    try {
        call();
    } catch (const std::exception&) {
        return true;
    }
    return false;
}

}  // namespace thalweg::testing
