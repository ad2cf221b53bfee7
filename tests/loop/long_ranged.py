"""Runs whose labels ask for a longer cutoff than they begin with: six atoms whose bonds reach to 8 Å."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs import cluster, make_config

from thalweg.config import RunConfig
from thalweg.store import SqliteStore

FAR = {"epsilon": 0.4, "r0": 2.5, "rho0": 3.0, "rcut1": 7.0, "rcut2": 8.0}
ORACLE = {"name": "ase", "calculator": "ase.calculators.morse.MorsePotential", "options": FAR}


def far_config(folder: Path, **changes: Any) -> RunConfig:
    """Cutoff and size of 5 Å and some 70 features at first; only the cutoff and the exponent may change."""
    settings = {
        "oracle": ORACLE,
        "model": {"r_cut": None, "max_degree": [8, 6, 5]},
        "target": {"force_error": 0.004},
        "budget": {"oracle_calls": 36},
    }
    return make_config(cluster(folder), **{**settings, **changes})


def said_of_bases(folder: Path) -> list[str]:
    """What the run said of its looks for a better basis, without the time that each took."""
    with SqliteStore.read(folder) as store:
        return [event.text.rpartition(" (")[0] for event in store.events() if event.kind == "basis"]
