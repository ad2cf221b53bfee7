"""Error blocks of `fit` and `evaluate` as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

_ROWS = (
    ("structures", "n_structures", "", "d"),
    ("energy MAE", "energy_mae", "eV/atom", ".5f"),
    ("energy RMSE", "energy_rmse", "eV/atom", ".5f"),
    ("energy within 2 sd", "energy_within", "", ".1%"),
    ("energy, RMSE / stated", "energy_ratio", "", ".2f"),
    ("forces MAE", "forces_mae", "eV/Å", ".4f"),
    ("forces RMSE", "forces_rmse", "eV/Å", ".4f"),
    ("stress MAE", "stress_mae", "GPa", ".4f"),
    ("stress RMSE", "stress_rmse", "GPa", ".4f"),
    ("stress within 2 sd", "stress_within", "", ".1%"),
    ("stress, RMSE / stated", "stress_ratio", "", ".2f"),
    ("bounds held", "coverage", "", ".1%"),
    ("bound, mean", "bound_mean", "eV/Å", ".4f"),
    ("bound, ENCE", "ence", "", ".2f"),
    ("bound, rank correlation", "rank_correlation", "", ".2f"),
)


def error_table(document: Mapping[str, Any]) -> Table:
    """One column for each of `train` and `test` in the document, one row for each error that either has."""
    blocks = {name: document[name] for name in ("train", "test") if document.get(name)}
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    for name in blocks:
        table.add_column(name, justify="right")
    table.add_column("")
    for heading, key, unit, form in _ROWS:
        values = [block.get(key) for block in blocks.values()]
        if any(value is not None for value in values):
            table.add_row(heading, *("–" if v is None else format(v, form) for v in values), unit)
    return table
