// Energies, forces and scores of a linear model over a batch: chunks of atoms in parallel, sums in a fixed order.
#pragma once

#include "packed_model.hpp"
#include "thalweg/zbl.hpp"

namespace thalweg {

// As ForceField::compute; `zbl` may be null. Atoms beyond the list's, `pairs.first.size() - 1`, are ghosts of a batch
// of one structure: they feel forces and have no environment of their own.
template <class Real>
void force_pass(const PackedModel<Real>& model, const ZblTable* zbl, const std::vector<double>& reference_energies,
                const Batch& batch, const PairList& pairs, const ForceOutput& out);

}  // namespace thalweg
