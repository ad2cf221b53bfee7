"""SNAP as FitSNAP fits it, on rows from LAMMPS' `compute snap`; or with ridge and weight of stress cross-validated.

Notation
    A, b    weighted rows of energies per atom, forces and pressures less the reference potential's; columns of A
            are coefficients
    ridge   λ in  |A c - b|² + λ s² |D c|²,  D the norms of the columns of A, s the largest singular value of A / D

Reference
    LAMMPS documentation: compute snap
    FitSNAP, calculators/lammps_snap.py and solvers/svd.py, for the rows, their weights and the solution
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase.calculators.lammps import Prism
from lammps_loop import write_data
from lammps_peers import BAR, BOX, VOIGT, Answer, run, tensor
from reference_sets import Labelled
from scipy import linalg

from thalweg.structure import FloatArray, Structure

RIDGES = tuple(10.0**k for k in range(-14, -5))
STRESS_WEIGHTS = (1e-12, 1e-6, 1e-5, 1e-4)  # per bar; the first leaves stress out
_FOLDS = 5
_AT_ONCE = 40  # structures in one process: the rows of quadratic SNAP take some 2 MB each as text


@dataclass(frozen=True)
class Snap:
    """A SNAP potential over ZBL, one element: settings, and weights of energies per atom, forces, pressures in bar."""

    name: str
    element: str
    number: int
    two_j_max: int
    r_cut: float
    rfac0: float
    zbl: tuple[float, float]
    quadratic: bool
    weights: tuple[float, float, float]
    ridge: float | None = None

    @property
    def n_coefficients(self) -> int:
        j = range(self.two_j_max + 1)
        n = sum(1 for a in j for b in range(a + 1) for c in range(a - b, min(j[-1], a + b) + 1, 2) if c >= a)
        return n + n * (n + 1) // 2 if self.quadratic else n

    def commands(self) -> str:
        """As FitSNAP gives them; radelem 0.5 makes rcutfac the cutoff."""
        return f"""pair_style hybrid/overlay zero 10.0 zbl {self.zbl[0]} {self.zbl[1]}
pair_coeff * * zero
pair_coeff * * zbl {self.number} {self.number}
neighbor 1.0e-20 nsq
neigh_modify one 10000
compute snap all snap {self.r_cut} {self.rfac0} {self.two_j_max} 0.5 1.0 rmin0 0.0 bzeroflag 1 &
    quadraticflag {self.quadratic:d}
