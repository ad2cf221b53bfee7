#include "thalweg/potential_file.hpp"

#include "potential_text.hpp"
#include "thalweg/caps.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace thalweg {
namespace {

// Each once, as chemical symbols are written.
std::vector<std::string> read_elements(Contents& contents) {
    const std::size_t n = contents.shape("elements")[0];
    if (n == 0 || n > kMostElements) fail("entry 'elements' must name 1 to 118 elements");
    std::vector<std::string> elements = contents.lines("elements", {n});
    for (const std::string& element : elements)
        if (element.empty() || element.size() > 2 || element[0] < 'A' || element[0] > 'Z' ||
            (element.size() == 2 && (element[1] < 'a' || element[1] > 'z')) ||
            std::count(elements.begin(), elements.end(), element) > 1)
            fail("entry 'elements' must hold different chemical symbols, got '" + element.substr(0, kLongestName) + "'");
    return elements;
}

std::vector<int> read_numbers(Contents& contents, std::size_t n) {
    const std::vector<int> numbers = contents.ints("numbers", {n});
    for (const int number : numbers)
        if (number < 1 || number > kMostElements)
            fail("entry 'numbers' must hold atomic numbers, 1 to 118, got " + std::to_string(number));
    return numbers;
}

void read_tensors(Contents& contents, PlanSpec& plan) {
    const std::size_t n_starts = contents.shape("tensor_start")[0], n_terms = contents.shape("tensor_value")[0];
    const std::vector<int> start = contents.ints("tensor_start", {n_starts});
    const std::vector<int> index = contents.ints("tensor_index", {n_terms, 3});
    const std::vector<double> value = contents.reals("tensor_value", {n_terms});
    if (start.empty() || start.front() != 0 || !std::is_sorted(start.begin(), start.end()) ||
        std::size_t(start.back()) != n_terms)
        fail("entry 'tensor_start' must rise from 0 to the number of terms");
    plan.tensors = split_tensors(start, index, value);
}

PlanSpec read_plan(Contents& contents, std::size_t n) {
    PlanSpec plan;
    plan.n_elements = static_cast<int>(n);
    plan.r_cut = contents.reals("r_cut", {1})[0];
    if (!(plan.r_cut > kShortestCutoff && plan.r_cut <= kLongestCutoff))
        fail("entry 'r_cut' must be above 0.5 and at most 20 angstrom");
    plan.exponent = contents.ints("exponent", {1})[0];
    if (plan.exponent < 1 || plan.exponent > kLargestExponent) fail("entry 'exponent' must be 1 to 64");
    const Shape recurrence = contents.shape("recurrence");
    const std::size_t n_radial = recurrence.size() > 2 ? recurrence[2] : 0;
    if (n_radial == 0 || n_radial > kMostRadial) fail("entry 'recurrence' must hold 1 to 81 radial functions");
    plan.recurrence = contents.reals("recurrence", {n, n, n_radial, 3});
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

// As thalweg.models.environments takes them: distances are roots of sums of these.
std::vector<double> not_negative(std::vector<double> values, const std::string& name) {
    if (std::any_of(values.begin(), values.end(), [](double x) { return x < 0.0; }))
        fail("entry '" + name + "' must be 0 or more");
    return values;
}

NoveltyModel read_novelty(Contents& contents, std::size_t n, std::size_t p) {
    const Shape shape = contents.shape("novelty_components");
    const std::size_t rank = shape.size() > 1 ? shape[1] : 0;
    if (rank > kMostDirections) fail("entry 'novelty_components' has too many directions");
    const auto scales = [&](const std::string& name, const Shape& of) {
        return not_negative(contents.reals(name, of), name);
    };
    NoveltyModel model{static_cast<int>(rank), contents.reals("novelty_mean", {n, p}), scales("novelty_scale", {n, p}),
                       contents.reals("novelty_components", {n, rank, p}), scales("novelty_inv_lambda", {n, rank}),
                       scales("novelty_inv_rest", {n})};
    if (contents.version() > 1) model.fewest_neighbors = contents.ints("novelty_fewest_neighbors", {n});
    return model;
}

// Largest length among n normal vectors in three dimensions, on average, over the root mean square of one. The law of a
// length r is F(r) = erf(r / sqrt 2) - sqrt(2 / pi) r exp(-r^2 / 2); the largest is on average the integral of 1 - F^n.
double largest_over_rms(int n) {
    const double step = 1e-3, root = std::sqrt(2.0 / std::numbers::pi);
    double largest = 0.0;
    for (double r = 0.5 * step; r < 12.0; r += step)
        largest += step * (1.0 - std::pow(std::erf(r / std::numbers::sqrt2) - root * r * std::exp(-0.5 * r * r), n));
    return largest / std::sqrt(3.0);
}

void read_bounds(Contents& contents, std::size_t n, PotentialFile& file) {
    file.confidence = contents.reals("confidence", {1})[0];
    if (file.confidence <= 0.0 || file.confidence >= 1.0) fail("entry 'confidence' must be between 0 and 1");
    file.bound_factors = not_negative(contents.reals("bound_factors", {n}), "bound_factors");
    if (std::count(file.bound_factors.begin(), file.bound_factors.end(), 0.0)) fail("entry 'bound_factors' must be above 0");
    file.bound_floors = not_negative(contents.reals("bound_floors", {n}), "bound_floors");
    if (contents.version() > 1) return;
    // Of the first version, the deviation was that of the member furthest off.
    for (double& factor : file.bound_factors) factor *= largest_over_rms(file.model.n_members);
}

LinearModel read_model(Contents& contents, std::size_t n, std::size_t p) {
    LinearModel model;
    model.weights = contents.reals("weights", {n, p});
    const std::size_t members = contents.shape("member_deltas")[0];
    if (members == 0 || members > kMostMembers) fail("entry 'member_deltas' must hold 1 to 1024 members");
    model.n_members = static_cast<int>(members);
    model.member_deltas = contents.reals("member_deltas", {members, n, p});
    model.reference_energies = contents.reals("reference_energies", {n});
    const std::vector<int> numbers = read_numbers(contents, n);
    if (contents.has("zbl_inner")) {
        const std::vector<double> inner = contents.reals("zbl_inner", {n, n});
        model.zbl = ZblTable::make(numbers, inner, contents.reals("zbl_outer", {n, n}));
    }
    if (contents.has("novelty_mean")) model.novelty = read_novelty(contents, n, p);
    return model;
}

}  // namespace

PotentialFile parse_potential(std::string_view text) {
    Contents contents(text);
    PotentialFile file;
    file.elements = read_elements(contents);
    const std::size_t n = file.elements.size();
    file.plan = read_plan(contents, n);
    file.model = read_model(contents, n, file.plan.scale.size());
    read_bounds(contents, n, file);
    file.provenance = contents.lines("provenance", {1})[0];
    contents.expect_empty();
    return file;
}

}  // namespace thalweg
