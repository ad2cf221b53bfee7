"""From a config's `oracle:` block to an oracle."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any, cast

from thalweg.errors import InputError
from thalweg.oracles.analytic import LennardJonesOracle, MorseOracle
from thalweg.oracles.ase import AseOracle
from thalweg.oracles.base import Oracle
from thalweg.oracles.faulty import FaultyOracle
from thalweg.oracles.stillinger_weber import StillingerWeberOracle
from thalweg.oracles.tblite import TBLiteOracle

_ORACLES: dict[str, Callable[..., Any]] = {
    "tblite": TBLiteOracle,
    "ase": AseOracle,
    "lennard-jones": LennardJonesOracle,
    "morse": MorseOracle,
    "stillinger-weber": StillingerWeberOracle,
    "faulty": FaultyOracle,
}


def oracle_names() -> tuple[str, ...]:
    """The names that `make_oracle` knows."""
    return tuple(_ORACLES)


def built_in_names() -> tuple[str, ...]:
    """Names of oracles that run no code but Thalweg's own and its dependencies'."""
    return tuple(name for name in _ORACLES if name not in ("ase", "faulty"))


def _suggest(word: object, known: Any) -> str:
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def make_oracle(spec: Mapping[str, Any]) -> Oracle:
    """The oracle that `spec` names: key `name`, and the oracle's own options beside it.

    Raises
    ------
    InputError
        Unknown name or option (with the nearest known one), missing option, value out of range.
    SetupError
        The oracle's program is not installed.
    """
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise InputError(
            f"oracle: expected a mapping with a key 'name' (one of {oracle_names()}), got {spec!r}"
        )
    name = spec["name"]
    factory = _ORACLES.get(name) if isinstance(name, str) else None
    if factory is None:
        raise InputError(
            f"oracle.name: must be one of {oracle_names()}, got {name!r}{_suggest(name, _ORACLES)}"
        )
    options = {key: value for key, value in spec.items() if key != "name"}
    fields = {f.name: f for f in dataclasses.fields(cast(Any, factory))}
    for key in options:
        if key not in fields:
            raise InputError(
                f"oracle.{key}: the oracle {name!r} has no such option{_suggest(key, fields)} "
                f"(it has {', '.join(fields)})"
            )
    for key, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and key not in options:
            raise InputError(f"oracle.{key}: the oracle {name!r} needs it")
    try:
        return cast(Oracle, factory(**options))
    except TypeError as error:
        raise InputError(
            f"oracle {name!r}: an option has the wrong type: {error}; got {options!r}"
        ) from error
