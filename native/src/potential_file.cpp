#include "thalweg/potential_file.hpp"

#include "thalweg/check.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>

namespace thalweg {
namespace {

constexpr std::string_view kFirstLine = "thalweg-potential 1\n";
constexpr std::string_view kLastLine = "end crc32 ";
constexpr std::size_t kDigits = 8;
constexpr int kMostElements = 118, kMostMembers = 1024, kMostDirections = 4096, kLargestNodeL = 16, kLargestExponent = 64;

using Shape = std::vector<std::size_t>;

struct Entry {
    Shape shape;
    std::vector<int> ints;
    std::vector<double> reals;
    std::vector<std::string> lines;
    std::string kind;
};

void fail(const std::string& what) {
    check(false, "potential file: " + what + "; export the potential again");
}

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

// What lies between the first and the last line, once both are found right.
std::string_view checked_body(std::string_view text) {
    if (text.substr(0, kFirstLine.size()) != kFirstLine) {
        const std::string found(text.substr(0, std::min<std::size_t>(text.find('\n'), 40)));
        fail("its first line must be 'thalweg-potential 1', got '" + found + "'");
    }
    const std::size_t tail = kLastLine.size() + kDigits + 1;
    if (text.size() < kFirstLine.size() + tail || text.back() != '\n' ||
        text.substr(text.size() - tail, kLastLine.size()) != kLastLine)
        fail("it ends before its last line");
    std::uint32_t stated = 0;
    const char* digits = text.data() + text.size() - kDigits - 1;
    const auto read = std::from_chars(digits, digits + kDigits, stated, 16);
    if (read.ec != std::errc() || read.ptr != digits + kDigits || stated != crc32(text.substr(0, text.size() - tail)))
        fail("its checksum is wrong: it was damaged or changed");
    return text.substr(kFirstLine.size(), text.size() - kFirstLine.size() - tail);
}

class Parser {
public:
    explicit Parser(std::string_view body) : rest_(body) {}

    std::map<std::string, Entry> entries() {
        std::map<std::string, Entry> found;
        while (!rest_.empty()) {
            std::string_view header = line();
            const std::string name(word(header));
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
            // A value takes two bytes at least, so that no memory is taken for values that cannot be there.
            if (entry.shape.back() > rest_.size() || (size *= entry.shape.back()) > rest_.size())
                fail("entry '" + name + "' claims more values than the file can hold");
        }
        if (entry.shape.empty() || entry.shape.size() > 4) fail("entry '" + name + "' has no shape");
        return entry;
    }

