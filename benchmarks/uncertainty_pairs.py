"""What `uncertainty.py` trains on and tests on: families of structures in distribution (ID) and out of it (OOD).

From files of `reference_sets.py` and three more; the other pairs are made by quick oracles (`uncertainty_made.py`).

acac       AcAc at 300 K -> 300 K | 600 K, dihedral scan, path of the proton
si, mo, cu mlearn, AIMD of the bulk -> AIMD | Elastic, Surface, Vacancy
ta         bcc, fcc and stacking faults -> the same | A15, liquid, surfaces
inp        strained cells and most defects -> the same | P interstitials, P antisites, In vacancies
zundel     H5O2+ (librascal), the lower nine tenths of energies -> the same | the top tenth
ammonia    NH3, the first generations of an active learning (Nat. Commun. 12, 5104) -> the same | adversarial ones
water      MP2 dimers within 4.5 Å at 4000 K -> the same | 4.5 to 6 Å
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from reference_sets import FILES, Labelled

from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.store import read_labelled

DEGREES = {1: (12, 10, 8, 6), 2: (7, 5, 4), 3: (6, 4, 3)}
"""By number of elements: 351, 216 and 311 features, so that a fit takes seconds."""
MORE_FILES = {
    "zundel": "zundel/zundel_H5O2p.xyz.xz",
    "ammonia": "ammonia/NH3_adversarial.xyz.xz",
    "water": "water_dimers_mp2/water_dimers_MP2_AVTZ.xyz.xz",
}
N_TRAIN, N_TEST = 100, 80
_LATER_AMMONIA = 78
"""Index of the first adversarial structure."""


@dataclass(frozen=True, eq=False)
class TestSet:
    """Labelled structures of one kind; `ood`: unlike those learned."""

    name: str
    ood: bool
    labelled: Labelled


@dataclass(frozen=True, eq=False)
class Pair:
    """One family: a basis, what it learns, and what it is asked."""

    name: str
    basis: AceBasis
    train: Labelled
    tests: tuple[TestSet, ...]


def pair_of(
    name: str, train: Labelled, same: Labelled, others: dict[str, Labelled], *, cutoff: float | None = None
) -> Pair:
    """A pair with a moderate basis for its elements."""
    elements = {symbol for structure, _ in train for symbol in structure.to_atoms().symbols}
    periodic = any(bool(structure.pbc.any()) for structure, _ in train)
    basis = default_basis(elements, periodic, cutoff, max_degree=DEGREES[len(elements)])
    tests = [TestSet("same", False, same), *(TestSet(key, True, part) for key, part in others.items())]
    return Pair(name, basis, train, tuple(tests))


def some(labelled: Labelled, n: int, seed: int = 0) -> Labelled:
    """At most n of them, drawn at random."""
    order = np.random.default_rng(seed).permutation(len(labelled))[:n]
    return [labelled[i] for i in order]


def shared_out(labelled: Labelled, n_train: int = N_TRAIN, n_test: int = N_TEST) -> tuple[Labelled, Labelled]:
    """Two disjoint random parts; where there are few, the first has three fifths."""
    drawn = some(labelled, n_train + n_test)
    cut = min(n_train, 3 * len(drawn) // 5)
    return drawn[:cut], drawn[cut:]


def acac(folder: Path) -> Pair:
    """Acetylacetone."""
    path = folder / FILES["acac"]
    tests = {
        "600 K": some(read_labelled(path, "test_600K"), N_TEST),
        "dihedral": read_labelled(path, "test_dihedral"),
        "H path": read_labelled(path, "test_H_transfer"),
    }
    train = some(read_labelled(path, "train_300K"), N_TRAIN)
    return pair_of("acac", train, some(read_labelled(path, "test_300K"), N_TEST), tests)


def mlearn(name: str) -> Callable[[Path], Pair]:
    """A metal or silicon, of which only the dynamics of the bulk is learned."""

    def load(folder: Path) -> Pair:
        groups = _by_group(folder / FILES[name])
        train, same = shared_out(groups["AIMD-NVT"], 60, 40)
        others = {group: some(groups[group], 50) for group in ("Elastic", "Surface", "Vacancy")}
        return pair_of(name, train, same, others)

    return load


def tantalum(folder: Path) -> Pair:
    """Tantalum without A15, liquid and surfaces."""
    groups = _by_group(folder / FILES["ta"])
    out = {"A15": ("Displaced_A15", "Volume_A15"), "liquid": ("Liquid",), "surface": ("Surface",)}
    left_out = {group for parts in out.values() for group in parts}
    learned = _together(groups, [group for group in groups if group not in left_out], 50)
    train, same = shared_out(learned, 140, 90)
    return pair_of("ta", train, same, {key: _together(groups, parts, 50) for key, parts in out.items()})


def indium_phosphide(folder: Path) -> Pair:
    """Indium phosphide without three kinds of defects."""
    groups = _by_group(folder / FILES["inp"])
    learned = _together(groups, ("EOS", "Shear", "Strain", "s_aIn", "s_iIn", "s_vP", "s_vv"), 25)
    train, same = shared_out(learned, 105, 70)
    others = {"iP": "s_iP", "aP": "s_aP", "vIn": "s_vIn"}
    return pair_of("inp", train, same, {key: some(groups[group], 25) for key, group in others.items()})


def zundel(folder: Path) -> Pair:
    """H5O2+ of low energy."""
    labelled = read_labelled(folder / MORE_FILES["zundel"])
    limit = float(np.quantile([label.energy for _, label in labelled], 0.9))
    low = [pair for pair in labelled if pair[1].energy <= limit]
    train, same = shared_out(low)
    high = [pair for pair in labelled if pair[1].energy > limit]
    return pair_of("zundel", train, same, {"high energy": some(high, N_TEST)})


def ammonia(folder: Path) -> Pair:
    """NH3 before the adversarial structures."""
    labelled = read_labelled(folder / MORE_FILES["ammonia"])
    train, same = shared_out(labelled[:_LATER_AMMONIA])
    return pair_of("ammonia", train, same, {"adversarial": labelled[_LATER_AMMONIA:]})


def water(folder: Path) -> Pair:
    """Near water dimers."""
    groups = _by_group(folder / MORE_FILES["water"])
    train, same = shared_out(groups["dimer_4000K"])
    return pair_of("water", train, same, {"far": some(groups["dimer_300K_4.5-6.0A"], N_TEST)})


def _by_group(path: Path) -> dict[str, Labelled]:
    """Labelled structures by `config_type`, in the order of the file."""
    text = lzma.decompress(path.read_bytes()).decode("utf-8")
    names = [str(atoms.info["config_type"]) for atoms in ase.io.read(io.StringIO(text), ":", format="extxyz")]
    groups: dict[str, Labelled] = {}
    for name, pair in zip(names, read_labelled(path), strict=True):
        groups.setdefault(name, []).append(pair)
    return groups


def _together(groups: dict[str, Labelled], names: Sequence[str], most: int) -> Labelled:
    """At most so many of each group, laid end to end."""
    return [pair for name in names for pair in some(groups[name], most)]


READ: dict[str, Callable[[Path], Pair]] = {
    "acac": acac,
    "si": mlearn("si"),
    "mo": mlearn("mo"),
    "cu": mlearn("cu"),
    "ta": tantalum,
    "inp": indium_phosphide,
    "zundel": zundel,
    "ammonia": ammonia,
    "water": water,
}
"""Each pair of the data folder."""
