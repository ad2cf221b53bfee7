"""Certifies the target from audits, corrected for repeated looks.

Null hypothesis of look j: the present model's fraction of atoms within the target is not above the required
one. Each look tests it at its own level alpha_j = alpha / 2^j, which sums to alpha over any number of
looks (Bonferroni with geometric weights), alpha = 1 - certificate_level; so the chance that a run whose model
misses the target ever claims it stays below alpha.

A look may only be at a sample whose size was fixed beforehand. Audits therefore fill a *window*: its first
look comes when a window without a failure would just pass, later ones at GROWTH times as many, at most LOOKS
in one window. When a window goes badly it is dropped without a look, and a new one starts with the next audit.
That costs audits, never validity: the new window holds only audits made afterwards, independent of why it
started.

A stress target is a second null hypothesis, tested on the same audits at the same levels; both must be rejected, so
that the chance of a wrong claim of both stays below alpha. The six components of a structure's stress count as a
cluster, as its atoms do. Without a target the stress of the audits is stated beside the certificate.

Models improve while a window fills. Older audits in it were made with a worse model, so that the certificate
errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from thalweg.calibration.intervals import clustered_lower_bound, effective_trials, wilson_interval
from thalweg.loop.deciding.audit_record import STRESS_STATED, AuditRecord, Target, stress_counts

GROWTH = 1.5
LOOKS = 4
"""Looks in one window; a window that needs more is dropped."""
FUTILE_AFTER = 4
"""Audits in a window before it may be dropped as hopeless."""
FUTILE_LEVEL = 0.6
"""Two-sided level of the Wilson interval whose upper end must reach the required fraction: one-sided 0.8."""


COMPONENTS = 6
"""Of a stress."""


@dataclass(frozen=True)
class Certificate:
    """The statement: at least `lower_bound` of the atoms are within `force_error` (eV/Å).

    It holds at `level` for the run as a whole, corrected for all its looks. Judged on `n_structures` audits. The
    same of the components of the stress, where audits have some: `stress_error` and `stress_rmse` in eV/Å³.
    """

    force_error: float
    confidence: float
    level: float
    lower_bound: float
    fraction_within: float
    n_structures: int
    n_atoms: int
    stress_error: float | None = None
    stress_lower_bound: float | None = None
    stress_fraction_within: float | None = None
    stress_rmse: float | None = None


@dataclass(frozen=True)
class Certification:
    """State: audits seen, where the window starts, looks taken (in all; in this window), the certificate."""

    n_seen: int = 0
    window_start: int = 0
    looks: int = 0
    window_looks: int = 0
    certificate: Certificate | None = None
    failed_looks: tuple[int, ...] = ()

    @classmethod
    def begun_after(cls, audits: Sequence[AuditRecord]) -> Certification:
        """One to which none of these audits counts."""
        return cls(n_seen=len(audits), window_start=len(audits))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Certification:
        """Inverse of `to_json`."""
        certificate = data["certificate"]
        return cls(
            **{
                **data,
                "certificate": None if certificate is None else Certificate(**certificate),
                "failed_looks": tuple(data["failed_looks"]),
            }
        )


def look_level(look: int, target: Target) -> float:
    """One-sided confidence at which look number `look` (from 1) tests."""
    return 1 - (1 - target.certificate_level) * 0.5**look


@lru_cache(maxsize=1024)
def _clean_pass(size: int, confidence: float, level: float) -> int:
    n = 2
    while clustered_lower_bound([size] * n, [size] * n, level) < confidence:
        n += 1
    return n


def _clean_size(atoms: int, target: Target, level: float) -> int:
    """Audits without a failure that would just pass."""
    sizes = [atoms] if target.stress_error is None else [atoms, COMPONENTS]
    return max(_clean_pass(size, target.confidence, level) for size in sizes)


def _window_size(state: Certification, atoms: int, target: Target) -> int:
    """Audits at which the window's next look comes: from counts alone, never from how well audits went."""
    first = state.looks - state.window_looks + 1
    clean = _clean_size(atoms, target, look_level(first, target))
    return math.ceil(clean * GROWTH**state.window_looks)


Sample = tuple[list[int], list[int]]
"""Successes and trials of each audit."""


def _atoms(window: Sequence[AuditRecord], target: Target) -> Sample:
    return [a.n_within(target.force_error) for a in window], [a.n_atoms for a in window]


def _samples(window: Sequence[AuditRecord], target: Target) -> list[Sample]:
    """All that must be within a target."""
    atoms = _atoms(window, target)
    return [atoms] if target.stress_error is None else [atoms, stress_counts(window, target.stress_error)]


def _bound(window: Sequence[AuditRecord], target: Target, level: float) -> float:
    """The lowest bound of the samples; 0 where one of them is empty."""
    samples = _samples(window, target)
    return min(clustered_lower_bound(*sample, level) if sample[0] else 0.0 for sample in samples)