    void read_values(const std::string& name, Entry& entry) {
        std::size_t size = 1;
        for (const std::size_t extent : entry.shape) size *= extent;
        if (entry.kind == "text") {
            for (std::size_t k = 0; k < size; ++k) entry.lines.emplace_back(line());
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

// Hands out entries, each once, in the shape that is expected of it.
class Contents {
public:
    explicit Contents(std::map<std::string, Entry> entries) : entries_(std::move(entries)) {}

    bool has(const std::string& name) const { return entries_.count(name) > 0; }
    const Shape& shape(const std::string& name) const { return find(name).shape; }
    std::vector<double> reals(const std::string& name, const Shape& shape) { return take(name, "real", shape).reals; }
    std::vector<int> ints(const std::string& name, const Shape& shape) { return take(name, "int", shape).ints; }
    std::vector<std::string> lines(const std::string& name, const Shape& shape) {
        return take(name, "text", shape).lines;
    }
    void expect_empty() const {
        if (!entries_.empty()) fail("entry '" + entries_.begin()->first + "' is unknown to this version");
    }

private:
    const Entry& find(const std::string& name) const {
        const auto found = entries_.find(name);
        if (found == entries_.end()) fail("entry '" + name + "' is missing");
        return found->second;
    }

    Entry take(const std::string& name, const std::string& kind, const Shape& shape) {
        const Entry& entry = find(name);
        if (entry.kind != kind || entry.shape != shape) {
            std::string wanted;
            for (const std::size_t extent : shape) wanted.append(" ").append(std::to_string(extent));
            fail("entry '" + name + "' must be '" + kind + wanted + "'");
        }
        return std::move(entries_.extract(name).mapped());
    }

    std::map<std::string, Entry> entries_;
};

void read_tensors(Contents& contents, PlanSpec& plan) {
    const Shape starts = contents.shape("tensor_start"), terms = contents.shape("tensor_value");
    if (starts[0] == 0) fail("entry 'tensor_start' is empty");
    const std::vector<int> start = contents.ints("tensor_start", {starts[0]});
    const std::vector<int> index = contents.ints("tensor_index", {terms[0], 3});
    const std::vector<double> value = contents.reals("tensor_value", {terms[0]});
    if (start.front() != 0 || std::size_t(start.back()) != value.size()) fail("entry 'tensor_start' is inconsistent");
    for (std::size_t t = 0; t + 1 < start.size(); ++t) {
        if (start[t] > start[t + 1]) fail("entry 'tensor_start' decreases");
        plan.tensors.emplace_back();
        for (int k = start[t]; k < start[t + 1]; ++k)
            plan.tensors.back().push_back({index[3 * k], index[3 * k + 1], index[3 * k + 2], value[k]});
    }
}

PlanSpec read_plan(Contents& contents, std::size_t n) {
    PlanSpec plan;
    plan.n_elements = static_cast<int>(n);
    plan.r_cut = contents.reals("r_cut", {1})[0];
    plan.exponent = contents.ints("exponent", {1})[0];
    if (plan.exponent > kLargestExponent) fail("entry 'exponent' is impossible");  // it would take forever
    const Shape recurrence = contents.shape("recurrence");
    plan.recurrence = contents.reals("recurrence", {n, n, recurrence.size() > 2 ? recurrence[2] : 0, 3});
    plan.radial_count = contents.ints("radial_count", {contents.shape("radial_count")[0]});
    plan.nodes = contents.ints("nodes", {contents.shape("nodes")[0], 4});
    for (std::size_t k = 2; k < plan.nodes.size(); k += 4)
        if (plan.nodes[k] < 0 || plan.nodes[k] > kLargestNodeL) fail("entry 'nodes' holds an impossible degree");
    read_tensors(contents, plan);
    const std::size_t p = contents.shape("scale")[0];
    plan.features = contents.ints("features", {p, 2});
    plan.scale = contents.reals("scale", {p});
    return plan;
}

NoveltyModel read_novelty(Contents& contents, std::size_t n, std::size_t p) {
    const Shape shape = contents.shape("novelty_components");
    const std::size_t rank = shape.size() > 1 ? shape[1] : 0;
    if (rank > kMostDirections) fail("entry 'novelty_components' has too many directions");
    return {static_cast<int>(rank), contents.reals("novelty_mean", {n, p}), contents.reals("novelty_scale", {n, p}),
            contents.reals("novelty_components", {n, rank, p}), contents.reals("novelty_inv_lambda", {n, rank}),
            contents.reals("novelty_inv_rest", {n})};
}

LinearModel read_model(Contents& contents, std::size_t n, std::size_t p) {
    LinearModel model;
    model.weights = contents.reals("weights", {n, p});
    const std::size_t members = contents.shape("member_deltas")[0];
    if (members == 0 || members > kMostMembers) fail("entry 'member_deltas' must hold 1 to 1024 members");
    model.n_members = static_cast<int>(members);
    model.member_deltas = contents.reals("member_deltas", {members, n, p});
    model.reference_energies = contents.reals("reference_energies", {n});
    const std::vector<int> numbers = contents.ints("numbers", {n});
    if (contents.has("zbl_inner")) {
        const std::vector<double> inner = contents.reals("zbl_inner", {n, n});
        model.zbl = ZblTable::make(numbers, inner, contents.reals("zbl_outer", {n, n}));
    }
    if (contents.has("novelty_mean")) model.novelty = read_novelty(contents, n, p);
    return model;
}

}  // namespace

PotentialFile parse_potential(std::string_view text) {
    Contents contents(Parser(checked_body(text)).entries());
    PotentialFile file;
    const std::size_t n = contents.shape("elements")[0];
    if (n == 0 || n > kMostElements) fail("entry 'elements' must name 1 to 118 elements");
    file.elements = contents.lines("elements", {n});
    file.plan = read_plan(contents, n);
    file.model = read_model(contents, n, file.plan.scale.size());
    file.confidence = contents.reals("confidence", {1})[0];
    file.bound_factors = contents.reals("bound_factors", {n});
    file.bound_floors = contents.reals("bound_floors", {n});
    file.provenance = contents.lines("provenance", {1})[0];
    contents.expect_empty();
    return file;
}

}  // namespace thalweg
