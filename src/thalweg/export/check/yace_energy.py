"""Energies, forces and virials of a `.yace` file in plain numpy, by the format's definition.

    x       = 1 - 2 (1 - r / r_cut)^lambda,    g_k = (1 - T_k(x)) / 2,   k = 1 .. K
    Y_lm    = (-1)^m N_lm P_l^(m)(z) (x + iy)^m,    P_l^(m) the m-th derivative of Legendre's polynomial,
    N_lm    = sqrt((2l + 1) (l - m)! / (l + m)!),   so that Y_00 = 1;   Y_(l,-m) = (-1)^m conj(Y_lm)
    rho_i   = Re sum c prod_t A_t,    W_a = sum over products with A_a of c times their other factors
    dE/dD   = Re sum_a W_a grad(R Y)_a,    D = r_j - r_i

With `splines`, radial functions are ML-PACE's: cubic Hermite between multiples of the interval's width.

Reference
    Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), section "Implementation"
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.polynomial import legendre

from thalweg.errors import check
from thalweg.export.check.neighbours import Edges, edges_of
from thalweg.export.check.yace_file import Bond, Products, YaceFile
from thalweg.structure import FloatArray, IntArray, Structure

ComplexArray = np.ndarray[tuple[int, ...], np.dtype[np.complex128]]


@dataclass
class Result:
    """energy : eV; forces : (n_atoms, 3), eV/Å; virial : (3, 3), dE/dstrain, eV."""

    energy: float
    forces: FloatArray
    virial: FloatArray

    def __add__(self, other: Result) -> Result:
        return Result(self.energy + other.energy, self.forces + other.forces, self.virial + other.virial)


def from_edges(energy: float, edges: Edges, gradients: FloatArray, n_atoms: int) -> Result:
    """Forces and virial of an energy whose gradient in each edge's D is (n_edges, 3), eV/Å."""
    forces = np.zeros((n_atoms, 3))
    np.add.at(forces, edges.i, gradients)
    np.add.at(forces, edges.j, -gradients)
    return Result(energy, forces, edges.D.T @ gradients)


def evaluate_yace(file: YaceFile, structure: Structure, *, splines: bool = True) -> Result:
    """Energy (with E0), forces and virial of one structure."""
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[Z] for Z in structure.numbers]
    unknown = sorted(set(symbols) - set(file.elements))
    check(not unknown, f"the structure holds {unknown}, the file {list(file.elements)}")
    species = np.array([file.elements.index(symbol) for symbol in symbols])
    edges = edges_of(structure, max(bond.r_cut for bond in file.bonds.values()))
    gradients = np.zeros_like(edges.D)
    energy = float(file.reference_energies[species].sum())
    for i in range(len(structure)):
        mine = np.flatnonzero(edges.i == i)
        atom = _Atom(file, int(species[i]), edges.D[mine], species[edges.j[mine]], splines)
        value, gradients[mine] = atom.energy_and_gradient()
        energy += value
    return from_edges(energy, edges, gradients, len(structure))


class _Atom:
    """One atom's neighbourhood: A and its gradients, then products."""

    def __init__(self, file: YaceFile, z: int, D: FloatArray, species: IntArray, splines: bool) -> None:
        self.products = file.products[z]
        self.species = species
        self.r = np.linalg.norm(D, axis=1)
        self.unit = D / self.r[:, None]
        shapes = [bond.coefficients.shape for bond in file.bonds.values()]
        n_top, l_count, k_top = (max(shape[axis] for shape in shapes) for axis in range(3))
        self.shape = (len(file.elements), n_top, l_count**2)
        n_edges = len(D)
        self.g, self.dg = np.zeros((2, n_edges, k_top))
        self.R, self.dR = np.zeros((2, n_edges, n_top, l_count))
        for other in range(len(file.elements)):
            bond, mine = file.bonds[z, other], np.flatnonzero(species == other)
            g, dg = _radial_base(bond, self.r[mine], file.spline_bins if splines else None)
            K, (n, l, _) = g.shape[1], bond.coefficients.shape
            self.g[mine, :K], self.dg[mine, :K] = g, dg
            for out, base in ((self.R, g), (self.dR, dg)):
                out[mine, :n, :l] = np.einsum("nlk,ek->enl", bond.coefficients, base)
        self.l_of = np.repeat(np.arange(l_count), 2 * np.arange(l_count) + 1)
        self.Y, self.dY = _harmonics(self.unit, l_count - 1)

    def energy_and_gradient(self) -> tuple[float, FloatArray]:
        """Energy without E0, eV, and its gradient in each neighbour's D, (n_edges, 3)."""
        A = np.zeros(self.shape, dtype=np.complex128)
        np.add.at(A, self.species, self.R[:, :, self.l_of] * self.Y[:, None, :])
        energy, W = 0.0, np.zeros_like(A)
        gradient = np.zeros_like(self.unit)
        for rank, products in self.products.items():
            if rank == 1:
                value, slope = self._pair_terms(products)
                gradient += slope[:, None] * self.unit
            else:
                value, weights = _product_terms(products, A)
                W += weights
            energy += value
        mine = W[self.species]
        radial = np.einsum("enm,enm->em", mine, self.dR[:, :, self.l_of])
        angular = np.einsum("enm,enm->em", mine, self.R[:, :, self.l_of] / self.r[:, None, None])
        gradient += np.einsum("em,em->e", radial, self.Y).real[:, None] * self.unit
        gradient += np.einsum("em,emx->ex", angular, self.dY).real
        return energy, gradient

    def _pair_terms(self, products: Products) -> tuple[float, FloatArray]:
        """Rank 1: energy and dE/dr of each edge."""
        table = np.zeros((self.shape[0], self.g.shape[1]))
        np.add.at(table, (products.mu[:, 0], products.n[:, 0]), products.coefficients)
        mine = table[self.species]
        return float((mine * self.g).sum()), np.asarray((mine * self.dg).sum(axis=1))


