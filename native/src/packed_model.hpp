// A linear model as the kernel wants it, in the precision in which it computes.
#pragma once

#include "thalweg/linear_force_field.hpp"

namespace thalweg {

template <class Real>
struct PackedModel {
    const PlanTables<Real>& plan;
    const KernelTable<Real>& kernel;
    int n_sets = 0;  // the mean, then the members
    std::vector<std::vector<Real>> entries, linear;  // [element * n_sets + set]
    std::vector<std::vector<Real>> screen_entries, screen_linear;  // [element * n_rows + row]
    std::vector<const Real*> entry_pointers, linear_pointers;
    // The mean and one signed sum of the members: [(element * n_rows + row) * 2 + {0, 1}].
    int n_rows = 0;
    std::vector<const Real*> screen_entry_pointers, screen_linear_pointers;
    struct NoveltyArrays {
        std::vector<Real> mean, scale, components, factors;
    };
    std::vector<NoveltyArrays> novelty_arrays;  // [element]
    std::vector<NoveltyTables<Real>> novelty;   // [element]; empty without a novelty model
    std::vector<int> fewest_neighbors;          // [element]; empty: none is too few

    PackedModel(const Evaluator& evaluator, const LinearModel& model);

private:
    void pack_weights(const Evaluator& evaluator, const LinearModel& model);
    void pack_screen(const Evaluator& evaluator, const LinearModel& model);
    void pack_novelty(const NoveltyModel& model);
};

extern template struct PackedModel<double>;
extern template struct PackedModel<float>;

}  // namespace thalweg
