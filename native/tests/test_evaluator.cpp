// The evaluator on a hand-made plan: adjoint identity, finite differences, permutation, kernels and threads.
#include "checks.hpp"

#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "thalweg/evaluator.hpp"
#include "thalweg/linear_force_field.hpp"
#include "thalweg/threads.hpp"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr int kAtoms = 11;

// Two elements, n = 0, 1 for l = 0 and l = 1. Real harmonics of l = 1 are (y, z, x): couplings are the dot and the
// cross product.
PlanSpec small_plan() {
    PlanSpec spec;
    spec.n_elements = 2;
    spec.r_cut = 3.0;
    for (int pair = 0; pair < 4; ++pair)
        for (double x : {1.5, 0.0, 0.0, 2.0, 0.3, 0.0}) spec.recurrence.push_back(x);
    spec.radial_count = {2, 2};  // channels of element z: 4 z + {l0n0, l0n1, l1n0, l1n1}
    const double t = 1 / std::sqrt(2.0), d = 1 / std::sqrt(3.0);
    spec.tensors = {{{0, 1, 2, t}, {1, 0, 2, -t}, {1, 2, 0, t}, {2, 1, 0, -t}, {2, 0, 1, t}, {0, 2, 1, -t}},
                    {{0, 0, 0, d}, {1, 1, 0, d}, {2, 2, 0, d}}};
    spec.nodes = {2, 3, 1, 0,   // cross product of two channels
                  2, 6, 1, 0,   // the same of two elements
                  2, 2, 0, 1};  // dot product of a channel with itself
    // Blocks 8, 9, 10 are the nodes.
    spec.features = {0, -1, 5, -1, 2, 2, 3, 6, 8, 9, 9, 9, 10, 0, 10, 10};
    spec.scale = {1.0, 0.5, 2.0, 1.0, 30.0, 20.0, 3.0, 4.0};
    return spec;
}

struct System {
    std::array<int, 2> first{0, kAtoms};
    std::array<int, kAtoms> species{};
    std::array<double, 3 * kAtoms> positions{};
    std::array<double, 9> cell{};
    std::array<std::uint8_t, 3> pbc{};

    explicit System(unsigned seed) {
        std::mt19937 random(seed);
        std::uniform_real_distribution<double> uniform(-1.8, 1.8);
        for (double& x : positions) x = uniform(random);
        for (int i = 0; i < kAtoms; ++i) species[i] = i % 3 == 0;
    }
    Batch batch() const { return {1, first.data(), species.data(), positions.data(), cell.data(), pbc.data()}; }
};

std::vector<double> normals(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> out(n);
    for (double& x : out) x = normal(random);
    return out;
}

std::vector<double> phi_of(const Evaluator& evaluator, const System& system) {
    std::vector<double> phi(std::size_t(kAtoms) * evaluator.n_features());
    evaluator.phi(system.batch(), phi.data());
    return phi;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0.0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
}

std::vector<double> jvp_of(const Evaluator& evaluator, const System& system, const std::vector<double>& v) {
    std::vector<double> out(std::size_t(kAtoms) * evaluator.n_features());
    evaluator.jvp(system.batch(), v.data(), out.data());
    return out;
}

}  // namespace

THALWEG_TEST(vjp_is_the_adjoint_of_jvp) {
    for (const char* instructions : {"baseline", ""}) {
        const Evaluator evaluator(small_plan(), instructions);
        const System system(1);
        const auto w = normals(std::size_t(kAtoms) * evaluator.n_features(), 2), v = normals(3 * kAtoms, 3);
        std::vector<double> gradient(3 * kAtoms), strain(9);
        evaluator.vjp(system.batch(), 1, w.data(), gradient.data(), strain.data());
        expect_close(dot(w, jvp_of(evaluator, system, v)), dot(gradient, v), 1e-11, 1e-3, "<w, J v> and <J^T w, v>");
    }
}

