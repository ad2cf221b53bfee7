"""Calibration as a run goes: every answer of the oracle, compared with what was predicted before learning it.

Exact finite-sample validity would need exchangeable answers. Learning breaks that; hence older answers weigh
less (`thalweg.calibration.fit`), and the working level moves with the misses (`conformal.adapt_alpha`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.calibration.bounds import BoundMap
from thalweg.calibration.conformal import adapt_alpha
from thalweg.calibration.fit import fit_bounds
from thalweg.calibration.groups import query_share
from thalweg.calibration.intervals import wilson_interval
from thalweg.calibration.records import CalibrationSpec, Compared, Stream
from thalweg.calibration.widening import Residuals, fit_widening
from thalweg.potential import Widening

WINDOW_HALF_LIVES = 6.0
"""Answers older than this weigh below 2 % and are let go."""


@dataclass(frozen=True)
class Coverage:
    """Fraction of atoms whose error was within the bound predicted for it, with its 95 % Wilson interval.

    The interval counts atoms as independent.
    """

    fraction: float
    interval: tuple[float, float]
    n_atoms: int
    n_answers: int


@dataclass(frozen=True)
class Calibration:
    """State: all that a checkpoint must keep. Each answer of `window` holds its bound.

    `residuals` are what recent answers showed of the spread of energies, forces and stress; `n_residuals` counts all.
    Answers that no walker met move `working_alpha`, those of walkers that of their temperature, ((K, alpha), ...).
    """

    spec: CalibrationSpec = field(default_factory=CalibrationSpec)
    n_answers: int = 0
    working_alpha: float | None = None
    window: tuple[Compared, ...] = ()
    residuals: tuple[Residuals, ...] = ()
    n_residuals: int = 0
    alphas: tuple[tuple[float, float], ...] = ()

    @property
    def _keep(self) -> int:
        """Answers that are kept."""
        return int(np.ceil(WINDOW_HALF_LIVES * self.spec.half_life))

    @property
    def alpha(self) -> float:
        """Working fraction of misses: 1 - confidence at first, then adapted."""
        return 1 - self.spec.confidence if self.working_alpha is None else self.working_alpha

    @cached_property
    def bounds(self) -> BoundMap:
        """The map now in force."""
        alphas = dict(self.alphas)
        return fit_bounds(self.window, self.spec, alpha=self.alpha, n_answers=self.n_answers, alphas=alphas)

    def record(self, answer: Compared) -> Calibration:
        """The state after one more answer, judged by its own bounds or else by those now in force.

        Atoms whose forces vanish by symmetry are left out; an answer of such atoms alone changes nothing.
        """
        evidence = answer.evidence()
        if evidence is None:
            return self
        answer = evidence
        if answer.bound is None:
            answer = replace(
                answer, bound=self.bounds.bound(answer.numbers, answer.deviation, answer.temperature)
            )
        state = replace(self, n_answers=self.n_answers + 1, window=(*self.window, answer)[-self._keep :])
        return state._adapted(answer, query_share(self.window))

    def _adapted(self, answer: Compared, share: float) -> Calibration:
        """The working alpha of its temperature, moved by this answer; a query's errors are this share of fair ones."""
        assert answer.bound is not None
        missed = 1 - int((answer.fair_error(share) <= answer.bound).sum()) / len(answer.numbers)
        step, stated = self.spec.adapt_step * self.spec.weight(answer.stream), 1 - self.spec.confidence
        if answer.temperature is None:
            return replace(self, working_alpha=adapt_alpha(self.alpha, stated, missed, step))
        alphas = dict(self.alphas)
        alphas[answer.temperature] = adapt_alpha(alphas.get(answer.temperature, stated), stated, missed, step)
        return replace(self, alphas=tuple(sorted(alphas.items())))

    @cached_property
    def widening(self) -> Widening:
        """The factors now in force on the spread of energies, forces and stress."""
        weights = self.spec.weights([one.stream for one in self.residuals])
        prior = self.spec.faded_prior(self.n_residuals)
        return fit_widening(self.residuals, weights, prior_weight=prior)

    def record_residuals(self, residuals: Residuals) -> Calibration:
        """The state after one more answer has shown what it does of the stated spread."""
        kept = (*self.residuals, residuals)[-self._keep :]
        return replace(self, residuals=kept, n_residuals=self.n_residuals + 1)

    def coverage(self, stream: Stream | None = None, last: int | None = None) -> Coverage:
        """Live coverage over the window: answers of one stream or of all, perhaps only the `last` ones."""
        answers = [a for a in self.window if stream is None or a.stream is stream]
        answers = answers if last is None else answers[-last:] if last > 0 else []
        n = sum(len(a.numbers) for a in answers)
        covered = sum(a.n_covered for a in answers)
        return Coverage(covered / n if n else float("nan"), wilson_interval(covered, n), n, len(answers))

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly, so that a resumed run is the same, bit for bit."""
        return {
            "spec": asdict(self.spec),
            "n_answers": self.n_answers,
            "working_alpha": self.working_alpha,
            "window": [a.to_json() for a in self.window],
            "residuals": [one.to_json() for one in self.residuals],
            "n_residuals": self.n_residuals,
            "alphas": [list(one) for one in self.alphas],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        """Inverse of `to_json`."""
        window = tuple(Compared.from_json(a) for a in data["window"])
        # checkpoints of earlier versions have neither residuals nor alphas of temperatures
        return cls(
            CalibrationSpec(**data["spec"]),
            data["n_answers"],
            data["working_alpha"],
            window,
            residuals=tuple(Residuals.from_json(one) for one in data.get("residuals", ())),
            n_residuals=data.get("n_residuals", 0),
            alphas=tuple((float(t), float(a)) for t, a in data.get("alphas", ())),
        )
