// The text of a potential file: its first and last line, and the entries between them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

using Shape = std::vector<std::size_t>;

struct Entry {
    Shape shape;
    std::vector<int> ints;
    std::vector<double> reals;
    std::vector<std::string> lines;
    std::string kind;
};

inline constexpr std::size_t kLongestName = 40;  // of what a message quotes

// Throws std::invalid_argument that says what is wrong with the file, and the cure.
[[noreturn]] void fail(const std::string& what);

// Hands out the entries of a file, each once, in the shape that is expected of it.
class Contents {
public:
    // Throws unless `text` is whole, undamaged and of a known version.
    explicit Contents(std::string_view text);

    int version() const { return version_; }
    bool has(const std::string& name) const { return entries_.count(name) > 0; }
    const Shape& shape(const std::string& name) const { return find(name).shape; }
    std::vector<double> reals(const std::string& name, const Shape& shape) { return take(name, "real", shape).reals; }
    std::vector<int> ints(const std::string& name, const Shape& shape) { return take(name, "int", shape).ints; }
    std::vector<std::string> lines(const std::string& name, const Shape& shape) {
        return take(name, "text", shape).lines;
    }
    void expect_empty() const;

private:
    const Entry& find(const std::string& name) const;
    Entry take(const std::string& name, const std::string& kind, const Shape& shape);

    std::map<std::string, Entry> entries_;
    int version_;
};

}  // namespace thalweg
