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
    std::vector<const Real*> entry_pointers, linear_pointers;
    struct NoveltyArrays {
        std::vector<Real> mean, scale, components, factors;
    };
    std::vector<NoveltyArrays> novelty_arrays;  // [element]
    std::vector<NoveltyTables<Real>> novelty;   // [element]; empty without a novelty model

    PackedModel(const Evaluator& evaluator, const LinearModel& model);

private:
    void pack_weights(const Evaluator& evaluator, const LinearModel& model);
    void pack_novelty(const NoveltyModel& model);
};

extern template struct PackedModel<double>;
extern template struct PackedModel<float>;

}  // namespace thalweg
