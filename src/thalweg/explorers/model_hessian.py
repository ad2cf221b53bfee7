"""A Hessian without any oracle: a model force field in internal coordinates, for first displacements.

    H = Σ_q k_q (∂q/∂x)^T (∂q/∂x)      (Gauss-Newton: the given structure counts as the minimum)
over stretches r, bends theta and torsions phi, with force constants that depend on distances alone,
    k_r = 0.45 rho_ij,   k_theta = 0.15 rho_ij rho_jk,   k_phi = 0.005 rho_ij rho_jk rho_kl   (hartree, bohr),
    rho_ij = exp(alpha_ij (r_ref,ij² - r_ij²)),
alpha and r_ref by the rows of the periodic table (Lindh, Bernhardsson, Karlström & Malmqvist, Chem. Phys.
Lett. 241, 423, 1995). Later rows are treated as the third. Two things are ours: a bonded pair's rho
has a least value, because long bonds of heavy atoms would get almost no spring, and periodic structures have
no torsions. The least value falls with the neighbours c that share an atom's electrons,
    rho_ij >= min(0.3, 4.5 / (c_i c_j)),
that is 13 eV/Å² for a bond of silicon and 1.4 eV/Å² for one of twelve in a close-packed metal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import units
from ase.data import covalent_radii
from scipy import sparse

from thalweg.neighbours import pairs_within
from thalweg.structure import BoolArray, FloatArray, IntArray, Structure

K_STRETCH, K_BEND, K_TORSION = 0.45, 0.15, 0.005
ALPHA = np.array([[1.0000, 0.3949, 0.3949], [0.3949, 0.2800, 0.2800], [0.3949, 0.2800, 0.2800]])
R_REF = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]])
CUTOFF = 4.0
"""Å; springs between atoms further apart are negligible."""
BOND_RATIO = 1.3
"""Atoms closer than this times the sum of their covalent radii are bonded."""
RHO_BOND, RHO_SHARED = 0.3, 4.5
"""Least rho of a bond, and the same times the coordination numbers of its atoms."""
SMALLEST_RHO, LARGEST_RHO = 1e-3, 2.0
"""Weaker springs are left out; a compressed start gets none stiffer than any real bond's."""
STRAIGHT = 0.15
"""Below this sine an angle is straight: it has two bends, and no torsion goes through it."""


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Directed pairs i -> j, images included: D = r_j - r_i + shift (Å), rho, and whether they are bonded."""

    i: IntArray
    j: IntArray
    D: FloatArray
    rho: FloatArray
    bonded: BoolArray


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """Internal coordinates of m atoms each: atoms (n, m), gradients (n, m, 3), force constants (n,)."""

    atoms: IntArray
    gradients: FloatArray
    k: FloatArray


def model_hessian(structure: Structure) -> FloatArray:
    """Cartesian model Hessian, shape (3 n_atoms, 3 n_atoms), eV/Å², symmetric and positive semidefinite.

    A periodic structure's images move with their atoms (wave vector zero).
    """
    pairs = _pairs(structure)
    kinds = [_stretches(pairs), _bends(pairs)]
    if not structure.pbc.any():
        kinds.append(_torsions(pairs))
    hessian = np.zeros((3 * len(structure),) * 2)
    for q in kinds:
        n, m = q.atoms.shape
        if n == 0:
            continue
        columns = (3 * q.atoms[:, :, None] + np.arange(3)).reshape(n, 3 * m)
        rows = np.repeat(np.arange(n), 3 * m)
        # entries of one image and its atom add up, as they must
        B = sparse.csr_matrix((q.gradients.ravel(), (rows, columns.ravel())), shape=(n, len(hessian)))
        hessian += (B.T @ sparse.diags(q.k) @ B).toarray()
    return 0.5 * (hessian + hessian.T)


def _pairs(structure: Structure) -> _Pairs:
    i, j, D, d = pairs_within(structure, CUTOFF)
    Z = structure.numbers
    row = np.where(Z <= 2, 0, np.where(Z <= 10, 1, 2))
    rho = np.exp(ALPHA[row[i], row[j]] * (R_REF[row[i], row[j]] ** 2 - (d / units.Bohr) ** 2))
    radii = covalent_radii[Z]
    bonded = d < BOND_RATIO * (radii[i] + radii[j])
    neighbours = np.maximum(np.bincount(i[bonded], minlength=len(structure)), 1)
    least = np.minimum(RHO_BOND, RHO_SHARED / (neighbours[i] * neighbours[j]))
    rho = np.where(bonded, np.maximum(rho, least), rho)
    rho = np.minimum(rho, LARGEST_RHO)
    keep = (rho > SMALLEST_RHO) | bonded
    return _Pairs(i[keep].astype(np.int64), j[keep].astype(np.int64), D[keep], rho[keep], bonded[keep])


def _stretches(pairs: _Pairs) -> _Coordinates:
    unit = pairs.D / np.linalg.norm(pairs.D, axis=1)[:, None]
    # every pair appears in both directions, hence the half
    k = 0.5 * K_STRETCH * units.Hartree / units.Bohr**2 * pairs.rho
    return _Coordinates(np.stack([pairs.i, pairs.j], axis=1), np.stack([-unit, unit], axis=1), k)


def _bonds_of(pairs: _Pairs) -> dict[int, IntArray]:
    """Bonded pairs that leave each atom."""
    bonds = np.flatnonzero(pairs.bonded)
    order = bonds[np.argsort(pairs.i[bonds], kind="stable")]
    atoms = np.unique(pairs.i[order])
    return {int(a): order[pairs.i[order] == a] for a in atoms}


def _empty(m: int) -> _Coordinates:
    return _Coordinates(np.zeros((0, m), dtype=np.int64), np.zeros((0, m, 3)), np.zeros(0))


def _bends(pairs: _Pairs) -> _Coordinates:
    a_list, b_list = [], []
    for bonds in _bonds_of(pairs).values():
        first, second = np.triu_indices(len(bonds), 1)
        a_list.append(bonds[first])
        b_list.append(bonds[second])
    if not a_list or not sum(len(a) for a in a_list):
        return _empty(3)
    a, b = np.concatenate(a_list), np.concatenate(b_list)
    r, s = (np.linalg.norm(pairs.D[c], axis=1)[:, None] for c in (a, b))
    u, v = pairs.D[a] / r, pairs.D[b] / s
    cos = np.einsum("ij,ij->i", u, v)[:, None]
    sin = np.linalg.norm(np.cross(u, v), axis=1)[:, None]
    k = K_BEND * units.Hartree * pairs.rho[a] * pairs.rho[b]
    atoms = np.stack([pairs.j[a], pairs.i[a], pairs.j[b]], axis=1)
    bent, straight = sin[:, 0] >= STRAIGHT, (sin[:, 0] < STRAIGHT) & (cos[:, 0] < 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        outer, inner = (cos * u - v) / (r * sin), (cos * v - u) / (s * sin)
    parts = [(atoms[bent], outer[bent], inner[bent], k[bent])]
    for w in _perpendicular(u[straight]):
        parts.append((atoms[straight], -w / r[straight], -w / s[straight], k[straight]))
    columns = [np.concatenate(c) for c in zip(*parts, strict=True)]
    return _Coordinates(
        columns[0], np.stack([columns[1], -columns[1] - columns[2], columns[2]], axis=1), columns[3]
    )


def _perpendicular(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors at right angles to each row of u and to each other."""
    axis = np.eye(3)[np.argmin(np.abs(u), axis=1)]
    first = np.cross(u, axis)
    first /= np.linalg.norm(first, axis=1)[:, None]
    return first, np.cross(u, first)


