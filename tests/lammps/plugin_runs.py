"""Runs a LAMMPS that loads the plug-in, and reads what it found.

THALWEG_LMP             the program `lmp` (else the one on the PATH)
THALWEG_LAMMPS_PLUGIN   thalwegplugin.so, built for it
THALWEG_MPIEXEC         starts it on several ranks (else the `mpiexec` beside it, else the one on the PATH)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from thalweg.export.plugin import export_plugin

BAR = 1.0 / 1.6021765e6  # eV/Å³, by the constant in LAMMPS' metal units
_TIMEOUT = 120.0  # s

INPUT = """\
{first}
boundary {boundary}
box tilt large
processors {grid}
read_data box.data
plugin load {plugin}
pair_style {style}
pair_coeff * * {substyle} p.thalweg {elements}
{more}
neighbor 0.8 bin
fix unc all pair 1 thalweg bound 1 novelty 1
compute own all pe/atom
compute total all reduce sum c_own
thermo 1
thermo_style custom step pe c_total pxx pyy pzz pyz pxz pxy
compute virial all pressure NULL virial
thermo_modify press virial format float %.17g
dump all all custom 1 out.dump id x y z fx fy fz f_unc[1] f_unc[2] c_own
dump_modify all sort id format float %.17g
{run}
print "$(pe:%.17g) $(c_total:%.17g)" file energies
print "$(pxx:%.17g) $(pyy:%.17g) $(pzz:%.17g) $(pyz:%.17g) $(pxz:%.17g) $(pxy:%.17g)" file pressures
"""


@dataclass(frozen=True)
class Installation:
    """A LAMMPS, its starter for several ranks (may be empty) and the plug-in."""

    lmp: str
    mpiexec: str
    plugin: str

    def start(self, folder, script, ranks):
        """The finished process of `lmp` on a script."""
        (folder / "in.lammps").write_text(script)
        command = [self.lmp, "-in", "in.lammps", "-log", "log.lammps"]
        if ranks > 1:
            if not self.mpiexec:
                pytest.skip("no mpiexec beside `lmp` or on the PATH ($THALWEG_MPIEXEC)")
            command = [self.mpiexec, "-n", str(ranks), *command]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )


@dataclass(frozen=True)
class Found:
    """Results of the last step, in the order of the atoms' ids; stress in ASE's order and sign, eV/Å³."""

    energy: float
    total: float
    stress: np.ndarray
    positions: np.ndarray
    forces: np.ndarray
    bound: np.ndarray
    novelty: np.ndarray
    atom_energies: np.ndarray
    text: str


def find_installation() -> Installation:
    """As the environment says; skips the test that asks where something is missing."""
    lmp = os.environ.get("THALWEG_LMP") or shutil.which("lmp")
    plugin = os.environ.get("THALWEG_LAMMPS_PLUGIN")
    if not lmp or not plugin:
        pytest.skip("no LAMMPS with the plug-in: set THALWEG_LMP and THALWEG_LAMMPS_PLUGIN (docs/lammps.md)")
    beside = Path(lmp).with_name("mpiexec")
    mpiexec = os.environ.get("THALWEG_MPIEXEC") or (
        str(beside) if beside.is_file() else shutil.which("mpiexec")
    )
    return Installation(lmp, mpiexec or "", str(Path(plugin).resolve()))


def write_data(path, structure, elements):
    """A data file; the cell must be lower triangular, as LAMMPS wants it."""
    cell = structure.cell
    assert np.allclose(cell, np.tril(cell))
    assert (np.diag(cell) > 0).all()
    symbols = structure.to_atoms().symbols
    lines = ["box", "", f"{len(structure)} atoms", f"{len(elements)} atom types", ""]
    lines += [f"0 {cell[k, k]:.17g} {'xyz'[k]}lo {'xyz'[k]}hi" for k in range(3)]
    lines += [f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz", "", "Masses", ""]
    lines += [f"{k + 1} {10.0 + k}" for k in range(len(elements))]
    lines += ["", "Atoms # atomic", ""]
    for k, (symbol, x) in enumerate(zip(symbols, structure.positions, strict=True)):
        lines.append(f"{k + 1} {elements.index(symbol) + 1} {x[0]:.17g} {x[1]:.17g} {x[2]:.17g}")
    path.write_text("\n".join(lines) + "\n")


def script(installation, structure, known, **changes):
    """The input script of a run; `changes` replaces fields of INPUT."""
    fields = {
        "first": "units metal",
        "boundary": " ".join("p" if periodic else "f" for periodic in structure.pbc),
        "grid": "* * *",
        "plugin": installation.plugin,
        "style": "thalweg",
        "substyle": "",
        "elements": " ".join(known),
        "more": "",
        "run": "run 0",
    }
    return INPUT.format(**(fields | changes))


def evaluate(
    installation, folder, potential, structure, *, ranks=1, elements=None, known=None, **changes
) -> Found:
    """What LAMMPS makes of `structure` with atom types in the order `elements`, `known` to the potential."""
    elements = elements or potential.elements
    write_data(folder / "box.data", structure, elements)
    export_plugin(potential, folder / "p.thalweg")
    done = installation.start(folder, script(installation, structure, known or elements, **changes), ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    energies, pressures = (
        np.array((folder / name).read_text().split(), dtype=float) for name in ("energies", "pressures")
    )
    rows = (folder / "out.dump").read_text().split("ITEM: ATOMS")[-1].splitlines()[1:]
    table = np.array([row.split() for row in rows], dtype=float)
    return Found(
        energy=energies[0],
        total=energies[1],
        stress=-BAR * pressures,
        positions=table[:, 1:4],
        forces=table[:, 4:7],
        bound=table[:, 7],
        novelty=table[:, 8],
        atom_energies=table[:, 9],
        text=done.stdout,
    )
