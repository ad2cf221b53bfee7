// Morse pairs with a smooth cutoff: a field with a closed form, for toy systems and for testing the walkers.
//
//   E = sum over pairs  D (exp(-2 a (r - r0)) - 2 exp(-a (r - r0))) s(r)
//   s(r) = 1 below r_on, 1 - 10 t^3 + 15 t^4 - 6 t^5 between r_on and r_cut (t = (r - r_on) / (r_cut - r_on)), 0 beyond
//
// A make-believe committee: two members, the field times (1 +- spread), so that deviation_i = spread |F_i|.
// A make-believe novelty: novelty_scale |E_i|, with E_i half the energy of atom i's pairs.
#pragma once

#include "thalweg/force_field.hpp"

#include <vector>

namespace thalweg {

struct MorseTable {
    int n_species = 0;
    std::vector<double> depth;     // (n_species, n_species), eV
    std::vector<double> width;     // a, (n_species, n_species), 1/Å
    std::vector<double> distance;  // r0, (n_species, n_species), Å
    double r_on = 0.0, r_cut = 0.0;  // Å
    double spread = 0.0, novelty_scale = 0.0;
};

class MorseForceField final : public ForceField {
public:
    explicit MorseForceField(MorseTable table);
    int n_species() const { return table_.n_species; }
    double r_cut() const override { return table_.r_cut; }
    bool has_committee() const override { return table_.spread > 0.0; }
    bool has_novelty() const override { return table_.novelty_scale > 0.0; }
    void compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const override;

private:
    MorseTable table_;
};

}  // namespace thalweg
