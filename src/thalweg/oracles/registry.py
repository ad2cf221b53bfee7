"""From a name to an oracle: those of Thalweg, and those of installed packages (entry points `thalweg.oracles`).

Code of another package is imported when its oracle is asked for by name, and not before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from thalweg.errors import InputError, SetupError, ThalwegError
from thalweg.oracles.analytic import LENNARD_JONES, MORSE
from thalweg.oracles.ase import ASE
from thalweg.oracles.base import Oracle
from thalweg.oracles.entry import OracleEntry
from thalweg.oracles.faulty import FAULTY
from thalweg.oracles.given import GIVEN
from thalweg.oracles.pyscf import PYSCF
from thalweg.oracles.stillinger_weber import STILLINGER_WEBER
from thalweg.oracles.tblite import TBLITE
from thalweg.settings.fields import shown

GROUP = "thalweg.oracles"
"""Entry-point group; each of its entry points leads to an OracleEntry of the same name."""

BUILT_IN: dict[str, OracleEntry] = {
    entry.name: entry for entry in (TBLITE, ASE, PYSCF, LENNARD_JONES, MORSE, STILLINGER_WEBER, FAULTY)
}


def oracle_names() -> tuple[str, ...]:
    """Every name that `oracle:` takes; no other package is imported for it."""
    return tuple(dict.fromkeys((*BUILT_IN, *(point.name for point in _points()))))


def built_in_names() -> tuple[str, ...]:
    """Names of oracles that run no code but Thalweg's own and its dependencies'.

    `ase` imports what its settings name, and `faulty` may hold it.
    """
    return tuple(name for name in BUILT_IN if name not in {"ase", "faulty"})


def find_entry(name: object) -> OracleEntry:
    """The entry of a name.

    Raises
    ------
    InputError
        No oracle has this name (with the nearest one).
    SetupError
        Two packages claim the name, or the package that has it cannot be imported.
    """
    if name == GIVEN.name:
        return GIVEN
    points = [point for point in _points() if point.name == name]
    built_in = BUILT_IN.get(name) if isinstance(name, str) else None
    owners = [*(["thalweg itself"] if built_in else []), *map(_owner, points)]
    if len(owners) > 1:
        raise SetupError(
            f"the oracle name {name!r} is claimed by {' and by '.join(owners)}; uninstall all but one of them, or "
            "ask one author to change the name"
        )
    if built_in is not None:
        return built_in
    if points:
        return _load(points[0])
    names = oracle_names()
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"expected one of {', '.join(names)}, got {shown(name)}{hint}")


def make_oracle(spec: Mapping[str, Any]) -> Oracle:
    """Make the oracle that `spec` describes: the key `name`, and the oracle's own settings.

    Raises
    ------
    InputError
        Unknown name or option (with the nearest known one), missing option, value out of range.
    SetupError
        The oracle's program is not installed.
    """
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise InputError(
            f"oracle: expected a mapping with a key 'name' (one of {', '.join(oracle_names())}), got {spec!r}"
        )
    try:
        entry = find_entry(spec["name"])
    except InputError as error:
        raise InputError(f"oracle.name: {error}") from None
    try:
        settings = entry.settings.model_validate(dict(spec))
    except ValidationError as error:
        problems = [_problem(details, entry) for details in error.errors(include_url=False)]
        raise InputError("\n".join(problems)) from None
    return entry.make(settings)


def _points() -> Iterable[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _owner(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"the package {package} ({point.value})"


def _load(point: EntryPoint) -> OracleEntry:
    """The entry behind an entry point; whatever goes wrong in its package is a matter of setup."""
    try:
        entry = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # another package's module may do anything, SystemExit as well
        text = str(error) if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
        raise SetupError(
            f"the oracle {point.name!r} of {_owner(point)} cannot be loaded: {text}; update or uninstall that package"
        ) from error
    if not isinstance(entry, OracleEntry) or entry.name != point.name:
        got = f"one named {entry.name!r}" if isinstance(entry, OracleEntry) else f"{type(entry).__name__}"
        raise SetupError(
            f"the oracle {point.name!r} of {_owner(point)} must be an OracleEntry of that name, got {got}; its author "
            "must fix the entry point"
        )
    return entry


def _problem(details: ErrorDetails, entry: OracleEntry) -> str:
    """One mistake in the settings, in words."""
    key = ".".join(str(part) for part in details["loc"])
    fields = [name for name in entry.settings.model_fields if name != "name"]
    if details["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return (
            f"oracle.{key}: the oracle {entry.name!r} has no such option{hint} (it has {', '.join(fields)})"
        )
    if details["type"] == "missing":
        return f"oracle.{key}: the oracle {entry.name!r} needs it"
    said = str(details.get("ctx", {}).get("error", details["msg"]))
    if details["type"] == "literal_error":
        wanted = str(details["ctx"]["expected"])
        words = re.findall(r"'([^']+)'", wanted)
        near = difflib.get_close_matches(str(details["input"]), words, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"oracle.{key}: expected {wanted}, got {details['input']!r}{hint}"
    got = "" if "got" in said else f", got {details['input']!r}"
    return f"oracle.{key}: {said[:1].lower()}{said[1:]}{got}"