def _torsions(pairs: _Pairs) -> _Coordinates:
    """Torsions i-j-k-l over bonds j-k; gradients as Blondel & Karplus, J. Comput. Chem. 17, 1132 (1996)."""
    bonds_of = _bonds_of(pairs)
    triples = [
        (a, middle, b)
        for middle in np.flatnonzero(pairs.bonded & (pairs.i < pairs.j)).tolist()
        for a in bonds_of[int(pairs.i[middle])].tolist()
        for b in bonds_of[int(pairs.j[middle])].tolist()
        if len({int(pairs.j[a]), int(pairs.i[middle]), int(pairs.j[middle]), int(pairs.j[b])}) == 4
    ]
    if not triples:
        return _empty(4)
    a, middle, b = np.array(triples, dtype=np.int64).T
    F, G, H = pairs.D[a], -pairs.D[middle], pairs.D[b]
    A, B = np.cross(F, G), np.cross(H, G)
    f, g, h = (np.linalg.norm(x, axis=1)[:, None] for x in (F, G, H))
    A2, B2 = (A * A).sum(1)[:, None], (B * B).sum(1)[:, None]
    keep = (np.sqrt(A2) > STRAIGHT * f * g)[:, 0] & (np.sqrt(B2) > STRAIGHT * h * g)[:, 0]
    A2, B2 = np.where(keep[:, None], A2, 1.0), np.where(keep[:, None], B2, 1.0)
    di, dl = -g / A2 * A, g / B2 * B
    mixed = (F * G).sum(1)[:, None] / (A2 * g) * A - (H * G).sum(1)[:, None] / (B2 * g) * B
    atoms = np.stack([pairs.j[a], pairs.i[middle], pairs.j[middle], pairs.j[b]], axis=1)
    gradients = np.stack([di, -di + mixed, -dl - mixed, dl], axis=1)
    k = K_TORSION * units.Hartree * pairs.rho[a] * pairs.rho[middle] * pairs.rho[b]
    return _Coordinates(atoms[keep], gradients[keep], k[keep])
