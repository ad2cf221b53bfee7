// The reader of potential files: a whole file, and everything that a file can have wrong.
#include "expect.hpp"
#include "sample_file.hpp"
#include "small_model.hpp"

#include "thalweg/potential_file.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// One element; the square of a channel and the channel itself.
const std::string kBody =
    "thalweg-potential 2\n"
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
    "novelty_fewest_neighbors int 1\n7\n"
    "confidence real 1\n0.95\n"
    "bound_factors real 1\n1.75\n"
    "bound_floors real 1\n0.01\n"
    "provenance text 1\n{\"oracle\": \"none\"}\n";

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
    EXPECT(file.model.novelty && file.model.novelty->rank == 1 && file.model.novelty->rest[0] == 0.5 &&
           file.model.novelty->fewest_neighbors == std::vector<int>{7});
    EXPECT(file.confidence == 0.95 && file.bound_factors[0] == 1.75 && file.bound_floors[0] == 0.01);
    EXPECT(file.provenance == "{\"oracle\": \"none\"}");
    // What it describes is a field that can be evaluated.
    LinearForceField field(std::make_shared<const Evaluator>(file.plan, "baseline"), file.model);
    EXPECT(field.r_cut() == 3.0 && field.has_committee() && field.has_novelty());
}

// Its bounds were of the largest deviation: of two members 1.14 times their root mean square, on average.
THALWEG_TEST(the_first_version_is_read) {
    std::string body = kBody;
    const std::string entry = "novelty_fewest_neighbors int 1\n7\n";
    body.replace(body.find("potential 2"), 11, "potential 1").erase(body.find(entry), entry.size());
    const PotentialFile file = parse_potential(sealed(body));
    EXPECT(file.model.novelty && file.model.novelty->fewest_neighbors.empty());
    EXPECT(std::abs(file.bound_factors[0] / 1.75 - 1.1401) < 1e-3 && file.bound_floors[0] == 0.01);
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
    EXPECT(refused(with("potential 2", "potential 3"), "first line"));
    EXPECT(refused(with("potential 2", "potential 1"), "'novelty_fewest_neighbors' is unknown"));
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
    EXPECT(refused(with("numbers int 1\n14", "numbers int 1\n0"), "'numbers'"));
    EXPECT(refused(with("numbers int 1\n14", "numbers int 1\n-2147483648"), "'numbers'"));
    EXPECT(refused(with("numbers int 1\n14", "numbers int 1\n119"), "'numbers'"));
    EXPECT(refused(with("elements text 1\nSi", "elements text 1\nsilicon"), "'elements'"));
    EXPECT(refused(with("elements text 1\nSi", "elements text 119\nSi"), "too many lines"));
    EXPECT(refused(with("\"none\"", "\"n\xffne\""), "printable"));
    for (const char* cutoff : {"1e300", "20.1", "0.5", "-3.0", "0"})
        EXPECT(refused(with("r_cut real 1\n3.0", std::string("r_cut real 1\n") + cutoff), "'r_cut'"));
    EXPECT(refused(with("exponent int 1\n3", "exponent int 1\n0"), "'exponent'"));
    EXPECT(refused(with("zbl_outer real 1 1\n1.6", "zbl_outer real 1 1\n200.0"), "outer <= 20"));
    EXPECT(refused(with("confidence real 1\n0.95", "confidence real 1\n1.0"), "'confidence'"));
    EXPECT(refused(with("bound_factors real 1\n1.75", "bound_factors real 1\n-1.75"), "'bound_factors'"));
    EXPECT(refused(with("bound_floors real 1\n0.01", "bound_floors real 1\n-0.01"), "'bound_floors'"));
    EXPECT(refused(with("novelty_inv_rest real 1\n0.5", "novelty_inv_rest real 1\n-0.5"), "'novelty_inv_rest'"));
    // A channel that is not there passes the reader and is found where the tables are built.
    const PotentialFile file = parse_potential(with("0 -1\n0 1", "0 -1\n0 9"));
    EXPECT(throws([&] { Evaluator(file.plan, "baseline"); }));
}

// Read before they are checked, these reach beyond the terms: by a little, and by all of memory.
THALWEG_TEST(starts_of_tensors_are_checked_before_they_are_used) {
    const std::string whole = sample_body(), starts = "tensor_start int 3\n0 6 9\n";
    const std::size_t at = whole.find(starts);
    EXPECT(at != std::string::npos);
    EXPECT(!throws([&] { parse_potential(sealed(whole)); }));
    for (const char* hostile : {"0 100 9", "0 1000000 9", "0 2147483647 9", "0 -1 9", "-1 6 9", "0 6 10", "0 7 6", "1 6 9"}) {
        std::string body = whole;
        body.replace(at, starts.size(), std::string("tensor_start int 3\n") + hostile + "\n");
        EXPECT(refused(sealed(body), "'tensor_start'"));
    }
}

THALWEG_TEST(what_a_file_asks_of_memory_is_bounded) {
    PlanSpec spec = small_plan();
    const auto refuses = [](const PlanSpec& plan) { return throws([&] { Evaluator(plan, "baseline"); }); };
    EXPECT(!refuses(spec));
    PlanSpec deep = spec;  // more radial functions than degrees of the configuration
    deep.recurrence.assign(3 * 4 * 82, 0.5);
    EXPECT(refuses(deep));
    PlanSpec wide = spec;  // four bytes of a file ask for 33 components of every thread's scratch
    for (int k = 0; k < 40000; ++k) wide.nodes.insert(wide.nodes.end(), {2, 3, 16, 0});
    EXPECT(refuses(wide));
    PlanSpec steep = spec;
    steep.nodes[2] = 17;
    EXPECT(refuses(steep));
    const auto evaluator = std::make_shared<const Evaluator>(small_plan(), "baseline");
    LinearModel model = random_model(*evaluator, 1025);
    EXPECT(throws([&] { LinearForceField(evaluator, model); }));
}

// A tensor that fits one node need not fit the next: what was looked up once was not checked again.
THALWEG_TEST(a_tensor_is_held_against_every_node) {
    PlanSpec spec = small_plan();
    EXPECT(!throws([&] { Evaluator(spec, "baseline"); }));
    spec.nodes.insert(spec.nodes.end(), {0, 1, 0, 0});  // the cross product of two scalars
    EXPECT(throws([&] { Evaluator(spec, "baseline"); }));
    spec = small_plan();
    spec.nodes.insert(spec.nodes.end(), {2, 3, 0, 0});  // the same channels, a shorter result
    EXPECT(throws([&] { Evaluator(spec, "baseline"); }));
}
