"""One block of every walker: let the explorer advance it, judge, step back where needed, draw audits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.calibration import Calibration
from thalweg.explorers.base import CoreField, Snapshot, Walker
from thalweg.explorers.explorer import AnyExplorer
from thalweg.explorers.limits import NOVELTY_BREAK, Limits
from thalweg.explorers.visit import Visit
from thalweg.explorers.walker import in_step
from thalweg.features.batch import numbers_of
from thalweg.labelling.question import Reason
from thalweg.loop.events import Explore
from thalweg.loop.walking.gate import GateAnswer, GateLimits, Judgement, judge
from thalweg.loop.walking.watch import Parted, Watch, cut_short
from thalweg.structure import Structure
from thalweg.units import kB

SLACK = 1.5
SPIKE = 0.5
"""eV/atom above a walker's first energy, besides thermal fluctuations, that no sane trajectory gains."""


@dataclass(frozen=True, eq=False)
class Walk:
    """What a block brought: results and judgements, one for each walker that was free to go.

    `parted` are the walkers, by number, that ceased to be like their start, `stops` says whether they are sent back.
    """

    results: tuple[Visit[Any], ...]
    judgements: tuple[Judgement, ...]
    parted: Mapping[int, Parted] = field(default_factory=dict)
    stops: bool = True

    def goes_back(self, walker: int) -> Parted | None:
        """Why this walker goes back to its start; None where it does not."""
        return self.parted.get(walker) if self.stops else None

    def result_of(self, walker: int) -> Visit[Any] | None:
        """The block of this walker; None where it was held."""
        for judgement, result in zip(self.judgements, self.results, strict=True):
            if judgement.walker == walker:
                return result
        return None

    @property
    def steps(self) -> int:
        """Steps done, all walkers together."""
        return sum(result.n_steps for result in self.results)

    @property
    def atom_steps(self) -> int:
        """Steps done times atoms moved, all walkers together."""
        return sum(result.n_steps * len(result.state.structure) for result in self.results)


def gate_limits(action: Explore) -> GateLimits:
    """The limits of a block."""
    novelty_break = max(action.novelty_limit, NOVELTY_BREAK)
    return GateLimits(action.limit, action.break_limit, action.novelty_limit, novelty_break)


