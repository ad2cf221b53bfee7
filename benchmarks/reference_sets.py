"""The sets of labelled structures with published errors: where each file lies in a data folder, and its split.

Si, Cu, Mo    mlearn; Zuo et al., J. Phys. Chem. A 124, 731 (2020); the published split
Ta            Thompson et al., J. Comput. Phys. 285, 316 (2015), from FitSNAP; trained on all, and 80/20 by groups
InP           Cusentino et al., J. Phys. Chem. A 124, 5456 (2020), from FitSNAP; 80/20 by groups
AcAc          acetylacetone; Batatia et al., arXiv:2205.06643 (BOTNet-datasets); trained at 300 K

Ge, Li        mlearn too, as github.com/materialsvirtuallab/mlearn has them: folders with training.json and test.json.
              No rule of the fit was made or changed with their errors in view.

Other files are extended XYZ, compressed with xz: `info['split']`, and `info['config_type']` for the groups.
"""

from __future__ import annotations

import io
import json
import lzma
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from thalweg.label import Label
from thalweg.store import read_labelled
from thalweg.structure import Structure
from thalweg.units import GPa

Labelled = list[tuple[Structure, Label]]

FILES = {
    "si": "mlearn/mlearn_Si.xyz.xz",
    "cu": "mlearn/mlearn_Cu.xyz.xz",
    "mo": "mlearn/mlearn_Mo.xyz.xz",
    "ta": "fitsnap/Ta_JCP2014.xyz.xz",
    "inp": "fitsnap/InP_JPCA2020.xyz.xz",
    "acac": "acac/AcAc.xyz.xz",
    "ge": "mlearn/Ge",
    "li": "mlearn/Li",
}
_VOIGT_OF_MLEARN = {"ge": (0, 1, 2, 5, 4, 3), "li": (0, 1, 2, 4, 5, 3)}
"""Where xx yy zz yz xz xy stand: xx yy zz xy xz yz for germanium, xx yy zz xy yz xz for lithium."""
SPLITS = {"acac": ("300 K", "600 K", "H transfer", "dihedral")}
_ACAC = {"300 K": "300K", "600 K": "600K", "H transfer": "H_transfer", "dihedral": "dihedral"}
_TEST_SHARE = 0.2
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """One task: what to train on and what to test on, by name."""

    name: str
    train: Labelled
    tests: dict[str, Labelled]


def load(name: str, folder: Path) -> list[ReferenceSet]:
    """The tasks of a set."""
    path = folder / FILES[name]
    if name in _VOIGT_OF_MLEARN:
        parts = [_of_mlearn(path / f"{part}.json", _VOIGT_OF_MLEARN[name]) for part in ("training", "test")]
        return [ReferenceSet(name, parts[0], {"test": parts[1]})]
    if name == "acac":
        tests = {key: read_labelled(path, f"test_{part}") for key, part in _ACAC.items()}
        return [ReferenceSet(name, read_labelled(path, "train_300K,isolated"), tests)]
    if name in ("ta", "inp"):
        labelled = read_labelled(path)
        held_out = _by_groups(path)
        train = [pair for pair, out in zip(labelled, held_out, strict=True) if not out]
        split = ReferenceSet(
            f"{name}, 80/20", train, {"test": [p for p, out in zip(labelled, held_out, strict=True) if out]}
        )
        return [split] if name == "inp" else [ReferenceSet(f"{name}, all", labelled, {}), split]
    return [ReferenceSet(name, read_labelled(path, "train"), {"test": read_labelled(path, "test")})]


def _of_mlearn(path: Path, voigt: tuple[int, ...]) -> Labelled:
    """Structures of a file of mlearn; its stress is in kBar, positive where compressed."""
    labelled = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        sites, known = entry["structure"]["sites"], entry["outputs"]
        atoms = Atoms(
            [site["species"][0]["element"] for site in sites],
            positions=[site["xyz"] for site in sites],
            cell=entry["structure"]["lattice"]["matrix"],
            pbc=True,
        )
        stress = -0.1 * GPa * np.array(known["virial_stress"])[list(voigt)]
        label = Label(
            energy=known["energy"], forces=np.array(known["forces"]), stress=stress, oracle="imported"
        )
        labelled.append((Structure.from_atoms(atoms), label))
    return labelled


def _by_groups(path: Path) -> list[bool]:
    """Whether each structure is held out: a fifth of every group, drawn at random."""
    text = lzma.decompress(path.read_bytes()).decode("utf-8")
    groups = np.array(
        [str(a.info["config_type"]) for a in ase.io.read(io.StringIO(text), ":", format="extxyz")]
    )
    rng = np.random.default_rng(_SPLIT_SEED)
    out = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        out[members[: round(_TEST_SHARE * len(members))]] = True
    return out.tolist()
