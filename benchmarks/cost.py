"""What the potentials of `accuracy.py` cost in dynamics, beside SNAP and POD on the same crystals in the same run.

    THALWEG_LMP=/path/to/lmp python benchmarks/cost.py [--sets si cu mo]

Bases are those that `accuracy.py` has left in its result files; SNAP and POD have published settings
(`peers_refitted.py`: FitSNAP's for tantalum; FastPOD's for silicon, germanium and tantalum are one, taken for copper
and molybdenum, too), SNAP for the others with POD's cutoff of 5 Å. Coefficients are random: what a potential costs does
not depend on what it has learned. Constant energy, one thread, some 500 atoms, the same skin; called in turns, the
least time over all repeats, µs per atom and step.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from common import RESULTS, parser, show, write
from lammps_loop import constant_energy_seconds
from lammps_peers import Pod, find_lammps, version
from pace import our_seconds, random_potential
from peers_refitted import PODS, SNAPS
from snap_peer import Snap

from thalweg.fitting.screening import ScreeningSetup, basis_of
from thalweg.potential import Potential

CRYSTALS = {
    "si": lambda: bulk("Si", cubic=True).repeat(4),
    "cu": lambda: bulk("Cu", cubic=True).repeat(5),
    "mo": lambda: bulk("Mo", cubic=True).repeat(6),
    "ge": lambda: bulk("Ge", cubic=True).repeat(4),
    "ta": lambda: bulk("Ta", cubic=True).repeat(6),
    "inp": lambda: bulk("InP", "zincblende", a=5.87, cubic=True).repeat(4),
}
_RATTLE = 0.05
_STEPS, _TURNS = 3, 3
_POD_COEFFICIENTS = {("FastPOD", 1): 184, ("FastPOD", 2): 1586, ("linear POD", 2): 1074}
"""As `fitpod` of LAMMPS 2025 writes them."""
_USUAL_SNAP = replace(SNAPS[1], r_cut=5.0)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--sets", nargs="+", choices=list(CRYSTALS), default=list(CRYSTALS))
    options = made.parse_args()
    lmp = find_lammps()
    rows = [row for name in options.sets for row in measured(name, lmp)]
    show("µs per atom and step, one thread", rows)
    write("cost", {"lammps": version(lmp), "rows": rows}, options.output)


def measured(name: str, lmp: str) -> list[dict[str, Any]]:
    """One row for each potential of a set."""
    atoms = CRYSTALS[name]()
    atoms.rattle(_RATTLE, seed=1)
    timed: dict[str, Callable[[], float]] = {}
    for task, potential in chosen(name):
        n = potential.basis.n_features
        label = f"thalweg, {task}: {n} features, {potential.basis.r_cut:g} Å"
        timed[label] = partial(our_seconds, potential, atoms, _STEPS, "double")
    for known in PODS.get(name, PODS["ta"]):
        pod = replace(known, elements=tuple(dict.fromkeys(atoms.symbols)))
        timed[f"{pod.name}, {pod.parameters['rcut']:.3g} Å"] = partial(pod_seconds, lmp, pod, atoms)
    for known in {"ta": SNAPS, "inp": ()}.get(name, (_USUAL_SNAP,)):
        snap = replace(known, element=str(atoms.symbols[0]))
        label = f"{snap.name}, 2J = {snap.two_j_max}, {snap.r_cut:g} Å"
        timed[label] = partial(snap_seconds, lmp, snap, atoms)
    least = dict.fromkeys(timed, np.inf)
    for _ in range(_TURNS):
        for label, seconds in timed.items():
            least[label] = min(least[label], seconds())
    return [
        {"set": name, "atoms": len(atoms), "potential": label, "µs/atom": 1e6 * seconds / len(atoms)}
        for label, seconds in least.items()
    ]


def chosen(name: str) -> list[tuple[str, Potential]]:
    """Potentials on the bases of the set's tasks, their coefficients random."""
    path = RESULTS / f"accuracy-{name}.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing; run accuracy.py DATA_DIR --sets {name} first")
    found = []
    for task in json.loads(path.read_text(encoding="utf-8"))["tasks"]:
        known = task["model"]
        setup = ScreeningSetup(known["r_cut"], known["radial_exponent"], known["radial_weight"])
        basis = basis_of(known["elements"], setup, tuple(known["max_degree"]))
        found.append((task["name"], random_potential(basis)))
    return found


def pod_seconds(lmp: str, pod: Pod, atoms: Atoms) -> float:
    """Of a step by `pair_style pod`, whose file of coefficients says how many it needs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "p.pod").write_text(pod.parameter_file(), encoding="utf-8")
        n = _POD_COEFFICIENTS[pod.name, len(pod.elements)]
        numbers = 1e-5 * np.random.default_rng(1).standard_normal(n)
        text = f"model_coefficients: {n} 0 0\n" + "".join(f"{number:.12f}\n" for number in numbers)
        (folder / "c.pod").write_text(text, encoding="utf-8")
        style = f"pair_style pod\npair_coeff * * p.pod c.pod {' '.join(pod.elements)}"
        return constant_energy_seconds(lmp, folder, atoms, pod.elements, style, _STEPS)


def snap_seconds(lmp: str, snap: Snap, atoms: Atoms) -> float:
    """Of a step by `pair_style snap`."""
    with tempfile.TemporaryDirectory() as name:
        folder, n = Path(name), snap.n_coefficients + 1
        numbers = 1e-5 * np.random.default_rng(1).standard_normal(n)
        head = f"1 {n}\n{snap.element} 0.5 1.0\n"
        (folder / "s.snapcoeff").write_text(head + "".join(f"{x:.12f}\n" for x in numbers), encoding="utf-8")
        settings = (
            f"rcutfac {snap.r_cut}\ntwojmax {snap.two_j_max}\nrfac0 {snap.rfac0}\nrmin0 0\n"
            f"bzeroflag 1\nquadraticflag {snap.quadratic:d}\n"
        )
        (folder / "s.snapparam").write_text(settings, encoding="utf-8")
        style = f"pair_style snap\npair_coeff * * s.snapcoeff s.snapparam {snap.element}"
        return constant_energy_seconds(lmp, folder, atoms, (snap.element,), style, _STEPS)


if __name__ == "__main__":
    main()
