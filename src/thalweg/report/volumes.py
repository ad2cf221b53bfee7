"""Volumes that walkers met, where the cell follows a pressure: read off the structures that were asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from thalweg.report.data import AUDIT, QUERY, AskedQuestion, ReportData, VolumesMet
from thalweg.report.tables import plain_table
from thalweg.store import Store

SAME = 1e-6
"""Relative; what differs less is one volume, and the cell is fixed."""


def volumes_met(store: Store, questions: Iterable[AskedQuestion]) -> tuple[VolumesMet, ...]:
    """One row for each temperature, by rising temperature; none where no walker's volume has varied."""
    by_temperature: dict[float, list[float]] = defaultdict(list)
    for question in questions:
        if question.kind in (AUDIT, QUERY) and question.temperature is not None and question.structure_hash:
            structure = store.structure(question.structure_hash)
            if structure.pbc.all():
                by_temperature[question.temperature].append(structure.volume / len(structure))
    every = [volume for volumes in by_temperature.values() for volume in volumes]
    if not every or max(every) <= min(every) * (1.0 + SAME):
        return ()
    return tuple(_row(temperature, by_temperature[temperature]) for temperature in sorted(by_temperature))


def _row(temperature: float, volumes: Sequence[float]) -> VolumesMet:
    mean = sum(volumes) / len(volumes)
    return VolumesMet(temperature, len(volumes), min(volumes), mean, max(volumes))


def volume_table(data: ReportData) -> str:
    """The volumes met at each temperature; empty where cells are fixed."""
    if not data.volumes:
        return ""
    rows = [
        (f"{row.temperature:.0f} K", str(row.n), f"{row.lowest:.2f}", f"{row.mean:.2f}", f"{row.highest:.2f}")
        for row in data.volumes
    ]
    header = ("thermostat", "structures", "lowest / Å³/atom", "mean / Å³/atom", "highest / Å³/atom")
    return (
        f"<h3>Volumes met</h3>{plain_table(header, rows)}"
        '<p class="count">Of audited structures and queries. Beyond these volumes the potential was not checked.</p>'
    )
