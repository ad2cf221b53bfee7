// A potential as one file, for programs without Python: what `thalweg export --format plugin` writes.
//
// Text, so that a person can read it and every machine reads the same numbers:
//
//     thalweg-potential 2                       format and version
//     <name> <int | real | text> <n1> <n2> ...  an entry and its shape; its values follow, a text's values one a line
//     ...
//     end crc32 <8 hexadecimal digits>          of every byte before this line
//
// Entries: elements, numbers, the tables of PlanSpec (coupling tensors as tensor_start, tensor_index, tensor_value as
// in the Python binding), weights, member_deltas, reference_energies, optional zbl_inner and zbl_outer, optional
// novelty_mean, _scale, _components, _inv_lambda, _inv_rest, _fewest_neighbors, then confidence, bound_factors,
// bound_floors, provenance. Version 1 has no novelty_fewest_neighbors, and factors for the member that is furthest off;
// they are read as factors for the root mean square over members.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/linear_force_field.hpp"

namespace thalweg {

struct PotentialFile {
    std::vector<std::string> elements;
    PlanSpec plan;
    LinearModel model;
    // Error bound of an atom's force: factor[z] * deviation + floor[z] (eV/Å), at this confidence.
    double confidence = 0.0;
    std::vector<double> bound_factors, bound_floors;  // (n_elements)
    std::string provenance;                           // JSON
};

// Throws std::invalid_argument for anything that is not a whole, undamaged file of a known version.
PotentialFile parse_potential(std::string_view text);

}  // namespace thalweg
