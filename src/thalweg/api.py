"""The Python verbs: fit, evaluate, explore, learn.

    fit        labels -> potential, with its errors
    evaluate   potential, labels -> errors and calibration
    explore    potential, structure -> trajectories, with error bounds and the reason why each ended
    learn      configuration -> the whole loop with an oracle, like `thalweg run`

eV, Å, eV/Å, eV/Å³; K, ps and fs in arguments; GPa in the stress errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.border import check_input
from thalweg.config import ModelConfig, RunConfig, load_config, validate
from thalweg.errors import check
from thalweg.evaluation import Comparison, compare
from thalweg.explorers.explorer import AnyExplorer
from thalweg.features import set_num_threads
from thalweg.features.evaluate import num_threads
from thalweg.fitting import Fit, FitSettings, Overlap, Tell, Wanted, find_overlap, fit_chosen, silent
from thalweg.fitting.doubt import check_labels
from thalweg.label import Label
from thalweg.loop.telling.reporter import NullReporter, Reporter
from thalweg.loop.telling.summary import Summary
from thalweg.machine import available_cores
from thalweg.oracles import Oracle
from thalweg.oracles.base import as_oracle
from thalweg.oracles.given import section_of
from thalweg.potential import Potential
from thalweg.store import LabelledFile
from thalweg.structure import Structure
from thalweg.trajectory import Dynamics, Trajectory, explore

__all__ = ["Dynamics", "FitResult", "Trajectory", "evaluate", "explore", "fit", "learn"]

_AUTOMATIC = ModelConfig()


@dataclass(frozen=True, eq=False)
class FitResult:
    """A potential and its errors on labels.

    Attributes
    ----------
    potential : Potential
    train : Comparison
        Errors on the labels it was fitted to, without isolated atoms that were set aside.
    test : Comparison or None
        Errors on labels it has not seen.
    overlap : Overlap
        Structures that occur twice in the training set, or also in the test set.
    train_numbers, test_numbers : sequences of int
        Numbers of the structures in messages: their places in the file, or in the sequence, counted from 1.
    """

    potential: Potential
    train: Comparison
    test: Comparison | None
    fitted: Fit
    timing: Mapping[str, float]
    overlap: Overlap
    train_numbers: Sequence[int]
    test_numbers: Sequence[int]

    @property
    def warnings(self) -> list[str]:
        """What the user should know about the labels, in words."""
        stress = None if self.fitted.stress is None else self.fitted.stress.warning
        return [
            *self.fitted.references.warnings(self.train_numbers),
            *self.fitted.coherence.words(self.train_numbers, weighed=True),
            *([] if stress is None else [stress]),
            *self.overlap.warnings(len(self.test_numbers), self.train_numbers, self.test_numbers),
        ]

    def story(self) -> list[str]:
        """Readable lines: what was chosen and why, and what to know about the labels."""
        basis = self.potential.basis
        lines = [f"{c.setting}: {c.chosen_in_words} - {c.why}" for c in self.fitted.choices]
        lines.append(f"reference energies: {self.fitted.references.words}")
        lines.append(
            f"basis: r_cut {basis.r_cut:g} Å, max_degree {list(basis.max_degree)}, "
            f"radial_exponent {basis.radial_exponent}, radial_weight {basis.radial_weight}, "
            f"{basis.n_features} features per element"
        )
        lines.append(f"error bars of energies: {_stated_in_words(self.potential)}")
        return lines + [f"warning: {warning}" for warning in self.warnings]

    def to_json(self) -> dict[str, Any]:
        """Plain data: blocks `train`, `test` (where there is one), `model`, `timing` (s)."""
        document: dict[str, Any] = {"train": self.train.to_json()}
        if self.test is not None:
            document["test"] = self.test.to_json()
        noise = {str(kind): level for kind, level in self.fitted.model.noise.items()}
        document["model"] = {
            **describe(self.potential),
            "noise": noise,
            "folds": self.fitted.n_folds,
            "choice": [choice.to_json() for choice in self.fitted.choices],
            "reference_energies": self.fitted.references.to_json(),
            "labels": [f.to_json(self.train_numbers) for f in self.fitted.coherence.findings],
            "overlap": self.overlap.to_json(self.train_numbers, self.test_numbers),
            "warnings": self.warnings,
        }
        document["timing"] = dict(self.timing)
        return document


def fit(
    train: Sequence[tuple[Structure, Label]],
    test: Sequence[tuple[Structure, Label]] | None = None,
    *,
    options: ModelConfig = _AUTOMATIC,
    seed: int = 1,
    effort: float = 1.0,
    tell: Tell = silent,
) -> FitResult:
    """Fit a potential to labels, without the loop.

    Energies, forces and stresses are fitted together. Smoothness, noise levels and error bounds come from
    cross-validation on the training set. All processors are used; the result does not depend on their number.

    Parameters
    ----------
    train : labelled structures, for example from `read_labelled`, or a `LabelledFile`, whose numbers messages then use
    test : labelled structures held out, for comparison only
    options : settings of the model; null ones are chosen by cross-validation (`thalweg.fitting.choosing`)
    seed : for the committee's draws and the folds of the cross-validation
    effort : limit on the work of the largest basis, relative to the default: minutes of one core, some twenty for a
        hundred thousand atoms; above 1, larger bases are also tried for smaller gains
    tell : called with a line of text for each basis tried

    Raises
    ------
    InputError
        No labels, forces of another shape than the structure's, a test structure with an element that no
        training structure has, or `basis: fixed`, which only runs have.
    """
    check(
        options.basis == "automatic",
        "fit: `basis: fixed` is a setting of runs; fix the basis of a fit by r_cut and max_degree",
    )
    check(len(train) > 0, "fit: no labelled structures; expected at least one")
    _check_each(train, "train")
    _check_each(test or (), "test")
    start = time.perf_counter()
    wanted = Wanted(options.r_cut, options.correlation_order, options.max_degree, options.radial_weight or 1)
    with _all_processors():
        settings = FitSettings(n_members=options.committee, seed=seed, effort=effort)
        fitted = fit_chosen(train, wanted, settings, tell)
    before = time.perf_counter()
    aside = fitted.references.set_aside
    on_train = compare(fitted.potential, [pair for n, pair in enumerate(train) if n not in aside])
    on_test = compare(fitted.potential, test) if test else None
    now = time.perf_counter()
    timing = {**fitted.seconds, "evaluation": now - before, "wall": now - start}
    overlap = find_overlap(train, test or ())
    numbers = _numbers_of(train), _numbers_of(test or ())
    return FitResult(fitted.potential, on_train, on_test, fitted, timing, overlap, *numbers)


def _numbers_of(labelled: Sequence[tuple[Structure, Label]]) -> Sequence[int]:
    return labelled.numbers if isinstance(labelled, LabelledFile) else range(1, len(labelled) + 1)


def evaluate(potential: Potential, labelled: Sequence[tuple[Structure, Label]]) -> dict[str, Any]:
    """Errors and calibration of a potential on labelled structures, as plain data.

    Returns
    -------
    dict
        `test`: the errors as `fit` gives them, `coverage` (share of atoms within their stated bound at
        `confidence`), `ence` and `rank_correlation` of the bounds (`thalweg.evaluation`); `findings`: what does not
        hold together among the labels; `model`; `timing`.

    Raises
    ------
    InputError
        No structures, forces of another shape than the structure's, or an element that the potential does
        not know.
    """
    _check_each(labelled, "labelled")
    start = time.perf_counter()
    block = compare(potential, labelled).to_json()
    seconds = time.perf_counter() - start
    coherence = check_labels(labelled, potential.elements, potential.basis.r_cut)
    numbers = _numbers_of(labelled)
    found = [{"words": f.words(numbers), **f.to_json(numbers)} for f in coherence.findings]
    timing = {"evaluation": seconds, "wall": time.perf_counter() - start}
    return {"test": block, "findings": found, "model": describe(potential), "timing": timing}


def _check_each(labelled: Sequence[tuple[Structure, Label]], name: str) -> None:
    for number, (structure, _) in enumerate(labelled):
        check_input(structure, f"{name}[{number}]")


def learn(
    config: RunConfig | str | Path | Mapping[str, Any],
    folder: str | Path | None = None,
    reporter: Reporter | None = None,
    *,
    oracle: Any = None,
    executor: Executor | None = None,
    explorer: AnyExplorer | None = None,
) -> Summary:
    """Learn a potential on the fly, as `thalweg run` does; continue an interrupted run.

    Parameters
    ----------
    config : a configuration, the path of a YAML file, or its content as a dict
        Paths in a dict are relative to the working directory.
    folder : the run folder; None: the configuration's `output`, else runs/<name of the file or system>
    reporter : receives the conversation; None: nobody does
    oracle : your own oracle (`thalweg.oracles.Oracle`) or an ASE calculator; replaces the one in the
        configuration, which need not name one
    executor : any `concurrent.futures.Executor`, where calls run; replaces the configured one, and is not shut
        down. `executor.workers` in the configuration is the number of calls that it gets at a time
    explorer : what walks (`thalweg.explorers`), for example a `Replay` of trajectories; replaces the molecular
        dynamics that `explore` describes. A run must be resumed with the explorer that it started with

    Returns
    -------
    Summary
        What was asked, learned and certified; `Potential.load(folder / "model")` is the potential.

    Raises
    ------
    InputError, SetupError, OracleError, StoreError
        The configuration, the machine, the oracle or the folder is not usable.
    """
    from thalweg.loop.runner import run

    given = None if oracle is None else as_oracle(oracle)
    settings = _settings(config, given)
    place = folder or settings.output
    if place is None:
        name = config if isinstance(config, str | Path) else settings.system.paths[0]
        place = Path("runs") / Path(name).stem
    listener = NullReporter() if reporter is None else reporter
    return run(settings, Path(place), listener, oracle=given, executor=executor, explorer=explorer)


def _settings(config: RunConfig | str | Path | Mapping[str, Any], oracle: Oracle | None) -> RunConfig:
    """The configuration, its `oracle` section saying that it is an object where it is."""
    if isinstance(config, str | Path):
        config = load_config(config)
    if isinstance(config, RunConfig):
        return config if oracle is None else config.model_copy(update={"oracle": section_of(oracle)})
    section = {} if oracle is None else {"oracle": section_of(oracle).model_dump()}
    return validate({**config, **section}, folder=Path.cwd())


def describe(potential: Potential) -> dict[str, Any]:
    """What a potential is made of, as plain data; bounds per element: factor, and floor in eV/Å."""
    basis, bounds = potential.basis, potential.bounds
    lines = zip(potential.elements, bounds.factors, bounds.floors, strict=True)
    return {
        "elements": list(potential.elements),
        "r_cut": basis.r_cut,
        "correlation_order": basis.correlation_order,
        "max_degree": list(basis.max_degree),
        "radial_exponent": basis.radial_exponent,
        "radial_weight": basis.radial_weight,
        "n_features": basis.n_features,
        "n_columns": basis.n_columns,
        "committee": len(potential.member_deltas),
        "confidence": bounds.confidence,
        "bounds": {element: {"factor": float(f), "floor": float(d)} for element, f, d in lines},
        "widening": potential.widening.to_json(),
        "alternative": None if potential.alternative is None else potential.alternative.basis.to_json(),
        "provenance": dict(potential.provenance),
    }


def _stated_in_words(potential: Potential) -> str:
    """How standard deviations come about."""
    factors, other = potential.widening, potential.alternative
    words = (
        f"the posterior's spread times {factors.energy:.2g} (differences {factors.difference:.2g}, stress "
        f"{factors.stress:.2g}) by held-out labels"
    )
    if other is None:
        return words
    return f"{words}, and the distance to a model of radial exponent {other.basis.radial_exponent}"


@contextmanager
def _all_processors() -> Iterator[None]:
    """Inside, the core uses every processor that this process may use, and linear algebra one.

    Sums in linear algebra depend on the number of threads in their last bits; the core's do not.
    """

    from threadpoolctl import threadpool_limits

    before = num_threads()
    available = available_cores()
    set_num_threads(max(before, available))
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        set_num_threads(before)
