// The evaluator on a hand-made plan: adjoint identity, finite differences, permutation, design rows.
#include "small_model.hpp"

#include <cmath>
#include <memory>

using namespace thalweg;
using namespace thalweg::testing;

namespace {

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
