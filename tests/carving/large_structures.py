"""Structures too large for an oracle, and potentials that know their elements."""

from functools import cache

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from small_potentials import random_potential
from thalweg.structure import Structure

R_CUT = 4.0


def hot(crystal, repeat, size=0.08, seed=1):
    atoms = crystal.repeat(repeat)
    atoms.rattle(size, seed=seed)
    return atoms


@cache
def copper_potential():
    return random_potential(
        "Cu", train=[Structure.from_atoms(hot(bulk("Cu", cubic=True), (2, 2, 1), 0.1, k)) for k in range(8)]
    )


@cache
def salt_potential():
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    return random_potential("Na", "Cl", train=[Structure.from_atoms(hot(salt, 1, 0.1, k)) for k in range(8)])


def water_box(n=7, spacing=3.1, periodic=True):
    rng = np.random.default_rng(0)
    positions, numbers = [], []
    for place in np.ndindex(n, n, n):
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.translate(np.array(place) * spacing + rng.normal(0, 0.2, 3))
        positions.append(one.positions)
        numbers.append(one.numbers)
    atoms = Atoms(np.concatenate(numbers), np.concatenate(positions))
    if periodic:
        atoms.set_cell([n * spacing] * 3)
        atoms.pbc = True
        atoms.wrap()
    return atoms


@cache
def water_potential():
    return random_potential("H", "O", train=[Structure.from_atoms(water_box(3, periodic=False))])


@cache
def liquid():
    """Copper atoms in no order at the density of the crystal, pushed apart."""
    atoms = bulk("Cu", cubic=True).repeat(7)
    rng = np.random.default_rng(2)
    atoms.positions += rng.normal(0, 1.0, atoms.positions.shape)
    for _ in range(60):
        from vesin import ase_neighbor_list

        i, _, d, D = ase_neighbor_list("ijdD", atoms, 2.3)
        push = np.zeros_like(atoms.positions)
        np.add.at(push, i, -0.5 * (2.3 - d)[:, None] * D / d[:, None])
        atoms.positions += push
    return Structure.from_atoms(atoms)
