"""Exports a potential to LAMMPS: the `.yace` file, the commands beside it, and proof that they say what ours says.

Both are written beside their final place and checked there; only what agrees is moved into place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thalweg.errors import SetupError
from thalweg.export.check.compare import TOLERANCE, Deviation, Values, deviation, predicted, read_anew
from thalweg.export.check.lammps import evaluate_lammps, find_lammps
from thalweg.export.check.structures import trial_structures
from thalweg.export.check.yace_file import read_yace
from thalweg.export.check.zbl import read_pair_commands
from thalweg.export.yace import SPLINE_BINS, write_lammps
from thalweg.files import moved_into_place
from thalweg.potential import Potential
from thalweg.structure import Structure

_REFINEMENTS = (1, 2, 4)
"""Spline intervals are narrowed by these factors until radial interpolation is no longer what limits."""


@dataclass(frozen=True)
class LammpsExport:
    """What was written, and how far it deviates from the potential.

    potential, commands : the `.yace` file and the file of LAMMPS commands
    n_structures : how many structures the figures are over
    reading : deviation of the files read again
    lammps : deviation of LAMMPS, or None; version : its version, empty when none was found
    """

    potential: Path
    commands: Path
    n_structures: int
    reading: Deviation
    lammps: Deviation | None
    version: str


def export_lammps(
    potential: Potential, path: str | Path, *, structures: Sequence[Structure] = ()
) -> LammpsExport:
    """Write `path` (.yace) and `<stem>.in` beside it once they are found to agree with the potential.

    Parameters
    ----------
    potential : its mean model and core repulsion are written
    path : the `.yace` file
    structures : to check on, besides a cluster and a crystal of the potential's elements

    Raises
    ------
    InputError
        The path ends in `.in`.
    SetupError
        A file cannot be written, or LAMMPS fails or deviates by more than 1e-6 (see `export.check.compare`).
    RuntimeError
        The files read again deviate by more than 1e-6: a defect.
    """
    path = Path(path)
    chosen = [*structures, *trial_structures(potential.elements)]
    ours = predicted(potential, chosen)
    lammps = find_lammps()
    with moved_into_place(path) as draft:
        commands, reading = _write_and_read(potential, draft, chosen, ours)
        in_lammps = None
        if lammps is not None:
            theirs = evaluate_lammps(lammps, commands, chosen)
            in_lammps = deviation(potential, chosen, ours, theirs)
            _accept(in_lammps, f"LAMMPS ({lammps.version})", SetupError)
        final = path.with_name(commands.name)
        commands.replace(final)
    return LammpsExport(path, final, len(chosen), reading, in_lammps, lammps.version if lammps else "")


def _write_and_read(
    potential: Potential, draft: Path, structures: Sequence[Structure], ours: Sequence[Values]
) -> tuple[Path, Deviation]:
    """The commands' file and the deviation of what was written from ours, with splines fine enough."""
    for factor in _REFINEMENTS:
        commands = write_lammps(potential, draft, spline_bins=SPLINE_BINS / factor)
        theirs = read_anew(read_yace(draft), read_pair_commands(commands), structures)
        reading = deviation(potential, structures, ours, theirs)
        if reading.largest <= TOLERANCE / 4:
            break
    _accept(reading, "the written files, read back,", RuntimeError)
    return commands, reading


def _accept(found: Deviation, who: str, error: type[Exception]) -> None:
    if not found.largest <= TOLERANCE:
        raise error(
            f"{who} deviate from the potential by more than {TOLERANCE:.0e} ({found}); nothing was exported"
        )
