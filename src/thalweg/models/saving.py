"""A Bayesian linear model as plain arrays and JSON, and back, without loss of a bit."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import InputError, ModelError
from thalweg.models.archive import Arrays, read_archive, take, write_archive
from thalweg.models.dual import KeptRows
from thalweg.models.factor import Factor
from thalweg.models.gram import Gram
from thalweg.models.linear import BayesianLinear, FittedState
from thalweg.models.observation import RowKind
from thalweg.models.prior import SmoothnessPrior
from thalweg.structure import FloatArray

_KIND = "linear-model"
_VERSION = 1
_MAX_COLUMNS, _MAX_MEMBERS = 50_000, 1024


def save_model(model: BayesianLinear, folder: str | Path) -> None:
    """Write the whole state of a fitted model: one that is loaded and goes on gives the same bits."""
    prior, state = model.prior, model.fitted
    arrays: Arrays = {"nu": prior.nu, "n_sum": prior.n_sum, "l_sum": prior.l_sum}
    arrays |= {"scale": state.scale, "centre": state.centre, "x": state.x}
    arrays["factor"] = _packed(state.factor.augmented)
    classes = []
    for number, ((kind, noise), gram) in enumerate(model.grams.items()):
        classes.append({"kind": str(kind), "noise": noise.hex(), "yy": gram.yy.hex(), "m": gram.m})
        arrays[f"G{number}"] = _packed(gram.G)
        arrays[f"b{number}"] = gram.b
    facts = {
        "n_elements": prior.n_elements,
        "n_features": len(prior.nu),
        "n_members": model.n_members,
        "seed": model.seed,
        "n_labels": model.n_labels,
        "n_labels_tuned": model.n_labels_tuned,
        "classes": classes,
    }
    write_archive(Path(folder), _KIND, _VERSION, arrays, facts)


def load_model(folder: str | Path) -> BayesianLinear:
    """Read a model back; ModelError when the folder is missing, damaged or of a newer format."""
    arrays, facts = read_archive(Path(folder), _KIND, _VERSION)
    try:
        return _restore(arrays, facts)
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError, InputError) as error:
        raise ModelError(f"{folder}: the saved model is inconsistent ({error!r})") from error


def _restore(arrays: Arrays, facts: dict[str, Any]) -> BayesianLinear:
    p, n_elements = int(facts["n_features"]), int(facts["n_elements"])
    if not (0 < p * n_elements <= _MAX_COLUMNS):
        raise ValueError(f"{p} features of {n_elements} elements")
    nu, n_sum, l_sum = (take(arrays, name, (p,), np.int64) for name in ("nu", "n_sum", "l_sum"))
    prior = SmoothnessPrior(nu, n_sum, l_sum, n_elements)
    n = prior.n_columns
    n_members = int(facts["n_members"])
    if not 1 <= n_members <= _MAX_MEMBERS:
        raise ValueError(f"{n_members} members")
    model = BayesianLinear(prior, n_members=n_members, seed=int(facts["seed"]))
    scale = take(arrays, "scale", (n,))
    x, centre = (take(arrays, name, (prior.n_hyperparameters,)) for name in ("x", "centre"))
    factor = Factor(_unpacked(take(arrays, "factor", (_packed_size(n + 1),)), n + 1))
    if (np.diag(factor.R) <= 0).any() or (scale <= 0).any():
        raise ValueError("the posterior factor or the scale is not positive")
    model.kept = KeptRows(n, overflown=True)
    model.state = FittedState(scale, centre, x, factor)
    model.n_labels, model.n_labels_tuned = int(facts["n_labels"]), int(facts["n_labels_tuned"])
    for number, entry in enumerate(facts["classes"]):
        G = _unpacked(take(arrays, f"G{number}", (_packed_size(n),)), n)
        gram = Gram(G, take(arrays, f"b{number}", (n,)), _finite(entry["yy"]), int(entry["m"]))
        model.grams.put((RowKind(entry["kind"]), _finite(entry["noise"])), gram)
    return model


def _finite(text: str) -> float:
    value = float.fromhex(text)
    if not isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _packed_size(n: int) -> int:
    return n * (n + 1) // 2


def _packed(upper: FloatArray) -> FloatArray:
    """The upper triangle, column after column."""
    return np.concatenate([upper[: k + 1, k] for k in range(len(upper))])


def _unpacked(packed: FloatArray, n: int) -> FloatArray:
    upper = np.zeros((n, n), order="F")
    start = 0
    for k in range(n):
        upper[: k + 1, k] = packed[start : start + k + 1]
        start += k + 1
    return upper