fix rows all ave/time 1 1 1 c_snap[*] file {{n}}.rows mode vector format " %.16e"
run 0
"""


def snap_rows(lmp: str, snap: Snap, structures: Sequence[Structure]) -> Iterator[FloatArray]:
    """For each structure energy, forces and pressure for every coefficient at 1, then those of the reference.

    Yields
    ------
    float64 ndarray, shape (1 + 3 n_atoms + 6, n_coefficients + 1)
        eV, eV/Å, bar.
    """
    for start in range(0, len(structures), _AT_ONCE):
        some = structures[start : start + _AT_ONCE]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for n, structure in enumerate(some):
                write_data(folder / f"{n}.data", structure.to_atoms(), (snap.element,))
            run(lmp, folder, "".join((BOX + snap.commands()).format(n=n) for n in range(len(some))))
            for n, structure in enumerate(some):
                yield _read_rows(folder / f"{n}.rows", structure, snap.n_coefficients)


def _read_rows(path: Path, structure: Structure, n_coefficients: int) -> FloatArray:
    """Three lines of comment, a line with the step, then a line for each row, its number first."""
    text = path.read_text(encoding="utf-8").split("\n", 4)[4]
    rows = np.array(text.split(), dtype=float).reshape(7 + 3 * len(structure), n_coefficients + 2)[:, 1:]
    rows[-6:, :-1] /= BAR * structure.volume
    return rows


def fit_snap(snap: Snap, rows: Sequence[FloatArray], labelled: Labelled) -> FloatArray:
    """Least squares by singular values, those below 1e-13 of the largest left out; or with the ridge, if one is set."""
    A, b = _system(snap, rows, labelled)
    if snap.ridge is not None:
        return ridge_path(A, b)(snap.ridge)
    return np.asarray(linalg.lstsq(A, b, cond=1e-13)[0])


def ridge_path(A: FloatArray, b: FloatArray) -> Callable[[float], FloatArray]:
    """The coefficients as a function of the ridge."""
    D = np.linalg.norm(A, axis=0)
    Q, R = linalg.qr(A / D, mode="economic")
    U, s, Vt = linalg.svd(R)
    y = s * (U.T @ (Q.T @ b))
    return lambda ridge: np.asarray(Vt.T @ (y / (s**2 + ridge * s[0] ** 2)) / D)


def tuned(snap: Snap, rows: Sequence[FloatArray], labelled: Labelled) -> Snap:
    """The ridge and the weight of stress of least held-out error in five folds of the training set.

    That error is what our own choice of a basis goes by: the geometric mean of the typical errors of energies and of
    forces, each the square of the mean of square roots.
    """
    fold = np.random.default_rng(0).permutation(len(labelled)) % _FOLDS
    best = (np.inf, snap)
    for weight in STRESS_WEIGHTS:
        trial = replace(snap, weights=(*snap.weights[:2], weight))
        errors = [_held_out(trial, rows, labelled, fold == k) for k in range(_FOLDS)]
        for i, ridge in enumerate(RIDGES):
            energy, force = (np.concatenate([of_fold[i][j] for of_fold in errors]) for j in (0, 1))
            score = np.sqrt(_typical(energy) * _typical(force))
            if score < best[0]:
                best = (score, replace(trial, name=f"{snap.name}, tuned", ridge=ridge))
    return best[1]


def _held_out(
    snap: Snap, rows: Sequence[FloatArray], labelled: Labelled, out: np.ndarray
) -> list[tuple[FloatArray, FloatArray]]:
    """Errors of energies per atom and of force components in one fold, for every ridge."""
    kept, held = np.flatnonzero(~out).tolist(), np.flatnonzero(out).tolist()
    path = ridge_path(*_system(snap, [rows[i] for i in kept], [labelled[i] for i in kept]))
    errors = []
    for ridge in RIDGES:
        answers = snap_answers(path(ridge), [rows[i] for i in held], [labelled[i][0] for i in held])
        pairs = [(*labelled[i], answer) for i, answer in zip(held, answers, strict=True)]
        energy = np.array([(answer.energy - label.energy) / len(s) for s, label, answer in pairs])
        forces = np.concatenate([(answer.forces - label.forces).ravel() for _, label, answer in pairs])
        errors.append((energy, forces))
    return errors


def _typical(error: FloatArray) -> float:
    return float(np.sqrt(np.abs(error)).mean()) ** 2


def _system(snap: Snap, rows: Sequence[FloatArray], labelled: Labelled) -> tuple[FloatArray, FloatArray]:
    designs, targets = [], []
    energy, force, pressure = snap.weights
    for block, (structure, label) in zip(rows, labelled, strict=True):
        if label.stress is None:
            raise ValueError("a structure without a stress label: FitSNAP's example has none")
        prism, n = Prism(structure.cell), len(structure)
        turned = prism.rot_mat.T @ tensor(label.stress) @ prism.rot_mat
        forces = prism.vector_to_lammps(label.forces).ravel()
        known = np.concatenate([[label.energy], forces, -turned[VOIGT] / BAR])
        weights = np.concatenate([[energy / n], np.full(3 * n, force), np.full(6, pressure)])
        designs.append(weights[:, None] * block[:, :-1])
        targets.append(weights * (known - block[:, -1]))
    return np.concatenate(designs), np.concatenate(targets)


def snap_answers(
    coefficients: FloatArray, rows: Sequence[FloatArray], structures: Sequence[Structure]
) -> list[Answer]:
    values = [block[:, :-1] @ coefficients + block[:, -1] for block in rows]
    return [
        Answer.turned(structure, float(value[0]), value[1:-6].reshape(-1, 3), value[-6:])
        for structure, value in zip(structures, values, strict=True)
    ]
