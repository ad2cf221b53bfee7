"""What each ingredient of `thalweg fit` brings, and at what cost: order and size of the basis, and one small basis with
one ingredient taken away at a time.

    python benchmarks/ingredients.py DATA_DIR --sets si cu acac

The smallest basis of the ladder, of the shape and at the cutoff that the labels choose; errors on the test sets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import cost
from common import parser, write_as_they_come
from reference_sets import FILES, Labelled, load

from thalweg.evaluation import compare
from thalweg.features.defaults import automatic_cutoff, default_basis
from thalweg.features.zbl import ZblBaseline
from thalweg.fitting import FitSettings, is_isolated_atom, make_baseline
from thalweg.fitting.assembly import Fitted, fit_basis
from thalweg.fitting.choosing import settle
from thalweg.fitting.data import Spread
from thalweg.fitting.ladder import SIZES
from thalweg.fitting.screening import FIRST_WEIGHT, Screen, ScreeningSetup
from thalweg.models.noise import hold_noise
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential

SETTINGS = FitSettings(n_members=2)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("data", type=Path, help="folder of the reference data")
    arguments.add_argument("--sets", nargs="+", choices=list(FILES), default=["si", "cu", "acac"])
    options = arguments.parse_args()
    for name in options.sets:
        task = load(name, options.data)[-1]
        rows = (_row(label, fitted, task.tests, seconds) for label, fitted, seconds in variants(task.train))
        title = f"{name}: energies in meV/atom, forces in eV/Å, stress in GPa"
        write_as_they_come(f"ingredients-{name}", title, rows, {"set": name}, options.output)


def variants(train: Labelled) -> Iterator[tuple[str, Fitted, float]]:
    """The fit with everything, and without one ingredient after the other."""
    symbols = {symbol for structure, _ in train for symbol in structure.to_atoms().get_chemical_symbols()}
    elements = default_basis(symbols, True).elements
    start = automatic_cutoff(elements, bool(train[-1][0].pbc.any()))
    useful = [pair for pair in train if not is_isolated_atom(pair[0], start)]
    labelled = [useful[k] for k in np.random.default_rng(SETTINGS.seed).permutation(len(useful))]
    baseline = make_baseline(train, elements)
    screen = Screen(labelled, baseline, SETTINGS)
    setup, _ = settle(screen, ScreeningSetup(start, weight=FIRST_WEIGHT), start)
    r_cut, exponent, weight = setup.r_cut, setup.exponent, setup.weight
    spread, _ = screen.judge(setup)
    small = SIZES[len(elements)][weight][0]
    basis = default_basis(elements, True, r_cut, None, small, exponent, weight)
    alike = Spread.alike(len(labelled))
    bare = [(structure, replace(label, stress=None)) for structure, label in labelled]
    far = Baseline(elements, baseline.reference_energies, ZblBaseline(elements))

    def timed(words: str, *fit: Any, settings: FitSettings = SETTINGS) -> tuple[str, Fitted, float]:
        began = time.perf_counter()
        return words, fit_basis(*fit, settings), time.perf_counter() - began

    yield timed(f"all, exponent {exponent}, radial weight {weight}", labelled, basis, baseline, spread)
    for other, rungs in SIZES[len(elements)].items():
        if other != weight:
            shaped = default_basis(elements, True, r_cut, None, rungs[0], exponent, other)
            yield timed(f"radial weight {other}", labelled, shaped, baseline, spread)
    steep = default_basis(elements, True, r_cut, None, small, 3, weight)
    yield timed("radial exponent 3", labelled, steep, baseline, spread)
    wild = replace(SETTINGS, tame=0.0)
    yield timed("ties go to the rougher model", labelled, basis, baseline, spread, settings=wild)
    usual = default_basis(elements, True, start, None, small, exponent, weight)
    yield timed(f"cutoff {start:.2f} instead of {r_cut:.2f} Å", labelled, usual, baseline, spread)
    yield timed("repulsion up to 0.8 bonds", labelled, basis, far, spread)
    yield timed("all labels alike", labelled, basis, baseline, alike)
    if any(label.stress is not None for _, label in labelled):
        yield timed("without stress labels", bare, basis, baseline, spread)
    held = timed("noise held to the forces'", labelled, basis, baseline, spread)
    held[1].model.tune(SETTINGS.tune_evaluations)
    hold_noise(held[1].model)
    yield held
    for order in range(1, len(small)):
        lower = default_basis(elements, True, r_cut, None, small[:order], exponent, weight)
        yield timed(f"order {order}, degrees {list(small[:order])}", labelled, lower, baseline, spread)
    for degrees in SIZES[len(elements)][weight][1:-1]:
        larger = default_basis(elements, True, r_cut, None, degrees, exponent, weight)
        yield timed(f"degrees {list(degrees)}", labelled, larger, baseline, spread)


def _row(words: str, fitted: Fitted, tests: dict[str, Labelled], seconds: float) -> dict[str, Any]:
    bounds = ErrorBounds.bare(len(fitted.basis.elements))
    potential = Potential.from_model(
        fitted.model, fitted.basis, fitted.baseline, novelty=None, bounds=bounds, provenance={}
    )
    (_, test), *others = tests.items()
    errors = compare(potential, test).to_json()
    further = {part: compare(potential, labelled).to_json() for part, labelled in others}
    return {
        "fit": words,
        "features": fitted.basis.n_features,
        "µs/atom": cost(potential, test),
        "energy_mae": 1000 * errors["energy_mae"],
        "energy_rmse": 1000 * errors["energy_rmse"],
        "forces_mae": errors["forces_mae"],
        "forces_rmse": errors["forces_rmse"],
        "stress_mae": errors.get("stress_mae"),
        **{f"{part}, energy_rmse": 1000 * errors["energy_rmse"] for part, errors in further.items()},
        **{f"{part}, forces_rmse": errors.get("forces_rmse") for part, errors in further.items()},
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
