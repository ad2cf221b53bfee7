// The smallest test harness that names what failed.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace thalweg::testing {

struct Test {
    std::string name;
    std::function<void()> body;
};

// Registers tests before main.
inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

struct Register {
    Register(const char* name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};

// Throws std::runtime_error that says where and what.
void expect(bool condition, const std::string& message);
// |a - b| <= relative * max(|a|, |b|), and both sizes above `least` so that 0 == 0 proves nothing.
void expect_close(double a, double b, double relative, double least, const std::string& what);

}  // namespace thalweg::testing

#define THALWEG_TEST(name)                                                              \
    static void name();                                                                 \
    static const thalweg::testing::Register register_##name(#name, name);               \
    static void name()
