"""A linear problem whose truth is known: two elements, orders 1 to 3, columns of very different size."""

from __future__ import annotations

import numpy as np

from thalweg.models import Block, Observation, RowKind, SmoothnessPrior

N_ATOMS = 6


class Problem:
    def __init__(self, p: int = 15, n_elements: int = 2, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        nu = np.sort(np.arange(p) % 3 + 1)
        self.prior = SmoothnessPrior(
            nu, nu + rng.integers(0, 4, p), np.where(nu > 1, rng.integers(0, 3, p), 0), n_elements
        )
        n = self.prior.n_columns
        self.column_size = np.exp(rng.normal(0.0, 1.5, n))
        gamma = np.exp(self.prior.covariates() @ np.array([0.0, -1.0, -2.0, 0.3, 0.3]))
        self.truth = np.sqrt(gamma) * rng.standard_normal(n) / self.column_size
        self.rng = rng

    def label(self, *, noise: float = 0.05, label_noise: float = 0.0, virial: bool = False) -> Observation:
        n, rng = self.prior.n_columns, self.rng
        forces = rng.standard_normal((3 * N_ATOMS, n)) * self.column_size
        energy = rng.standard_normal((1, n)) * self.column_size
        sd = np.hypot(noise, label_noise)
        blocks = [
            Block(RowKind.ENERGY, energy, energy @ self.truth + 0.005 * rng.standard_normal(1)),
            Block(
                RowKind.FORCES,
                forces,
                forces @ self.truth + sd * rng.standard_normal(3 * N_ATOMS),
                label_noise,
            ),
        ]
        if virial:
            rows = rng.standard_normal((6, n)) * self.column_size
            blocks.append(Block(RowKind.VIRIAL, rows, rows @ self.truth + 0.02 * rng.standard_normal(6)))
        return tuple(blocks)

    def labels(self, count: int, *, noise: float = 0.05, virial: bool = False) -> list[Observation]:
        return [self.label(noise=noise, virial=virial) for _ in range(count)]
