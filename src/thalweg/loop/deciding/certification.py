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
from thalweg.loop.deciding.audit_record import AuditRecord, Target

GROWTH = 1.5
LOOKS = 4
"""Looks in one window; a window that needs more is dropped."""
FUTILE_AFTER = 4
"""Audits in a window before it may be dropped as hopeless."""
FUTILE_LEVEL = 0.6
"""Two-sided level of the Wilson interval whose upper end must reach the required fraction: one-sided 0.8."""


@dataclass(frozen=True)
class Certificate:
    """The statement: at least `lower_bound` of the atoms are within `force_error` (eV/Å).

    It holds at `level` for the run as a whole, corrected for all its looks. Judged on `n_structures` audits.
    """

    force_error: float
    confidence: float
    level: float
    lower_bound: float
    fraction_within: float
    n_structures: int
    n_atoms: int


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


def _window_size(state: Certification, atoms: int, target: Target) -> int:
    """Audits at which the window's next look comes: from counts alone, never from how well audits went."""
    first = state.looks - state.window_looks + 1
    clean = _clean_pass(atoms, target.confidence, look_level(first, target))
    return math.ceil(clean * GROWTH**state.window_looks)


def _counts(window: Sequence[AuditRecord], target: Target) -> tuple[list[int], list[int]]:
    return [a.n_within(target.force_error) for a in window], [a.n_atoms for a in window]


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
    within, sizes = _counts(window, target)
    # the first structure's size stands for all: fixed before any outcome of the window is known
    if len(window) >= _window_size(state, sizes[0], target):
        return _look(state, within, sizes, target)
    if len(window) >= FUTILE_AFTER and _hopeless(within, sizes, target):
        return _restart(state)
    return state


def fresh_window(
    state: Certification, audits: Sequence[AuditRecord], target: Target, *, n_atoms: int
) -> Certification:
    """A new window, if that is expected to certify sooner than filling the present one.

    Allowed at any time: the audits of the new window are made afterwards, independent of why it was started.
    """
    clean = _clean_pass(n_atoms, target.confidence, look_level(state.looks + 1, target))
    needed = audits_needed(state, audits, target, n_atoms=n_atoms)
    if state.certificate is not None or (needed is not None and needed <= clean):
        return state
    return _restart(state)


def _restart(state: Certification) -> Certification:
    return replace(state, window_start=state.n_seen, window_looks=0)


def _hopeless(within: list[int], sizes: list[int], target: Target) -> bool:
    n_star = effective_trials(within, sizes, 0.5 + FUTILE_LEVEL / 2)
    upper = wilson_interval(sum(within) / sum(sizes) * n_star, n_star, FUTILE_LEVEL)[1]
    return upper < target.confidence


def _look(state: Certification, within: list[int], sizes: list[int], target: Target) -> Certification:
    looks = state.looks + 1
    bound = clustered_lower_bound(within, sizes, look_level(looks, target))
    state = replace(state, looks=looks, window_looks=state.window_looks + 1)
    if bound >= target.confidence:
        certificate = Certificate(
            force_error=target.force_error,
            confidence=target.confidence,
            level=target.certificate_level,
            lower_bound=bound,
            fraction_within=sum(within) / sum(sizes),
            n_structures=len(sizes),
            n_atoms=sum(sizes),
        )
        return replace(state, certificate=certificate)
    state = replace(state, failed_looks=(*state.failed_looks, state.n_seen))
    if _looks_to_pass(state, within, sizes, target) is None:
        return _restart(state)
    return state


def _looks_to_pass(state: Certification, within: list[int], sizes: list[int], target: Target) -> int | None:
    """Window size of the first further look that would pass if atoms went on failing at the present rate."""
    n = len(sizes)
    for further in range(LOOKS - state.window_looks):
        ahead = replace(state, looks=state.looks + further, window_looks=state.window_looks + further)
        size = _window_size(ahead, sizes[0], target)
        # repeat the window's own structures in order, so that rate and clustering stay what they are
        fore_within = [within[k % n] for k in range(size)]
        fore_sizes = [sizes[k % n] for k in range(size)]
        if (
            clustered_lower_bound(fore_within, fore_sizes, look_level(ahead.looks + 1, target))
            >= target.confidence
        ):
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
        return _clean_pass(n_atoms, target.confidence, look_level(state.looks + 1, target))
    within, sizes = _counts(window, target)
    size = _looks_to_pass(state, within, sizes, target)
    return None if size is None else max(1, size - len(window))
