// One walker at one moment, as the engine lays it out, and the two things done with it: judge it, keep it.
#pragma once

#include "walker_list.hpp"

namespace thalweg {

// Views into a batch: atoms base .. base + n. bound and novelty are null where the field gives none (has_bound,
// has_novelty false) and where the moment was not scored. `offsets` are of the walker's first pair.
struct Moment {
    int base = 0, n = 0;
    std::uint64_t step = 0;
    const int* species = nullptr;
    const double* positions = nullptr;
    const double* velocities = nullptr;
    const double* forces = nullptr;
    const double* bound = nullptr;
    const double* novelty = nullptr;
    bool has_bound = false, has_novelty = false;
    const double* cell = nullptr;
    const double* virial = nullptr;
    double energy = 0.0, kT = 0.0, reference_energy = 0.0;
    const std::vector<ClosePair>* close = nullptr;
    const double* offsets = nullptr;
};

struct Peak {
    double value = 0.0;
    int atom = -1;
};

// The largest of the atoms' scores; nothing (atom -1) where the scores are missing.
Peak largest(const Moment& moment, const double* scores);

// Every check in the order of Event; the first that fails.
Verdict examine(const Moment& moment, const Limits& limits);

void append(Frames& frames, const Moment& moment);
void append(Log& log, const Moment& moment, const std::vector<double>& masses, bool is_periodic);

}  // namespace thalweg
