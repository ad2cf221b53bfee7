"""Runs begun by an older Thalweg, which read of a start structure its atoms and cell alone.

Their labels and walkers have no masses and no held atoms of the file, and charge and spin are those of the oracle's
section. Such a run goes on as it began, and says so. Where its labels are of other electrons than its file says, it
would go on with a wrong surface: it is refused.
"""

from __future__ import annotations

import dataclasses

from thalweg.errors import StoreError
from thalweg.loop.setup import Setup
from thalweg.store import SqliteStore
from thalweg.structure import Structure


def as_begun(setup: Setup, store: SqliteStore) -> Setup:
    """The setup with the starts that the run began with, where an older Thalweg read them without their particulars.

    Raises
    ------
    StoreError
        The file says a charge, multiplicity or magnetic moments that the run's labels were made without.
    """
    known = store.start_structures() or []
    names = sorted(one.content_hash for one in known)
    if len(known) != len(setup.structures) or names == sorted(s.content_hash for s in setup.structures):
        return setup
    taken = tuple(one if one.content_hash in names else _bare(one) for one in setup.structures)
    if names != sorted(one.content_hash for one in taken):
        return setup  # another system, for which `register` has its words
    lost = [name for one in setup.structures for name in _lost(one, names)]
    wrong = [name for name in lost if name in _ELECTRONIC and not _given(setup, name)]
    if wrong:
        raise StoreError(
            f"{store.folder}: this run was begun by an older Thalweg, which did not take the {_WORDS[wrong[0]]} of the "
            "structure file: its labels are of other electrons. Choose another run folder (--run FOLDER)"
        )
    left_out = sorted({_WORDS[name] for name in lost if name not in _ELECTRONIC})
    if not left_out:
        return dataclasses.replace(setup, structures=taken)
    warning = (
        f"this run was begun by an older Thalweg, which did not take the {' and '.join(left_out)} of the structure "
        "file: it goes on without; a run in another folder takes them"
    )
    return dataclasses.replace(setup, structures=taken, warnings=(*setup.warnings, warning))


_WORDS = {
    "charge": "charge",
    "multiplicity": "multiplicity",
    "magmoms": "magnetic moments",
    "masses": "masses",
    "fixed": "held atoms",
}
_ELECTRONIC = ("charge", "multiplicity", "magmoms")


def _bare(structure: Structure) -> Structure:
    return Structure(structure.numbers, structure.positions, structure.cell, structure.pbc)


def _lost(structure: Structure, names: list[str]) -> list[str]:
    """What the run was begun without, of this start."""
    return [] if structure.content_hash in names else list(structure.particulars)


def _given(setup: Setup, name: str) -> bool:
    """Whether the oracle's section says of every start what its file says, or what goes without saying."""
    default = {"charge": 0, "multiplicity": 1}.get(name)
    if default is None:
        return False
    given = getattr(setup.config.oracle, name, None)
    own = {getattr(one, name) for one in setup.structures} - {None}
    return own <= {default if given is None else given}