THALWEG_TEST(jvp_is_the_finite_difference) {
    const Evaluator evaluator(small_plan(), "");
    const System system(4);
    const auto v = normals(3 * kAtoms, 5);
    const auto tangent = jvp_of(evaluator, system, v);
    const double h = 1e-5;
    System ahead = system, behind = system;
    for (int k = 0; k < 3 * kAtoms; ++k) ahead.positions[k] += h * v[k], behind.positions[k] -= h * v[k];
    const auto a = phi_of(evaluator, ahead), b = phi_of(evaluator, behind);
    double error = 0.0, size = 0.0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        error = std::max(error, std::abs((a[k] - b[k]) / (2 * h) - tangent[k]));
        size = std::max(size, std::abs(tangent[k]));
    }
    expect(size > 0.1 && error < 1e-6 * size, "largest error " + std::to_string(error));
}

THALWEG_TEST(permuting_atoms_permutes_rows) {
    const Evaluator evaluator(small_plan(), "");
    const System system(6);
    System reversed = system;
    for (int i = 0; i < kAtoms; ++i) {
        const int from = kAtoms - 1 - i;
        reversed.species[i] = system.species[from];
        for (int axis = 0; axis < 3; ++axis) reversed.positions[3 * i + axis] = system.positions[3 * from + axis];
    }
    const auto a = phi_of(evaluator, system), b = phi_of(evaluator, reversed);
    const int p = evaluator.n_features();
    for (int k = 0; k < p; ++k) expect_close(a[k], b[(kAtoms - 1) * p + k], 1e-10, 1e-9, "feature " + std::to_string(k));
}

THALWEG_TEST(design_rows_give_the_force_field) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    const System system(7);
    const std::size_t columns = 2 * std::size_t(evaluator->n_features());
    LinearModel model;
    model.weights = normals(columns, 8);
    model.reference_energies = {0.0, 0.0};
    const std::vector<double> w = model.weights;
    const LinearForceField field(evaluator, std::move(model));
    double energy = 0.0;
    std::vector<double> forces(3 * kAtoms), energy_row(columns), force_rows(3 * kAtoms * columns);
    ForceOutput out;
    out.energies = &energy;
    out.forces = forces.data();
    field.compute(system.batch(), build_pairs(system.batch(), field.r_cut() + 0.5), out);
    evaluator->design_rows(system.batch(), energy_row.data(), force_rows.data(), nullptr);
    expect_close(energy, dot(energy_row, w), 1e-11, 1e-3, "energy");
    for (int k = 0; k < 3 * kAtoms; ++k) {
        const std::vector<double> row(&force_rows[k * columns], &force_rows[k * columns] + columns);
        expect_close(forces[k], dot(row, w), 1e-9, 1e-6, "force " + std::to_string(k));
    }
}

namespace {

struct Scores {
    double energy = 0.0;
    std::vector<double> forces, virial, deviation;
};

LinearModel random_model(const Evaluator& evaluator, int n_members) {
    const std::size_t columns = std::size_t(evaluator.n_elements()) * evaluator.n_features();
    LinearModel model;
    model.weights = normals(columns, 21);
    model.n_members = n_members;
    model.member_deltas = normals(columns * n_members, 22);
    model.reference_energies = {0.3, -0.2};
    return model;
}

Scores scores_of(const ForceField& field, const Batch& batch, const PairList& pairs) {
    Scores s;
    s.forces.resize(3 * batch.n_atoms());
    s.virial.resize(9);
    s.deviation.resize(batch.n_atoms());
    field.compute(batch, pairs, {&s.energy, s.forces.data(), s.virial.data(), s.deviation.data(), nullptr});
    return s;
}

// A gas large enough for several chunks and slabs.
struct Gas {
    static constexpr int n = 1500;
    std::array<int, 2> first{0, n};
    std::vector<int> species = std::vector<int>(n);
    std::vector<double> positions = std::vector<double>(3 * n);
    std::array<double, 9> cell{};
    std::array<std::uint8_t, 3> pbc{};

