"""A potential as the one file that the LAMMPS plug-in reads, `native/include/thalweg/potential_file.hpp`.

Text: a first line with format and version, entries (name, kind, shape, then the values), and a last line with
the CRC-32 of everything before it. Numbers are written so that reading gives the same bits.

Notation
    bound    factor[z] D + floor[z], eV/Å, as in `thalweg.potential`; D is the root mean square force of `member_deltas`
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.features.batch import numbers_of
from thalweg.features.tables import plan_tables
from thalweg.files import moved_into_place
from thalweg.potential import Potential
from thalweg.potential.saving import NOVELTY_ARRAYS

FORMAT_VERSION = 2


def export_plugin(potential: Potential, path: str | Path) -> None:
    """Write `potential` for `pair_style thalweg`; an existing file is replaced whole or left as it was.

    Raises
    ------
    SetupError
        The file cannot be written.
    """
    with moved_into_place(Path(path)) as draft:
        draft.write_bytes(plugin_file(potential))


def plugin_file(potential: Potential) -> bytes:
    """The file's bytes."""
    body = "".join(_entries(potential)).encode("ascii")
    head = f"thalweg-potential {FORMAT_VERSION}\n".encode("ascii")
    return head + body + b"end crc32 %08x\n" % zlib.crc32(head + body)


def _entries(potential: Potential) -> Iterator[str]:
    yield _text("elements", potential.elements)
    yield _array("numbers", np.array(numbers_of(potential.elements), dtype=np.int32))
    tables = plan_tables(potential.basis)
    tables.pop("n_elements")  # as many as there are elements
    for name, value in tables.items():
        yield _array(name, np.atleast_1d(value))
    yield _array("weights", potential.weights)
    yield _array("member_deltas", potential.committee)
    yield _array("reference_energies", potential.reference_energies)
    if potential.zbl is not None:
        yield _array("zbl_inner", potential.zbl.inner)
        yield _array("zbl_outer", potential.zbl.outer)
    if potential.novelty is not None:
        for name in NOVELTY_ARRAYS:
            yield _array(f"novelty_{name}", getattr(potential.novelty, name))
        yield _array("novelty_fewest_neighbors", np.asarray(potential.novelty.fewest_neighbours))
    bounds = potential.bounds
    yield _array("confidence", np.array([bounds.confidence]))
    yield _array("bound_factors", bounds.factors)
    yield _array("bound_floors", bounds.floors)
    yield _text("provenance", (json.dumps(dict(potential.provenance), sort_keys=True),))


def _array(name: str, values: np.ndarray[Any, Any]) -> str:
    """One line of values for each row of the last axis; reals in the fewest digits that give the same bits."""
    real = values.dtype.kind == "f"
    rows = values.reshape(-1, values.shape[-1]).tolist() if values.size else [[]]
    write = repr if real else str
    lines = (" ".join(map(write, row)) + "\n" for row in rows)
    shape = " ".join(map(str, values.shape))
    return f"{name} {'real' if real else 'int'} {shape}\n" + "".join(lines)


def _text(name: str, lines: tuple[str, ...]) -> str:
    return f"{name} text {len(lines)}\n" + "".join(f"{line}\n" for line in lines)
