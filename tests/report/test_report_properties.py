"""Properties and the volumes met, on the page and from the store."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from thalweg.properties.eos import EquationOfState
from thalweg.properties.results import EquationOfStateResult, PropertyResults
from thalweg.report.data import AUDIT, QUERY, SEED, AskedQuestion, ReportData, VolumesMet
from thalweg.report.html import page
from thalweg.report.volumes import volumes_met
from thalweg.structure import Structure

ORACLE = EquationOfState(4, 46.4, -1.0, 134.1, 4.2, 0.004, np.linspace(40, 52, 5), np.linspace(0, 1, 5) ** 2)
LEARNED = replace(ORACLE, volume=46.0, bulk_modulus_GPa=133.6, volume_uncertainty=0.04)


def section(data: ReportData, name: str) -> str:
    text = page(data)
    start = text.index(f'<section id="{name}">')
    return unescape(text[start : text.index("</section>", start)])


def with_properties(data: ReportData, result: EquationOfStateResult | None) -> ReportData:
    return replace(data, summary=replace(data.summary, properties=PropertyResults(result)))


def test_the_equation_of_state_stands_beside_the_oracles(data: ReportData) -> None:
    shown = section(with_properties(data, EquationOfStateResult(9, LEARNED, ORACLE)), "properties")
    for words in ("11.5000", "11.6000", "-0.1000", "0.0100", "133.60", "134.10", "-0.50", "1.000", "9 calls"):
        assert words in shown
    assert "it is no error bar. The error is the difference to the oracle." in shown


def test_a_calibrated_uncertainty_is_called_one(data: ReportData) -> None:
    calibrated = replace(LEARNED, calibrated=True)
    shown = section(with_properties(data, EquationOfStateResult(9, calibrated, ORACLE)), "properties")
    assert "±" in shown
    assert "no error bar" not in shown


def test_what_failed_or_was_not_asked_for_is_said(data: ReportData) -> None:
    failed = EquationOfStateResult(3, failed="no minimum <b>")
    assert "There is none: no minimum <b>" in section(with_properties(data, failed), "properties")
    assert "no minimum <b>" not in page(with_properties(data, failed))  # escaped
    assert "None was asked for" in section(with_properties(data, None), "properties")


class Volumes:
    """Stands in for a store: a hash is a volume per atom (Å³), a negative one that of a molecule."""

    def structure(self, name: str) -> Structure:
        volume = float(name)
        cell = np.eye(3) * abs(2 * volume) ** (1 / 3)
        return Structure([29, 29], [[0, 0, 0], [1, 1, 1]], cell, [volume > 0] * 3)


def asked(kind: str, temperature: float | None, *volumes: float) -> list[AskedQuestion]:
    return [AskedQuestion(1, kind, temperature=temperature, structure_hash=str(v)) for v in volumes]


def test_volumes_are_those_of_what_walkers_asked() -> None:
    questions = [
        *asked(AUDIT, 600.0, 12.0, 13.0),
        *asked(QUERY, 300.0, 11.0),
        *asked(QUERY, 600.0, 14.0, -50.0),
        *asked(SEED, 300.0, 20.0),
        *asked(AUDIT, None, 30.0),
    ]
    cold, hot = volumes_met(Volumes(), questions)  # type: ignore[arg-type]
    assert (cold.temperature, cold.n, cold.lowest, cold.highest) == (300.0, 1, *[pytest.approx(11.0)] * 2)
    assert (hot.temperature, hot.n) == (600.0, 3)
    assert [hot.lowest, hot.mean, hot.highest] == pytest.approx([12.0, 13.0, 14.0])


def test_a_fixed_cell_has_no_volumes_to_tell(data: ReportData) -> None:
    assert volumes_met(Volumes(), asked(AUDIT, 300.0, 11.0, 11.0)) == ()  # type: ignore[arg-type]
    assert "Volumes met" not in page(data)
    met = replace(data, volumes=(VolumesMet(300.0, 5, 11.0, 11.5, 12.0),))
    shown = section(met, "walkers")
    assert "Volumes met" in shown
    assert "11.50" in shown
