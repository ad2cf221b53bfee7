// A hand-made plan with random coefficients, and structures to evaluate it on.
#pragma once

#include "checks.hpp"

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "thalweg/linear_force_field.hpp"

namespace thalweg::testing {

constexpr int kAtoms = 11;

// Two elements, n = 0, 1 for l = 0 and l = 1. Real harmonics of l = 1 are (y, z, x): couplings are the dot and the
// cross product.
inline PlanSpec small_plan() {
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

inline std::vector<double> normals(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> out(n);
    for (double& x : out) x = normal(random);
    return out;
}

struct Scores {
    double energy = 0.0;
    std::vector<double> forces, virial, deviation;
};

inline LinearModel random_model(const Evaluator& evaluator, int n_members) {
    const std::size_t columns = std::size_t(evaluator.n_elements()) * evaluator.n_features();
    LinearModel model;
    model.weights = normals(columns, 21);
    model.n_members = n_members;
    model.member_deltas = normals(columns * n_members, 22);
    model.reference_energies = {0.3, -0.2};
    return model;
}

inline Scores scores_of(const ForceField& field, const Batch& batch, const PairList& pairs) {
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

}  // namespace thalweg::testing
