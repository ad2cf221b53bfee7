// NumPy in and out: views of arguments, owned copies of results.
#pragma once

#include "thalweg/check.hpp"
#include "thalweg/system.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace thalweg {

namespace nb = nanobind;

template <class T>
using ArrayIn = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;

template <class T>
std::vector<T> to_vector(const ArrayIn<T>& array) {
    return std::vector<T>(array.data(), array.data() + array.size());
}

// Hands a vector over to NumPy without copying.
template <class T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T> values, std::initializer_list<std::size_t> shape) {
    auto* owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::ndarray<nb::numpy, T>(owned->data(), shape, owner);
}

// The five arrays that describe structures laid end to end, checked against each other.
struct BatchIn {
    ArrayIn<int> first_atom, species;
    ArrayIn<double> positions, cells;
    ArrayIn<std::uint8_t> pbc;

    Batch view() const {
        check(first_atom.size() >= 2 && first_atom.data()[0] == 0, "batch: first_atom must start with 0 and end with n_atoms");
        const std::size_t n_structures = first_atom.size() - 1;
        for (std::size_t s = 0; s < n_structures; ++s) {
            check(first_atom.data()[s] < first_atom.data()[s + 1], "batch: first_atom must increase");
        }
        const auto n_atoms = static_cast<std::size_t>(first_atom.data()[n_structures]);
        check(species.size() == n_atoms && positions.size() == 3 * n_atoms,
              "batch: first_atom says " + std::to_string(n_atoms) + " atoms, species and positions differ from it");
        check(cells.size() == 9 * n_structures && pbc.size() == 3 * n_structures, "batch: needs one cell and pbc per structure");
        return {static_cast<int>(n_structures), first_atom.data(), species.data(), positions.data(), cells.data(), pbc.data()};
    }

    // Species reach tables by index, so one outside would read another table's memory.
    Batch view(int n_species) const {
        const Batch batch = view();
        for (int a = 0; a < batch.n_atoms(); ++a) {
            check(0 <= batch.species[a] && batch.species[a] < n_species,
                  "batch: species index " + std::to_string(batch.species[a]) + " outside 0 .. " + std::to_string(n_species - 1));
        }
        return batch;
    }
};

}  // namespace thalweg
