"""The ground that a run has covered: what was walked and audited, start by start and temperature by temperature.

A certificate is a statement about what was audited. Where walkers have not been, or where no audit was drawn, it says
nothing; these rows are what it is held against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from thalweg.loop.deciding.audit_record import AuditRecord, Target

Place = tuple[int, float]
"""Number of a start, from 0, and temperature, K."""


@dataclass(frozen=True)
class Stretch:
    """What a walker did in a block: where, how long (fs), and whether it fell apart or its cell flowed."""

    start: int
    temperature: float
    time_fs: float = 0.0
    dissociated: int = 0
    flowed: int = 0
    blind: int = 0

    @property
    def place(self) -> Place:
        """Start and temperature."""
        return self.start, self.temperature

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Stretch:
        """Inverse of `dataclasses.asdict`."""
        return cls(**data)


Ground = tuple[Stretch, ...]
"""The sum of all stretches, one for each place, by rising start and temperature; `blind` counts audits whose forces
vanish by symmetry."""


def covered(ground: Ground, stretches: Iterable[Stretch]) -> Ground:
    """The ground with more of it."""
    by_place = {row.place: row for row in ground}
    for one in stretches:
        row = by_place.get(one.place, Stretch(*one.place))
        by_place[one.place] = replace(
            row,
            time_fs=row.time_fs + one.time_fs,
            dissociated=row.dissociated + one.dissociated,
            flowed=row.flowed + one.flowed,
            blind=row.blind + one.blind,
        )
    return tuple(by_place[place] for place in sorted(by_place))


@dataclass(frozen=True)
class GroundRow:
    """A row of the table that summary and report show.

    Attributes
    ----------
    start : int, from 1
    temperature : float, K
    walked_ps : float, ps, all walkers together
    audits, atoms : int
    within : float or None
        Share of these atoms within the target; None without an audit: then nothing is claimed of this place.
    bounds_held : float or None
        Share of these atoms whose error was within the bound stated beforehand.
    blind_audits : int
        Audits that are no evidence, since all forces vanish by symmetry.
    dissociated, flowed : int
        Walkers that fell apart here, or whose cell lost its shape.
    """

    start: int
    temperature: float
    walked_ps: float
    audits: int
    atoms: int
    within: float | None
    blind_audits: int
    dissociated: int
    flowed: int
    bounds_held: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def ground_table(ground: Ground, audits: Sequence[AuditRecord], force_error: float) -> tuple[GroundRow, ...]:
    """What was walked, and what `audits` found there, `force_error` (eV/Å) being the target."""
    return tuple(_row(stretch, audits, force_error) for stretch in ground)


def _row(stretch: Stretch, audits: Sequence[AuditRecord], force_error: float) -> GroundRow:
    here = [audit for audit in audits if (audit.start, audit.temperature) == stretch.place]
    atoms = sum(audit.n_atoms for audit in here)
    within = sum(audit.n_within(force_error) for audit in here)
    return GroundRow(
        start=stretch.start + 1,
        temperature=stretch.temperature,
        walked_ps=stretch.time_fs / 1000.0,
        audits=len(here),
        atoms=atoms,
        within=within / atoms if atoms else None,
        blind_audits=stretch.blind,
        dissociated=stretch.dissociated,
        flowed=stretch.flowed,
        bounds_held=sum(audit.n_covered for audit in here) / atoms if atoms else None,
    )


# ---- in words -----------------------------------------------------------------------------------------

_MOST_PLACES = 6


def describe_ground(ground: Ground, audits: Sequence[AuditRecord], target: Target, *, sent_back: bool) -> str:
    """What a statement that rests on these audits does not cover, and what it averages over; "" for nothing to add.

    `sent_back` says whether walkers that parted were, so that nothing of what lies beyond is among the audits.
    """
    table = ground_table(ground, audits, target.force_error)
    if any(audit.start is None for audit in audits):  # of an older run: nobody knows where they were made
        return _parted(table, sent_back)
    return "; ".join(
        words
        for words in (_unaudited(table), _weak(table, target.confidence), _parted(table, sent_back))
        if words
    )


def _unaudited(table: Sequence[GroundRow]) -> str:
    """Where walkers have been and no audit was."""
    places = [(row.start, row.temperature) for row in table if not row.audits]
    if not places:
        return ""
    every_start = {row.start for row in table}
    silent = sorted(every_start - {row.start for row in table if row.audits})
    if silent and len(silent) == len({start for start, _ in places}):
        what = _listed([f"start {start}" for start in silent])
    else:
        what = _listed([f"start {start} at {temperature:.0f} K" for start, temperature in places])
    return f"not audited, and nothing is claimed of it: {what}"


def _weak(table: Sequence[GroundRow], confidence: float) -> str:
    """Starts and temperatures that alone would miss the target."""
    weak = []
    for name, key in (("start {:.0f}", "start"), ("{:.0f} K", "temperature")):
        groups = sorted({getattr(row, key) for row in table})
        if len(groups) < 2:
            continue
        for group in groups:
            rows = [row for row in table if getattr(row, key) == group and row.within is not None]
            atoms = sum(row.atoms for row in rows)
            inside = sum(row.atoms * (row.within or 0.0) for row in rows)
            if atoms and inside / atoms < confidence:
                weak.append(f"{name.format(group)} {100 * inside / atoms:.1f} % of {atoms} atoms")
    return f"below the target by itself: {_listed(weak)}" if weak else ""


def _parted(table: Sequence[GroundRow], sent_back: bool) -> str:
    words = []
    if (n := sum(row.dissociated for row in table)) > 0:
        words.append(f"{n} {'walk' if n == 1 else 'walks'} fell apart")
    if (n := sum(row.flowed for row in table)) > 0:
        words.append(f"{n} {'cell' if n == 1 else 'cells'} flowed")
    if not words:
        return ""
    then = (
        "were sent back, and nothing is claimed of what lies beyond"
        if sent_back
        else "are among these numbers"
    )
    return f"{' and '.join(words)}: they {then}"


def _listed(words: Sequence[str]) -> str:
    left = len(words) - _MOST_PLACES
    return ", ".join(words[:_MOST_PLACES]) + (f" and {left} more" if left > 0 else "")
