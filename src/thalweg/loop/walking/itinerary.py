"""Which start each walker walks from, and when it moves on to the next.

Notation
    n, w     start structures, walkers
    T        time that each walker is to walk (explore.time), fs
    L        legs within T: max(ceil(n / w), min(n, T / LEAST_LEG)); a leg is T / L long
    after T  legs of T / LATE: while a run certifies, each block of audits is made at other starts
    start    of walker k on leg l: (k + s l + floor(l g / n)) mod n, with s = 1 where n <= w and else w,
             and g = gcd(s, n): after n / g legs a walker would begin its round again, so it shifts by one

With one start there is one leg, which never ends. With several every start is walked from within T, and, where legs
are long enough for it, at every temperature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LATE = 10
LEAST_LEG = 1000.0
"""fs. Starts change places for the sake of temperatures only if a leg is at least so long."""


@dataclass(frozen=True)
class Itinerary:
    """A pure function of counts and times: the same at every resume."""

    n_starts: int
    n_walkers: int
    time_fs: float = math.inf
    legs: int = 1

    @classmethod
    def of(cls, n_starts: int, n_walkers: int, time_fs: float) -> Itinerary:
        """The legs within `time_fs`."""
        if n_starts <= 1:
            return cls(1, n_walkers)
        legs = max(math.ceil(n_starts / n_walkers), min(n_starts, int(time_fs / LEAST_LEG)))
        return cls(n_starts, n_walkers, time_fs, legs)

    def leg(self, walked_fs: float) -> int:
        """The number of the leg, from 0, of a walker that has walked so far."""
        if math.isinf(self.time_fs):
            return 0
        share = walked_fs / self.time_fs + 1e-9  # a leg that is over to rounding is over
        return int(self.legs * share) if share < 1.0 else self.legs + int(LATE * (share - 1.0))

    def start(self, walker: int, leg: int) -> int:
        """The start, from 0, that this walker walks from on this leg."""
        stride = 1 if self.n_starts <= self.n_walkers else self.n_walkers
        rounds = leg * math.gcd(stride, self.n_starts) // self.n_starts
        return (walker + stride * leg + rounds) % self.n_starts
