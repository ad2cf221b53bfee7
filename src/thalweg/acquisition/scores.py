"""What a question is worth: a Gaussian posterior over forces, conditioned on the questions chosen so far.

Notation
    R        factor of the posterior precision of the weights, precision = R^T R
    B        Phi_F R^-1, whitened rows of a structure's force components, shape (n_rows, n_columns)
    K        B_all B_all^T, posterior covariance of force components, (eV/Å)²; blocks K_ab
    sigma    noise of a force component, eV/Å (label noise and what the basis cannot represent)

Learning structure c changes every block by the standard Gaussian conditioning
    K_ab <- K_ab - K_ac (K_cc + sigma² 1)^-1 K_cb,
whatever the oracle's answer will be: a posterior variance does not depend on labels. So a batch can be chosen
before any of it is answered, and questions under way count as answered. All of it happens among the rows of
the candidates; weights never appear.

Sources: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), Eqs. (2.23)-(2.24); variance
reduction over a reference set is Cohn's criterion (ALC; Cohn, Ghahramani & Jordan, JAIR 4, 129, 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from thalweg.errors import check
from thalweg.structure import FloatArray


@dataclass(frozen=True, eq=False)
class ForceCovariance:
    """Covariances that remain: among candidates, and between candidates and reference structures.

    Attributes
    ----------
    K : (n_rows, n_rows), (eV/Å)², rows of all candidates end to end
    K_reference : (n_rows, n_reference_rows), or None where the candidates themselves are the reference
    blocks : the rows of each candidate
    noise : sigma, eV/Å
    """

    K: FloatArray
    K_reference: FloatArray | None
    blocks: tuple[slice, ...]
    noise: float

    def variance(self, c: int) -> FloatArray:
        """Covariance that remains among the rows of candidate `c`, (n_rows_c, n_rows_c), (eV/Å)²."""
        return self.K[self.blocks[c], self.blocks[c]]


def force_covariance(
    rows: Sequence[FloatArray],
    *,
    noise: float,
    reference: Sequence[FloatArray] | None = None,
    pending: Sequence[FloatArray] = (),
) -> ForceCovariance:
    """From whitened rows, conditioned on `pending` structures as if they were labelled already.

    Parameters
    ----------
    rows, reference, pending : whitened rows B of each structure, (n_rows, n_columns)
    noise : sigma, eV/Å, above 0
    """
    check(noise > 0, f"acquisition: the noise of a force component must be above 0 eV/Å, got {noise}")
    check(len(rows) > 0, "acquisition: no candidates")
    everything = [*rows, *pending, *(reference or ())]
    widths = {b.shape[1] for b in everything if b.ndim == 2} | {-1 for b in everything if b.ndim != 2}
    check(
        len(widths) == 1 and -1 not in widths,
        "acquisition: rows must be 2-D arrays with one number of columns",
    )
    B = np.concatenate(rows)
    K = B @ B.T
    K_reference = None if reference is None else B @ np.concatenate(reference).T
    if pending:
        P = np.concatenate(pending)
        L = cholesky(P @ P.T + noise**2 * np.eye(len(P)), lower=True)
        V = solve_triangular(L, P @ B.T, lower=True)
        K = K - V.T @ V
        if reference is not None and K_reference is not None:
            K_reference = K_reference - V.T @ solve_triangular(L, P @ np.concatenate(reference).T, lower=True)
    ends = np.cumsum([len(b) for b in rows])
    blocks = tuple(slice(int(e) - len(b), int(e)) for b, e in zip(rows, ends, strict=True))
    return ForceCovariance(K, K_reference, blocks, noise)


def _noisy_factor(covariance: ForceCovariance, c: int) -> FloatArray:
    block = covariance.variance(c)
    return np.asarray(cholesky(block + covariance.noise**2 * np.eye(len(block)), lower=True))


def condition(covariance: ForceCovariance, c: int) -> ForceCovariance:
    """What remains once candidate `c` is labelled."""
    L = _noisy_factor(covariance, c)
    V = solve_triangular(L, covariance.K[covariance.blocks[c]], lower=True)
    K_reference = covariance.K_reference
    if K_reference is not None:
        K_reference = K_reference - V.T @ solve_triangular(L, K_reference[covariance.blocks[c]], lower=True)
    return ForceCovariance(covariance.K - V.T @ V, K_reference, covariance.blocks, covariance.noise)


def information_gain(covariance: ForceCovariance, c: int) -> float:
    """Fall of the summed variance over the reference's force components if `c` is labelled, (eV/Å)²."""
    across = covariance.K if covariance.K_reference is None else covariance.K_reference
    V = solve_triangular(_noisy_factor(covariance, c), across[covariance.blocks[c]], lower=True)
    return float(np.einsum("ij,ij->", V, V))


def log_det_gain(covariance: ForceCovariance, c: int) -> float:
    """½ log det(1 + K_cc / sigma²): the information, in nats, that labelling `c` gives on the weights."""
    diagonal = np.diag(_noisy_factor(covariance, c))
    return float(np.log(diagonal / covariance.noise).sum())


def worst_deviation(covariance: ForceCovariance, c: int) -> float:
    """Largest posterior standard deviation of one atom's force vector, eV/Å; rows are x, y, z per atom."""
    variance = np.maximum(np.diag(covariance.variance(c)), 0.0)
    return float(np.sqrt(variance.reshape(-1, 3).sum(axis=1).max()))
