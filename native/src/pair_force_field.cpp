#include "thalweg/pair_force_field.hpp"

#include "thalweg/check.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace thalweg {
namespace {

struct Energy {
    double value, slope;
};

Energy morse(double depth, double width, double distance, double r) {
    const double u = std::exp(-width * (r - distance));
    return {depth * (u * u - 2.0 * u), depth * width * (2.0 * u - 2.0 * u * u)};
}

Energy smooth(Energy e, double r, double r_on, double r_cut) {
    if (r <= r_on) return e;
    const double t = (r - r_on) / (r_cut - r_on);
    const double s = 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t));
    const double ds = -30.0 * t * t * (1.0 - t) * (1.0 - t) / (r_cut - r_on);
    return {e.value * s, e.slope * s + e.value * ds};
}

}  // namespace

MorseForceField::MorseForceField(MorseTable table) : table_(std::move(table)) {
    const std::size_t n2 = static_cast<std::size_t>(table_.n_species) * table_.n_species;
    check(table_.depth.size() == n2 && table_.width.size() == n2 && table_.distance.size() == n2,
          "Morse field: depth, width and distance must have shape (n_species, n_species)");
    check(0.0 < table_.r_on && table_.r_on < table_.r_cut, "Morse field: needs 0 < r_on < r_cut");
}

void MorseForceField::compute(const Batch& batch, const PairList& pairs, const ForceOutput& out) const {
    if (out.virials) std::fill_n(out.virials, 9 * batch.n_structures, 0.0);
    for (int s = 0; s < batch.n_structures; ++s) {
        double energy = 0.0;
        for (int i = batch.first_atom[s]; i < batch.first_atom[s + 1]; ++i) {
            double force[3] = {0.0, 0.0, 0.0}, site = 0.0;
            for (int k = pairs.first[i]; k < pairs.first[i + 1]; ++k) {
                const int j = pairs.j[k];
                double D[3], r2 = 0.0;
                for (int c = 0; c < 3; ++c) {
                    D[c] = batch.positions[3 * j + c] - batch.positions[3 * i + c] + pairs.offset[3 * k + c];
                    r2 += D[c] * D[c];
                }
                if (r2 >= table_.r_cut * table_.r_cut) continue;
                const double r = std::sqrt(r2);
                const int t = batch.species[i] * table_.n_species + batch.species[j];
                const Energy e = smooth(morse(table_.depth[t], table_.width[t], table_.distance[t], r), r,
                                        table_.r_on, table_.r_cut);
                site += 0.5 * e.value;
                for (int c = 0; c < 3; ++c) {
                    const double pull = e.slope / r * D[c];
                    force[c] += pull;
                    if (!out.virials) continue;
                    for (int d = 0; d < 3; ++d) out.virials[9 * s + 3 * c + d] += 0.5 * pull * D[d];
                }
            }
            energy += site;
            if (out.forces) std::copy_n(force, 3, out.forces + 3 * i);
            if (out.deviation) {
                out.deviation[i] = table_.spread * std::sqrt(force[0] * force[0] + force[1] * force[1] + force[2] * force[2]);
            }
            if (out.novelty) out.novelty[i] = table_.novelty_scale * std::abs(site);
        }
        if (out.energies) out.energies[s] = energy;
    }
}

}  // namespace thalweg
