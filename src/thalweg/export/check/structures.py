"""Structures of a potential's elements to try it on, from cores that overlap to neighbours at the cutoff."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from thalweg.structure import FloatArray, Structure

_CLOSEST = 0.7
"""Shortest distance over the sum of covalent radii: inside the usual range of the core repulsion (0.8)."""


def trial_structures(elements: Sequence[str], *, seed: int = 0) -> list[Structure]:
    """A cluster without periodicity and a skew crystal, with every element at least twice in each."""
    rng = np.random.default_rng(seed)
    return [_cluster(elements, rng), _crystal(elements, rng)]


def _cluster(elements: Sequence[str], rng: np.random.Generator) -> Structure:
    """Atoms added one by one at about bonding distance from an earlier one."""
    numbers = _numbers(elements, 10)
    radii = covalent_radii[numbers]
    positions = np.zeros((1, 3))
    while len(positions) < len(numbers):
        new = len(positions)
        anchor = int(rng.integers(new))
        direction = rng.standard_normal(3)
        reach = rng.uniform(_CLOSEST, 1.3) * (radii[anchor] + radii[new])
        place = positions[anchor] + reach * direction / np.linalg.norm(direction)
        closest = _CLOSEST * (radii[:new] + radii[new]) * (1 - 1e-9)
        if (np.linalg.norm(positions - place, axis=1) >= closest).all():
            positions = np.vstack([positions, place])
    return Structure(numbers, positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def _crystal(elements: Sequence[str], rng: np.random.Generator) -> Structure:
    """A shaken grid of a skew cell, its spacing about a bond between the largest atoms."""
    numbers = rng.permutation(_numbers(elements, 8))
    side = int(np.ceil(len(numbers) ** (1 / 3)))
    spacing = 2.1 * float(covalent_radii[numbers].max())
    cell = side * spacing * (np.eye(3) + rng.uniform(-0.12, 0.12, (3, 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    chosen = grid[rng.permutation(len(grid))[: len(numbers)]] / side
    positions: FloatArray = chosen @ cell + rng.uniform(-0.12, 0.12, (len(numbers), 3)) * spacing
    return Structure(numbers, positions, cell, np.ones(3, dtype=bool))


def _numbers(elements: Sequence[str], at_least: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    repeats = max(2, -(-at_least // len(elements)))
    return np.array([atomic_numbers[element] for element in elements] * repeats)
