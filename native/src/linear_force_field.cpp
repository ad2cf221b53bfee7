#include "thalweg/linear_force_field.hpp"

#include <algorithm>

#include "force_pass.hpp"
#include "packed_model.hpp"
#include "thalweg/caps.hpp"
#include "thalweg/check.hpp"

namespace thalweg {

LinearForceField::LinearForceField(std::shared_ptr<const Evaluator> evaluator, LinearModel model, Precision precision)
    : evaluator_(std::move(evaluator)), model_(std::move(model)), precision_(precision) {
    check_model();
    if (precision == Precision::Double) double_ = std::make_unique<PackedModel<double>>(*evaluator_, model_);
    else single_ = std::make_unique<PackedModel<float>>(*evaluator_, model_);
}

LinearForceField::~LinearForceField() = default;

void LinearForceField::check_model() const {
    const std::size_t S = evaluator_->n_elements(), n = S * evaluator_->n_features();
    check(model_.n_members >= 0 && model_.n_members <= kMostMembers, "linear force field: at most 1024 members");
    check((std::size_t(model_.n_members) + 1) * evaluator_->plan().view().n_a <= kMostAdjoints,
          "linear force field: its members and channels together are too many for a thread's memory");
    check(model_.weights.size() == n, "linear force field: weights must have shape (n_elements, n_features)");
    check(model_.member_deltas.size() == n * model_.n_members,
          "linear force field: member_deltas must have shape (n_members, n_elements, n_features)");
    check(model_.reference_energies.size() == S, "linear force field: reference_energies must have shape (n_elements,)");
    check(!model_.zbl || model_.zbl->n_species == int(S), "linear force field: ZBL is for other elements");
    if (!model_.novelty) return;
    const NoveltyModel& m = *model_.novelty;
    check(m.rank >= 0 && m.rank <= kMostDirections, "linear force field: at most 4096 directions of novelty");
    check(m.fewest_neighbors.empty() || m.fewest_neighbors.size() == S,
          "linear force field: the novelty model's fewest neighbours must have shape (n_elements,)");
    check(m.mean.size() == n && m.scale.size() == n && m.components.size() == n * m.rank &&
              m.factors.size() == S * m.rank && m.rest.size() == S,
          "linear force field: the novelty model's shapes do not fit (n_elements, rank, n_features)");
}

double LinearForceField::r_cut() const {
    return std::max(evaluator_->r_cut(), model_.zbl ? model_.zbl->r_max : 0.0);
}

void LinearForceField::compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const {
    check((!out.deviation && !out.member_forces && !out.look) || has_committee(),
          "linear force field: a deviation needs a committee");
    check(!out.look || (out.screen && !out.member_forces && !out.deviation),
          "linear force field: a look needs a screen, and is not to be had beside what it stands for");
    check(!out.screen || !out.deviation || out.member_forces || out.screen->confirm,
          "linear force field: screened deviations need the estimates from which the whole committee is asked");
    check(!out.novelty || has_novelty(), "linear force field: it has no novelty model");
    check(pairs.r_list >= r_cut(), "neighbour list is shorter than the cutoff of the potential");
    for (int i = 0; i < batch.n_atoms(); ++i)
        check(batch.species[i] >= 0 && batch.species[i] < evaluator_->n_elements(), "species index outside the basis");
    // A core repulsion that outreaches the features cannot share their filtered pairs.
    const bool shared = model_.zbl && model_.zbl->r_max <= evaluator_->r_cut();
    const ZblTable* zbl = shared ? &*model_.zbl : nullptr;
    if (double_) force_pass(*double_, zbl, model_.reference_energies, batch, pairs, out);
    else force_pass(*single_, zbl, model_.reference_energies, batch, pairs, out);
    if (model_.zbl && !shared)
        add_zbl(*model_.zbl, batch, pairs, out);
}

}  // namespace thalweg
