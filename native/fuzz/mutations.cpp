#include "mutations.hpp"

#include <array>
#include <cctype>
#include <string_view>
#include <vector>

namespace thalweg::fuzz {
namespace {

// Numbers at and beyond the edges of what is allowed anywhere, and those of the next larger types.
constexpr std::array kNumbers = {
    "0",          "1",          "2",           "3",           "4",    "5",      "7",    "8",    "9",   "10",
    "11",         "16",         "17",          "20",          "64",   "65",     "81",   "82",   "118", "119",
    "-1",         "-2",         "1024",        "1025",        "4096", "65536",  "100",  "1000000", "0.5", "1e-300",
    "2147483647", "2147483648", "-2147483648", "4294967296",  "4294967295",     "9223372036854775807",
    "18446744073709551615",     "1e308",       "-1e308",      "1e400", "5e-324", "nan",  "inf",  "-0",  "3.5"};
// Entries whose numbers are indices or counts: what gets by the reader's shapes reaches the tables through them.
constexpr std::array kIndices = {"radial_count", "nodes", "tensor_start", "tensor_index", "features"};

struct Span {
    std::size_t begin, size;
};

std::size_t below(std::size_t n, std::mt19937& random) { return n == 0 ? 0 : random() % n; }

// Words of `text` between `from` and `to`.
std::vector<Span> words(const std::string& text, std::size_t from, std::size_t to) {
    std::vector<Span> found;
    for (std::size_t k = from; k < to;) {
        while (k < to && std::isspace(static_cast<unsigned char>(text[k]))) ++k;
        const std::size_t begin = k;
        while (k < to && !std::isspace(static_cast<unsigned char>(text[k]))) ++k;
        if (k > begin) found.push_back({begin, k - begin});
    }
    return found;
}

// Entries: a line that begins with a letter and holds a kind, up to the next such line.
std::vector<Span> entries(const std::string& text) {
    std::vector<Span> found;
    for (std::size_t at = text.find('\n') + 1; at != 0 && at < text.size(); at = text.find('\n', at) + 1) {
        const std::string_view line = std::string_view(text).substr(at, text.find('\n', at) - at);
        if (line.find(" int") == line.npos && line.find(" real") == line.npos && line.find(" text") == line.npos) continue;
        if (!found.empty()) found.back().size = at - found.back().begin;
        found.push_back({at, text.size() - at});
    }
    return found;
}

void change_word(std::string& text, std::size_t from, std::size_t to, std::mt19937& random) {
    const std::vector<Span> all = words(text, from, to);
    if (all.empty()) return;
    const Span one = all[below(all.size(), random)], other = all[below(all.size(), random)];
    switch (random() % 5) {
        case 0: text.replace(one.begin, one.size, text.substr(other.begin, other.size)); break;
        case 1: text.erase(one.begin, one.size); break;
        case 2: text.insert(one.begin, text.substr(one.begin, one.size) + " "); break;
        default: text.replace(one.begin, one.size, kNumbers[below(kNumbers.size(), random)]);
    }
}

// A small number in place of an index: often within the range of something.
void change_index(std::string& text, std::mt19937& random) {
    const std::size_t at = text.find(std::string("\n") + kIndices[below(kIndices.size(), random)] + " int");
    if (at == text.npos) return;
    const std::size_t values = text.find('\n', at + 1);
    if (values == text.npos) return;
    const std::vector<Span> all = words(text, values, std::min(text.find('\n', values + 1), text.size()));
    if (all.empty()) return;
    const Span one = all[below(all.size(), random)];
    text.replace(one.begin, one.size, std::to_string(int(random() % 14) - 1));
}

void change_entries(std::string& text, std::mt19937& random) {
    const std::vector<Span> all = entries(text);
    if (all.empty()) return;
    const Span one = all[below(all.size(), random)], other = all[below(all.size(), random)];
    const std::string copy = text.substr(one.begin, one.size);
    switch (random() % 3) {
        case 0: text.erase(one.begin, one.size); break;
        case 1: text.insert(other.begin, copy); break;
        default: change_word(text, one.begin, std::min(text.find('\n', one.begin), text.size()), random);  // its shape
    }
}

void change_bytes(std::string& text, std::mt19937& random) {
    if (text.empty()) return;
    const std::size_t at = below(text.size(), random), n = std::size_t(1) << random() % 6;
    switch (random() % 4) {
        case 0: text[at] = char(text[at] ^ (1 << random() % 8)); break;
        case 1: text.erase(at, n); break;
        case 2: text.insert(at, n, char(random() % 256)); break;
        default: text.resize(at);
    }
}

}  // namespace

std::string mutated(const std::string& body, std::mt19937& random) {
    std::string text = body;
    for (std::size_t n = 1 + random() % 3 / 2; n > 0; --n) switch (random() % 10) {
            case 0: change_bytes(text, random); break;
            case 1: change_entries(text, random); break;
            case 2:
            case 3: change_word(text, 0, text.size(), random); break;
            default: change_index(text, random);
        }
    return text;
}

}  // namespace thalweg::fuzz
