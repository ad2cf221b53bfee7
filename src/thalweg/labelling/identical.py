"""The same answer to different questions: an oracle reads another calculation's output, or answers without looking.

Energy and forces equal to the last bit are no chance. Copies of one structure (moved, turned, atoms exchanged) may have
them by right; and forces of exactly zero, which symmetry and distance give, say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from thalweg.diversity import distance_fingerprint
from thalweg.errors import OracleError
from thalweg.label import Label
from thalweg.store import LabelRecord
from thalweg.structure import Structure

_DIFFERENT = 1e-4
"""Of the size of a distance fingerprint: nearer ones are of copies."""


class Answers:
    """What the oracle has answered, to know an answer again.

    Parameters
    ----------
    known : labels of earlier invocations
    """

    def __init__(self, known: Iterable[LabelRecord] = ()) -> None:
        self._structures: dict[bytes, tuple[Structure, str]] = {}
        for record in known:
            key = _key(record.label)
            self._structures.setdefault(key, (record.structure, f"label {record.number}"))

    def note(self, structure: Structure, label: Label, where: str, oracle: str) -> None:
        """Take note of an answer.

        Raises
        ------
        OracleError
            It is the answer to another structure, to the last bit.
        """
        if not label.forces.any():
            return
        before, its_place = self._structures.setdefault(_key(label), (structure, where))
        if before.content_hash == structure.content_hash or not _differ(before, structure):
            return
        raise OracleError(
            f"{where}: {oracle} gave the same energy ({label.energy:.10g} eV) and forces, to the last digit, as for "
            f"another structure ({its_place}): it does not look at the structure, or reads the output of another "
            "calculation. What was labelled is kept; check the oracle, and start again in another folder"
        )


def _key(label: Label) -> bytes:
    return np.float64(label.energy).tobytes() + label.forces.tobytes()


def _differ(one: Structure, other: Structure) -> bool:
    """Whether two structures are no copies of each other."""
    if sorted(one.numbers.tolist()) != sorted(other.numbers.tolist()):
        return True
    elements = sorted(set(one.numbers.tolist()))
    first, second = (distance_fingerprint(structure, elements) for structure in (one, other))
    size = max(float(np.linalg.norm(first)), float(np.linalg.norm(second)))
    return float(np.linalg.norm(first - second)) > _DIFFERENT * size
