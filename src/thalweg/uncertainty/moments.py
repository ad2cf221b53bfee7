"""Running moments of one element's features, and a thinned sample of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.structure import FloatArray

MAX_SAMPLE = 2000


class Moments:
    """Mean and covariance of p features, a sample of at most MAX_SAMPLE rows, and the fewest neighbours met."""

    def __init__(self, p: int) -> None:
        self.n = 0
        self.shift = np.zeros(p)
        self.first = np.zeros(p)
        self.second = np.zeros((p, p))
        self.stride = 1
        self.sample: list[FloatArray] = []
        self.fewest_neighbours = 0

    def add(self, phi: FloatArray, fewest_neighbours: int = 0) -> None:
        """Take in rows (n, p) of atoms that have at least `fewest_neighbours`."""
        if self.n == 0:
            # Sums about a point near the mean do not lose their digits to it.
            self.shift = phi.mean(axis=0)
            self.fewest_neighbours = fewest_neighbours
        self.fewest_neighbours = min(self.fewest_neighbours, fewest_neighbours)
        y = phi - self.shift
        self.first += y.sum(axis=0)
        self.second += y.T @ y
        for row in phi:
            if self.n % self.stride == 0:
                self.sample.append(row.copy())
            self.n += 1
        if len(self.sample) > MAX_SAMPLE:
            self.sample = self.sample[::2]
            self.stride *= 2

    @classmethod
    def merged(cls, parts: Sequence[Moments]) -> Moments:
        """The moments of all parts together, about the shift of the largest; samples laid end to end."""
        whole = cls(len(parts[0].shift))
        some = [part for part in parts if part.n > 0]
        if not some:
            return whole
        whole.shift = max(some, key=lambda part: part.n).shift
        whole.fewest_neighbours = min(part.fewest_neighbours for part in some)
        for part in some:
            d = part.shift - whole.shift
            whole.n += part.n
            whole.first += part.first + part.n * d
            cross = np.outer(part.first, d)
            whole.second += part.second + cross + cross.T + part.n * np.outer(d, d)
            whole.sample += part.sample
        whole.stride = max(part.stride for part in some)
        whole.sample = whole.sample[:: 1 + len(whole.sample) // (MAX_SAMPLE + 1)]
        return whole

    def mean(self) -> FloatArray:
        """Shape (p,)."""
        return self.shift + self.first / self.n

    def covariance(self) -> FloatArray:
        """Shape (p, p)."""
        centre = self.first / self.n
        return np.asarray(self.second / self.n - np.outer(centre, centre))
