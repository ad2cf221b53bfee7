"""The contract of an explorer: what the loop walks with, whichever it is.

An explorer knows neither store, oracle nor model: a force field and walkers come in, new walkers and what they met
go out. `thalweg.testing.ExplorerContract` holds an explorer to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from thalweg.explorers.base import NativeField, Snapshot, Walker
from thalweg.explorers.limits import Limits
from thalweg.explorers.visit import Visit
from thalweg.structure import Structure

W = TypeVar("W", bound=Walker)


class Explorer(Protocol[W]):
    """Moves walkers on a field, a block of steps at a time.

    Laws
        A walker's way is a function of its state, the field, the limits and the explorer's settings, bit for bit:
        neither of the other walkers, nor of threads, nor of how it is cut into blocks.
        A walker stops before a break limit or something unphysical. A label limit is reported and does not stop it.
        Whatever a walker's future depends on is in its state.
    """

    @property
    def step_fs(self) -> float:
        """What a step counts on the run's clock (`explore.time`), fs."""
        ...

    @property
    def sample_every(self) -> int:
        """Steps between two samples, where nothing else is asked for."""
        ...

    def start(self, structures: Sequence[Structure], temperatures: Sequence[float], seed: int) -> list[W]:
        """Walkers at their start, numbered from 0: one for each structure, with its temperature (K)."""
        ...

    def advance(
        self,
        field: NativeField,
        states: Sequence[W],
        n_steps: int,
        limits: Limits | Sequence[Limits],
        *,
        sample_every: int | None = None,
    ) -> Sequence[Visit[W]]:
        """Up to `n_steps` of every walker, each until its own event; one Visit per state, in order.

        The state given is judged as well, since the field may have changed. `sample_every` 0: only where walkers end
        is wanted, and neither samples nor history are kept; None: the explorer's own.
        """
        ...

    def step_back(self, state: W, moment: Snapshot) -> W:
        """The walker at an earlier moment, with another way ahead than the one it went."""
        ...

    def restart(self, state: W, structure: Structure, rng: np.random.Generator, *, stuck: bool = False) -> W:
        """The walker at a structure that is trusted; `stuck` where it could not make a step from where it stood."""
        ...

    def fresh(self, state: W, seed: int, rng: np.random.Generator) -> W:
        """Another walker from where this one stands, with random numbers of its own: for an independent audit."""
        ...

    def redirect(self, state: W, wanted: W, rng: np.random.Generator) -> W:
        """The walker under changed settings, of which `wanted` is the start: unchanged, adapted, or restarted."""
        ...

    def state_from_dict(self, data: dict[str, Any]) -> W:
        """The inverse of the walker's `to_dict`; InputError where it is not one of this explorer's."""
        ...


AnyExplorer: TypeAlias = Explorer[Any]
"""An explorer of walkers of whichever kind: what the loop holds."""
