"""The posterior as a triangular factor, updated by orthogonal transformations.

Notation
    A    posterior precision, diag(1/gamma) + sum_rows row^T row / v, shape (n, n)
    R    upper triangular with positive diagonal, R^T R = A
    d    R w with w the posterior mean, shape (n,)
    rho  residual, rho² = sum targets²/v - |d|²

    augmented factor  [R  d ]      and the update   [R  d  ]         [R' d']
                      [0 rho]                       [0  rho]  = Q    [0 rho']
                                                    [rows/s  y/s]    [0  0 ]

The update is LAPACK's dtpqrt, a QR factorisation of a triangle on top of a rectangle: n² operations per new
row, independent of how many rows came before; and unlike adding to A it does not square the condition number.

References
    Golub, Van Loan, Matrix Computations, 4th ed., 6.5 (updating matrix factorisations)
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

from thalweg.errors import ModelError
from thalweg.structure import FloatArray

_BLOCK = 32


class Factor:
    """R, d and rho as one augmented upper triangle.

    Parameters
    ----------
    augmented : float64 ndarray, shape (n + 1, n + 1), Fortran order
        Owned and overwritten by `update`.
    """

    def __init__(self, augmented: FloatArray) -> None:
        self.augmented = np.asfortranarray(augmented)
        self._mean: FloatArray | None = None

    @classmethod
    def from_prior(cls, gamma: FloatArray) -> Factor:
        """No rows yet: A = diag(1/gamma)."""
        n = len(gamma)
        augmented = np.zeros((n + 1, n + 1), order="F")
        augmented[np.arange(n), np.arange(n)] = 1.0 / np.sqrt(gamma)
        return cls(augmented)

    @property
    def n(self) -> int:
        """Number of coefficients."""
        return len(self.augmented) - 1

    @property
    def R(self) -> FloatArray:
        """View of the upper triangular factor, shape (n, n)."""
        return self.augmented[:-1, :-1]

    @property
    def d(self) -> FloatArray:
        """View of R @ w, shape (n,)."""
        return self.augmented[:-1, -1]

    def update(self, rows: FloatArray, targets: FloatArray) -> None:
        """Take in whitened rows (n_rows, n) and targets (n_rows,): both already divided by the noise."""
        below = np.empty((len(rows), self.n + 1), order="F")
        below[:, :-1] = rows
        below[:, -1] = targets
        block = min(_BLOCK, self.n + 1)
        augmented, _, _, info = lapack.dtpqrt(0, block, self.augmented, below, overwrite_a=1, overwrite_b=1)
        if info != 0 or not np.isfinite(augmented[:, -1]).all():
            raise ModelError(f"model: the posterior update failed (dtpqrt info {info}); fit the labels again")
        # Householder leaves signs free; a positive diagonal makes R unique, so that draws move smoothly.
        signs = np.where(np.diag(augmented) < 0, -1.0, 1.0)
        if (signs < 0).any():
            augmented *= signs[:, None]
        self.augmented, self._mean = augmented, None

    def mean(self) -> FloatArray:
        """Posterior mean w = R^-1 d, shape (n,); made once between two updates, and not to be changed."""
        if self._mean is None:
            self._mean = self.solve(self.d)
            self._mean.flags.writeable = False
        return self._mean

    def solve(self, right: FloatArray) -> FloatArray:
        """R^-1 right, for right of shape (n,) or (n, k)."""
        solved = self._solve(np.atleast_2d(right.T), transposed=False)
        return solved[0] if right.ndim == 1 else solved.T

    def whiten(self, rows: FloatArray) -> FloatArray:
        """rows R^-1, shape (n_rows, n): rows A^-1 rows^T is its product with its own transpose."""
        return self._solve(rows, transposed=True)

    def _solve(self, rows: FloatArray, *, transposed: bool) -> FloatArray:
        """Each row r of (k, n) becomes R^-1 r, or R^-T r.

        The whole augmented triangle is handed to BLAS, with a zero below each right side, and the last entry is
        dropped: a view of R alone would be copied, which costs more than the solution. A residual of zero would divide
        by zero there, so the last diagonal entry stands as 1 meanwhile.
        """
        n = self.n
        right = np.zeros((n + 1, len(rows)), order="F")
        right[:-1] = rows.T
        residual = self.augmented[-1, -1]
        self.augmented[-1, -1] = 1.0
        try:
            solved = blas.dtrsm(1.0, self.augmented, right, trans_a=int(transposed), overwrite_b=1)
        finally:
            self.augmented[-1, -1] = residual
        return np.ascontiguousarray(solved[:-1].T)
