"""Turns a basis into the flat arrays of the native evaluator, once for each basis."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from thalweg import _native
from thalweg.features.basis import AceBasis
from thalweg.features.couplings import coupling_tensor
from thalweg.features.enumerate import Channel, FeatureTerm
from thalweg.structure import FloatArray


@dataclass
class _Blocks:
    """Numbers the blocks of v: channels by (z, l, n), then nodes, grouped by their coupling."""

    channel: dict[Channel, int]
    node: dict[tuple[Channel, Channel, int], int] = field(default_factory=dict)

    def add_nodes(self, terms: tuple[FeatureTerm, ...]) -> None:
        found = {
            (term.channels[side[0]], term.channels[side[1]], term.L)
            for term in terms
            for side in term.sides
            if len(side) == 2
        }
        ordered = sorted(found, key=lambda k: (k[0][2], k[1][2], k[2], k[0] == k[1], k))
        self.node = {key: len(self.channel) + k for k, key in enumerate(ordered)}

    def of(self, term: FeatureTerm, side: tuple[int, ...]) -> int:
        if len(side) == 1:
            return self.channel[term.channels[side[0]]]
        return self.node[term.channels[side[0]], term.channels[side[1]], term.L]

    def of_feature(self, term: FeatureTerm) -> tuple[int, int]:
        if term.nu == 1:
            return self.channel[term.channels[0]], -1
        return self.of(term, term.sides[0]), self.of(term, term.sides[1])


def _int32(values: object, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.ascontiguousarray(np.array(values, dtype=np.int32).reshape(shape))


def _tensors(kinds: list[tuple[int, int, int]]) -> tuple[list[int], list[list[int]], list[float]]:
    start, index, value = [0], [], []
    for kind in kinds:
        C = coupling_tensor(*kind)
        where = np.argwhere(C)
        index.extend(where.tolist())
        value.extend(C[tuple(where.T)].tolist())
        start.append(len(value))
    return start, index, value


def plan_tables(basis: AceBasis) -> dict[str, Any]:
    """The arguments of `_native.Evaluator` that describe a basis: numbers and C-contiguous arrays."""
    n_elements, terms = len(basis.elements), basis.terms
    order = [(z, n, l) for z in range(n_elements) for l, c in enumerate(basis.radial_count) for n in range(c)]
    blocks = _Blocks({channel: k for k, channel in enumerate(order)})
    blocks.add_nodes(terms)
    kinds = sorted({(a[2], b[2], L) for a, b, L in blocks.node})
    nodes = [
        (blocks.channel[a], blocks.channel[b], L, kinds.index((a[2], b[2], L))) for a, b, L in blocks.node
    ]
    start, index, value = _tensors(kinds)
    return {
        "n_elements": n_elements,
        "r_cut": basis.r_cut,
        "exponent": basis.radial_exponent,
        "recurrence": _per_pair(basis.radial_recurrence(), n_elements),
        "radial_count": _int32(basis.radial_count, (-1,)),
        "nodes": _int32(nodes, (-1, 4)),
        "tensor_start": _int32(start, (-1,)),
        "tensor_index": _int32(index, (-1, 3)),
        "tensor_value": np.array(value, dtype=np.float64),
        "features": _int32([blocks.of_feature(term) for term in terms], (-1, 2)),
        "scale": np.array([term.scale for term in terms], dtype=np.float64),
    }


@lru_cache(maxsize=16)
def native_evaluator(basis: AceBasis, instructions: str = "") -> _native.Evaluator:
    """The native evaluator of a basis; `instructions` names an instruction set, "" takes the best one."""
    return _native.Evaluator(**plan_tables(basis), instructions=instructions)


def _per_pair(recurrence: FloatArray, n_elements: int) -> FloatArray:
    """The same recurrence for every ordered pair of elements, (n_elements, n_elements, n_radial, 3)."""
    return np.ascontiguousarray(np.broadcast_to(recurrence, (n_elements, n_elements, *recurrence.shape)))
