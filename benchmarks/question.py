"""What the question costs at every step, and whether a screened committee decides as the whole one does.

Cost: µs per atom and step of dynamics with plain forces, with the whole committee of 8 draws and 4 rivals, with the
screened committee, and with screened committee and novelty: the whole question. Agreement: walkers of a silicon
potential that has seen few labels run until an atom's bound passes a limit, once with each committee, from the same
starts with the same random numbers. A screened committee can only be late, by the steps until a row of signs shows the
atom: `late` counts walkers for whom it was, `mean steps` and `most steps` how much over all that fired, `missed` those
it let go for good.

    python benchmarks/question.py [--cases 100 300 700] [--walkers 200]
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from common import parser, show, write
from pace import CASES, Case
from systems import silicon, silicon_potential

from thalweg.explorers.base import CoreField
from thalweg.explorers.limits import Limits, WalkEvent
from thalweg.explorers.md import MdSettings, WalkerState, advance, initial_velocities
from thalweg.models.environments import NoveltyModel
from thalweg.models.rivals import N_RIVALS
from thalweg.potential import Potential, Precision
from thalweg.structure import Structure

ARMS: dict[str, dict[str, Any]] = {
    "plain": {"score_stride": 0},
    "whole": {},
    "screened": {"committee": "screened"},
}
N_DIRECTIONS = 32


def with_rivals(potential: Potential) -> Potential:
    """As many rivals as a fit has; their numbers do not matter to their cost."""
    from dataclasses import replace

    rng = np.random.default_rng(3)
    return replace(potential, rivals=rng.standard_normal((N_RIVALS, *potential.weights.shape)))


def with_novelty(potential: Potential) -> Potential:
    """A novelty model of the usual size; its numbers do not matter to its cost."""
    from dataclasses import replace

    n, p = potential.weights.shape
    rng = np.random.default_rng(2)
    directions = np.stack([np.linalg.qr(rng.standard_normal((p, N_DIRECTIONS)))[0].T for _ in range(n)])
    ones = np.ones((n, p))
    model = NoveltyModel(0 * ones, ones, directions, np.ones((n, N_DIRECTIONS)), np.ones(n))
    return replace(potential, novelty=model)


def step_seconds(potential: Potential, precision: Precision, n_atoms: int, **settings: Any) -> float:
    """The least time of a step over short blocks."""
    atoms = CASES["28n-100"].structure(n_atoms)
    n = len(atoms)
    field = CoreField(potential.elements, potential.field(precision))
    how = MdSettings(timestep_fs=0.01, ensemble="nve", record_stride=0, history_stride=0, **settings)
    state = WalkerState(Structure.from_atoms(atoms), np.zeros((n, 3)), atoms.get_masses(), 1.0, 1, 0)
    limits = Limits(temperature_max=np.inf, min_distance=np.zeros((1, 1)))
    (result,) = advance(field, [state], 2, how, limits)
    least = np.inf
    for _ in range(12):
        start = time.perf_counter()
        (result,) = advance(field, [result.state], 31, how, limits)
        least = min(least, (time.perf_counter() - start) / 32)
    return least


def cost(name: str, case: Case, precision: Precision, n_atoms: int) -> dict[str, Any]:
    plain = with_rivals(case.potential())
    asked = with_novelty(plain)
    micro = {arm: 1e6 * step_seconds(plain, precision, n_atoms, **how) / n_atoms for arm, how in ARMS.items()}
    micro["question"] = 1e6 * step_seconds(asked, precision, n_atoms, committee="screened") / n_atoms
    return {
        "case": name,
        "features": plain.basis.n_features,
        "precision": precision,
        **{f"{arm} µs": value for arm, value in micro.items()},
        **{f"{arm}/plain": micro[arm] / micro["plain"] for arm in ("whole", "screened", "question")},
    }


def starts(potential: Potential, n_walkers: int, temperature: float) -> list[WalkerState]:
    structure = silicon(64, rattle=0.02)
    masses, rng = structure.to_atoms().get_masses(), np.random.default_rng(7)
    return [
        WalkerState(structure, initial_velocities(structure, temperature, rng), masses, temperature, 7, k)
        for k in range(n_walkers)
    ]


def typical_peak(potential: Potential, states: list[WalkerState], n_steps: int) -> float:
    """Median over walkers of the largest bound that they meet, eV/Å."""
    how = MdSettings(timestep_fs=1.0, record_stride=0, history_stride=0)
    free = Limits(temperature_max=np.inf)
    results = advance(CoreField(potential.elements, potential.force_field), states, n_steps, how, free)
    return float(np.median([r.worst.bound_max for r in results if r.worst and r.worst.bound_max]))


def agreement(
    potential: Potential, n_walkers: int, temperature: float, share: float, n_steps: int
) -> dict[str, Any]:
    """Walkers until their bound passes `share` of what they typically meet, by both committees."""
    states = starts(potential, n_walkers, temperature)
    limit = share * typical_peak(potential, states[: min(n_walkers, 20)], n_steps)
    limits = Limits(bound_label=limit, temperature_max=np.inf)
    ends: dict[str, list[int]] = {}
    seconds: dict[str, float] = {}
    for committee in ("whole", "screened"):
        how = MdSettings(timestep_fs=1.0, record_stride=0, history_stride=0, committee=committee)  # type: ignore[arg-type]
        begin = time.perf_counter()
        results = advance(
            CoreField(potential.elements, potential.force_field),
            states,
            n_steps,
            how,
            limits,
            stop_on_label=True,
        )
        seconds[committee] = time.perf_counter() - begin
        ends[committee] = [
            r.event_step if r.event is WalkEvent.LABEL_UNCERTAIN else n_steps + 1 for r in results
        ]
    late = np.subtract(ends["screened"], ends["whole"])
    fired = np.array(ends["whole"]) <= n_steps
    return {
        "temperature K": temperature,
        "limit eV/Å": limit,
        "walkers": n_walkers,
        "fired": int(fired.sum()),
        "early": int((late < 0).sum()),
        "late": int((late > 0).sum()),
        "mean steps": float(late[fired].mean()) if fired.any() else 0.0,
        "most steps": int(late.max()),
        "missed": int((fired & (np.array(ends["screened"]) > n_steps)).sum()),
        "time ratio": seconds["screened"] / seconds["whole"],
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cases", nargs="+", default=["100", "300", "700"], choices=["100", "300", "700"])
    made.add_argument("--atoms", type=int, default=512, choices=[256, 512, 4096])
    made.add_argument("--walkers", type=int, default=100)
    options = made.parse_args()
    costs = [
        cost(name, CASES[f"28n-{name}"], precision, options.atoms)
        for name in options.cases
        for precision in ("double", "mixed")
    ]
    show(f"Cost of the question, {options.atoms} atoms, one thread", costs)
    potential = silicon_potential(6)
    rows = [
        agreement(potential, options.walkers, temperature, share, 1000)
        for temperature in (300.0, 900.0)
        for share in (0.7, 0.9, 1.0)
    ]
    show("Screened against whole committee: when walkers are stopped", rows)
    write("question", {"costs": costs, "agreement": rows}, options.output)


if __name__ == "__main__":
    main()