    Gas() {
        std::mt19937 random(31);
        std::uniform_real_distribution<double> uniform(0.0, 22.0);
        for (double& x : positions) x = uniform(random);
        for (int i = 0; i < n; ++i) species[i] = i % 3 == 0;
    }
    Batch batch() const { return {1, first.data(), species.data(), positions.data(), cell.data(), pbc.data()}; }
};

}  // namespace

THALWEG_TEST(threads_change_no_bit) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    const LinearForceField field(evaluator, random_model(*evaluator, 3));
    const Gas gas;
    const PairList pairs = build_pairs(gas.batch(), field.r_cut() + 0.3);
    const Scores one = scores_of(field, gas.batch(), pairs);
    set_num_threads(3);
    const Scores three = scores_of(field, gas.batch(), pairs);
    set_num_threads(1);
    expect(one.energy == three.energy && one.forces == three.forces && one.virial == three.virial &&
               one.deviation == three.deviation,
           "one thread and three differ");
    expect(std::abs(one.forces[0]) > 1e-6, "nothing was computed");
}

THALWEG_TEST(mixed_precision_follows_double) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    const LinearForceField exact(evaluator, random_model(*evaluator, 3)),
        mixed(evaluator, random_model(*evaluator, 3), Precision::Mixed);
    const Gas gas;
    const PairList pairs = build_pairs(gas.batch(), exact.r_cut());
    const Scores a = scores_of(exact, gas.batch(), pairs), b = scores_of(mixed, gas.batch(), pairs);
    double size = 0.0, error = 0.0;
    for (std::size_t k = 0; k < a.forces.size(); ++k) {
        size = std::max(size, std::abs(a.forces[k]));
        error = std::max(error, std::abs(a.forces[k] - b.forces[k]));
    }
    expect(error < 1e-5 * size && error > 1e-12 * size, "largest relative error " + std::to_string(error / size));
    expect_close(a.energy, b.energy, 1e-5, 1e-3, "energy");
}

// The rows of signs together are the whole committee: the mean of the squares over them is the members' sum.
THALWEG_TEST(a_screen_misses_no_member_over_its_rows) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    constexpr int n_members = 4;
    const LinearForceField field(evaluator, random_model(*evaluator, n_members));
    const System system(9);
    const PairList pairs = build_pairs(system.batch(), field.r_cut());
    std::vector<double> members(3 * kAtoms * n_members), forces(3 * kAtoms), never(kAtoms, 1e9), always(kAtoms, -1.0);
    std::vector<double> looked(kAtoms), sum(kAtoms, 0.0), exact(kAtoms), confirmed(kAtoms);
    ForceOutput out;
    out.forces = forces.data(), out.deviation = exact.data(), out.member_forces = members.data();
    field.compute(system.batch(), pairs, out);
    out.member_forces = nullptr;
    double scale = 0.0;
    for (int row = 0; row < n_members; ++row) {
        const Screen screen{row + 4 * row, never.data()};
        out.deviation = looked.data(), out.screen = &screen;
        field.compute(system.batch(), pairs, out);
        for (int i = 0; i < kAtoms; ++i) sum[i] += looked[i] * looked[i] / n_members;
    }
    for (int i = 0; i < kAtoms; ++i) {
        double squares = 0.0;
        for (int k = 0; k < 3 * n_members; ++k) squares += std::pow(members[i * 3 * n_members + k], 2);
        if (i == 0) scale = sum[i] / squares;
        expect_close(sum[i], scale * squares, 1e-9, 1e-12, "atom " + std::to_string(i));
    }
    expect(scale > 0.3 && scale < 0.8, "scale " + std::to_string(scale));
    const Screen screen{1, always.data()};
    out.deviation = confirmed.data(), out.screen = &screen;
    field.compute(system.batch(), pairs, out);
    expect(confirmed == exact && looked != exact, "a confirmed structure has not the committee's deviations");
}

