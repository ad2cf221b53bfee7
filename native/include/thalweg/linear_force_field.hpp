// A linear model on ACE features: energies, forces, a committee's deviation and a novelty per atom in one pass.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "thalweg/evaluator.hpp"
#include "thalweg/force_field.hpp"
#include "thalweg/zbl.hpp"

namespace thalweg {

// Low-rank Mahalanobis distance per element: x = (phi - mean) * scale, t = components x,
// novelty^2 = sum_r factors_r t_r^2 + rest * (|x|^2 - |t|^2). Components must be orthonormal rows. An atom with fewer
// neighbours within the cutoff of the features than fewest_neighbors of its element has the novelty kTooFewNeighbors.
struct NoveltyModel {
    int rank = 0;
    std::vector<double> mean, scale;  // (n_elements, p)
    std::vector<double> components;   // (n_elements, rank, p)
    std::vector<double> factors;      // (n_elements, rank)
    std::vector<double> rest;         // (n_elements)
    std::vector<int> fewest_neighbors{};  // (n_elements), or empty: none is too few
};

struct LinearModel {
    std::vector<double> weights;             // (n_elements, p), eV
    int n_members = 0;
    std::vector<double> member_deltas;       // (n_members, n_elements, p), eV; their root mean square force is the deviation
    std::vector<double> reference_energies;  // (n_elements), eV
    std::optional<NoveltyModel> novelty;
    std::optional<ZblTable> zbl;
};

// Mixed: displacements, sums over atoms and the core repulsion in double, everything between in single precision.
enum class Precision { Double, Mixed };

template <class Real>
struct PackedModel;

class LinearForceField final : public ForceField {
public:
    // `instructions` as in Evaluator.
    LinearForceField(std::shared_ptr<const Evaluator> evaluator, LinearModel model,
                     Precision precision = Precision::Double);
    ~LinearForceField() override;
    const Evaluator& evaluator() const { return *evaluator_; }
    Precision precision() const { return precision_; }
    double r_cut() const override;
    bool has_committee() const override { return model_.n_members > 0; }
    bool has_novelty() const override { return model_.novelty.has_value(); }
    void compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const override;

private:
    void check_model() const;

    std::shared_ptr<const Evaluator> evaluator_;
    LinearModel model_;
    Precision precision_;
    std::unique_ptr<const PackedModel<double>> double_;  // the one that the precision asks for
    std::unique_ptr<const PackedModel<float>> single_;
};

}  // namespace thalweg
