"""Small real runs for the tests of the loop: EMT or Morse atoms on a copper cluster, done in a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase.build import bulk
from ase.cluster import Octahedron

from thalweg.config import RunConfig, validate
from thalweg.potential import Potential

EMT = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}
FAILING = {"name": "faulty", "inner": EMT, "rates": {"unconverged": 0.15, "crash": 0.15, "nan": 0.15}}
MORSE = {"epsilon": 0.4, "r0": 1.9, "rho0": 4.0, "rcut1": 3.0, "rcut2": 4.0}
"""Copper with bonds of 1.87 Å at rest: shorter than 0.8 times the sum of its covalent radii, 2.11 Å."""


def cluster(folder: Path) -> Path:
    """Six copper atoms."""
    path = folder / "cluster.xyz"
    ase.io.write(path, Octahedron("Cu", 2))
    return path


def tight_cluster(folder: Path) -> Path:
    """The six atoms at rest with MORSE."""
    path = folder / "tight.xyz"
    atoms = Octahedron("Cu", 2)
    atoms.positions *= 1.875 / atoms.get_distance(0, 1)
    ase.io.write(path, atoms)
    return path


def crystal(folder: Path) -> Path:
    """Copper, four atoms, periodic."""
    path = folder / "crystal.xyz"
    ase.io.write(path, bulk("Cu", "fcc", a=3.6, cubic=True))
    return path


def make_config(path: Path, **changes: Any) -> RunConfig:
    """A short run; `changes` replace whole sections."""
    data: dict[str, Any] = {
        "system": str(path),
        "oracle": EMT,
        "target": {"force_error": 0.05, "confidence": 0.9},
        "explore": {"temperature": [200, 400], "walkers": 2, "time": 3, "block": 100, "timestep": 2},
        "budget": {"oracle_calls": 90},
        "model": {"r_cut": 4.5, "max_degree": [8, 6, 5]},
        "seeds": {"count": 4},
        "executor": {"kind": "serial"},
        "seed": 3,
    }
    for key, value in changes.items():
        old = data.get(key)
        data[key] = (
            {**old, **value}
            if isinstance(old, dict) and isinstance(value, dict) and key != "oracle"
            else value
        )
    return validate(data)


def same_model(a: Path, b: Path) -> bool:
    """Whether two saved potentials are equal to the last bit."""
    one, two = Potential.load(a), Potential.load(b)
    return (
        np.array_equal(one.weights, two.weights)
        and np.array_equal(one.member_deltas, two.member_deltas)
        and np.array_equal(one.bounds.factors, two.bounds.factors)
        and np.array_equal(one.bounds.floors, two.bounds.floors)
    )
