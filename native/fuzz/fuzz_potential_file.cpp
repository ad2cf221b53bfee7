// Throws damaged and hostile files with a right checksum at the reader, and uses what it takes. Run under sanitizers
// (-DTHALWEG_SANITIZE=ON), which end it at the first fault; the cases are the same every time.
//
//     thalweg_fuzz [cases] [seed]
#include "mutations.hpp"

#include "sample_file.hpp"
#include "small_model.hpp"
#include "thalweg/potential_file.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

using namespace thalweg;
using namespace thalweg::testing;

namespace {

struct Counts {
    int unread = 0, unbuilt = 0, used = 0;  // refused by the reader, by the tables; used
};

// Everything that a field can be asked for, on a molecule and in a cell.
void use(const PotentialFile& file, bool best) {
    const auto evaluator = std::make_shared<const Evaluator>(file.plan, best ? "" : "baseline");
    const LinearForceField field(evaluator, file.model, best ? Precision::Double : Precision::Mixed);
    System system(3);
    if (evaluator->n_elements() < 2) system.species.fill(0);
    std::vector<double> phi(std::size_t(kAtoms) * evaluator->n_features()), atoms(kAtoms), novelty(kAtoms),
        deviation(kAtoms), forces(3 * kAtoms), virial(9), atom_virials(18 * kAtoms);
    double energy = 0.0;
    const std::vector<double> confirm(kAtoms, 1.0);
    const Screen screen{1, confirm.data()};
    for (const bool periodic : {false, true}) {
        system.pbc.fill(periodic);
        for (int k = 0; k < 9; k += 4) system.cell[k] = periodic ? 6.0 : 0.0;
        const PairList pairs = build_pairs(system.batch(), field.r_cut());
        ForceOutput out{&energy, forces.data(), virial.data(), deviation.data(), nullptr, atoms.data()};
        out.atom_virials = atom_virials.data();
        if (field.has_novelty()) out.novelty = novelty.data();
        field.compute(system.batch(), pairs, out);
        out.screen = &screen;
        field.compute(system.batch(), pairs, out);
        if (pairs.r_list >= evaluator->r_cut()) evaluator->phi(system.batch(), phi.data());
    }
}

void try_one(const std::string& text, bool best, Counts& counts) {
    PotentialFile file;
    try {
        file = parse_potential(text);
    } catch (const std::invalid_argument&) {
        ++counts.unread;
        return;
    }
    try {
        use(file, best);
        ++counts.used;
    } catch (const std::invalid_argument&) {
        ++counts.unbuilt;
    }
}

}  // namespace

int main(int n_args, char** args) {
    const int n_cases = n_args > 1 ? std::atoi(args[1]) : 20000;
    std::mt19937 random(n_args > 2 ? std::atoi(args[2]) : 1);
    const std::string body = sample_body();
    use(parse_potential(sealed(body)), true);  // the whole one is a potential, or nothing below means anything
    Counts counts;
    for (int k = 0; k < n_cases; ++k) try_one(sealed(fuzz::mutated(body, random)), k % 2 == 0, counts);
    std::printf("%d files: %d refused by the reader, %d by the tables, %d used\n", n_cases, counts.unread, counts.unbuilt,
                counts.used);
    // A fuzz test whose files never get past the reader tests nothing behind it.
    const auto at_least = [&](int n, double share) { return n >= share * n_cases; };
    const bool far = at_least(counts.unread, 0.2) && at_least(counts.unbuilt, 0.01) && at_least(counts.used, 0.1);
    if (!far) std::printf("too few of one kind: the files no longer reach what they are to test\n");
    return far ? 0 : 1;
}