def walk(
    explorer: AnyExplorer,
    field: CoreField,
    walkers: Sequence[Walker],
    action: Explore,
    calibration: Calibration,
    *,
    taught: Mapping[int, float],
    watch: Watch | None = None,
) -> Walk:
    """Advance every walker that is not held by one block, each until its own break, and judge what was met.

    `taught` names walkers that stand where asking again would teach nothing, since the structure is learned or the
    oracle cannot answer it, with their bound there (eV/Å). Where that is still above the break limit, such a walker
    may go on until it is SLACK times as uncertain; if it cannot make a single step even so, it is rejected.
    `watch` holds walkers against their starts; of one that has parted and is sent back only what came before counts.
    """
    numbers = numbers_of(field.elements)
    limits = gate_limits(action)
    going = [k for k in range(len(walkers)) if k not in action.held]
    free = dict(zip(going, in_step([walkers[k] for k in going]), strict=True))
    lines = {k: calibration.bounds.lines(numbers, walker.temperature) for k, walker in free.items()}
    each = [
        Limits(
            bound_label=limits.label,
            bound_break=max(limits.break_, SLACK * taught.get(k, 0.0)),
            novelty_label=limits.novelty_label,
            novelty_break=limits.novelty_break if k not in taught else math.inf,
            energy_rise_max=SPIKE + 6.0 * kB * walker.temperature,
            species_factor=tuple(lines[k][0]),
            species_floor=tuple(lines[k][1]),
        )
        for k, walker in free.items()
    ]
    n_steps = max(1, round(action.block_fs / explorer.step_fs))
    # Samples for audits come from every block, short ones too.
    every = max(1, min(explorer.sample_every, n_steps // 4))
    results = explorer.advance(field, list(free.values()), n_steps, each, sample_every=every)
    parted: dict[int, Parted] = {}
    if watch is not None:
        parted = _parted(watch, free, results)
        if watch.stops:
            results = [
                cut_short(visit, parted[k]) if k in parted else visit
                for k, visit in zip(free, results, strict=True)
            ]
    judgements = tuple(
        _unless_excluded(watch, _judge(k, result, limits, stands_still=k in taught and result.is_stuck))
        for k, result in zip(free, results, strict=True)
    )
    return Walk(tuple(results), judgements, parted, watch is None or watch.stops)


def _parted(watch: Watch, walkers: Mapping[int, Walker], results: Sequence[Visit[Any]]) -> dict[int, Parted]:
    found = {
        k: watch.parted(k, walkers[k].structure, visit) for k, visit in zip(walkers, results, strict=True)
    }
    return {k: parted for k, parted in found.items() if parted is not None}


def _unless_excluded(watch: Watch | None, judgement: Judgement) -> Judgement:
    """No question about a moment between two samples at which the walker had parted."""
    moment = judgement.moment
    if watch is None or moment is None or not watch.excludes(judgement.walker, moment.structure):
        return judgement
    return Judgement(judgement.walker, GateAnswer.TRUST)


def _judge(walker: int, result: Visit[Any], limits: GateLimits, *, stands_still: bool) -> Judgement:
    """The gate's answer; stepping back to where a walker cannot get away from would repeat itself forever."""
    judgement = judge(walker, result, limits)
    if stands_still and judgement.answer is GateAnswer.BACKTRACK:
        return Judgement(walker, GateAnswer.REJECT, judgement.reason)
    return judgement


def at_random(walk: Walk, rng: np.random.Generator) -> Walk:
    """The control arm: where a walker has a question, it is about a moment of its block drawn at random.

    When to ask is left as it is, so that two arms differ in nothing but what they ask.
    """
    judgements = []
    for judgement, result in zip(walk.judgements, walk.results, strict=True):
        moments = list(result.samples)
        if not moments or judgement.answer is GateAnswer.TRUST:
            judgements.append(judgement)
            continue
        moment = moments[int(rng.integers(len(moments)))]
        reason = Reason("random", -1, "", moment.bound_max or 0.0, math.inf, "drawn at random (control arm)")
        answer = (
            GateAnswer.BACKTRACK
            if judgement.answer in (GateAnswer.BACKTRACK, GateAnswer.REJECT)
            else GateAnswer.LABEL
        )
        judgements.append(Judgement(judgement.walker, answer, reason, moment))
    return dataclasses.replace(walk, judgements=tuple(judgements))


def next_walkers(
    explorer: AnyExplorer,
    walk: Walk,
    walkers: Sequence[Walker],
    homes: Sequence[Walker],
    rng: np.random.Generator,
    starts: Sequence[Structure] = (),
) -> tuple[list[Walker], list[Walker]]:
    """Where each walker goes on from, and where each was last trusted; one that was held stands where it stood.

    After backtrack it goes on from the sane moment; after reject the explorer restarts it from its home. One that has
    parted and is sent back begins again at its start, of which `starts` has one for each walker.
    """
    standing, trusted = list(walkers), list(homes)
    for judgement, result in zip(walk.judgements, walk.results, strict=True):
        state, home = result.state, homes[judgement.walker]
        if (parted := walk.goes_back(judgement.walker)) is not None:
            there = explorer.step_back(state, parted.moment)
            state = home = explorer.restart(there, starts[judgement.walker], rng)
            standing[judgement.walker], trusted[judgement.walker] = state, home
            continue
        match judgement.answer:
            case GateAnswer.TRUST:
                home = state
            case GateAnswer.BACKTRACK if judgement.moment is not None:
                state = explorer.step_back(state, judgement.moment)
            case GateAnswer.REJECT:
                state = explorer.restart(state, home.structure, rng, stuck=result.is_stuck)
        standing[judgement.walker], trusted[judgement.walker] = state, home
    return standing, trusted


def draw_audits(walk: Walk, n: int, rng: np.random.Generator) -> list[tuple[int, Snapshot]]:
    """`n` moments of the block at random, spread over the walkers that went: (walker, moment)."""
    order = [int(k) for k in rng.permutation(len(walk.results))]
    drawn = []
    for turn in range(n):
        place = order[turn % len(order)]
        samples = walk.results[place].samples
        if len(samples):
            drawn.append((walk.judgements[place].walker, samples[int(rng.integers(len(samples)))]))
    return drawn
