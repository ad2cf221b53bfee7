"""First structures that waste no label: thermal displacements drawn without any call of the oracle.

Notation
    H        model Hessian, eV/Å² (`thalweg.explorers.model_hessian`)
    M        masses, amu;  H = M^1/2 U omega² U^T M^1/2, rigid motions taken out
    x        displacement, M^-1/2 U (sqrt(kT) / omega) xi with xi ~ N(0, 1): the classical harmonic ensemble

Consecutive steps of a hot trajectory on a bad model are near-copies of each other and soon absurd. Draws from
a model ensemble are independent, sit at the temperature asked for, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import units
from ase.data import covalent_radii

from thalweg.diversity import distance_fingerprint
from thalweg.errors import check
from thalweg.explorers.model_hessian import model_hessian
from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure
from thalweg.units import kB

SOFTEST_MODE = 100.0
"""cm⁻¹; softer modes are stiffened to it: a straight displacement along a floppy torsion stretches bonds."""
LARGEST_XI = 2.5
"""Draws beyond so many standard deviations of a mode are cut off there."""
CLOSE_CONTACT = 0.7
"""Of the sum of covalent radii: a displaced structure with a closer pair is drawn again."""
TRIES = 20
POOL = 4
"""Draws per seed, of which the one farthest from the seeds before it is kept."""


@dataclass(frozen=True, eq=False)
class HarmonicEnsemble:
    """The classical harmonic ensemble about one structure.

    Attributes
    ----------
    start : Structure
    modes : (n_modes, 3 n_atoms), M^-1/2 U, Å/(Å sqrt(amu))
    omega : (n_modes,), angular frequencies in the reciprocal of ASE's time unit, after the floor
    """

    start: Structure
    modes: FloatArray
    omega: FloatArray

    def displacement(self, temperature: float, rng: np.random.Generator) -> FloatArray:
        """One draw, (n_atoms, 3), Å, at `temperature` in K."""
        xi = np.clip(rng.standard_normal(len(self.omega)), -LARGEST_XI, LARGEST_XI)
        amplitude = np.sqrt(kB * temperature) / self.omega * xi
        return np.asarray((amplitude @ self.modes).reshape(-1, 3))


def wavenumber_to_omega(wavenumber: float) -> float:
    """Angular frequency in the reciprocal of ASE's time unit, from cm⁻¹."""
    return float(wavenumber * units.invcm / (units._hbar * units.J * units.s))


def _rigid_motions(structure: Structure, root_mass: FloatArray) -> FloatArray:
    """Orthonormal mass-weighted translations, and rotations of what is not periodic; (n_rigid, 3 n_atoms)."""
    n = len(structure)
    vectors = [np.tile(axis, (n, 1)) for axis in np.eye(3)]
    if not structure.pbc.any():
        masses = root_mass[::3] ** 2
        arm = structure.positions - np.average(structure.positions, axis=0, weights=masses)
        vectors += [np.cross(axis, arm) for axis in np.eye(3)]
    weighted = np.array([v.ravel() * root_mass for v in vectors])
    _, size, right = np.linalg.svd(weighted, full_matrices=False)
    return np.asarray(right[size > 1e-6 * size.max()])


def _internal_motions(structure: Structure, root_mass: FloatArray) -> FloatArray:
    """An orthonormal basis (n_modes, 3 n_atoms) of what can move and is not rigid: n_free - n_rigid modes."""
    if structure.fixed is not None:
        return np.eye(3 * len(structure))[~structure.fixed.ravel()]
    rigid = _rigid_motions(structure, root_mass)
    return np.asarray(np.linalg.svd(rigid)[2][len(rigid) :])


def harmonic_ensemble(structure: Structure, *, softest_mode: float = SOFTEST_MODE) -> HarmonicEnsemble:
    """Modes of the model Hessian, rigid ones taken out, none softer than `softest_mode` (cm⁻¹).

    Where atoms are fixed there are no rigid motions, and modes of what moves alone.
    """
    root_mass = np.repeat(np.sqrt(structure.amu), 3)
    weighted = model_hessian(structure) / np.outer(root_mass, root_mass)
    inner = _internal_motions(structure, root_mass)
    omega2, U = np.linalg.eigh(inner @ weighted @ inner.T)
    floor = wavenumber_to_omega(softest_mode)
    omega = np.sqrt(np.maximum(omega2, floor**2))
    return HarmonicEnsemble(structure, (U.T @ inner) / root_mass, omega)


