"""What stands between a run and its target, and the setting to change: pure functions of what was measured.

    basis     residuals at audited structures stay above the target after these were learned: no label mends them
    oracle    the oracle's forces scatter between structures a thousandth of an ångström apart: no basis mends them
    hottest   audits of the hottest walkers miss the target, those of all others meet it

An advice is given when its evidence is beyond chance, and withdrawn when the evidence is gone: in between it stays as
it is. Residuals of learned structures are below the error elsewhere, so that the first two never speak too early.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from thalweg.calibration.intervals import effective_trials, wilson_interval
from thalweg.loop.deciding.audit_record import AuditRecord, Target

LEAST_AUDITS = 4
"""Learned audits below which residuals say nothing."""
LEAST_HOT = 4
"""Audits of the hottest walkers, and of the others, below which they are not compared."""
RECENT = 0.5
"""Audits of models that had at least this share of the labels of today."""
LEVEL = 0.9
"""Two-sided, of the intervals that evidence must clear."""
NOISY = 0.5
"""Scatter over residual from which on the oracle is to blame: a quarter of the variance."""


class About(StrEnum):
    """What an advice is about."""

    BASIS = "basis"
    ORACLE = "oracle"
    HOTTEST = "hottest"


@dataclass(frozen=True)
class Advice:
    """One advice: `text` for people, `setting` names the settings to change, `data` has the measured numbers."""

    about: About
    text: str
    setting: str
    data: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "about": self.about.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Advice:
        """Inverse of `to_json`."""
        return cls(About(data["about"]), data["text"], data["setting"], data["data"])


@dataclass(frozen=True)
class Smoothness:
    """Scatter of the oracle's answers at nearly one structure: per force component, eV/Å, and of the energy, eV."""

    forces: float
    energy: float
    calls: int


@dataclass(frozen=True)
class Settings:
    """Settings that an advice names: the basis as it is, and which of its settings the user has fixed."""

    r_cut: float
    max_degree: tuple[int, ...]
    fixed: tuple[str, ...] = ()
    oracle: str = ""


@dataclass(frozen=True)
class Evidence:
    """What was measured.

    Attributes
    ----------
    audits : of what is walked now, in order
    n_labels : learned by now
    residuals : per audited structure that was learned, |F_model - F_oracle| of each atom now, eV/Å
    smoothness : None where it was not measured
    """

    target: Target
    settings: Settings
    audits: tuple[AuditRecord, ...] = ()
    n_labels: int = 0
    residuals: tuple[tuple[float, ...], ...] = ()
    smoothness: Smoothness | None = None


@dataclass(frozen=True)
class Share:
    """Atoms within the target: the fraction, its interval at LEVEL, and over how many atoms and structures."""

    fraction: float
    low: float
    high: float
    n_atoms: int
    n_structures: int

    @classmethod
    def of(cls, errors: Sequence[Sequence[float]], target: Target) -> Share:
        """From the errors (eV/Å) of each structure's atoms; atoms of one structure are taken as alike."""
        sizes = [len(one) for one in errors]
        within = [sum(e <= target.force_error for e in one) for one in errors]
        fraction = sum(within) / sum(sizes)
        n_star = effective_trials(within, sizes, 0.5 + LEVEL / 2)
        low, high = wilson_interval(fraction * n_star, n_star, LEVEL)
        return cls(fraction, low, high, sum(sizes), len(sizes))

    def words(self) -> str:
        """The fraction with its interval."""
        return f"{100 * self.fraction:.1f} % ({100 * self.low:.0f} to {100 * self.high:.0f} %) of {self.n_atoms} atoms"


def floor_of(residuals: Sequence[Sequence[float]]) -> float:
    """Root mean square residual of a force component at learned structures, eV/Å; 0 without any."""
    squares = [e * e for one in residuals for e in one]
    return math.sqrt(sum(squares) / (3 * len(squares))) if squares else 0.0


def misfit_suspected(evidence: Evidence, given: Sequence[Advice] = ()) -> bool:
    """Whether residuals at learned structures keep the target from being met, by basis or by oracle."""
    if len(evidence.residuals) < LEAST_AUDITS:
        return False
    share = Share.of(evidence.residuals, evidence.target)
    if any(one.about in (About.BASIS, About.ORACLE) for one in given):
        return share.fraction < evidence.target.confidence
    return share.high < evidence.target.confidence


def advise(evidence: Evidence, given: Sequence[Advice] = ()) -> tuple[Advice, ...]:
    """What holds now; `given` are the advices in force, which stay until their evidence is gone."""
    found = (_misfit(evidence, given), _hottest(evidence, given))
    return tuple(one for one in found if one is not None)


def _misfit(evidence: Evidence, given: Sequence[Advice]) -> Advice | None:
    """Basis or oracle: one of the two, by what was measured."""
    if not misfit_suspected(evidence, given):
        return None
    floor = floor_of(evidence.residuals)
    smoothness = evidence.smoothness
    if smoothness is not None and smoothness.forces >= NOISY * floor:
        return _oracle(evidence, floor, smoothness)
    return _basis(evidence, floor)


