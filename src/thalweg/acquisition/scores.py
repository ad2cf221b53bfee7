"""What a question is worth: a Gaussian posterior over forces, conditioned on the questions chosen so far.

Notation
    R        factor of the posterior precision of the weights, precision = R^T R
    B_c      Phi_F R^-1, whitened rows of the force components of structure c, shape (n_rows, n_columns)
    P        posterior covariance of the whitened weights; 1 before anything is conditioned on
    T_c      B_c P
    K_ab     T_a B_b^T, posterior covariance of force components, (eV/Å)²
    sigma    noise of a force component, eV/Å (label noise and what the basis cannot represent)

Learning structure c changes every block by the standard Gaussian conditioning
    K_ab <- K_ab - K_ac (K_cc + sigma² 1)^-1 K_cb,
whatever the oracle's answer will be: a posterior variance does not depend on labels. So a batch can be chosen
before any of it is answered, and questions under way count as answered.

Only the T_c change: with K_cc + sigma² 1 = L L^T and W = L^-1 T_c it is P <- P - W^T W, T_a <- T_a - (B_a W^T) W. So
memory grows as the rows themselves; blocks K_ab between candidates are never all there at once.

Sources: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), Eqs. (2.23)-(2.24); variance
reduction over a reference set, here the candidates, is Cohn's criterion (ALC; Cohn, Ghahramani & Jordan, JAIR 4,
129, 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from thalweg.errors import check
from thalweg.structure import FloatArray


@dataclass(frozen=True, eq=False)
class Reference:
    """Sums over the force components of all candidates, in whichever form takes less memory.

    Attributes
    ----------
    array : B of all candidates end to end, (n_rows, n_columns), or B^T B, (n_columns, n_columns)
    is_square : whether it is B^T B
    """

    array: FloatArray
    is_square: bool

    @classmethod
    def of(cls, rows: Sequence[FloatArray]) -> Reference:
        """Of the rows of all candidates."""
        n_columns = rows[0].shape[1]
        if sum(map(len, rows)) <= n_columns:
            return cls(np.concatenate(rows), is_square=False)
        square = np.zeros((n_columns, n_columns))
        for block in rows:
            square += block.T @ block
        return cls(square, is_square=True)

    def norm_square(self, U: FloatArray) -> float:
        """Sum of the squares of U B^T, with U (n, n_columns)."""
        if self.is_square:
            return float(np.einsum("ij,ij->", U @ self.array, U))
        V = U @ self.array.T
        return float(np.einsum("ij,ij->", V, V))


@dataclass(frozen=True, eq=False)
class ForceCovariance:
    """Covariances that remain among the force components of candidates.

    Attributes
    ----------
    rows : B_c of each candidate, (n_rows_c, n_columns)
    posterior : T_c of each candidate, the same shapes; the same arrays where nothing was conditioned on
    reference : sums over all candidates
    noise : sigma, eV/Å
    """

    rows: tuple[FloatArray, ...]
    posterior: tuple[FloatArray, ...]
    reference: Reference
    noise: float

    def variance(self, c: int) -> FloatArray:
        """Covariance that remains among the rows of candidate `c`, (n_rows_c, n_rows_c), (eV/Å)²."""
        return np.asarray(self.posterior[c] @ self.rows[c].T)


def force_covariance(
    rows: Sequence[FloatArray], *, noise: float, pending: Sequence[FloatArray] = ()
) -> ForceCovariance:
    """From whitened rows, conditioned on `pending` structures as if they were labelled already.

    Parameters
    ----------
    rows, pending : whitened rows B of each structure, (n_rows, n_columns)
    noise : sigma, eV/Å, above 0
    """
    check(noise > 0, f"acquisition: the noise of a force component must be above 0 eV/Å, got {noise}")
    check(len(rows) > 0, "acquisition: no candidates")
    everything = (*pending, *rows)
    widths = {b.shape[1] for b in everything if b.ndim == 2} | {-1 for b in everything if b.ndim != 2}
    check(
        len(widths) == 1 and -1 not in widths,
        "acquisition: rows must be 2-D arrays with one number of columns",
    )
    covariance = ForceCovariance(everything, everything, Reference.of(rows), noise)
    for c in range(len(pending)):
        covariance = condition(covariance, c)
    n = len(pending)
    return ForceCovariance(covariance.rows[n:], covariance.posterior[n:], covariance.reference, noise)


def _noisy_factor(covariance: ForceCovariance, c: int) -> FloatArray:
    block = covariance.variance(c)
    return np.asarray(cholesky(block + covariance.noise**2 * np.eye(len(block)), lower=True))


def _whitened(covariance: ForceCovariance, c: int) -> FloatArray:
    """W = L^-1 T_c, what learning `c` takes from the covariance of the whitened weights."""
    return np.asarray(solve_triangular(_noisy_factor(covariance, c), covariance.posterior[c], lower=True))


def condition(covariance: ForceCovariance, c: int) -> ForceCovariance:
    """What remains once candidate `c` is labelled."""
    W = _whitened(covariance, c)
    posterior = tuple(T - (B @ W.T) @ W for B, T in zip(covariance.rows, covariance.posterior, strict=True))
    return ForceCovariance(covariance.rows, posterior, covariance.reference, covariance.noise)


def information_gain(covariance: ForceCovariance, c: int) -> float:
    """Fall of the summed variance over the force components of all candidates if `c` is labelled, (eV/Å)²."""
    return covariance.reference.norm_square(_whitened(covariance, c))


def log_det_gain(covariance: ForceCovariance, c: int) -> float:
    """½ log det(1 + K_cc / sigma²): the information, in nats, that labelling `c` gives on the weights."""
    diagonal = np.diag(_noisy_factor(covariance, c))
    return float(np.log(diagonal / covariance.noise).sum())


def worst_deviation(covariance: ForceCovariance, c: int) -> float:
    """Largest posterior standard deviation of one atom's force vector, eV/Å; rows are x, y, z per atom."""
    variance = np.einsum("ij,ij->i", covariance.posterior[c], covariance.rows[c])
    return float(np.sqrt(np.maximum(variance, 0.0).reshape(-1, 3).sum(axis=1).max()))
