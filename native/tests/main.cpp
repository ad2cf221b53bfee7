// Runs every registered test; the exit status is the number of failures.
#include "checks.hpp"

#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace thalweg::testing {

void expect(bool condition, const std::string& message) {
    if (!condition) throw std::runtime_error(message);
}

void expect_close(double a, double b, double relative, double least, const std::string& what) {
    const double size = std::max(std::abs(a), std::abs(b));
    expect(size > least && std::abs(a - b) <= relative * size,
           what + ": " + std::to_string(a) + " and " + std::to_string(b));
}

}  // namespace thalweg::testing

int main() {
    int failures = 0;
    for (const auto& test : thalweg::testing::tests()) {
        try {
            test.body();
            std::printf("ok    %s\n", test.name.c_str());
        } catch (const std::exception& error) {
            ++failures;
            std::printf("FAIL  %s: %s\n", test.name.c_str(), error.what());
        }
    }
    return failures;
}
