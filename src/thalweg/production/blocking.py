"""Errors of means of correlated values, by blocking: what neighbouring rows of a log share must not count twice.

Notation
    n_l      blocks of 2^l values, l = 0, 1, ...
    e_l      standard error of the mean if blocks of 2^l values were independent: s_l / sqrt(n_l - 1)
    e        e_l at the first l with 2^(3 l) > 2 n_0 (e_l / e_0)^4: longer blocks have noise, shorter ones correlation

References: Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989), the blocking and e_l; Lee, Conduit, Nemec, López Ríos
and Drummond, Phys. Rev. E 83, 066706 (2011), the choice of l.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_BLOCKS = 4
"""Fewer say nothing of how far their means scatter."""
Level = list[float]
"""Of one level: number of blocks, sum of their means, sum of the squares, and the mean of the last block."""


@dataclass
class Blocks:
    """Running sums of one quantity's blocks; their number grows with the logarithm of that of the values.

    They depend on the values alone, not on how these arrive. Values are best taken about one of them, so that no digits
    are lost.
    """

    levels: list[Level] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Take in the next value."""
        for level in self.levels:
            before = level[3]
            level[:] = [level[0] + 1, level[1] + value, level[2] + value * value, value]
            if level[0] % 2:
                return
            value = 0.5 * (before + value)
        self.levels.append([1, value, value * value, value])

    @property
    def n(self) -> int:
        """Values so far."""
        return int(self.levels[0][0]) if self.levels else 0

    def error(self) -> float | None:
        """The standard error of the mean; None where the values are too few for how correlated they are."""
        if self.n < LEAST_BLOCKS:
            return None
        squares = [_error2(level) for level in self.levels if level[0] >= LEAST_BLOCKS]
        if squares[0] == 0.0:
            return 0.0
        for k, square in enumerate(squares):
            if 8.0**k > 2.0 * self.n * (square / squares[0]) ** 2:
                return float(square**0.5)
        return None


def _error2(level: Level) -> float:
    n, total, squares, _ = level
    return max(squares / n - (total / n) ** 2, 0.0) / (n - 1)
