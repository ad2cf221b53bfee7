"""Oracle calls to reach the target: asking where the model is uncertain, against asking at random.

Both arms run the whole loop (examples/malonaldehyde.yaml: seeds, audits, certification, stop) and differ in
nothing but `acquisition.strategy`. For each run

    certified at   calls (audits and failures included) when the audits first certified the target
    calls, audits  in all, when the run stopped by itself; wall time in s
    rmse, q95      of the final model on 200 structures of an oracle MD at 500 K: an independent measure
    met at         labels after which 95 % of the atoms of that MD were within the target, interpolated: what
                   the strategy is worth apart from audits and stopping

and, since runs stop at different numbers of calls, the same errors after equal numbers of labels, learned
again in the order in which the run learned them. Every run folder is kept below --folder, so that parts can
be made at different times:

    python benchmarks/acquisition.py --seeds 1 2 3 --arms information random
    python benchmarks/acquisition.py --seeds 4 --resume          finished runs are only read
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from against_oracle import accuracy
from common import EXAMPLES, RESULTS, parser, show, write
from learned_run import LearnedRun
from systems import Labelled, malonaldehyde_frames

from thalweg.config import load_config, override
from thalweg.loop.runner import run

ARMS = ("information", "random")
COUNTS = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120)
COLUMNS = ("certified at", "met at", "calls", "audits", "wall s", "rmse", "q95", "within")


def make_run(arm: str, seed: int, folder: Path, *, resume: bool, changes: dict[str, Any]) -> LearnedRun:
    """Run one arm with one seed, or go on with it, or read it where it is finished."""
    if not resume and folder.exists():
        shutil.rmtree(folder)
    if not (resume and _finished(folder)):
        config = load_config(EXAMPLES / "malonaldehyde.yaml")
        config = override(config, {"acquisition.strategy": arm, "seed": seed, **changes})
        folder.mkdir(parents=True, exist_ok=True)
        run(config, folder)
    return LearnedRun.read(folder)


def _finished(folder: Path) -> bool:
    return (folder / "summary.json").exists() and LearnedRun.read(folder).summary["stop"] is not None


def describe(arm: str, seed: int, learned: LearnedRun, test: Labelled) -> dict[str, Any]:
    """One row of the table."""
    final = accuracy(learned.potential, test)
    summary = learned.summary
    return {
        "arm": arm,
        "seed": seed,
        "certified at": learned.calls_to_certificate(),
        "calls": summary["oracle_calls"],
        "audits": summary["audit_calls"],
        "failed": summary["failed_calls"],
        "wall s": summary["timing"]["wall"],
        "rmse": final.force_rmse,
        "q95": final.force_error_quantile,
        "within": final.within,
        "stop": (summary["stop"] or {}).get("reason"),
    }


def curve(arm: str, seed: int, learned: LearnedRun, test: Labelled) -> list[dict[str, Any]]:
    """Errors on the fixed test set after the first n labels."""
    rows = []
    for n, potential in learned.learned_after(COUNTS):
        errors = accuracy(potential, test)
        rows.append(
            {
                "arm": arm,
                "seed": seed,
                "labels": n,
                "rmse": errors.force_rmse,
                "q95": errors.force_error_quantile,
            }
        )
    return rows


def met_at(points: Sequence[dict[str, Any]], force_error: float) -> float | None:
    """Labels at which the 95 % quantile falls to `force_error` for good, log-log between points, or None.

    The lowest number of labels where the first point is already below.
    """
    above = [k for k, point in enumerate(points) if point["q95"] > force_error]
    if not above:
        return float(points[0]["labels"]) if points else None
    last = above[-1]
    if last + 1 == len(points):
        return None
    one, other = points[last], points[last + 1]
    drop = np.log(one["q95"] / force_error) / np.log(one["q95"] / other["q95"])
    return float(one["labels"] * (other["labels"] / one["labels"]) ** drop)


def by_arm(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean ± standard deviation over the seeds; of runs that have the number at all (`certified` of them)."""
    found = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        means = {column: _spread([row[column] for row in mine]) for column in COLUMNS}
        certified = sum(row["certified at"] is not None for row in mine)
        found.append({"arm": arm, "runs": len(mine), "certified": certified, **means})
    return found


def curves_by_arm(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean ± standard deviation at each number of labels that all seeds of an arm reached."""
    found: dict[int, dict[str, Any]] = {}
    for n in sorted({row["labels"] for row in rows}):
        found[n] = {"labels": n}
        for arm in dict.fromkeys(row["arm"] for row in rows):
            mine = [row for row in rows if row["arm"] == arm]
            here = [row for row in mine if row["labels"] == n]
            whole = len(here) == len({row["seed"] for row in mine})
            for key in ("rmse", "q95"):
                found[n][f"{arm} {key}"] = _spread([row[key] for row in here] if whole else [])
    return list(found.values())


def _spread(values: Sequence[float | None]) -> str | None:
    numbers = [float(value) for value in values if value is not None]
    if not numbers:
        return None
    if len(numbers) == 1:
        return f"{numbers[0]:.4g}"
    return f"{np.mean(numbers):.4g} ± {statistics.stdev(numbers):.2g}"


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    made.add_argument("--arms", nargs="+", default=list(ARMS))
    made.add_argument("--folder", type=Path, default=RESULTS / "acquisition", help="where run folders lie")
    made.add_argument(
        "--resume", action="store_true", help="go on with runs that are there, read finished ones"
    )
    made.add_argument("--max-calls", type=int, help="budget instead of the example's")
    made.add_argument("--no-curves", action="store_true", help="leave out the learning curves (20 s a run)")
    options = made.parse_args()
    changes = {} if options.max_calls is None else {"budget.oracle_calls": options.max_calls}
    test: Labelled = list(malonaldehyde_frames()[500.0].labelled)
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for seed in options.seeds:
        for arm in options.arms:
            folder = options.folder / f"{arm}-{seed}"
            learned = make_run(arm, seed, folder, resume=options.resume, changes=changes)
            rows.append(describe(arm, seed, learned, test))
            points = [] if options.no_curves else curve(arm, seed, learned, test)
            rows[-1]["met at"] = met_at(points, learned.setup.config.target.force_error)
            show(f"{arm}, seed {seed}", rows[-1:])
            curves += points
    show("Runs; errors on an oracle MD at 500 K, eV/Å", rows)
    show("By arm, mean ± standard deviation over the seeds", by_arm(rows))
    show("After equal numbers of labels, errors at 500 K, eV/Å", curves_by_arm(curves))
    document = {
        "runs": rows,
        "by_arm": by_arm(rows),
        "curves": curves,
        "curves_by_arm": curves_by_arm(curves),
    }
    write("acquisition", document, options.output)


if __name__ == "__main__":
    main()
