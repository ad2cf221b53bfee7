"""Error against the number of training structures, for the sets of `accuracy.py`.

    python benchmarks/learning_curves.py DATA_DIR --sets si cu --plot docs/images/learning_curves.png

Subsets are nested, drawn at random once; the tool chooses the basis anew at each size: within `--effort` for parts of a
set, within the default's for the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, write_as_they_come
from reference_sets import FILES, load

from thalweg import api
from thalweg.evaluation import compare
from thalweg.fitting import is_isolated_atom

TITLES = {"inp": "InP", "acac": "acetylacetone"}
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


LONGEST_REACH = 8.0
"""Å. An atom with no neighbour so far away is isolated, whatever cutoff a fit chooses."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, help="folder of the reference data")
    arguments.add_argument("--sets", nargs="+", choices=list(FILES), default=list(FILES))
    arguments.add_argument("--effort", type=float, default=0.05, help="of fits to parts of a set")
    arguments.add_argument("--shares", nargs="+", type=float, default=list(SHARES))
    arguments.add_argument("--plot", type=Path, help="PNG of all curves measured so far")
    options = arguments.parse_args()
    for name in options.sets:
        rows = curve(name, options.data, options.effort, options.shares)
        title, about = (
            f"{name}: energies in meV/atom, forces in eV/Å",
            {"set": name, "effort": options.effort},
        )
        write_as_they_come(f"learning-{name}", title, rows, about, options.output)
    if options.plot:
        plot(options.plot)


def curve(name: str, folder: Path, effort: float, shares: list[float]) -> Iterator[dict[str, Any]]:
    """Errors on the first test part of the set's last task, one row for each size."""
    task = load(name, folder)[-1]
    part, test = next(iter(task.tests.items()))
    alone = [pair for pair in task.train if is_isolated_atom(pair[0], LONGEST_REACH)]
    others = [pair for pair in task.train if not is_isolated_atom(pair[0], LONGEST_REACH)]
    order = np.random.default_rng(0).permutation(len(others))
    for share in shares:
        chosen = [others[k] for k in order[: round(share * len(others))]]
        began = time.perf_counter()
        potential = api.fit(alone + chosen, effort=effort if share < 1.0 else 1.0).potential
        seconds = time.perf_counter() - began
        errors = compare(potential, test).to_json()
        yield {
            "structures": len(chosen),
            "energy_mae": 1000 * errors["energy_mae"],
            "forces_mae": errors["forces_mae"],
            "energy_rmse": 1000 * errors["energy_rmse"],
            "forces_rmse": errors["forces_rmse"],
            "r_cut": potential.basis.r_cut,
            "features": potential.basis.n_features,
            "test": part,
            "seconds": seconds,
        }


def plot(path: Path) -> None:
    """Curves of every set whose result file is there."""
    import json

    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt
    from common import RESULTS

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for name in FILES:
        file = RESULTS / f"learning-{name}.json"
        if file.exists():
            rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
            n = [row["structures"] for row in rows]
            left.loglog(
                n, [row["forces_mae"] for row in rows], "o-", label=TITLES.get(name, name.capitalize())
            )
            right.loglog(n, [row["energy_mae"] for row in rows], "o-")
    left.set(xlabel="training structures", ylabel="force MAE (eV/Å)")
    right.set(xlabel="training structures", ylabel="energy MAE (meV/atom)")
    left.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
