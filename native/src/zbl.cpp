#include "thalweg/zbl.hpp"

#include "thalweg/caps.hpp"
#include "thalweg/check.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

// e^2 / (4 pi eps0) in eV Å, to the digits of LAMMPS' metal units: exported potentials must agree to rounding.
constexpr double kCoulomb = 14.399645;
constexpr double kAmplitude[4] = {0.02817, 0.28022, 0.50986, 0.18175};
constexpr double kDecay[4] = {0.20162, 0.40290, 0.94229, 3.19980};

struct Derivatives {
    double value, first, second;
};

// The unswitched repulsion and its first two derivatives.
Derivatives bare(const ZblPair& pair, double r) {
    double sum = 0.0, sum1 = 0.0, sum2 = 0.0;
    for (int k = 0; k < 4; ++k) {
        const double d = kDecay[k] * pair.inverse_a;
        const double term = kAmplitude[k] * std::exp(-d * r);
        sum += term;
        sum1 -= d * term;
        sum2 += d * d * term;
    }
    const double s = pair.scale / r, u = 1.0 / r;
    return {s * sum, s * (sum1 - sum * u), s * (sum2 - 2.0 * sum1 * u + 2.0 * sum * u * u)};
}

ZblPair make_pair(int z_i, int z_j, double inner, double outer) {
    ZblPair pair;
    if (outer == 0.0 && inner == 0.0) return pair;
    check(0.0 < inner && inner < outer && outer <= kLongestCutoff, "zbl: cutoffs need 0 < inner < outer <= 20 Å");
    pair.scale = kCoulomb * z_i * z_j;
    pair.inverse_a = (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)) / 0.46850;
    pair.inner = inner;
    pair.outer = outer;
    const Derivatives e = bare(pair, outer);
    const double width = outer - inner;
    pair.A = (-3.0 * e.first + width * e.second) / (width * width);
    pair.B = (2.0 * e.first - width * e.second) / (width * width * width);
    pair.C = -e.value + 0.5 * width * e.first - width * width * e.second / 12.0;
    return pair;
}

}  // namespace

ZblTable ZblTable::make(const std::vector<int>& numbers, const std::vector<double>& inner,
                        const std::vector<double>& outer) {
    const std::size_t n = numbers.size();
    check(inner.size() == n * n && outer.size() == n * n, "zbl: cutoffs must have shape (n_species, n_species)");
    ZblTable table;
    table.n_species = static_cast<int>(n);
    for (std::size_t a = 0; a < n; ++a) {
        check(numbers[a] >= 1 && numbers[a] <= kMostElements, "zbl: atomic numbers must be 1 to 118");
        for (std::size_t b = 0; b < n; ++b) {
            const std::size_t ab = a * n + b, ba = b * n + a;
            check(inner[ab] == inner[ba] && outer[ab] == outer[ba], "zbl: cutoffs must be symmetric in the species");
            table.pairs.push_back(make_pair(numbers[a], numbers[b], inner[ab], outer[ab]));
            table.r_max = std::max(table.r_max, outer[ab]);
        }
    }
    return table;
}

ZblTerm zbl_term(const ZblPair& pair, double r) {
    double sum = 0.0, sum1 = 0.0;
    for (int k = 0; k < 4; ++k) {
        const double d = kDecay[k] * pair.inverse_a;
        const double term = kAmplitude[k] * std::exp(-d * r);
        sum += term;
        sum1 += d * term;
    }
    ZblTerm out{pair.scale / r * sum + pair.C, -pair.scale / r * (sum1 + sum / r)};
    const double t = r - pair.inner;
    if (t > 0.0) {
        out.energy += t * t * t * (pair.A / 3.0 + pair.B / 4.0 * t);
        out.slope += t * t * (pair.A + pair.B * t);
    }
    return out;
}

void add_zbl(const ZblTable& table, const Batch& batch, const PairList& pairs, const ForceOutput& out) {
    check(pairs.r_list >= table.r_max, "zbl: the neighbour list is shorter than the repulsion's outer cutoff");
    const int n_centres = static_cast<int>(pairs.first.size()) - 1;  // ghosts, if any, come after them
    for (int s = 0; s < batch.n_structures; ++s) {
        for (int i = batch.first_atom[s]; i < std::min(batch.first_atom[s + 1], n_centres); ++i) {
            const ZblPair* row = table.pairs.data() + static_cast<std::size_t>(batch.species[i]) * table.n_species;
            for (int k = pairs.first[i]; k < pairs.first[i + 1]; ++k) {
                const int j = pairs.j[k];
                const ZblPair& pair = row[batch.species[j]];
                double D[3];
                for (int c = 0; c < 3; ++c) {
                    D[c] = batch.positions[3 * j + c] - batch.positions[3 * i + c] + pairs.offset[3 * k + c];
                }
                const double r2 = D[0] * D[0] + D[1] * D[1] + D[2] * D[2];
                if (r2 >= pair.outer * pair.outer) continue;
                const double r = std::sqrt(r2);
                const auto [energy, slope] = zbl_term(pair, r);
                // Each pair is met from both ends, hence half the energy; the force on i takes the whole slope, and i
                // stands for both of its roles in the virial.
                if (out.energies) out.energies[s] += 0.5 * energy;
                if (out.atom_energies) out.atom_energies[i] += 0.5 * energy;
                for (int c = 0; c < 3; ++c) {
                    const double pull = slope / r * D[c];
                    if (out.forces) out.forces[3 * i + c] += pull;
                    for (int d = 0; d < 3; ++d) {
                        const double half = 0.5 * pull * D[d];
                        if (out.virials) out.virials[9 * s + 3 * c + d] += half;
                        for (int role = 0; role < 2 && out.atom_virials; ++role)
                            out.atom_virials[18 * static_cast<std::size_t>(i) + 9 * role + 3 * c + d] += half;
                    }
                }
            }
        }
    }
}

}  // namespace thalweg