def advance(state: Certification, audits: Sequence[AuditRecord], target: Target) -> Certification:
    """Take in the audits since `state.n_seen`, one by one; `audits` are all of the run, in order.

    The outcome does not depend on how many audits come at a time. A certificate, once given, stays.
    """
    for n in range(state.n_seen + 1, len(audits) + 1):
        state = _advance_one(replace(state, n_seen=n), audits[state.window_start : n], target)
    return state


def _advance_one(state: Certification, window: Sequence[AuditRecord], target: Target) -> Certification:
    if state.certificate is not None:
        return state
    # the first structure's size stands for all: fixed before any outcome of the window is known
    if len(window) >= _window_size(state, window[0].n_atoms, target):
        return _look(state, window, target)
    if len(window) >= FUTILE_AFTER and any(_hopeless(*one, target) for one in _samples(window, target)):
        return _restart(state)
    return state


def fresh_window(
    state: Certification, audits: Sequence[AuditRecord], target: Target, *, n_atoms: int
) -> Certification:
    """A new window, if that is expected to certify sooner than filling the present one.

    Allowed at any time: the audits of the new window are made afterwards, independent of why it was started.
    """
    clean = _clean_size(n_atoms, target, look_level(state.looks + 1, target))
    needed = audits_needed(state, audits, target, n_atoms=n_atoms)
    if state.certificate is not None or (needed is not None and needed <= clean):
        return state
    return _restart(state)


def _restart(state: Certification) -> Certification:
    return replace(state, window_start=state.n_seen, window_looks=0)


def _hopeless(within: list[int], sizes: list[int], target: Target) -> bool:
    if not sizes:
        return False
    n_star = effective_trials(within, sizes, 0.5 + FUTILE_LEVEL / 2)
    upper = wilson_interval(sum(within) / sum(sizes) * n_star, n_star, FUTILE_LEVEL)[1]
    return upper < target.confidence


def _look(state: Certification, window: Sequence[AuditRecord], target: Target) -> Certification:
    looks = state.looks + 1
    level = look_level(looks, target)
    state = replace(state, looks=looks, window_looks=state.window_looks + 1)
    if _bound(window, target, level) >= target.confidence:
        return replace(state, certificate=_certificate(window, target, level))
    state = replace(state, failed_looks=(*state.failed_looks, state.n_seen))
    if _looks_to_pass(state, window, target) is None:
        return _restart(state)
    return state


def _certificate(window: Sequence[AuditRecord], target: Target, level: float) -> Certificate:
    within, sizes = _atoms(window, target)
    return Certificate(
        force_error=target.force_error,
        confidence=target.confidence,
        level=target.certificate_level,
        lower_bound=clustered_lower_bound(within, sizes, level),
        fraction_within=sum(within) / sum(sizes),
        n_structures=len(sizes),
        n_atoms=sum(sizes),
        **_stress_statement(window, target.stress_error or STRESS_STATED, level),
    )


def _stress_statement(window: Sequence[AuditRecord], stress_error: float, level: float) -> dict[str, float]:
    """What the certificate says of the stress; empty without any."""
    within, sizes = stress_counts(window, stress_error)
    if not sizes:
        return {}
    squares = [e * e for a in window for e in a.stress_errors]
    return {
        "stress_error": stress_error,
        "stress_lower_bound": clustered_lower_bound(within, sizes, level),
        "stress_fraction_within": sum(within) / sum(sizes),
        "stress_rmse": math.sqrt(sum(squares) / len(squares)),
    }


def _looks_to_pass(state: Certification, window: Sequence[AuditRecord], target: Target) -> int | None:
    """Window size of the first further look that would pass if atoms went on failing at the present rate."""
    n = len(window)
    for further in range(LOOKS - state.window_looks):
        ahead = replace(state, looks=state.looks + further, window_looks=state.window_looks + further)
        size = _window_size(ahead, window[0].n_atoms, target)
        # repeat the window's own structures in order, so that rate and clustering stay what they are
        fore = [window[k % n] for k in range(size)]
        if _bound(fore, target, look_level(ahead.looks + 1, target)) >= target.confidence:
            return size
    return None


def audits_needed(
    state: Certification, audits: Sequence[AuditRecord], target: Target, *, n_atoms: int
) -> int | None:
    """How many further audits would certify if atoms go on failing at the window's rate.

    0 when certified; None when this window would not get there at the present rate. A window that is still
    empty counts on no failure at all, in structures of `n_atoms`. For planning only: it spends none of the
    significance.
    """
    if state.certificate is not None:
        return 0
    window = audits[state.window_start :]
    if not window:
        return _clean_size(n_atoms, target, look_level(state.looks + 1, target))
    size = _looks_to_pass(state, window, target)
    return None if size is None else max(1, size - len(window))
