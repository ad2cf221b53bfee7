"""Elastic constants of a run's potential beside its oracle's: what a certificate of forces and stress is worth.

    python benchmarks/elastic.py RUN

Each at its own lattice constant at rest, for cubic crystals: from stresses at strains of ±0.5 %, atoms relaxed at each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from thalweg.calculator import ThalwegCalculator
from thalweg.loop.beginning import last_config
from thalweg.oracles.registry import make_oracle
from thalweg.potential import Potential
from thalweg.store import SqliteStore
from thalweg.structure import Structure
from thalweg.units import GPa

STRAIN = 0.005


class OracleCalculator(Calculator):
    """An oracle as ASE knows calculators."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, oracle):
        super().__init__()
        self.oracle = oracle

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        label = self.oracle.label(Structure.from_atoms(self.atoms))
        self.results = {"energy": label.energy, "forces": label.forces, "stress": label.stress}


def stress_at(atoms, strain):
    """GPa, (6,), atoms relaxed."""
    strained = atoms.copy()
    strained.calc = atoms.calc
    strained.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    BFGS(strained, logfile=None).run(fmax=1e-3, steps=100)
    return strained.get_stress() / GPa


def elastic_constants(atoms):
    """Lattice constant (Å, of the cell's first vector), C11, C12, C44 (GPa)."""
    BFGS(FrechetCellFilter(atoms, mask=[1, 1, 1, 0, 0, 0]), logfile=None).run(fmax=1e-3, steps=200)
    e = np.zeros((3, 3))
    e[0, 0] = STRAIN
    stretched = (stress_at(atoms, e) - stress_at(atoms, -e)) / (2 * STRAIN)
    e = np.zeros((3, 3))
    e[1, 2] = e[2, 1] = STRAIN / 2
    sheared = (stress_at(atoms, e) - stress_at(atoms, -e)) / (2 * STRAIN)
    return {"a": float(atoms.cell.lengths()[0]), "C11": stretched[0], "C12": stretched[1], "C44": sheared[3]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with SqliteStore.read(options.run) as store:
        config, starts = last_config(store), store.start_structures()
    table = {}
    for name, calculator in (
        ("oracle", OracleCalculator(make_oracle(config.oracle.model_dump()))),
        ("potential", ThalwegCalculator(Potential.load(options.run / "model"))),
    ):
        atoms = starts[0].to_atoms()
        atoms.calc = calculator
        table[name] = {key: float(value) for key, value in elastic_constants(atoms).items()}
    for key in table["oracle"]:
        ours, theirs = table["potential"][key], table["oracle"][key]
        print(f"{key:4s} {theirs:9.3f} {ours:9.3f} {100 * (ours / theirs - 1):+6.1f} %")
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
