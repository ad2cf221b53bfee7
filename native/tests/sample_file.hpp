// A small potential as the text of a file: every entry that the format knows, with the sizes that belong together.
#pragma once

#include <string>

namespace thalweg::testing {

// All but the last line.
std::string sample_body();
// With the last line, whose checksum is right whatever the body holds.
std::string sealed(const std::string& body);

}  // namespace thalweg::testing
