#include "expect.hpp"

#include "thalweg/pair_force_field.hpp"
#include "thalweg/random.hpp"
#include "thalweg/walkers.hpp"
#include "thalweg/zbl.hpp"

#include <cmath>

using namespace thalweg;

namespace {

MorseForceField morse() {
    return MorseForceField({1, {4.0}, {2.0}, {1.4}, 2.5, 4.0, 0.1, 0.01});
}

Walker dimer(std::uint32_t id) {
    Walker walker;
    walker.species = {0, 0};
    walker.masses = {12.0, 16.0};
    walker.positions = {0.0, 0.0, 0.0, 1.5, 0.1 * id, 0.0};
    walker.velocities.assign(6, 0.0);
    walker.kT = 0.03;
    walker.seed = 5;
    walker.id = id;
    return walker;
}

Limits free_limits() {
    Limits limits;
    limits.species_factor = {1.0};
    limits.species_floor = {0.0};
    limits.min_distance = {0.0};
    return limits;
}

const MdSettings kSettings{0.05, 0.1, 0.5, 0, 0, 0};

}  // namespace

// Random123's published vector for the digits of pi.
THALWEG_TEST(philox_gives_the_known_answer) {
    const Philox got = philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    EXPECT(got == Philox{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

THALWEG_TEST(walkers_depend_on_neither_threads_nor_company) {
    const MorseForceField field = morse();
    std::vector<Walker> walkers;
    for (std::uint32_t k = 0; k < 5; ++k) walkers.push_back(dimer(k));
    const auto together = advance(field, walkers, kSettings, {free_limits()}, {200, false, 1});
    const auto threads = advance(field, walkers, kSettings, {free_limits()}, {200, false, 3});
    for (std::size_t k = 0; k < walkers.size(); ++k) {
        const auto alone = advance(field, {walkers[k]}, kSettings, {free_limits()}, {200, false, 1});
        EXPECT(together[k].verdict.event == Event::BlockEnd);
        EXPECT(together[k].state.positions == threads[k].state.positions);
        EXPECT(together[k].state.positions == alone[0].state.positions);
        EXPECT(together[k].state.positions != walkers[k].positions);
    }
    EXPECT(together[0].state.velocities != together[1].state.velocities);
}

THALWEG_TEST(a_broken_limit_stops_one_walker_before_it) {
    const MorseForceField field = morse();
    Limits strict = free_limits();
    strict.kT_max = 0.05;
    const auto free = advance(field, {dimer(0)}, kSettings, {free_limits()}, {400, false, 1});
    const auto stopped = advance(field, {dimer(0), dimer(1)}, kSettings, {strict, free_limits()}, {400, false, 1});
    EXPECT(free[0].verdict.event == Event::BlockEnd);
    EXPECT(stopped[0].verdict.event == Event::TooHot);
    EXPECT(stopped[0].state.step + 1 == stopped[0].event_step);
    EXPECT(stopped[0].event.kT[0] > 0.05);
    EXPECT(stopped[0].last.kT[0] <= 0.05);
    EXPECT(stopped[1].verdict.event == Event::BlockEnd);
}

THALWEG_TEST(what_is_fixed_stands_still) {
    const MorseForceField field = morse();
    Walker walker = dimer(1);
    walker.fixed = {1, 1, 1, 0, 0, 1};
    const auto done = advance(field, {walker}, kSettings, {free_limits()}, {400, false, 1});
    const Walker& after = done[0].state;
    for (std::size_t c = 0; c < 6; ++c) EXPECT((after.positions[c] == walker.positions[c]) == walker.is_fixed(c));
    const double v2 = after.velocities[3] * after.velocities[3] + after.velocities[4] * after.velocities[4];
    EXPECT(std::abs(done[0].last.kT[0] - 16.0 * v2 / 2.0) < 1e-12);
    walker.velocities[0] = 0.1;
    EXPECT(testing::throws([&] { advance(field, {walker}, kSettings, {free_limits()}, {1, false, 1}); }));
}

THALWEG_TEST(bad_walkers_are_refused) {
    const MorseForceField field = morse();
    Walker walker = dimer(0);
    walker.masses[1] = 0.0;
    EXPECT(testing::throws([&] { advance(field, {walker}, kSettings, {free_limits()}, {1, false, 1}); }));
    walker = dimer(0);
    walker.species[0] = 7;
    EXPECT(testing::throws([&] { advance(field, {walker}, kSettings, {free_limits()}, {1, false, 1}); }));
    EXPECT(!testing::throws([&] { advance(field, {dimer(0)}, kSettings, {free_limits()}, {1, false, 1}); }));
}

// Force by central difference of the energy, inside the switching region of a C-O pair.
THALWEG_TEST(zbl_force_is_the_slope_of_its_energy) {
    const ZblTable table = ZblTable::make({6, 8}, {0.5, 0.5, 0.5, 0.5}, {1.2, 1.2, 1.2, 1.2});
    const int ends[2] = {0, 2}, species[2] = {0, 1};
    const double cell[9] = {};
    const std::uint8_t pbc[3] = {};
    const auto at = [&](double r, double* forces) {
        const double positions[6] = {0.0, 0.0, 0.0, 0.0, r, 0.0};
        const Batch batch{1, ends, species, positions, cell, pbc};
        double energy = 0.0;
        add_zbl(table, batch, build_pairs(batch, 2.0), {.energies = &energy, .forces = forces});
        return energy;
    };
    double forces[6] = {};
    at(0.8, forces);
    const double slope = (at(0.8 + 1e-5, nullptr) - at(0.8 - 1e-5, nullptr)) / 2e-5;
    EXPECT(slope < -1.0);
    EXPECT(std::abs(forces[4] + slope) < 1e-5 * std::abs(slope));
    EXPECT(std::abs(forces[1] - slope) < 1e-5 * std::abs(slope));
    EXPECT(at(1.2, nullptr) == 0.0);
}
