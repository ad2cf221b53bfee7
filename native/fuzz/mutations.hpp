// What a hostile or damaged file may look like: small changes of a whole one, drawn from a generator.
#pragma once

#include <random>
#include <string>

namespace thalweg::fuzz {

// One or two changes of `body`, which is all of a file but its last line.
std::string mutated(const std::string& body, std::mt19937& random);

}  // namespace thalweg::fuzz
