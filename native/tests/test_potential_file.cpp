// The reader of potential files: a whole file, and everything that a file can have wrong.
#include "expect.hpp"

#include "thalweg/potential_file.hpp"

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// One element; the square of a channel and the channel itself.
const std::string kBody =
    "thalweg-potential 1\n"
    "elements text 1\nSi\n"
    "numbers int 1\n14\n"
    "r_cut real 1\n3.0\n"
    "exponent int 1\n3\n"
    "recurrence real 1 1 2 3\n1.5 0.0 0.0\n2.0 0.3 -1e-1\n"
    "radial_count int 1\n2\n"
    "nodes int 0 4\n\n"
    "tensor_start int 1\n0\n"
    "tensor_index int 0 3\n\n"
    "tensor_value real 0\n\n"
    "features int 2 2\n0 -1\n0 1\n"
    "scale real 2\n1.0 0.5\n"
    "weights real 1 2\n0.25 -2.0\n"
    "member_deltas real 2 1 2\n0.01 0.02\n-0.01 0.03\n"
    "reference_energies real 1\n-5.5\n"
    "zbl_inner real 1 1\n0.8\n"
    "zbl_outer real 1 1\n1.6\n"
    "novelty_mean real 1 2\n0.5 0.25\n"
    "novelty_scale real 1 2\n1.0 2.0\n"
    "novelty_components real 1 1 2\n1.0 0.0\n"
    "novelty_inv_lambda real 1 1\n4.0\n"
    "novelty_inv_rest real 1\n0.5\n"
    "confidence real 1\n0.95\n"
    "bound_factors real 1\n1.75\n"
    "bound_floors real 1\n0.01\n"
    "provenance text 1\n{\"oracle\": \"none\"}\n";

// Bit by bit, where the reader uses a table.
std::string sealed(const std::string& body) {
    std::uint32_t crc = 0xFFFFFFFFu;
    for (const char byte : body) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", crc ^ 0xFFFFFFFFu);
    return body + "end crc32 " + digits + "\n";
}

std::string with(const std::string& from, const std::string& to) {
    std::string body = kBody;
    const std::size_t at = body.find(from);
    if (at == std::string::npos) throw std::logic_error("the test's own text lacks " + from);
    return sealed(body.replace(at, from.size(), to));
}

// Whether the file is refused with a message that holds `reason`.
bool refused(const std::string& text, const std::string& reason) {
    try {
        parse_potential(text);
    } catch (const std::invalid_argument& error) {
        return std::string(error.what()).find(reason) != std::string::npos;
    }
    return false;
}

}  // namespace

THALWEG_TEST(a_whole_potential_file_is_read) {
    const PotentialFile file = parse_potential(sealed(kBody));
    EXPECT(file.elements == std::vector<std::string>{"Si"});
    EXPECT(file.plan.recurrence == std::vector<double>{1.5, 0.0, 0.0, 2.0, 0.3, -0.1});
    EXPECT(file.plan.features == std::vector<int>{0, -1, 0, 1} && file.plan.nodes.empty());
    EXPECT(file.model.n_members == 2 && file.model.member_deltas[3] == 0.03);
    EXPECT(file.model.zbl && file.model.zbl->r_max == 1.6);
    EXPECT(file.model.novelty && file.model.novelty->rank == 1 && file.model.novelty->rest[0] == 0.5);
    EXPECT(file.confidence == 0.95 && file.bound_factors[0] == 1.75 && file.bound_floors[0] == 0.01);
    EXPECT(file.provenance == "{\"oracle\": \"none\"}");
    // What it describes is a field that can be evaluated.
    LinearForceField field(std::make_shared<const Evaluator>(file.plan, "baseline"), file.model);
    EXPECT(field.r_cut() == 3.0 && field.has_committee() && field.has_novelty());
}

THALWEG_TEST(optional_entries_may_be_absent) {
    std::string body = kBody;
    const std::size_t zbl = body.find("zbl_inner"), rest = body.find("confidence");
    const PotentialFile file = parse_potential(sealed(body.erase(zbl, rest - zbl)));
    EXPECT(!file.model.zbl && !file.model.novelty && file.model.n_members == 2);
}

THALWEG_TEST(damage_to_any_byte_is_found) {
    const std::string whole = sealed(kBody);
    for (std::size_t k = 0; k < whole.size(); ++k) {
        std::string damaged = whole;
        damaged[k] ^= 1;
        EXPECT(throws([&] { parse_potential(damaged); }));
        EXPECT(throws([&] { parse_potential(std::string_view(whole).substr(0, k)); }));
    }
    EXPECT(!throws([&] { parse_potential(whole); }));
}

THALWEG_TEST(a_hostile_file_is_refused_by_name) {
    EXPECT(refused("", "first line"));
    EXPECT(refused(with("potential 1", "potential 2"), "first line"));
    EXPECT(refused(with("weights real 1 2", "weights real 1 3"), "'weights'"));
    EXPECT(refused(with("weights real 1 2", "weights int 1 2"), "'weights'"));
    EXPECT(refused(with("0.25 -2.0", "0.25 nan"), "not finite"));
    EXPECT(refused(with("0.25 -2.0", "0.25 -2.0x"), "where a number belongs"));
    EXPECT(refused(with("0.25 -2.0", "0.25 -2.0 1.0"), "more values"));
    EXPECT(refused(with("0.25 -2.0", "0.25"), "where a number belongs"));
    EXPECT(refused(with("scale real 2", "scale real 1000000000000"), "more values than the file can hold"));
    EXPECT(refused(with("member_deltas real 2 1 2", "member_deltas real"), "no shape"));
    EXPECT(refused(with("bound_floors", "bound_ceilings"), "'bound_floors' is missing"));
    EXPECT(refused(with("provenance", "weights"), "there twice"));
    EXPECT(refused(with("confidence", "surprise real 1\n0.0\nconfidence"), "'surprise' is unknown"));
    EXPECT(refused(with("tensor_start int 1\n0", "tensor_start int 2\n0 7"), "'tensor_start'"));
    EXPECT(refused(with("nodes int 0 4\n\n", "nodes int 1 4\n0 0 2000000000 0\n"), "'nodes'"));
    EXPECT(refused(with("exponent int 1\n3", "exponent int 1\n2147483647"), "'exponent'"));
    EXPECT(refused(with("zbl_outer real 1 1\n1.6", "zbl_outer real 1 1\n0.6"), "inner < outer"));
    // A channel that is not there passes the reader and is found where the tables are built.
    const PotentialFile file = parse_potential(with("0 -1\n0 1", "0 -1\n0 9"));
    EXPECT(throws([&] { Evaluator(file.plan, "baseline"); }));
}
