"""Names of labels by level of theory, so that the quantities of one label come from one.

A family is what stands under one prefix: `REF_energy`, `REF_forces` and `REF_stress` are the family `REF_`. Programs
write their own predictions under bare names; a family that is called a reference therefore goes before them. What ASE
itself parsed (`atoms.calc`) is a family of its own, but in extended XYZ, whose bare names ASE moves there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import InputError

BARE, CALCULATOR = "", "calculator"
"""The family without a prefix, and that of the results which ASE parsed."""

_NAME = re.compile(r"(.*?)(free_energy|energy|forces|force|stress|virials|virial)")
_KIND = {"force": "forces", "virial": "stress", "virials": "stress", "free_energy": "energy"}
_FIRST = {"forces": 0, "force": 1, "stress": 0, "virial": 1, "virials": 2}
"""Which name goes first where a family has two for one quantity."""
_REFERENCES = {"ref", "reference", "dft", "qm", "vasp", "target", "label", "labels", "true", "ccsd", "ccsdt"}
"""Prefixes, in lower case, under which people keep what a model shall learn."""


class AmbiguousError(InputError):
    """What cannot be decided, with the place of the structure in `frames`."""

    def __init__(self, place: int, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, eq=False)
class Found:
    """A quantity as a file has it: the name that it stands under, and what stands there.

    `beside` is, of an energy, what the file has as the other of `energy` and `free_energy`.
    """

    name: str
    value: Any
    beside: Any = None

    @property
    def differs(self) -> bool:
        """Whether `energy` and `free_energy` are two numbers here."""
        return self.beside is not None and not same(self.value, self.beside)


Family = dict[str, Found]
"""energy, forces, stress: those that are there."""


def families_of(atoms: Any, *, merged: bool) -> dict[str, Family]:
    """The families of one structure by their prefix; `merged`: ASE's results are the file's bare names."""
    families: dict[str, Family] = {}
    for origin, name, value in _values(atoms):
        match = _NAME.fullmatch(name)
        if match is None or value is None:
            continue
        prefix, word = match.groups()
        if origin == "arrays" and _KIND.get(word, word) != "forces":
            continue  # of each atom: another quantity of the same name
        if origin == "info" and _KIND.get(word, word) == "forces":
            continue
        prefix = CALCULATOR if origin == "results" and not merged else prefix
        _add(families.setdefault(prefix, {}), word, Found(name, value))
    return families


def _values(atoms: Any) -> Iterator[tuple[str, str, Any]]:
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    for origin, place in (("results", results), ("info", atoms.info), ("arrays", atoms.arrays)):
        for name, value in place.items():
            yield origin, str(name), value


def _add(family: Family, word: str, found: Found) -> None:
    """One more name; of two for one quantity one goes first: of the energies the one that forces belong to."""
    kind = _KIND.get(word, word)
    known = family.get(kind)
    if known is None:
        family[kind] = found
    elif kind == "energy":
        plain, free = (known, found) if word == "free_energy" else (found, known)
        taken, other = (plain, free) if same(plain.value, free.value) else (free, plain)
        family[kind] = Found(taken.name, taken.value, other.value)
    else:
        old = _NAME.fullmatch(known.name)
        assert old is not None
        if _FIRST[word] < _FIRST[old.group(2)]:
            family[kind] = found


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same numbers, or the same text."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True))
    return str(a) == str(b)


def called(prefix: str) -> str:
    """What the option that decides calls a family."""
    return "bare" if prefix == BARE else prefix.rstrip("_")


def names_of(frames: Sequence[dict[str, Family]], prefix: str) -> str:
    """The names that stand in a family, with the number of structures of each."""
    counts = Counter(found.name for frame in frames for found in frame.get(prefix, {}).values())
    own = ", ".join(f"{name} ({count})" for name, count in counts.items())
    return f"{own}, parsed by ASE" if prefix == CALCULATOR else own


def choose_family(frames: Sequence[dict[str, Family]], wanted: str | None) -> str:
    """The prefix of the family that the labels of a file come from.

    Parameters
    ----------
    frames : the families of each structure
    wanted : what the user said (`called`); None: what goes without saying

    Raises
    ------
    InputError
        More than one family could be meant, or none is called as `wanted`.
    """
    present = list(dict.fromkeys(prefix for frame in frames for prefix in frame))
    if wanted is not None:
        return _named(frames, present, wanted)
    references = [prefix for prefix in present if prefix.rstrip("_").lower() in _REFERENCES]
    if len(references) > 1:
        raise InputError(f"labels of more than one level of theory: {_menu(frames, references)}")
    if not any("energy" in frame.get(p, {}) for frame in frames for p in (*references, CALCULATOR, BARE)):
        unknown = [p for p in present if any("energy" in frame.get(p, {}) for frame in frames)]
        if unknown:
            raise InputError(f"none of its energies is surely a label: {_menu(frames, unknown)}")
    if references:
        _check_whole(frames, references[0], [CALCULATOR, BARE])
        return references[0]
    parsed = any("energy" in frame.get(CALCULATOR, {}) for frame in frames)
    parsed = parsed or not any(frame.get(BARE) for frame in frames)
    chosen, other = (CALCULATOR, BARE) if parsed else (BARE, CALCULATOR)
    _check_whole(frames, chosen, [other])
    _check_alike(frames)
    return chosen


def _named(frames: Sequence[dict[str, Family]], present: list[str], wanted: str) -> str:
    name = "" if wanted.strip().lower() == "bare" else wanted.strip().rstrip("_")
    if name == CALCULATOR and CALCULATOR not in present:
        name = BARE  # in extended XYZ they are the same
    for fold in (str, str.lower):
        fitting = [prefix for prefix in present if fold(prefix.rstrip("_")) == fold(name)]
        if len(fitting) == 1:
            return fitting[0]
    has = _menu(frames, present) if present else "no energies, forces or stresses"
    raise InputError(f"it has no labels called {wanted!r}; there are: {has}")


def _menu(frames: Sequence[dict[str, Family]], prefixes: list[str]) -> str:
    whole = {prefix for frame in frames for prefix, family in frame.items() if "energy" in family}
    options = [
        names_of(frames, prefix) + (f" [--labels {called(prefix)}]" if prefix in whole else "")
        for prefix in prefixes
    ]
    return "; ".join(options) + "; the option in brackets takes them (labels=... in Python)"


def _check_whole(frames: Sequence[dict[str, Family]], chosen: str, others: list[str]) -> None:
    """Refuse a label whose other half stands under other names: nobody knows of which level of theory that is."""
    anywhere = {kind for frame in frames for kind in frame.get(chosen, {})}
    for number, frame in enumerate(frames):
        mine = frame.get(chosen, {})
        for other in others:
            theirs = frame.get(other, {})
            missing = [kind for kind in theirs if kind not in mine]
            half = "energy" not in theirs or "energy" not in mine
            if missing and (half or ("forces" in missing and "forces" not in anywhere)):
                raise AmbiguousError(number, _half(mine, theirs, missing) + _menu(frames, [chosen, other]))


def _half(mine: Family, theirs: Family, missing: list[str]) -> str:
    own = ", ".join(found.name for found in mine.values()) or "none of the names that others have"
    rest = ", ".join(theirs[kind].name for kind in missing)
    what = " and ".join(missing)
    return f"it has {own}, but {what} under another name ({rest}): of one level of theory? In the file: "


def _check_alike(frames: Sequence[dict[str, Family]]) -> None:
    """Two sets of results without a prefix must be the same numbers."""
    for number, frame in enumerate(frames):
        mine, theirs = frame.get(CALCULATOR, {}), frame.get(BARE, {})
        unlike = [
            k for k in mine if k in theirs and k != "stress" and not same(mine[k].value, theirs[k].value)
        ]
        if unlike:
            words = f"it has two that differ of {' and '.join(unlike)}: "
            raise AmbiguousError(number, words + _menu(frames, [CALCULATOR, BARE]))
