// Walkers: many independent trajectories on one force field, advanced in blocks of steps without Python.
//
// Integrator: BAOAB Langevin dynamics (Leimkuhler & Matthews, Appl. Math. Res. eXpress 2013, 34; exact
// Ornstein-Uhlenbeck step), which at zero friction is velocity Verlet. All 3 N components feel the thermostat and
// nothing holds the centre of mass: doing so under Langevin noise biases the temperature, and drift is harmless here.
// Constant pressure: stochastic cell rescaling between the two halves of O's neighbours A (barostat.hpp).
//
// What makes a trajectory repeatable, bit for bit: random numbers are a function of (seed, id, step); the neighbour
// list is rebuilt as a function of positions and cell alone, and those it was built at travel with the state, so that
// a block of 2 n steps equals two blocks of n; what is computed at a step depends on the step's number and not on
// where a block ends; and walkers never share a sum, so that neither the number of threads nor the company in a batch
// matters.
//
// Units: Å, eV, amu, ASE's time unit Å sqrt(amu / eV); temperatures as kT in eV.
#pragma once

#include "thalweg/force_field.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace thalweg {

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Walker {
    std::vector<int> species;         // (n_atoms)
    std::vector<double> masses;       // (n_atoms), amu
    std::vector<double> positions;    // (n_atoms, 3)
    std::vector<double> velocities;   // (n_atoms, 3); zero where fixed
    std::vector<std::uint8_t> fixed;  // (n_atoms, 3): components that never move; empty: none
    std::array<double, 9> cell{};
    std::array<std::uint8_t, 3> pbc{};
    double kT = 0.0;
    std::uint64_t seed = 0;
    std::uint32_t id = 0;
    std::uint64_t step = 0;
    std::vector<double> list_positions;  // (n_atoms, 3) where the neighbour list was built; empty: build it anew
    std::array<double, 9> list_cell{};   // the cell it was built in
    double reference_energy = std::numeric_limits<double>::quiet_NaN();  // NaN: the first energy of the next block

    int n_atoms() const { return static_cast<int>(species.size()); }
    bool is_fixed(std::size_t component) const { return !fixed.empty() && fixed[component]; }
    // Components that move; kinetic temperatures are taken over them.
    int n_free() const { return 3 * n_atoms() - static_cast<int>(std::count(fixed.begin(), fixed.end(), std::uint8_t{1})); }
    bool is_periodic() const { return pbc[0] && pbc[1] && pbc[2]; }
};

// What the barostat may change: nothing, the volume, the lengths along x, y and z, or all six strains.
enum class Coupling : int { None, Isotropic, Axes, Full };

struct Barostat {
    Coupling coupling = Coupling::None;
    double pressure = 0.0;  // eV/Å³
    double mobility = 0.0;  // compressibility / relaxation time, Å³/eV / time; sets how fast, not what, is sampled
};

struct MdSettings {
    double timestep = 0.0;
    double friction = 0.0;         // 1 / time; 0 is NVE
    double skin = 0.5;             // Å
    std::uint64_t record_stride = 0;   // 0: no samples; otherwise at steps divisible by it
    std::uint64_t history_stride = 0;  // 0: no history
    std::size_t history_length = 0;    // the most recent ones are kept
    std::uint64_t score_stride = 1;    // bound and novelty at steps divisible by it and at samples; 0: never
    std::uint64_t log_stride = 0;      // 0: no log
    // The committee through one row of signs a look; the whole one at samples, and for a walker with an atom whose
    // estimated bound passes this share of its lower limit. 0: the whole one always.
    double screen_share = 0.0;
    Barostat barostat{};
};

// Thresholds above which an event fires; infinity switches one off. The bound of an atom is its committee deviation
// times species_factor plus species_floor of its species (eV/Å).
struct Limits {
    double bound_label = kNoLimit, bound_break = kNoLimit;      // eV/Å
    double novelty_label = kNoLimit, novelty_break = kNoLimit;
    double kT_max = kNoLimit;              // eV, of the instantaneous kinetic energy: 2 E_kin / n_free
    double energy_rise_max = kNoLimit;     // eV per atom above reference_energy
    std::vector<double> species_factor;    // (n_species)
    std::vector<double> species_floor;     // (n_species), eV/Å
    std::vector<double> min_distance;      // (n_species, n_species), Å
};

// In the order in which they are looked for: physical sanity first, then break, then label.
enum class Event : int {
    None, NotFinite, TooClose, TooHot, EnergySpike, BreakUncertain, BreakNovel, LabelUncertain, LabelNovel, BlockEnd,
};

struct Verdict {
    Event event = Event::None;
    int atom = -1, partner = -1;   // partner only for TooClose
    double value = 0.0, limit = 0.0;

    bool is_label() const { return event == Event::LabelUncertain || event == Event::LabelNovel; }
    bool stops() const { return event != Event::None && !is_label(); }
};

// Moments of one trajectory, in order. bound and novelty stay empty where the field gives none, and are NaN at
// moments that were not scored.
struct Frames {
    std::vector<std::uint64_t> step;
    std::vector<double> positions, velocities;  // (n_frames, n_atoms, 3)
    std::vector<double> cells;                  // (n_frames, 3, 3)
    std::vector<double> energy, kT;             // (n_frames): potential energy; instantaneous 2 E_kin / n_free
    std::vector<double> bound, novelty;         // (n_frames, n_atoms)

    void drop_first();
};

// A trajectory's numbers at steps divisible by log_stride; a block of no steps logs the moment it stands at.
struct Log {
    std::vector<std::uint64_t> step;
    std::vector<double> energy, kT;      // (n_rows), as in Frames
    std::vector<double> stress;          // (n_rows, 3, 3), eV/Å³: (dE/dstrain - sum m v v) / volume; NaN without a volume
    std::vector<double> cells;           // (n_rows, 3, 3)
    std::vector<double> bound, novelty;  // (n_rows): largest over atoms; NaN where not scored
};

struct BlockResult {
    Walker state;             // where to go on from: at the event for a label, before it for a break
    Verdict verdict;          // what ended the block
    std::uint64_t event_step = 0;
    Frames last;              // one frame: `state` with its energy and scores
    Frames event;             // one frame: the offending moment (none if it was not finite, or at a block's plain end)
    Verdict crossing;         // the first crossing of a label limit in the block
    Frames first_crossing;    // and its moment: none or one
    Frames worst;             // the moment of the largest bound (novelty without a committee): none or one
    Frames history, samples;
    Log log;
    // Over the steps done; bounds and crossings over the scored ones:
    std::uint64_t n_steps = 0, n_scored = 0, n_over_label = 0;
    double kT_sum = 0.0;
    std::vector<double> bound_sum, bound_sum2;  // (n_atoms)
};

struct Block {
    std::uint64_t n_steps = 0;
    bool stop_on_label = false;
    int n_threads = 1;
    // Asked now and then by the calling thread, with the steps done by the walkers that it moves at the moment;
    // true ends the block of every walker where it stands.
    std::function<bool(std::uint64_t)> poll{};
};

// Advances every walker by up to block.n_steps. `limits` holds one entry for all or one per walker.
std::vector<BlockResult> advance(const ForceField& field, const std::vector<Walker>& walkers,
                                 const MdSettings& settings, const std::vector<Limits>& limits, const Block& block);

}  // namespace thalweg
