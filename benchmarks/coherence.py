"""False alarms, and true ones, of holding labels against each other: random parts of published sets of labels.

    python benchmarks/coherence.py DATA_DIR [--seeds 5]

Every extended XYZ file below DATA_DIR, compressed with xz or not, is taken as one set.
"""

from __future__ import annotations

import io
import lzma
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from common import Row, parser, write_as_they_come

from thalweg.coherence import coherence_basis, hold_together
from thalweg.features.defaults import ordered_elements
from thalweg.fitting.references import is_isolated_atom
from thalweg.label import Label
from thalweg.structure import Structure

SIZES = (8, 20, 50, 200)
SURELY_ISOLATED = 8.0
"""Å."""

Labelled = list[tuple[Structure, Label]]


def labels_of(path: Path) -> Labelled:
    """The labelled structures of a file, isolated atoms apart."""
    text = (lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()).decode()
    found = [_labelled(atoms) for atoms in ase.io.read(io.StringIO(text), ":", format="extxyz")]
    return [pair for pair in found if not is_isolated_atom(pair[0], SURELY_ISOLATED)]


def _labelled(atoms: Any) -> tuple[Structure, Label]:
    results = atoms.calc.results
    forces = results.get("forces", np.full((len(atoms), 3), np.nan))
    stress = results.get("stress") if atoms.pbc.all() else None
    return Structure.from_atoms(atoms), Label(results["energy"], forces, stress)


def parts(labels: Labelled, size: int, seeds: int) -> Iterator[Labelled]:
    """Random parts of a set."""
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).permutation(len(labels))[:size]
        yield [labels[i] for i in chosen]


def judged(labels: Labelled) -> tuple[list[str], int, float]:
    """What is found: keys of the findings, labels named as odd, and the seconds that it took."""
    elements = ordered_elements({name for s, _ in labels for name in s.to_atoms().get_chemical_symbols()})
    periodic = any(bool(s.pbc.any()) for s, _ in labels)
    start = time.perf_counter()
    found = hold_together(labels, coherence_basis(elements, periodic))
    odd = sum(len(finding.places) for finding in found.findings if finding.how == "odd")
    return [finding.key for finding in found.findings], odd, time.perf_counter() - start


def rows_of(name: str, labels: Labelled, seeds: int) -> Iterator[Row]:
    """A row for each size of part."""
    for size in (size for size in SIZES if size <= len(labels)):
        results = [judged(part) for part in parts(labels, size, seeds)]
        keys = Counter(key for found, _, _ in results for key in found)
        yield {
            "set": name,
            "labels": size,
            "parts": len(results),
            "silent": sum(not found for found, _, _ in results),
            "odd labels": sum(odd for _, odd, _ in results),
            "found": ", ".join(f"{key} ({n})" for key, n in sorted(keys.items())) or "nothing",
            "s": round(float(np.mean([seconds for _, _, seconds in results])), 2),
        }


def files_below(folder: Path) -> Sequence[Path]:
    """The sets."""
    return sorted([*folder.rglob("*.xyz"), *folder.rglob("*.xyz.xz")])


def main() -> None:
    """Judge them all."""
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, help="folder with sets of labels")
    arguments.add_argument("--seeds", type=int, default=5, help="random parts of each size")
    options = arguments.parse_args()
    rows = (
        row
        for path in files_below(options.data)
        for row in rows_of(path.name.split(".")[0], labels_of(path), options.seeds)
    )
    about = {"seeds": options.seeds}
    write_as_they_come("coherence", "findings in random parts of each set", rows, about, options.output)


if __name__ == "__main__":
    main()
