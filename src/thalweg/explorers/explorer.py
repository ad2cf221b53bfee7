"""The contract of an explorer.

Explorers know neither the store nor the oracle: a force field and states come in, new states and events
go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from thalweg.explorers.base import NativeField
from thalweg.explorers.block import BlockResult
from thalweg.explorers.limits import Limits
from thalweg.explorers.walker import WalkerState


class Explorer(Protocol):
    """Moves walkers on a field, a block of steps at a time."""

    def advance(
        self,
        field: NativeField,
        states: Sequence[WalkerState],
        n_steps: int,
        limits: Limits | Sequence[Limits],
        *,
        stop_on_label: bool = False,
    ) -> list[BlockResult]:
        """One result per state, in order; each walker stops by itself where its event fires."""
        ...
