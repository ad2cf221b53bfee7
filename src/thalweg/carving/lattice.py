"""Which periodic cell to cut: translations of a crystal, their sublattices, and general close-packed cells.

A cell repeats its atoms on a lattice. The atom at the middle sees its own surroundings undisturbed out to half the
shortest lattice vector, so the best lattice of a given volume is the one whose shortest vector is longest: the
face-centred one (its cell is a rhombic dodecahedron), or of all sublattices of a crystal the nearest to that.

Notation
    T      rows: primitive translations of the crystal, Å, shape (k, 3)
    H      integer matrix in Hermite normal form; H T is a sublattice with det H times the volume
    s      length of the shortest vector of a lattice, Å
    g(x)   max over lattice vectors l of 2 x·l / |l|²; g <= 1 is the Wigner-Seitz cell of the lattice

References
    Hart, Forcade, Phys. Rev. B 77, 224115 (2008): sublattices by Hermite normal forms
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from ase.geometry.minkowski_reduction import minkowski_reduce
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from thalweg.carving.surroundings import Surroundings
from thalweg.structure import BoolArray, FloatArray, Structure

MATCH = 0.35
"""Two atoms are the same site of a crystal up to this fraction of the nearest-neighbour distance apart."""
SAME = 0.8
"""A translation carries at least this share of the atoms near the target onto atoms of the same element."""
REFERENCES = 8
"""Atoms from which translations are looked for: one of them may be the defect itself."""
FEWEST = 20
"""A translation that few atoms can testify to is none."""
COMMENSURATE = 0.15
"""The box is a whole number of translations if they differ from whole numbers by less than this."""
MOST_FORMS = 12_000
"""Sublattices looked at; beyond some hundred primitive cells there are more, and many as good as the best."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Translations of a crystal.

    Attributes
    ----------
    vectors : float64 ndarray, shape (k, 3), Å
        k is the number of periodic directions.
    free : bool ndarray, shape (k,)
        Those that may be repeated; the others are vectors of the box, kept as they are.
    """

    vectors: FloatArray
    free: BoolArray


def crystal_lattice(structure: Structure, near: Surroundings, across: BoolArray) -> Lattice | None:
    """The translations that carry the surroundings onto themselves; None where there are none, as in a liquid.

    `across` (3,) are the periodic directions without vacuum: translations lie in their span, and the box's own
    vector stands for the others. Where the box is a whole number of translations they are exact fractions of it,
    free of thermal noise.
    """
    box = structure.cell[structure.pbc]
    if not across.any():
        return None
    span = np.linalg.qr(structure.cell[across].T)[0].T
    found = _translations(near, span)
    if not len(found):  # an alloy without order repeats its sites, not its elements
        found = _translations(replace(near, numbers=np.ones_like(near.numbers)), span)
    if not len(found):
        return None
    kept = _complete(found, box)
    vectors = np.vstack([found, box[kept]])
    free = np.arange(len(vectors)) < len(found)
    times = box @ np.linalg.pinv(vectors)
    whole = np.rint(times)
    if np.abs(times - whole).max() < COMMENSURATE and abs(np.linalg.det(whole)) > 0.5:
        vectors = np.linalg.inv(whole) @ box
    return Lattice(vectors, free)


def _complete(found: FloatArray, box: FloatArray) -> list[int]:
    """Which box vectors, the least parallel to the translations found first, make up for those that lack."""
    kept: list[int] = []
    while len(found) + len(kept) < len(box):
        spanned = np.vstack([found, box[kept]])
        unit = np.linalg.svd(spanned, full_matrices=False)[2]
        outside = np.linalg.norm(box - (box @ unit.T) @ unit, axis=1)
        kept.append(int(np.argmax(outside)))
    return kept


def _translations(near: Surroundings, span: FloatArray) -> FloatArray:
    """The shortest independent translations in a span (m, 3), averaged over the atoms that they carry, (k, 3)."""
    tree = cKDTree(near.x)
    nearest = float(np.median(tree.query(near.x, k=[2])[0])) if len(near.x) > 1 else 0.0
    tolerance = MATCH * nearest
    basis = np.zeros((0, 3))
    for t in _candidates(near, 0.6 * near.radius):
        if len(basis) == len(span):
            break
        if np.linalg.norm(t - (t @ span.T) @ span) > tolerance or _is_spanned(t, basis, tolerance):
            continue
        mean = _carried(near, tree, t, tolerance)
        if mean is not None and not _is_spanned(mean, basis, tolerance):
            basis = np.vstack([basis, (mean @ span.T) @ span])
    return basis


def _candidates(near: Surroundings, longest: float) -> FloatArray:
    """Vectors between atoms of one element, shortest first, half of space only, shape (n, 3)."""
    inner = np.flatnonzero(near.distance < near.radius - longest)
    steps = np.unique(np.linspace(0, len(inner) - 1, REFERENCES + 1).astype(int)[1:])
    vectors = [
        near.x[(near.numbers == near.numbers[k])] - near.x[k] for k in inner[steps]
    ]  # from each reference to its like
    t: FloatArray = np.concatenate(vectors) if vectors else np.zeros((0, 3))
    length = np.linalg.norm(t, axis=1)
    half = (t[:, 2] > 0) | ((t[:, 2] == 0) & ((t[:, 1] > 0) | ((t[:, 1] == 0) & (t[:, 0] > 0))))
    good = half & (length < longest)
    return np.asarray(t[good][np.argsort(length[good], kind="stable")])


def _is_spanned(t: FloatArray, basis: FloatArray, tolerance: float) -> bool:
    """Whether t lies within `tolerance` of the line, plane or lattice of the basis."""
    if not len(basis):
        return False
    inside = (t @ np.linalg.pinv(basis)) @ basis
    return bool(np.linalg.norm(t - inside) < max(tolerance, 0.2 * float(np.linalg.norm(t))))


def _carried(near: Surroundings, tree: cKDTree, t: FloatArray, tolerance: float) -> FloatArray | None:
    """The mean vector by which atoms are really carried when t is asked for; None when too few are."""
    landing = near.x + t
    seen = np.linalg.norm(landing, axis=1) < near.radius - tolerance
    if seen.sum() < FEWEST:
        return None
    found, who = tree.query(landing[seen], distance_upper_bound=tolerance)
    hit, who = np.isfinite(found), np.asarray(who)
    like = np.zeros(len(hit), dtype=bool)
    like[hit] = near.numbers[who[hit]] == near.numbers[seen][hit]
    if like.mean() < SAME:
        return None
    mean: FloatArray = (near.x[who[like]] - near.x[seen][like]).mean(axis=0)
    return mean


# ---- sublattices --------------------------------------------------------------------------------------


def best_sublattice(lattice: Lattice, times: int) -> tuple[FloatArray, float]:
    """Of the sublattices of `times` the volume the one whose shortest vector is longest: its rows, and s in Å.

    All of them, or MOST_FORMS where there are more.
    """
    free = lattice.vectors[lattice.free]
    normal_forms = _hermite(times, len(free))
    normal_forms = normal_forms[:: -(-len(normal_forms) // MOST_FORMS)]
    integers, lengths = _short_vectors(free, times)
    inverse = np.linalg.inv(normal_forms)
    alive = np.arange(len(normal_forms))
    shortest = float(lengths[-1])
    for n, length in zip(integers, lengths, strict=True):
        k = n @ inverse[alive]
        left = alive[np.abs(k - np.rint(k)).max(axis=1) > 1e-6]
        if not len(left):
            shortest = float(length)
            break
        alive = left
    vectors = np.vstack([normal_forms[alive[0]] @ free, lattice.vectors[~lattice.free]])
    return vectors, shortest


def _hermite(determinant: int, size: int) -> NDArray[np.float64]:
    """All lower-triangular Hermite normal forms of one determinant, shape (n, size, size)."""
    below = [(r, c) for r in range(size) for c in range(r)]
    forms = []
    for diagonal in _factorisations(determinant, size):
        values = np.indices([diagonal[c] for _, c in below]).reshape(len(below), -1)
        form = np.zeros((values.shape[1] if below else 1, size, size))
        form[:, np.arange(size), np.arange(size)] = diagonal
        for (r, c), value in zip(below, values, strict=True):
            form[:, r, c] = value
        forms.append(form)
    return np.concatenate(forms)


def _factorisations(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (n,)
        return
    for first in (d for d in range(1, n + 1) if n % d == 0):
        for rest in _factorisations(n // first, parts - 1):
            yield (first, *rest)


def _short_vectors(vectors: FloatArray, times: int) -> tuple[NDArray[np.float64], FloatArray]:
    """Integers of the lattice's vectors up to the longest that s can be, shortest first, half of space.

    s is at most 2^(1/6) times the k-th root of the volume in 1 to 3 dimensions (close packing).
    """
    size = len(vectors)
    volume = times * np.sqrt(np.linalg.det(vectors @ vectors.T))
    longest = 1.001 * 2.0 ** (1.0 / 6.0) * volume ** (1.0 / size)
    heights = 1.0 / np.linalg.norm(np.linalg.pinv(vectors), axis=0)
    reach = np.ceil(longest / heights).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    n = grid.reshape(-1, size).astype(float)
    n = n[len(n) // 2 + 1 :]
    length = np.linalg.norm(n @ vectors, axis=1)
    order = np.argsort(length, kind="stable")
    order = order[length[order] <= longest]
    return n[order], length[order]


# ---- any cell -----------------------------------------------------------------------------------------


def packed_lattice(directions: FloatArray, shortest: float, *, cubic: bool = False) -> FloatArray:
    """A lattice in the space of `directions` (k, 3) with this shortest vector, close-packed or cubic, (k, 3) Å."""
    size = len(directions)
    axes = np.linalg.qr(directions.T)[0].T
    shapes = {
        1: np.eye(1),
        2: np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]]),
        3: np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) / np.sqrt(2.0),
    }
    shape = np.eye(size) if cubic else shapes[size]
    out: FloatArray = shortest * shape @ axes
    return out


def reduced(vectors: FloatArray) -> FloatArray:
    """The same lattice by its shortest vectors, right-handed where there are three, shape (k, 3)."""
    size = len(vectors)
    padded = np.zeros((3, 3))
    padded[:size] = vectors
    short = np.array(minkowski_reduce(padded, pbc=np.arange(3) < size)[0][:size])
    return -short if size == 3 and np.linalg.det(short) < 0 else short


def around(vectors: FloatArray, reach: int = 2) -> FloatArray:
    """Lattice vectors up to `reach` times each of the (reduced) rows, without zero, shape (n, 3), Å."""
    grid = np.array(list(product(range(-reach, reach + 1), repeat=len(vectors))), dtype=float)
    out: FloatArray = grid[np.any(grid != 0, axis=1)] @ vectors
    return out


def gauge(x: FloatArray, neighbours: FloatArray) -> FloatArray:
    """g(x) for x (n, 3) and lattice vectors (m, 3), shape (n,): at most 1 in the Wigner-Seitz cell."""
    if not len(neighbours):
        return np.zeros(len(x))
    out: FloatArray = (2.0 * x @ (neighbours / (neighbours**2).sum(axis=1)[:, None]).T).max(axis=1)
    return out
