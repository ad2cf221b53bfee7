// Constant pressure by stochastic cell rescaling: an overdamped, first-order law for the cell, so that the cell is
// all the state there is.
//
// Notation
//   h    cell, lattice vectors in rows; positions x = s h
//   V    |det h|
//   eta  symmetric strain: h <- h exp(eta), x <- x exp(eta)
//   Xi   dE/dstrain, the virial (eV)
//   P    internal pressure tensor, N kT / V - Xi / V
//   c    mobility / 3
//
//   d eta_ab = c (P_ab - P0 delta_ab) dt + sqrt(2 c kT / V) dW_ab    (off the diagonal, noise of half the variance)
//
// With a noise that scales as 1 / sqrt(V), the law's stationary density is exp(-(E + P0 V) / kT) V^N, flat in V for
// the volume, flat in the lengths for three axes, V^-2 dh for all six strains. The kinetic part of P is its mean, N kT,
// so that velocities are left alone and the law is exact for any thermostat.
//
// Sources: Bernetti & Bussi, J. Chem. Phys. 153, 114107 (2020), eq. 7 (volume); Del Tatto, Raiteri, Bernetti & Bussi,
// Appl. Sci. 12, 1139 (2022), eq. 8 (cell); measure: Martyna, Tobias & Klein, J. Chem. Phys. 101, 4177 (1994).
#pragma once

#include "thalweg/walkers.hpp"

#include <array>

namespace thalweg {

using Matrix3 = std::array<double, 9>;

double volume_of(const double* cell);
Matrix3 product(const double* a, const double* b);
// Of a cell whose volume is not zero.
Matrix3 inverse(const double* cell);

// exp(eta) of one step from the cell and the virial before it; NaN throughout where the cell would change by more
// than 20 % at once, which no sane dynamics does.
Matrix3 rescaling(const Barostat& barostat, const double* cell, const double* virial, const Walker& walker,
                  double timestep, std::uint64_t step);

}  // namespace thalweg