// Filters, slots and lanes differ between instruction sets; so do last bits, and nothing else.
THALWEG_TEST(instruction_sets_agree) {
    const auto plain = std::make_shared<Evaluator>(small_plan(), "baseline"), best = std::make_shared<Evaluator>(small_plan(), "");
    const LinearForceField a(plain, random_model(*plain, 3)), b(best, random_model(*best, 3));
    const Gas gas;
    const PairList pairs = build_pairs(gas.batch(), a.r_cut() + 0.4);
    const Scores one = scores_of(a, gas.batch(), pairs), other = scores_of(b, gas.batch(), pairs);
    expect_close(one.energy, other.energy, 1e-11, 1e-6, "energy");
    for (std::size_t k = 0; k < one.forces.size(); ++k)
        expect_close(one.forces[k], other.forces[k], 1e-9, 1e-6, "force " + std::to_string(k));
    for (int k = 0; k < 9; ++k) expect_close(one.virial[k], other.virial[k], 1e-9, 1e-6, "virial " + std::to_string(k));
}

THALWEG_TEST(ghost_atoms_only_feel_forces) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    const LinearForceField field(evaluator, random_model(*evaluator, 2));
    const Gas gas;
    const PairList all = build_pairs(gas.batch(), field.r_cut());
    const int n_centres = 700;
    PairList front = all, back = all;
    front.first.resize(n_centres + 1);  // the rest are ghosts
    for (int i = 0; i <= n_centres; ++i) back.first[i] = all.first[n_centres];  // the centres of `front` see nobody
    const Scores whole = scores_of(field, gas.batch(), all), a = scores_of(field, gas.batch(), front),
                 b = scores_of(field, gas.batch(), back);
    double lonely = 0.0;
    for (int i = 0; i < n_centres; ++i) lonely += gas.species[i] ? -0.2 : 0.3;
    expect_close(a.energy + b.energy - lonely, whole.energy, 1e-9, 1e-6, "energy");
    for (std::size_t k = 0; k < whole.forces.size(); ++k)
        expect_close(a.forces[k] + b.forces[k], whole.forces[k], 1e-9, 1e-6, "force " + std::to_string(k));
}

THALWEG_TEST(sums_over_atoms_and_members_are_the_totals) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    LinearModel model = random_model(*evaluator, 2);
    const Gas gas;
    const int n = gas.batch().n_atoms(), n_centres = 700;
    for (const double outer : {1.2, 3.5}) {  // within the cutoff of the features, and beyond it
        model.zbl = ZblTable::make({14, 8}, std::vector<double>(4, 0.5 * outer), std::vector<double>(4, outer));
        const LinearForceField field(evaluator, model);
        PairList pairs = build_pairs(gas.batch(), field.r_cut());
        pairs.first.resize(n_centres + 1);
        double energy = 0.0, sum = 0.0;
        std::vector<double> own(n, 1e9), deviation(n), members(std::size_t(n) * 6);
        field.compute(gas.batch(), pairs, {&energy, nullptr, nullptr, deviation.data(), nullptr, own.data(), members.data()});
        for (int i = 0; i < n_centres; ++i) sum += own[i];
        expect_close(sum, energy, 1e-12, 1e-3, "energy");
        expect(own[n_centres] == 1e9, "a ghost was given an energy");
        for (int i = 0; i < n; ++i) {
            double most = 0.0;
            for (int m = 0; m < 2; ++m) {
                const double* f = &members[std::size_t(i) * 6 + 3 * m];
                most = std::max(most, f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
            }
            expect(deviation[i] == std::sqrt(most), "deviation " + std::to_string(i));
        }
    }
}

THALWEG_TEST(every_task_runs_once_on_the_pool) {
    set_num_threads(3);
    for (int round = 0; round < 200; ++round) {
        std::vector<int> calls(17, 0);
        parallel_for(17, [&](int k) { ++calls[k]; });
        for (int n : calls) expect(n == 1, "a task ran " + std::to_string(n) + " times");
    }
    set_num_threads(1);
}
