// Walkers that advance in lockstep on shared force calls.
#pragma once

#include "moment.hpp"
#include "walker_list.hpp"

#include <cmath>
#include <functional>

namespace thalweg {

// What changes from step to step, structures laid end to end.
struct Phase {
    std::vector<double> positions, velocities, forces;  // (n_atoms, 3)
    std::vector<double> bound, novelty;                 // (n_atoms), of a scored phase
    std::vector<double> energies, kT;                   // (n_walkers)
    std::vector<double> cells, virials;                 // (n_walkers, 3, 3); virials where they were asked for
    bool scored = false;
};

struct Member {
    const Limits* limits;
    BlockResult* result;
    int base, n;
    int n_free;                // components that move
    std::uint64_t start;       // the walker's step when the block began
    WalkerList list;
    int first_pair = 0;        // of the list within the group's pairs
    double worst = -1.0;       // the largest score so far
    bool finished = false;
};

// Whether walkers at these two steps may share a group: what is computed at a step must not depend on company.
bool in_phase(const MdSettings& settings, std::uint64_t step, std::uint64_t other);

// Add the walkers, then run() once. Each leaves the group when its event fires; results are in place then.
class Group {
public:
    using Stop = std::function<bool(std::uint64_t)>;

    Group(const ForceField& field, const MdSettings& settings, const Block& block, const Stop& stop)
        : field_(field), settings_(settings), block_(block), stop_(stop),
          keep_(std::exp(-settings.friction * settings.timestep)),
          moving_cell_(settings.barostat.coupling != Coupling::None) {}

    void add(const Walker& walker, const Limits& limits, BlockResult& result);
    void run();

private:
    void integrate(const Member& member, std::size_t index, std::uint64_t step);
    void move_atoms(const Member& member, int from, int to, std::uint64_t step, const double* map);
    void final_kick(bool kick);
    double kick_atoms(const Member& member, int from, int to, bool kick);
    void refresh_lists();
    void evaluate(std::uint64_t step);
    void judge(Member& member, std::size_t index, std::uint64_t step);
    void keep_record(Member& member, const Moment& moment, const Verdict& verdict);
    void keep_log(BlockResult& result, const Moment& moment);
    void finish(Member& member, const Verdict& verdict, const Phase& phase, std::size_t index, std::uint64_t step);
    void finish_all(std::uint64_t done);
    void drop_runaways(std::uint64_t done);
    void compact();
    void lay_out();
    bool is_logged(std::uint64_t step) const { return settings_.log_stride > 0 && step % settings_.log_stride == 0; }
    Moment moment(const Member& member, const Phase& phase, std::size_t index, std::uint64_t step) const;

    const ForceField& field_;
    const MdSettings& settings_;
    const Block& block_;
    const Stop& stop_;
    const double keep_;    // exp(-friction timestep)
    const bool moving_cell_;
    std::vector<Member> members_;
    std::vector<int> first_atom_{0};
    std::vector<int> species_;
    std::vector<std::uint8_t> pbc_;
    std::vector<double> half_kick_;  // (n_atoms, 3): timestep / (2 mass); 0 where fixed
    std::vector<double> noise_;      // (n_atoms, 3): s.d. of the Ornstein-Uhlenbeck step; 0 where fixed
    std::vector<double> factor_;     // (n_atoms): species_factor
    std::vector<double> floor_;      // (n_atoms): species_floor, eV/Å
    std::vector<double> confirm_;    // (n_atoms): deviation above which the whole committee is asked, eV/Å
    Phase now_, before_;
    PairList pairs_;
};

}  // namespace thalweg