def _basis(evidence: Evidence, floor: float) -> Advice:
    target, settings = evidence.target, evidence.settings
    share, reachable = Share.of(evidence.residuals, target), _reachable(evidence.residuals, target)
    smooth = evidence.smoothness
    excluded = (
        "" if smooth is None else f"; the oracle is smooth (forces scatter by {smooth.forces:.2g} eV/Å)"
    )
    text = (
        f"the basis cannot meet the target: at {share.n_structures} audited structures, learned since, "
        f"{share.words()} are within {target.force_error:g} eV/Å, {100 * target.confidence:g} % are wanted, and more "
        f"labels do not mend that{excluded}; {_larger(settings)}, or accept target.force_error: {reachable:.2g} eV/Å"
    )
    data = {"within": share.fraction, "floor": floor, "reachable": reachable}
    if smooth is not None:
        data["oracle_scatter"] = smooth.forces
    return Advice(About.BASIS, text, "model.max_degree, model.r_cut", data)


def _larger(settings: Settings) -> str:
    now = f"now {settings.r_cut:.3g} Å and {list(settings.max_degree)}"
    if settings.fixed:
        which = " and ".join(settings.fixed)
        return (
            f"leave out {which}, which your configuration fixes, or raise them ({now}), in a new run folder"
        )
    return f"in a new run folder set a longer model.r_cut or larger model.max_degree ({now})"


def _reachable(errors: Sequence[Sequence[float]], target: Target) -> float:
    """The force error (eV/Å) that the target's share of these atoms does not exceed."""
    return float(np.quantile([e for one in errors for e in one], target.confidence))


def _oracle(evidence: Evidence, floor: float, smoothness: Smoothness) -> Advice:
    reachable = _reachable(evidence.residuals, evidence.target)
    name = evidence.settings.oracle or "the oracle"
    text = (
        f"{name} is not smooth: at structures 0.001 Å apart its forces scatter by {smoothness.forces:.2g} eV/Å per "
        f"component (energy {1000 * smoothness.energy:.2g} meV; {smoothness.calls} calls), and {floor:.2g} eV/Å is "
        "what stays unexplained of learned forces; converge it more tightly, in the `oracle` section (SCF threshold, "
        "for tblite `accuracy`, k-points and grids), in a new run folder, or accept target.force_error: "
        f"{reachable:.2g} eV/Å"
    )
    data = {"oracle_scatter": smoothness.forces, "energy_scatter": smoothness.energy, "floor": floor}
    return Advice(About.ORACLE, text, "oracle", {**data, "reachable": reachable})


def _hottest(evidence: Evidence, given: Sequence[Advice]) -> Advice | None:
    """The hottest walkers miss, all others meet."""
    target = evidence.target
    recent = [
        a for a in evidence.audits if a.n_labels >= RECENT * evidence.n_labels and a.temperature is not None
    ]
    temperatures = sorted({a.temperature for a in recent if a.temperature is not None})
    if len(temperatures) < 2:
        return None
    hot = [a.force_errors for a in recent if a.temperature == temperatures[-1]]
    cold = [a.force_errors for a in recent if a.temperature != temperatures[-1]]
    if min(len(hot), len(cold)) < LEAST_HOT:
        return None
    there, elsewhere = Share.of(hot, target), Share.of(cold, target)
    in_force = any(one.about is About.HOTTEST for one in given)
    misses = there.fraction < target.confidence if in_force else there.high < target.confidence
    meets = elsewhere.high >= target.confidence if in_force else elsewhere.fraction >= target.confidence
    return (
        _cooler(temperatures, there, elsewhere, _reachable(hot, target), target) if misses and meets else None
    )


def _cooler(
    temperatures: Sequence[float], there: Share, elsewhere: Share, reachable: float, target: Target
) -> Advice:
    hottest, next_one = temperatures[-1], temperatures[-2]
    text = (
        f"the hottest walkers miss the target: at {hottest:.0f} K {there.words()} are within {target.force_error:g} "
        f"eV/Å, at {next_one:.0f} K and below {elsewhere.words()}; if {hottest:.0f} K is not needed, lower "
        f"explore.temperature to {next_one:.0f} K, or accept target.force_error: {reachable:.2g} eV/Å; else the run "
        "goes on, most of its calls for these walkers"
    )
    data = {"temperature": hottest, "within": there.fraction, "within_elsewhere": elsewhere.fraction}
    return Advice(About.HOTTEST, text, "explore.temperature", {**data, "reachable": reachable})


@dataclass(frozen=True)
class Counsel:
    """State: the advices in force, what they rest on that must not be measured twice, and when it was last looked.

    `floor` is the residual at learned audits (eV/Å per component), for the forecast.
    """

    looked_at: int = 0
    floor: float = 0.0
    advices: tuple[Advice, ...] = ()
    smoothness: Smoothness | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; floats survive json exactly."""
        return {
            "looked_at": self.looked_at,
            "floor": self.floor,
            "advices": [one.to_json() for one in self.advices],
            "smoothness": None if self.smoothness is None else asdict(self.smoothness),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Counsel:
        """Inverse of `to_json`; of nothing, as in checkpoints of older versions, an empty one."""
        if not data:
            return cls()
        smoothness = data["smoothness"]
        return cls(
            data["looked_at"],
            data["floor"],
            tuple(Advice.from_json(one) for one in data["advices"]),
            None if smoothness is None else Smoothness(**smoothness),
        )


def withdrawn(before: Sequence[Advice], now: Sequence[Advice]) -> tuple[Advice, ...]:
    """Advices that no longer hold."""
    return tuple(one for one in before if one.about not in {other.about for other in now})


def new(before: Sequence[Advice], now: Sequence[Advice]) -> tuple[Advice, ...]:
    """Advices that were not in force before."""
    return withdrawn(now, before)
