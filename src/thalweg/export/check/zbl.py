"""Reads the pair commands written for LAMMPS and evaluates the core repulsion that they state.

    E(r) = Zi Zj e² / r phi(r / a) + S(r),    a = 0.46850 / (Zi^0.23 + Zj^0.23) Å,    e² = 14.399645 eV Å
    S(r) = C  below r1;   A/3 (r - r1)³ + B/4 (r - r1)⁴ + C  from r1 to rc;   E = 0 beyond
    A = (-3 E' + d E'') / d²,   B = (2 E' - d E'') / d³,   C = -E + d E' / 2 - d² E'' / 12   at rc, d = rc - r1

Reference
    LAMMPS documentation: pair_style zbl; pair_style hybrid (numbering of a style used more than once)
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg.errors import InputError, check
from thalweg.export.check.neighbours import edges_of
from thalweg.export.check.yace_energy import Result, from_edges
from thalweg.structure import FloatArray, Structure

_COULOMB = 14.399645  # qqr2e of LAMMPS' metal units, eV Å
_TERMS = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))


@dataclass(frozen=True)
class ZblPair:
    """Types a, b (from 1), cutoffs in Å and charges."""

    types: tuple[int, int]
    inner: float
    outer: float
    charges: tuple[float, float]


@dataclass(frozen=True)
class PairCommands:
    """`potential` : file that pair_style pace reads; `elements` : symbols of types 1, 2, ...; `zbl` : pairs."""

    potential: str
    elements: tuple[str, ...]
    zbl: tuple[ZblPair, ...]


def read_pair_commands(path: str | Path) -> PairCommands:
    """The pair_style and pair_coeff commands of a file; InputError where they are not of our kind."""
    commands = [
        shlex.split(line, comments=True) for line in Path(path).read_text(encoding="utf-8").splitlines()
    ]
    by_name = {name: [c[1:] for c in commands if c and c[0] == name] for name in ("pair_style", "pair_coeff")}
    check(len(by_name["pair_style"]) == 1, f"{path}: one pair_style command expected")
    try:
        return _interpret(by_name["pair_style"][0], by_name["pair_coeff"])
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: pair commands that are not of pace with zbl ({error})") from error


def _interpret(style: list[str], coefficients: list[list[str]]) -> PairCommands:
    hybrid = style[0] == "hybrid/overlay"
    words = style[1:] if hybrid else style
    if words[0] != "pace":
        raise ValueError(f"pair_style {' '.join(style)}")
    cutoffs = [(float(words[k + 1]), float(words[k + 2])) for k, w in enumerate(words) if w == "zbl"]
    pace, zbl = [], []
    for a, b, *rest in coefficients:
        if rest[0] == "zbl":
            number = int(rest[1]) if len(cutoffs) > 1 else 1
            inner, outer = cutoffs[number - 1]
            charges = (float(rest[-2]), float(rest[-1]))
            zbl.append(ZblPair((int(a), int(b)), inner, outer, charges))
        else:
            pace.append(rest[1:] if hybrid else rest)
    ((potential, *elements),) = pace
    return PairCommands(potential, tuple(elements), tuple(zbl))


def evaluate_zbl(commands: PairCommands, structure: Structure) -> Result:
    """Energy, forces and virial of the repulsion of one structure."""
    from ase.data import atomic_numbers

    numbers = [atomic_numbers[element] for element in commands.elements]
    types = np.array([numbers.index(Z) + 1 for Z in structure.numbers])
    edges = edges_of(structure, max((pair.outer for pair in commands.zbl), default=0.0))
    r = np.linalg.norm(edges.D, axis=1)
    energies, slopes = np.zeros((2, len(r)))
    for pair in commands.zbl:
        a, b = pair.types
        of_pair = ((types[edges.i] == a) & (types[edges.j] == b)) | (
            (types[edges.i] == b) & (types[edges.j] == a)
        )
        mine = np.flatnonzero(of_pair & (r < pair.outer))
        # Each pair is there twice, once from either side.
        energies[mine], slopes[mine] = (value / 2 for value in _pair_energy(pair, r[mine]))
    gradients = (slopes / r)[:, None] * edges.D
    return from_edges(float(energies.sum()), edges, gradients, len(structure))


def _pair_energy(pair: ZblPair, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E and dE/dr."""
    E, dE, _ = _screened(pair, r)
    Ec, dEc, ddEc = _screened(pair, np.array(pair.outer))
    d = pair.outer - pair.inner
    A = (-3 * dEc + d * ddEc) / d**2
    B = (2 * dEc - d * ddEc) / d**3
    C = -Ec + d * dEc / 2 - d**2 * ddEc / 12
    s = np.clip(r - pair.inner, 0.0, None)
    return E + A / 3 * s**3 + B / 4 * s**4 + C, dE + A * s**2 + B * s**3


def _screened(pair: ZblPair, r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Zi Zj e² / r phi(r / a) and its first two derivatives."""
    Zi, Zj = pair.charges
    a = 0.46850 / (Zi**0.23 + Zj**0.23)
    phi = [sum(c * (-b / a) ** k * np.exp(-b * r / a) for c, b in _TERMS) for k in range(3)]
    E = phi[0] / r
    dE = phi[1] / r - phi[0] / r**2
    ddE = phi[2] / r - 2 * phi[1] / r**2 + 2 * phi[0] / r**3
    scale = _COULOMB * Zi * Zj
    return scale * E, scale * dE, scale * ddE
