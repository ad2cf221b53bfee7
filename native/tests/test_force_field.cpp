// The force field: precision, instruction sets and threads, the committee and its screen, ghosts, sums over atoms.
#include "expect.hpp"
#include "small_model.hpp"

#include <cmath>
#include <memory>

#include "thalweg/threads.hpp"

using namespace thalweg;
using namespace thalweg::testing;

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

// The rows of signs together are the whole committee: the mean of the squares over them is the deviation's.
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
    for (int row = 0; row < n_members; ++row) {
        const Screen screen{row + 4 * row, never.data()};
        out.deviation = looked.data(), out.screen = &screen;
        field.compute(system.batch(), pairs, out);
        for (int i = 0; i < kAtoms; ++i) sum[i] += looked[i] * looked[i] / n_members;
    }
    for (int i = 0; i < kAtoms; ++i) {
        double squares = 0.0;
        for (int k = 0; k < 3 * n_members; ++k) squares += std::pow(members[i * 3 * n_members + k], 2);
        expect_close(sum[i], squares / n_members, 1e-9, 1e-12, "atom " + std::to_string(i));
        expect_close(exact[i] * exact[i], squares / n_members, 1e-9, 1e-12, "deviation " + std::to_string(i));
    }
    const Screen screen{1, always.data()};
    out.deviation = confirmed.data(), out.screen = &screen;
    field.compute(system.batch(), pairs, out);
    expect(confirmed == exact && looked != exact, "a confirmed structure has not the committee's deviations");
}

THALWEG_TEST(a_look_is_as_long_as_its_estimate) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    const LinearForceField field(evaluator, random_model(*evaluator, 4));
    const Gas gas;
    const PairList pairs = build_pairs(gas.batch(), field.r_cut());
    const std::vector<double> never(Gas::n, 1e9);
    std::vector<double> estimate(Gas::n), look(3 * Gas::n), forces(3 * Gas::n), plain(3 * Gas::n);
    const Screen screen{2, never.data()};
    field.compute(gas.batch(), pairs, {.forces = plain.data(), .deviation = estimate.data(), .screen = &screen});
    const Screen unconfirmed{2};
    field.compute(gas.batch(), pairs, {.forces = forces.data(), .screen = &unconfirmed, .look = look.data()});
    expect(forces == plain, "the mean's forces depend on what else is asked for");
    for (int i = 0; i < Gas::n; ++i)
        expect_close(std::hypot(look[3 * i], look[3 * i + 1], look[3 * i + 2]), estimate[i], 1e-12, 1e-9, "atom " + std::to_string(i));
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
            double squares = 0.0;
            for (int k = 0; k < 6; ++k) squares += std::pow(members[std::size_t(i) * 6 + k], 2);
            expect_close(deviation[i], std::sqrt(squares / 2), 1e-12, 1e-9, "deviation " + std::to_string(i));
        }
    }
}

// Features vanish with neighbours, so that an atom which they leave looks ordinary; a count does not.
THALWEG_TEST(lost_neighbors_are_novel) {
    LinearModel model = random_model(*std::make_shared<Evaluator>(small_plan(), ""), 2);
    const std::size_t n = model.weights.size(), p = n / 2;
    NoveltyModel novelty{1, std::vector<double>(n, 0.0), std::vector<double>(n, 1e-3), std::vector<double>(n, 0.0),
                         {1.0, 1.0}, {1.0, 1.0}};
    novelty.components[0] = novelty.components[p] = 1.0;
    const Gas gas;
    for (const char* instructions : {"baseline", ""})
        for (const Precision precision : {Precision::Double, Precision::Mixed}) {
            const auto evaluator = std::make_shared<Evaluator>(small_plan(), instructions);
            const PairList pairs = build_pairs(gas.batch(), evaluator->r_cut() + 0.3);
            std::vector<double> plain(Gas::n), guarded(Gas::n);
            const auto compute = [&](std::vector<int> fewest, std::vector<double>& to) {
                model.novelty = novelty;
                model.novelty->fewest_neighbors = std::move(fewest);
                LinearForceField(evaluator, model, precision).compute(gas.batch(), pairs, {.novelty = to.data()});
            };
            compute({}, plain);
            compute({5, 0}, guarded);
            int n_lost = 0;
            for (int i = 0; i < Gas::n; ++i) {
                int count = 0;
                for (int q = pairs.first[i]; q < pairs.first[i + 1]; ++q) {
                    double square = 0.0;
                    for (int axis = 0; axis < 3; ++axis)
                        square += std::pow(gas.positions[3 * pairs.j[q] + axis] + pairs.offset[3 * q + axis] -
                                           gas.positions[3 * i + axis], 2);
                    count += square < evaluator->r_cut() * evaluator->r_cut();
                }
                const bool lost = gas.species[i] == 0 && count < 5;
                n_lost += lost;
                expect(guarded[i] == (lost ? kTooFewNeighbors : plain[i]), "atom " + std::to_string(i));
                expect(plain[i] < 0.1 * kTooFewNeighbors, "the distance itself is as large");
            }
            expect(n_lost > 0 && n_lost < Gas::n / 2, std::to_string(n_lost) + " atoms have lost neighbours");
            EXPECT(throws([&] { compute({5}, guarded); }));
        }
}

