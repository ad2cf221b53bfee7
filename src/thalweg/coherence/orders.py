"""Stress components in another order in some labels of a set only: files put together from several programs."""

from __future__ import annotations

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.pairs import ORDERS, Pair, State
from thalweg.models import RowKind
from thalweg.structure import BoolArray, FloatArray

CLEARLY = 0.3
"""Ratio of the deviations with one order and with the other that decides about a label."""
LEAST, LEAST_SHARE = 3, 0.1
"""Labels, and their share of those decided, from which on they are spoken of."""


def mixed_orders(pair: Pair) -> Finding | None:
    """The labels of a pair, whose target is the stress, that clearly have their components in another order."""
    if pair.state is State.DIFFER and not pair.unrelated:
        return None
    given, implied = pair.voice.targets.reshape(-1, 6), pair.implied.mean.reshape(-1, 6)
    as_it_is = _off(given, implied)
    best: tuple[str, BoolArray] | None = None
    for name, order in ORDERS.items():
        reordered = _off(given[:, list(order)], implied)
        other = reordered < CLEARLY * as_it_is
        if other.sum() > (0 if best is None else best[1].sum()):
            best = name, other
    if best is None:
        return None
    name, other = best
    right = as_it_is < CLEARLY * _off(given[:, list(ORDERS[name])], implied)
    n = int(other.sum())
    if n < LEAST or n < LEAST_SHARE * (n + int(right.sum())):
        return None
    places = tuple(int(i) for i in pair.voice.labels[other])
    text = (
        f"stress of {n} labels has its components in the order {name}, that of the others is as expected: "
        "xx yy zz yz xz xy"
    )
    return Finding((RowKind.VIRIAL,), "order of some", text, places, {"n_labels": n})


def _off(given: FloatArray, implied: FloatArray) -> FloatArray:
    """Deviation of each label, a constant pressure apart, shape (n_labels,)."""
    off = given - implied
    off[:, :3] -= off[:, :3].mean(axis=1)[:, None]
    return np.asarray(np.sqrt(np.mean(off**2, axis=1)))
