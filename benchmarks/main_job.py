"""What the README's first command takes, part by part, beside the same command of another source tree.

    run        `thalweg run examples/malonaldehyde.yaml` in a fresh folder and a fresh process
    user, sys  seconds of processor time of that process and of the workers it waited for
    wall       seconds by the clock: of use on a quiet machine only
    parts      processor time of the process by what it was spent on; what is called inside a part is another part

The trees take turns, so that what else the machine does meets both. Compare user time.

    python benchmarks/main_job.py [--against TREE] [--examples malonaldehyde copper] [--repeats 3]

TREE is another checkout with its native module built in `src/thalweg`.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PARTS = {
    "walkers": ["thalweg.explorers.md:advance"],
    "evidence": ["thalweg.models.linear:BayesianLinear.tune", "thalweg.models.noise:hold_noise"],
    "posterior update": ["thalweg.models.linear:BayesianLinear.update"],
    "novelty": ["thalweg.uncertainty.novelty:NoveltyFit.model", "thalweg.uncertainty.novelty:NoveltyFit.add"],
    "labels held together": ["thalweg.loop.asking.holding:Holding.look"],
    "queries ranked": ["thalweg.loop.asking.queue:Queue.pop_queries"],
    "potential made": ["thalweg.potential.potential:Potential.from_model"],
    "predictions": ["thalweg.potential.potential:Potential.predict"],
    "watching walkers": ["thalweg.loop.walking.watch:Watch.parted"],
    "oracle asked": [
        "thalweg.labelling.labeller:Labeller.put",
        "thalweg.labelling.labeller:Labeller.receive",
    ],
    "checkpoints, display": ["thalweg.loop.runner:_Run._checkpoint", "thalweg.loop.runner:_Run._save_model"],
    "loop": ["thalweg.loop.runner:run"],
}
"""Functions that make up each part, as module:name. Those that a tree does not have are passed over."""
REST = "start, imports"


class Meter:
    """Processor time of this process by part, each part without the parts called inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def _charge(self) -> None:
        now = time.process_time()
        name = self._open[-1] if self._open else REST
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def wrap(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its time counted as `part`."""

        @functools.wraps(call)
        def measured(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._open.append(part)
            try:
                return call(*args, **kwargs)
            finally:
                self._charge()
                self._open.pop()

        return measured

    def close(self) -> dict[str, float]:
        """Seconds by part until now."""
        self._charge()
        return self.seconds


def install(meter: Meter, part: str, place: str) -> None:
    """Measure one function, wherever modules hold it by its name."""
    module_name, _, name = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *path, last = name.split(".")
    for step in path:
        owner = getattr(owner, step)
    given = vars(owner)[last]
    plain = given.__func__ if isinstance(given, classmethod | staticmethod) else given
    measured = meter.wrap(part, plain)
    setattr(owner, last, type(given)(measured) if plain is not given else measured)
    for module in [m for n, m in sys.modules.items() if n.startswith("thalweg.")]:
        if not path and vars(module).get(last) is given:
            setattr(module, last, measured)


def child(example: str, folder: str, result: str) -> None:
    """In a process of its own: run the example and write down where its time went."""
    meter = Meter()
    from thalweg.cli.app import main

    importlib.import_module("thalweg.loop.runner")
    for part, places in PARTS.items():
        for place in places:
            with suppress(ImportError, AttributeError, KeyError):
                install(meter, part, place)
    sys.argv = ["thalweg", "run", example, "--run", folder, "--quiet"]
    try:
        main()
    finally:
        Path(result).write_text(json.dumps(meter.close()))


def config_of(example: str) -> Path:
    """The configuration of an example, by its name or path."""
    return Path(example) if example.endswith(".yaml") else HERE.parent / "examples" / f"{example}.yaml"


def run_once(tree: Path, example: str) -> dict[str, Any]:
    """One run of an example by the code of a source tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        folder, result = Path(scratch) / "run", Path(scratch) / "parts.json"
        inputs = [str(config_of(example)), str(folder), str(result)]
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, __file__, "--child", *inputs], env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode not in (0, 3):
            raise RuntimeError(f"the run of {example} by {tree} ended with exit code {process.returncode}")
        summary = json.loads((folder / "summary.json").read_text())
        parts = json.loads(result.read_text())
    audit = summary["audit"]
    return {
        "tree": str(tree),
        "example": example,
        "user": used.ru_utime,
        "sys": used.ru_stime,
        "wall": wall,
        "memory_mb": used.ru_maxrss / 1024,
        "calls": summary["oracle_calls"],
        "md_steps": summary["md_steps"],
        "stop": summary["stop"]["reason"],
        "force_rmse": audit["force_rmse"],
        "coverage": audit["coverage"],
        "parts": parts,
    }


def by_part(runs: list[dict[str, Any]], trees: list[Path]) -> list[dict[str, Any]]:
    """A row for each part: median seconds of each tree, and after over before."""
    names = [REST, *PARTS]
    rows = []
    for name in [*names, "user", "wall"]:
        own = [
            [r["parts"].get(name, 0.0) if name in names else r[name] for r in runs if r["tree"] == str(tree)]
            for tree in trees
        ]
        medians = [statistics.median(values) for values in own]
        row: dict[str, Any] = {"part": name, "this": medians[0]}
        if len(medians) > 1:
            row |= {"other": medians[1], "ratio": medians[0] / medians[1] if medians[1] > 0.005 else None}
        rows.append(row)
    return rows


def main() -> None:
    """Command line."""
    from common import parser, show, write

    command = parser(__doc__)
    command.add_argument("--against", type=Path, metavar="TREE", help="another source tree to compare with")
    command.add_argument(
        "--examples", nargs="+", default=["malonaldehyde"], help="names, or paths of YAML files"
    )
    command.add_argument("--repeats", type=int, default=3)
    options = command.parse_args()
    trees = [HERE.parent, *([options.against.resolve()] if options.against else [])]
    runs: list[dict[str, Any]] = []
    tables = {}
    for example in options.examples:
        for k in range(options.repeats):
            for tree in trees if k % 2 == 0 else trees[::-1]:
                runs.append(run_once(tree, example))
                print({key: value for key, value in runs[-1].items() if key != "parts"}, flush=True)
        tables[example] = by_part([r for r in runs if r["example"] == example], trees)
        show(f"{example}: seconds of processor time", tables[example])
    write("main_job", {"runs": runs, "parts": tables}, options.output)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.path.pop(0)
        child(*sys.argv[2:5])
    else:
        main()