THALWEG_TEST(virials_of_atoms_add_up) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    LinearModel model = random_model(*evaluator, 2);
    const Gas gas;
    for (const double outer : {1.2, 3.5}) {  // a core repulsion within the cutoff of the features, and beyond it
        model.zbl = ZblTable::make({14, 8}, std::vector<double>(4, 0.5 * outer), std::vector<double>(4, outer));
        const LinearForceField field(evaluator, model);
        PairList pairs = build_pairs(gas.batch(), field.r_cut());
        pairs.first.resize(701);  // the rest are ghosts
        std::vector<double> strain(9), deviation(Gas::n), alone(18 * Gas::n), atoms(18 * Gas::n, 1e9);
        field.compute(gas.batch(), pairs, {.atom_virials = alone.data()});
        field.compute(gas.batch(), pairs, {.virials = strain.data(), .deviation = deviation.data(), .atom_virials = atoms.data()});
        expect(alone == atoms, "virials of atoms depend on what else is asked for");
        for (int role = 0; role < 2; ++role)
            for (int k = 0; k < 9; ++k) {
                double sum = 0.0;
                for (int i = 0; i < Gas::n; ++i) sum += atoms[18 * i + 9 * role + k];
                expect_close(sum, strain[k], 1e-9, 1e-3, "component " + std::to_string(k));
            }
    }
}

// What an atom's virial as a neighbour is for. Energy moves at the rate J = d/dt sum_i r_i E_i. Its part that is not
// carried along by atoms, sum_i r_i (dE_i/dt + F_i . v_i) with E_i the energy of the environment, is
// -sum_j W_j v_j, W_j the virial of atom j as neighbour (heat current of many-body potentials: Fan et al., Phys. Rev. B
// 92, 094301 (2015)).
THALWEG_TEST(virials_of_neighbors_carry_the_heat) {
    const auto evaluator = std::make_shared<Evaluator>(small_plan(), "");
    LinearModel model = random_model(*evaluator, 2);
    const System system(9);
    const auto v = normals(3 * kAtoms, 10);
    for (const double outer : {1.2, 3.5}) {
        model.zbl = ZblTable::make({1, 1}, std::vector<double>(4, 0.5 * outer), std::vector<double>(4, outer));
        const LinearForceField field(evaluator, model);
        const auto energies_after = [&](double h) {
            System moved = system;
            for (int k = 0; k < 3 * kAtoms; ++k) moved.positions[k] += h * v[k];
            std::vector<double> energies(kAtoms);
            field.compute(moved.batch(), build_pairs(moved.batch(), field.r_cut()), {.atom_energies = energies.data()});
            return energies;
        };
        std::vector<double> forces(3 * kAtoms), virials(18 * kAtoms);
        field.compute(system.batch(), build_pairs(system.batch(), field.r_cut()), {.forces = forces.data(), .atom_virials = virials.data()});
        const auto after = energies_after(1e-6), before = energies_after(-1e-6);
        for (int axis = 0; axis < 3; ++axis) {
            double heat = 0.0, by_virials = 0.0, by_centres = 0.0;
            for (int i = 0; i < kAtoms; ++i) {
                double rate = (after[i] - before[i]) / 2e-6;
                for (int a = 0; a < 3; ++a) {
                    rate += forces[3 * i + a] * v[3 * i + a];
                    by_virials -= virials[18 * i + 9 + 3 * a + axis] * v[3 * i + a];
                    by_centres -= virials[18 * i + 3 * a + axis] * v[3 * i + a];
                }
                heat += system.positions[3 * i + axis] * rate;
            }
            expect_close(heat, by_virials, 1e-6, 1e-4, "axis " + std::to_string(axis));
            expect(std::abs(heat - by_centres) > 1e-3 * std::abs(heat), "the two roles cannot be told apart");
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
