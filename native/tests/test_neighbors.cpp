#include "expect.hpp"

#include "thalweg/neighbors.hpp"

#include <cmath>
#include <string>
#include <vector>

using namespace thalweg;

namespace {

const int kEnds[2] = {0, 1};
const int kSpecies[1] = {0};
const double kOrigin[3] = {0.3, -0.2, 7.0};
const double kSkewed[9] = {3.0, 0.0, 0.0, 1.0, 3.0, 0.0, 0.5, -0.5, 3.0};

}  // namespace

// One atom in a skewed cell: its neighbours are the lattice vectors, counted here by brute force.
THALWEG_TEST(neighbours_of_one_atom_are_lattice_vectors) {
    const std::uint8_t pbc[3] = {1, 1, 0};
    const Batch batch{1, kEnds, kSpecies, kOrigin, kSkewed, pbc};
    const PairList pairs = build_pairs(batch, 6.5);
    int expected = 0;
    for (int a = -9; a <= 9; ++a) {
        for (int b = -9; b <= 9; ++b) {
            const double x = 3.0 * a + 1.0 * b, y = 3.0 * b;
            expected += (a != 0 || b != 0) && x * x + y * y < 6.5 * 6.5;
        }
    }
    EXPECT(expected > 6);
    EXPECT(static_cast<int>(pairs.j.size()) == expected);
    for (std::size_t k = 0; k < pairs.j.size(); ++k) EXPECT(pairs.offset[3 * k + 2] == 0.0);
}

THALWEG_TEST(concatenated_lists_equal_the_batch) {
    const int ends[3] = {0, 1, 3};
    const int species[3] = {0, 0, 0};
    const double positions[9] = {0.3, -0.2, 7.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.2};
    double cells[18] = {};
    for (int k = 0; k < 9; ++k) cells[k] = kSkewed[k];
    const std::uint8_t pbc[6] = {1, 1, 1, 0, 0, 0};
    const PairList whole = build_pairs({2, ends, species, positions, cells, pbc}, 4.0);
    const int pair[2] = {0, 2};
    const PairList first = build_pairs({1, kEnds, species, positions, cells, pbc}, 4.0);
    const PairList second = build_pairs({1, pair, species, positions + 3, cells + 9, pbc + 3}, 4.0);
    PairList joined;
    concatenate_pairs({&first, &second}, joined);
    EXPECT(second.j.size() == 2);
    EXPECT(joined.first == whole.first);
    EXPECT(joined.j == whole.j);
    EXPECT(joined.offset == whole.offset);
}

THALWEG_TEST(a_list_needs_a_positive_cutoff_and_finite_positions) {
    const std::uint8_t pbc[3] = {0, 0, 0};
    const double lost[3] = {0.0, NAN, 0.0};
    EXPECT(testing::throws([&] { build_pairs({1, kEnds, kSpecies, kOrigin, kSkewed, pbc}, 0.0); }));
    EXPECT(testing::throws([&] { build_pairs({1, kEnds, kSpecies, lost, kSkewed, pbc}, 3.0); }));
    EXPECT(!testing::throws([&] { build_pairs({1, kEnds, kSpecies, kOrigin, kSkewed, pbc}, 3.0); }));
}

// Whatever a caller holds is listed or refused: no integer overflows, no memory runs out.
THALWEG_TEST(cells_and_places_that_no_atoms_have_are_listed_or_refused) {
    const double sizes[] = {1e-300, 1e-9, 1e-3, 0.02, 1.0, 1e3, 1e6, 1e9, 1e100, 1e300};
    const double places[] = {0.0, 1e3, 9.9e6, 1.1e7, -1e200};
    int listed = 0, refused = 0;
    for (const double size : sizes)
        for (const double other : sizes)
            for (const double place : places)
                for (int mask = 0; mask < 8; ++mask) {
                    const std::uint8_t pbc[3] = {std::uint8_t(mask & 1), std::uint8_t(mask >> 1 & 1), std::uint8_t(mask >> 2)};
                    const double cell[9] = {size, 0.0, 0.0, 0.3 * size, other, 0.0, 0.0, 0.1 * other, size};
                    const double position[3] = {place, -place, 0.5 * place};
                    const Batch batch{1, kEnds, kSpecies, position, cell, pbc};
                    (testing::throws([&] { build_pairs(batch, 5.0); }) ? refused : listed) += 1;
                }
    EXPECT(listed > 1000);
    EXPECT(refused > 1000);
}

THALWEG_TEST(a_crowd_on_one_place_is_refused) {
    const auto lists = [](int n) {
        const int ends[2] = {0, n};
        const std::vector<int> species(n, 0);
        const std::vector<double> positions(3 * n, 0.5);
        const std::uint8_t pbc[3] = {0, 0, 0};
        return !testing::throws([&] { build_pairs({1, ends, species.data(), positions.data(), kSkewed, pbc}, 3.0); });
    };
    EXPECT(lists(500));
    EXPECT(!lists(12000));
}
