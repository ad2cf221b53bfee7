// Neighbour lists: vesin's cell list behind two function pointers, all pairs for small molecules.
//
// vesin's library lives in the installed Python wheel, so its two functions are handed over at run time
// instead of being linked (thalweg.features.neighbors does it on import).
#pragma once

#include "thalweg/system.hpp"

#include <cstdint>

namespace thalweg {

// Addresses of vesin_neighbors and vesin_free (vesin.h, version 0.6). Thread safe.
void use_vesin(std::uintptr_t vesin_neighbors, std::uintptr_t vesin_free);

// Appends the pairs of `lists[k]`, each of one structure, into one list over structures laid end to end.
// All must share one r_list. The result equals build_pairs on the whole batch, entry by entry.
void concatenate_pairs(const std::vector<const PairList*>& lists, PairList& out);

}  // namespace thalweg
