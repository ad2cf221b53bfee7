// The four operations on features: phi, vjp, jvp, Jacobian; and design rows made of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "thalweg/kernel.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

// Pairs within the cutoff: those of atom i are first[i] .. first[i] + count[i]; D_ij points from i to j.
struct Neighborhood {
    std::vector<int> first, count, j, element;
    std::vector<double> d;  // (n, 3), Å
};

class Evaluator {
public:
    // `instructions`: "baseline", "avx2", "avx512" or "" for the best that this processor has.
    Evaluator(PlanSpec spec, const std::string& instructions);

    int n_elements() const { return plan_.view().n_elements; }
    int n_features() const { return plan_.view().n_features; }
    double r_cut() const { return plan_.view().r_cut; }
    const Plan& plan() const { return plan_; }
    const KernelTable<double>& kernel() const { return kernel_; }

    // Filters `pairs` into `out` (whose memory is reused).
    void gather(const Batch& batch, const PairList& pairs, Neighborhood& out) const;
    // Runs the kernel over blocks of atoms of one element; configure(job) sets what depends on job.element.
    void run(const Batch& batch, const Neighborhood& neighbors, const BlockJob<double>& common,
             const std::function<void(BlockJob<double>&)>& configure) const;

    // phi (n_atoms, p).
    void phi(const Batch& batch, double* phi) const;
    // g (n_cot, n_atoms, p) -> gradients (n_cot, n_atoms, 3), strain (n_cot, n_structures, 3, 3).
    void vjp(const Batch& batch, int n_cot, const double* g, double* gradients, double* strain) const;
    // v (n_atoms, 3) -> d phi (n_atoms, p).
    void jvp(const Batch& batch, const double* v, double* tangent) const;
    // Neighbours of each atom and d phi_i / d D_ij (n_pairs, 3, p) in their order.
    void jacobian(const Batch& batch, std::vector<int>& i, std::vector<int>& j, std::vector<double>& rows) const;
    // Rows of one structure: energy (n_columns), forces (3 n_atoms, n_columns), strain (6, n_columns) in Voigt
    // order xx yy zz yz xz xy, dE/dstrain not divided by the volume. All overwritten.
    void design_rows(const Batch& batch, double* energy, double* forces, double* strain) const;

private:
    // The same for atoms first_atom .. last_atom alone.
    void run_atoms(const Batch& batch, const Neighborhood& neighbors, const BlockJob<double>& common,
                   const std::function<void(BlockJob<double>&)>& configure, int first_atom, int last_atom) const;
    // Adds what atom i's features contribute; `jacobian` starts at its first pair.
    void add_design_rows(const Batch& batch, const Neighborhood& neighbors, int i, const double* jacobian,
                         double* forces, double* strain) const;

    Plan plan_;
    const KernelTable<double>& kernel_;
};

// strain (n_structures, 3, 3) += sum over pairs of the row's three numbers at `column` times D.
void add_strain(const Batch& batch, const Neighborhood& neighbors, const double* rows, int width, int column,
                double* strain);

}  // namespace thalweg
