#include "potential_text.hpp"

#include "thalweg/caps.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace thalweg {
namespace {

constexpr std::string_view kFirstWord = "thalweg-potential ";
constexpr int kVersion = 2;
constexpr std::string_view kLastLine = "end crc32 ";
constexpr std::size_t kDigits = 8;
constexpr std::size_t kMostEntries = 64;

// CRC-32 of ISO 3309 (polynomial 0xEDB88320), as zlib's.
std::uint32_t crc32(std::string_view bytes) {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t k = 0; k < 256; ++k) {
        std::uint32_t c = k;
        for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[k] = c;
    }
    std::uint32_t crc = 0xFFFFFFFFu;
    for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

// The version that the first line states.
int stated_version(std::string_view text) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
    for (int version = 1; version <= kVersion; ++version)
        if (line.size() < text.size() && line == std::string(kFirstWord) + std::to_string(version)) return version;
    fail("its first line must be 'thalweg-potential 2', or 1 of older ones, got '" + std::string(line.substr(0, 40)) + "'");
}

// What lies between the first and the last line, once both are found right.
std::string_view checked_body(std::string_view text) {
    if (text.size() > kMostFileBytes) fail("it is larger than 1 GiB");
    stated_version(text);
    const std::size_t head = text.find('\n') + 1;
    const std::size_t tail = kLastLine.size() + kDigits + 1;
    if (text.size() < head + tail || text.back() != '\n' ||
        text.substr(text.size() - tail, kLastLine.size()) != kLastLine)
        fail("it ends before its last line");
    std::uint32_t stated = 0;
    const char* digits = text.data() + text.size() - kDigits - 1;
    const auto read = std::from_chars(digits, digits + kDigits, stated, 16);
    if (read.ec != std::errc() || read.ptr != digits + kDigits || stated != crc32(text.substr(0, text.size() - tail)))
        fail("its checksum is wrong: it was damaged or changed");
    return text.substr(head, text.size() - head - tail);
}

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

class Parser {
public:
    explicit Parser(std::string_view body) : rest_(body) {}

    std::map<std::string, Entry> entries() {
        std::map<std::string, Entry> found;
        while (!rest_.empty()) {
            std::string_view header = line();
            const std::string name(word(header).substr(0, kLongestName));
            if (found.size() == kMostEntries) fail("it holds more entries than a potential has");
            Entry entry = read_header(name, header);
            read_values(name, entry);
            if (!found.emplace(name, std::move(entry)).second) fail("entry '" + name + "' is there twice");
        }
        return found;
    }

private:
    std::string_view line() {
        const std::size_t end = rest_.find('\n');
        if (end == std::string_view::npos) fail("a line does not end");
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return found;
    }

    // The next word of `from`, which loses it; empty at the end.
    static std::string_view word(std::string_view& from) {
        constexpr std::string_view blank = " \n";
        const std::size_t begin = std::min(from.find_first_not_of(blank), from.size());
        const std::size_t end = std::min(from.find_first_of(blank, begin), from.size());
        const std::string_view found = from.substr(begin, end - begin);
        from.remove_prefix(end);
        return found;
    }

    template <class T>
    static T number(const std::string& name, std::string_view text) {
        T value{};
        const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
        if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
            fail("entry '" + name + "' holds '" + std::string(text.substr(0, 40)) + "' where a number belongs");
        return value;
    }

    Entry read_header(const std::string& name, std::string_view header) const {
        Entry entry;
        entry.kind = word(header);
        std::size_t size = 1;
        for (std::string_view extent = word(header); !extent.empty(); extent = word(header)) {
            entry.shape.push_back(number<std::size_t>(name, extent));
            // A value takes two bytes at least, so that no memory is taken for values that cannot be there. Both factors
            // are below 2^30: their product is a number, too.
            if (entry.shape.back() > rest_.size() || (size *= entry.shape.back()) > rest_.size())
                fail("entry '" + name + "' claims more values than the file can hold");
        }
        if (entry.shape.empty() || entry.shape.size() > 4) fail("entry '" + name + "' has no shape");
        if (entry.kind == "text" && size > kMostElements) fail("entry '" + name + "' has too many lines");
        return entry;
    }

    void read_values(const std::string& name, Entry& entry) {
        std::size_t size = 1;
        for (const std::size_t extent : entry.shape) size *= extent;
        if (entry.kind == "text") {
            for (std::size_t k = 0; k < size; ++k) {
                entry.lines.emplace_back(line());
                if (!std::all_of(entry.lines.back().begin(), entry.lines.back().end(), is_printable))
                    fail("entry '" + name + "' holds a byte that is not printable ASCII");
            }
            return;
        }
        if (entry.kind != "int" && entry.kind != "real") fail("entry '" + name + "' is neither int, real nor text");
        for (std::size_t k = 0; k < size; ++k) {
            if (entry.kind == "int") {
                entry.ints.push_back(number<int>(name, word(rest_)));
                continue;
            }
            entry.reals.push_back(number<double>(name, word(rest_)));
            if (!std::isfinite(entry.reals.back())) fail("entry '" + name + "' holds a number that is not finite");
        }
        if (!rest_.empty() && line() != "") fail("entry '" + name + "' holds more values than its shape says");
    }

    std::string_view rest_;
};

}  // namespace

void fail(const std::string& what) {
    std::string message = "potential file: " + what + "; export the potential again";
    for (char& c : message)
        if (!is_printable(c)) c = '?';  // what is quoted is the file's
    throw std::invalid_argument(message);
}

Contents::Contents(std::string_view text)
    : entries_(Parser(checked_body(text)).entries()), version_(stated_version(text)) {}

void Contents::expect_empty() const {
    if (!entries_.empty()) fail("entry '" + entries_.begin()->first + "' is unknown to this version");
}

const Entry& Contents::find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail("entry '" + name + "' is missing");
    return found->second;
}

Entry Contents::take(const std::string& name, const std::string& kind, const Shape& shape) {
    const Entry& entry = find(name);
    if (entry.kind != kind || entry.shape != shape) {
        std::string wanted;
        for (const std::size_t extent : shape) wanted.append(" ").append(std::to_string(extent));
        fail("entry '" + name + "' must be '" + kind + wanted + "'");
    }
    return std::move(entries_.extract(name).mapped());
}

}  // namespace thalweg
