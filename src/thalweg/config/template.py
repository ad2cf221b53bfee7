"""The commented configuration that `thalweg init` writes: every setting, its unit, its default."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from thalweg.config.messages import nested_models
from thalweg.config.oracle import settings_of
from thalweg.config.schema import RunConfig
from thalweg.config.system import automatic_timestep
from thalweg.errors import InputError
from thalweg.oracles.entry import OracleEntry
from thalweg.oracles.registry import find_entry
from thalweg.settings.fields import InUnit
from thalweg.structure import Structure, UnsaidElectronsError, electrons_of

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")
"""Text that YAML reads as itself without quotes (keywords of YAML apart, which `_scalar` quotes)."""
_KEYWORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_HEADER = """\
# Thalweg configuration. Start the run, or go on with it, by
#   thalweg run {name}
# Only `system` and `oracle` are needed; everything else stands at its default and may be deleted.
# Numbers may carry units (0.15 eV/Å, 50 ps, 2 h); a bare number is in the unit named in its comment.
"""


def render_config(
    system: Path,
    oracle: str,
    folder: Path,
    name: str,
    *,
    charge: int | None = None,
    multiplicity: int | None = None,
) -> str:
    """The text of a configuration for the structures in `system`.

    Parameters
    ----------
    system : Path
        Structure file; it is read, so that the method fits its periodicity.
    oracle : str
        Name of the oracle; what it advises for the structures is written (for `ase` the calculator is EMT, to be
        replaced by the reader).
    folder : Path
        Where the file will stand: the path of `system` is written relative to it.
    name : str
        The file's name, for the hint in the header.
    charge, multiplicity : int or None
        Of the molecule, for an oracle that takes them; None leaves them to the structure file.

    Raises
    ------
    InputError
        As `read_structures`; an unknown oracle; electrons that do not go with charge and multiplicity.
    UnsaidElectronsError
        An odd number of electrons, and nothing says charge or spin.
    """
    from thalweg.store.reading import read_structures

    structures = read_structures(system)
    values: dict[str, Any] = {
        "system": _relative(system, folder),
        "oracle": _oracle_settings(oracle, system, structures, charge, multiplicity),
    }
    lines = [_HEADER.format(name=name), *(f"# {line}" for line in _findings(system, structures))]
    for key, field in RunConfig.model_fields.items():
        lines += _section(key, field, values.get(key))
    return "\n".join(lines).rstrip() + "\n"


def _section(key: str, field: FieldInfo, value: Any) -> list[str]:
    if key == "oracle":
        return ["", *_comment(field, ""), "oracle:", *_fields(settings_of(value["name"]), value)]
    models = nested_models(field.annotation)
    if value is None and models:
        return ["", *_comment(field, ""), f"{key}:", *_fields(models[0], {})]
    return ["", *_comment(field, ""), f"{key}: {_scalar(value if value is not None else field.default)}"]


def _fields(model: type[BaseModel], values: dict[str, Any]) -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        value = values.get(key, field.default)
        if isinstance(value, BaseModel):
            value = value.model_dump()
        lines += [*_comment(field, "  "), f"  {key}: {_scalar(value)}"]
    return lines


def _comment(field: FieldInfo, indent: str) -> list[str]:
    unit = next((m.unit for m in field.metadata if isinstance(m, InUnit)), "")
    text = (field.description or "") + (f" [{unit}]" if unit else "")
    return textwrap.wrap(text, _WIDTH, initial_indent=indent + "# ", subsequent_indent=indent + "# ")


def _scalar(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _KEYWORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _oracle_settings(
    oracle: str, system: Path, structures: list[Structure], charge: int | None, multiplicity: int | None
) -> dict[str, Any]:
    try:
        entry = find_entry(oracle)
    except InputError as error:
        raise InputError(f"--oracle: {error}") from None
    return {
        "name": oracle,
        **entry.advise(structures),
        **_electrons(entry, system, structures, charge, multiplicity),
    }


def _electrons(
    entry: OracleEntry,
    system: Path,
    structures: list[Structure],
    charge: int | None,
    multiplicity: int | None,
) -> dict[str, Any]:
    """Charge and multiplicity for an oracle that has such settings, held against the structures."""
    from thalweg.store.reading import place_of

    given = {"charge": charge, "multiplicity": multiplicity}
    wanted = {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in wanted if name not in entry.settings.model_fields]
    if unknown:
        raise InputError(f"--{unknown[0]}: the oracle {entry.name} has no such setting")
    if given.keys() <= entry.settings.model_fields.keys():
        for number, structure in enumerate(structures, start=1):
            if len(structure) == 1:  # an isolated atom is labelled in its ground state
                continue
            try:
                electrons_of(structure, charge, multiplicity)
            except UnsaidElectronsError as error:
                raise UnsaidElectronsError(
                    f"{place_of(system, number)}: {error}, or --charge or --multiplicity here"
                ) from None
            except InputError as error:
                raise InputError(f"{place_of(system, number)}: {error}") from None
    return wanted


def _findings(system: Path, structures: list[Structure]) -> list[str]:
    formulas = sorted({structure.to_atoms().get_chemical_formula() for structure in structures})
    shown = ", ".join(formulas[:5]) + (", …" if len(formulas) > 5 else "")
    periodic = structures[0].pbc
    kind = "periodic" if periodic.all() else "partly periodic" if periodic.any() else "not periodic"
    count = "1 structure" if len(structures) == 1 else f"{len(structures)} structures"
    step = automatic_timestep(structures)
    lines = [f"{system.name}: {count}, {shown}, {kind}; the automatic time step is {step:g} fs."]
    if remarks := structures[0].remarks:
        lines.append(f"Of the file: {', '.join(remarks)}.")
    return lines


def _relative(path: Path, folder: Path) -> str:
    absolute = path.resolve()
    try:
        return absolute.relative_to(folder.resolve()).as_posix()
    except ValueError:
        return absolute.as_posix()