def closest_contact(structure: Structure) -> float:
    """Smallest distance over the sum of covalent radii among all pairs; infinity where there is no pair."""
    radii = covalent_radii[structure.numbers]
    i, j, _, d = pairs_within(structure, 2.0 * float(radii.max()))
    return float((d / (radii[i] + radii[j])).min()) if len(d) else float("inf")


def _strained(structure: Structure, strain: float, rng: np.random.Generator) -> Structure:
    """Homogeneously deformed: uniform volume strain and half as large a random shear, each up to `strain`."""
    shear = rng.uniform(-strain, strain, size=(3, 3))
    epsilon = rng.uniform(-strain, strain) * np.eye(3) + 0.25 * (shear + shear.T)
    deform = np.eye(3) + epsilon
    return structure.strained(deform)


def _draw(
    ensemble: HarmonicEnsemble, temperature: float, strain: float, limit: float, rng: np.random.Generator
) -> Structure:
    for attempt in range(TRIES):
        # after half the tries the structure is plainly too tight for this temperature
        scale = 1.0 if attempt < TRIES // 2 else 0.5 ** (attempt - TRIES // 2 + 1)
        moved = ensemble.start.with_positions(
            ensemble.start.positions + scale * ensemble.displacement(temperature, rng)
        )
        if strain > 0:
            moved = _strained(moved, strain, rng)
        if closest_contact(moved) >= limit:
            return moved
    return ensemble.start


def seed_structures(
    structures: Sequence[Structure],
    n: int,
    temperatures: Sequence[float],
    rng: np.random.Generator,
    strain: float = 0.0,
) -> list[Structure]:
    """The start structures, then displaced ones up the temperature ladder, in turn over the starts.

    Each displaced seed is the one of POOL draws that differs most from all seeds before it (Mitchell's best
    candidate; distance fingerprints), so that seeds spread without being drawn to the extremes.

    Parameters
    ----------
    structures : at least one, near a minimum
    n : how many seeds in all; with fewer than there are start structures the first `n` of those
    temperatures : K
    strain : largest linear strain; every other seed of a fully periodic structure is strained

    Returns
    -------
    list of Structure
        A pure function of the arguments and of the state of `rng`.
    """
    check(
        len(structures) > 0 and len(temperatures) > 0,
        "seeds: need at least one structure and one temperature",
    )
    check(
        all(t > 0 for t in temperatures), f"seeds: temperatures must be above 0 K, got {list(temperatures)}"
    )
    check(n > 0 and 0 <= strain < 0.5, f"seeds: need n > 0 and 0 <= strain < 0.5, got {n} and {strain}")
    seeds = list(structures[:n])
    elements = sorted({int(z) for s in structures for z in s.numbers})
    prints = [distance_fingerprint(s, elements) for s in seeds]
    ensembles = [harmonic_ensemble(s) for s in structures]
    limits = [min(CLOSE_CONTACT, 0.9 * closest_contact(s)) for s in structures]
    for k in range(n - len(seeds)):
        which, turn = k % len(structures), k // len(structures)
        ensemble, temperature = ensembles[which], temperatures[turn % len(temperatures)]
        strained = strain if ensemble.start.pbc.all() and (turn // len(temperatures)) % 2 == 0 else 0.0
        pool = [_draw(ensemble, temperature, strained, limits[which], rng) for _ in range(POOL)]
        pool_prints = [distance_fingerprint(s, elements) for s in pool]
        spread = [min(float(np.linalg.norm(p - q)) for q in prints) for p in pool_prints]
        best = int(np.argmax(spread))
        seeds.append(pool[best])
        prints.append(pool_prints[best])
    return seeds
