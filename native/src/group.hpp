// Walkers that advance in lockstep on shared force calls.
#pragma once

#include "moment.hpp"

#include <cmath>

namespace thalweg {

// What changes from step to step, structures laid end to end.
struct Phase {
    std::vector<double> positions, velocities, forces;  // (n_atoms, 3)
    std::vector<double> bound, novelty;                 // (n_atoms)
    std::vector<double> energies, kT;                   // (n_walkers)
};

struct Member {
    const Limits* limits;
    BlockResult* result;
    int base, n;
    std::uint64_t start;       // the walker's step when the block began
    PairList pairs;
    double worst = -1.0;       // the largest score so far
    bool finished = false;
};

// Add the walkers, then run() once. Each leaves the group when its event fires; results are in place then.
class Group {
public:
    Group(const ForceField& field, const MdSettings& settings, const Block& block)
        : field_(field), settings_(settings), block_(block),
          keep_(std::exp(-settings.friction * settings.timestep)),
          r_list_(field.r_cut() + settings.skin) {}

    void add(const Walker& walker, const Limits& limits, BlockResult& result);
    void run();

private:
    void integrate(const Member& member, std::uint64_t step);
    void final_kick(bool kick);
    void refresh_lists();
    void evaluate();
    void judge(Member& member, std::size_t index, std::uint64_t step);
    void keep_record(Member& member, const Moment& moment, const Verdict& verdict);
    void finish(Member& member, const Verdict& verdict, const Phase& phase, std::size_t index, std::uint64_t step);
    void drop_runaways(std::uint64_t done);
    void compact();
    void lay_out();
    Moment moment(const Member& member, const Phase& phase, std::size_t index, std::uint64_t step) const;

    const ForceField& field_;
    const MdSettings& settings_;
    const Block& block_;
    const double keep_;    // exp(-friction timestep)
    const double r_list_;
    std::vector<Member> members_;
    std::vector<int> first_atom_{0};
    std::vector<int> species_;
    std::vector<double> cells_;
    std::vector<std::uint8_t> pbc_;
    std::vector<double> half_kick_;  // (n_atoms): timestep / (2 mass)
    std::vector<double> noise_;      // (n_atoms): s.d. of the Ornstein-Uhlenbeck step
    std::vector<double> factor_;     // (n_atoms): species_factor
    std::vector<double> floor_;      // (n_atoms): species_floor, eV/Å
    std::vector<double> draws_;
    Phase now_, before_;
    PairList pairs_;
};

}  // namespace thalweg
