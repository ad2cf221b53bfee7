"""Properties of the finished potential on the page, next to the oracle's own."""

from __future__ import annotations

from html import escape

from thalweg.properties.eos import EquationOfState
from thalweg.properties.results import SPREAD, STATED, UNKNOWN, EquationOfStateResult
from thalweg.report.data import ReportData
from thalweg.report.tables import plain_table


def property_table(data: ReportData) -> str:
    """Every property that the run computed; empty without any."""
    eos = data.summary.properties.equation_of_state
    return "" if eos is None else f"<h3>Equation of state</h3>{_equation_of_state(eos)}"


def _equation_of_state(result: EquationOfStateResult) -> str:
    potential, oracle, difference = result.potential, result.oracle, result.difference
    if potential is None or oracle is None or difference is None:
        return f'<p class="none">There is none: {escape(result.failed)}</p>'
    rows = (
        (
            "volume at the minimum / Å³/atom",
            *(f"{one.volume / one.n_atoms:.4f}" for one in (potential, oracle)),
            f"{difference.volume:+.4f}",
            _spread(potential.volume_uncertainty, potential.n_atoms, 4),
        ),
        (
            "bulk modulus / GPa",
            *(f"{one.bulk_modulus_GPa:.2f}" for one in (potential, oracle)),
            f"{difference.bulk_modulus_GPa:+.2f}",
            _spread(potential.bulk_modulus_uncertainty_GPa, 1, 2),
        ),
        ("its derivative", *(f"{one.bulk_modulus_derivative:.2f}" for one in (potential, oracle)), "", ""),
        ("misfit of the curve / meV/atom", *(_misfit(one) for one in (potential, oracle)), "", ""),
    )
    stated = "±" if potential.calibrated else "committee's spread"
    header = ("", "potential", "oracle", "difference", stated)
    words = f"Birch-Murnaghan of third order; {result.oracle_calls} calls. {_meaning(potential)}."
    return f'{plain_table(header, rows)}<p class="count">{escape(words)}</p>'


def _meaning(eos: EquationOfState) -> str:
    """What the uncertainties are, as a sentence without its full stop."""
    known = eos.bulk_modulus_uncertainty_GPa is not None or eos.volume_uncertainty is not None
    words = SPREAD if not eos.calibrated else STATED if known else UNKNOWN
    return f"{words[0].upper()}{words[1:]}"


def _spread(value: float | None, n_atoms: int, digits: int) -> str:
    return "" if value is None else f"{value / n_atoms:.{digits}f}"


def _misfit(eos: EquationOfState) -> str:
    return f"{1000.0 * eos.residual / eos.n_atoms:.3f}"