def _product_terms(products: Products, A: ComplexArray) -> tuple[float, ComplexArray]:
    """Rank 2 and more: Re sum c prod A, and W."""
    lm = products.l * (products.l + 1) + products.m
    factors = A[products.mu, products.n, lm]
    energy = float((products.coefficients * factors.prod(axis=1).real).sum())
    W = np.zeros_like(A)
    for t in range(factors.shape[1]):
        others = np.delete(factors, t, axis=1).prod(axis=1)
        np.add.at(W, (products.mu[:, t], products.n[:, t], lm[:, t]), products.coefficients * others)
    return energy, W


def _radial_base(bond: Bond, r: FloatArray, bins: float | None) -> tuple[FloatArray, FloatArray]:
    """g_k and dg_k/dr, (n, K), as they are or between the nodes of ML-PACE's spline."""
    K = bond.coefficients.shape[2]
    if bins is None:
        return _chebyshev_base(bond, r, K)
    h = bond.r_cut / int(bond.r_cut / bins)
    node = np.floor(r / h)
    w = (r / h - node)[:, None]
    (f0, d0), (f1, d1) = (_chebyshev_base(bond, h * (node + side), K) for side in (0, 1))
    d0, d1, jump = h * d0, h * d1, f1 - f0
    c2, c3 = 3 * jump - d1 - 2 * d0, -2 * jump + d1 + d0
    return f0 + w * (d0 + w * (c2 + w * c3)), (d0 + w * (2 * c2 + w * 3 * c3)) / h


def _chebyshev_base(bond: Bond, r: FloatArray, K: int) -> tuple[FloatArray, FloatArray]:
    y = np.clip(1 - r / bond.r_cut, 0.0, None)
    x, dx = 1 - 2 * y**bond.exponent, 2 * bond.exponent / bond.r_cut * y ** (bond.exponent - 1)
    T, U = [np.ones_like(x), x], [np.ones_like(x), 2 * x]
    for _ in range(K - 1):
        T.append(2 * x * T[-1] - T[-2])
        U.append(2 * x * U[-1] - U[-2])
    inside = (r < bond.r_cut)[:, None]
    g = np.stack([(1 - T[k]) / 2 for k in range(1, K + 1)], axis=1)
    dg = np.stack([-k * U[k - 1] * dx / 2 for k in range(1, K + 1)], axis=1)
    return np.where(inside, g, 0.0), np.where(inside, dg, 0.0)


def _harmonics(unit: FloatArray, l_top: int) -> tuple[ComplexArray, ComplexArray]:
    """Y (n, (l_top + 1)^2), component m at l(l + 1) + m, and r times its gradient (n, ..., 3)."""
    x, y, z = unit.T
    n_lm = (l_top + 1) ** 2
    Y = np.zeros((len(unit), n_lm), dtype=np.complex128)
    dY = np.zeros((len(unit), n_lm, 3), dtype=np.complex128)
    for l in range(l_top + 1):
        for m in range(l + 1):
            at, norm = l * (l + 1) + m, np.sqrt((2 * l + 1) * factorial(l - m) / factorial(l + m)) * (-1) ** m
            P = [legendre.legval(z, legendre.legder(np.eye(l + 1)[l], k)) for k in (m, m + 1)]
            power = (x + 1j * y) ** m
            slope = m * (x + 1j * y) ** (m - 1) if m else np.zeros_like(power)
            Y[:, at] = norm * P[0] * power
            free = norm * np.stack([P[0] * slope, 1j * P[0] * slope, P[1] * power], axis=1)
            dY[:, at] = free - unit * np.einsum("ex,ex->e", free, unit)[:, None]
            if m:
                Y[:, at - 2 * m], dY[:, at - 2 * m] = (
                    (-1) ** m * Y[:, at].conj(),
                    (-1) ** m * dY[:, at].conj(),
                )
    return Y, dY
