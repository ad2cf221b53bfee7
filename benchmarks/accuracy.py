"""Errors of `thalweg fit` with nothing set, on sets with published errors, beside those errors.

    python benchmarks/accuracy.py DATA_DIR --sets si cu mo ta inp acac

`DATA_DIR` holds the files named in `reference_sets.py`. One result file for each set.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, show, write
from published import PUBLISHED, Published
from reference_sets import FILES, Labelled, ReferenceSet, load

from thalweg import api
from thalweg.evaluation import compare
from thalweg.potential import Potential

ERRORS = ("energy_mae", "energy_rmse", "forces_mae", "forces_rmse")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, help="folder of the reference data")
    arguments.add_argument("--sets", nargs="+", choices=list(FILES), default=list(FILES))
    arguments.add_argument("--effort", type=float, default=1.0, help="as in `thalweg fit`")
    options = arguments.parse_args()
    for name in options.sets:
        tasks = [measure(task, options.effort) for task in load(name, options.data)]
        rows = [row for task in tasks for row in task["rows"]]
        rows += [_of_others(published) for published in PUBLISHED[name]]
        show(f"{name}: energies in meV/atom, forces in eV/Å", rows)
        write(f"accuracy-{name}", {"set": name, "effort": options.effort, "tasks": tasks}, options.output)


def measure(task: ReferenceSet, effort: float) -> dict[str, Any]:
    """Fit one task, and compare."""
    start = time.perf_counter()
    result = api.fit(task.train, effort=effort)
    seconds = time.perf_counter() - start
    print(f"\n{task.name}: {len(task.train)} labels, {seconds:.0f} s")
    print("\n".join(f"  {line}" for line in result.story()))
    document = result.to_json()
    blocks = {"training": document["train"]}
    blocks |= {name: compare(result.potential, labelled).to_json() for name, labelled in task.tests.items()}
    return {
        "name": task.name,
        "seconds": seconds,
        "timing": document["timing"],
        "model": document["model"],
        "errors": blocks,
        "rows": [_own(f"{task.name}, {part}", block) for part, block in blocks.items()],
        "us_per_atom": cost(result.potential, next(iter(task.tests.values()), task.train)),
    }


def cost(potential: Potential, labelled: Labelled) -> float:
    """Energies and forces of the mean potential, µs per atom, over the largest structure; least of five."""
    from thalweg.features.batch import pack

    structure = max((pair[0] for pair in labelled), key=len)
    packed = pack([structure], potential.elements)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        potential.force_field.compute(*packed.arrays, deviation=False, novelty=False)
        times.append(time.perf_counter() - start)
    return float(np.min(times)) / len(structure) * 1e6


def _own(part: str, block: Mapping[str, Any]) -> dict[str, Any]:
    return _row("thalweg fit", part, {key: block.get(key) for key in ERRORS}, per_atom=1000.0)


def _of_others(published: Published) -> dict[str, Any]:
    values = asdict(published)
    return _row(published.model, f"{published.source}, {published.part}", values, per_atom=1.0)


def _row(model: str, part: str, values: Mapping[str, Any], *, per_atom: float) -> dict[str, Any]:
    row: dict[str, Any] = {"model": model, "of": part}
    for key in ERRORS:
        value = values.get(key)
        row[key] = None if value is None else value * (per_atom if key.startswith("energy") else 1.0)
    return row


if __name__ == "__main__":
    main()
