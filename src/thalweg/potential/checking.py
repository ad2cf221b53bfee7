"""Whether the parts of a potential belong together; its arrays frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import check
from thalweg.potential.prediction import ErrorBounds
from thalweg.potential.saving import MAX_MEMBERS
from thalweg.structure import FloatArray

if TYPE_CHECKING:
    from thalweg.potential.potential import Potential


def checked_parts(potential: Potential) -> dict[str, Any]:
    """Arrays and bounds of a potential as it is to hold them: copies that nobody can change.

    Raises
    ------
    InputError
        Inconsistent shapes, parts of another basis or other elements, or non-finite values.
    """
    n, p = len(potential.basis.elements), potential.basis.n_features
    _check_others(potential, (n, p))
    parts: dict[str, Any] = {
        "weights": _frozen(potential.weights, (n, p), "weights"),
        "reference_energies": _frozen(potential.reference_energies, (n,), "reference_energies"),
        "bounds": _checked_bounds(potential.bounds, n),
        **_checked_members(potential, (n, p)),
    }
    if potential.draws is not None:
        n_draws = len(potential.draws)
        check(1 <= n_draws <= MAX_MEMBERS, f"potential: 1 to {MAX_MEMBERS} draws needed, got {n_draws}")
        parts["draws"] = _frozen(potential.draws, (n_draws, n, p), "draws")
    return parts


def _checked_members(potential: Potential, shape: tuple[int, int]) -> dict[str, FloatArray]:
    n_members, n_rivals = len(potential.member_deltas), len(potential.rivals)
    check(
        n_members >= 1 and n_members + n_rivals <= MAX_MEMBERS,
        f"potential: 1 to {MAX_MEMBERS} members needed, got {n_members} and {n_rivals} rivals",
    )
    rivals = potential.rivals if n_rivals else np.zeros((0, *shape))
    return {
        "member_deltas": _frozen(potential.member_deltas, (n_members, *shape), "member_deltas"),
        "rivals": _frozen(rivals, (n_rivals, *shape), "rivals"),
    }


def _checked_bounds(bounds: ErrorBounds, n_elements: int) -> ErrorBounds:
    factors, floors = (_frozen(a, (n_elements,), "bounds") for a in (bounds.factors, bounds.floors))
    check((factors > 0).all() and (floors >= 0).all(), "potential: bounds need factors > 0 and floors >= 0")
    check(
        0 < bounds.confidence < 1,
        f"potential: confidence must be between 0 and 1, got {bounds.confidence}",
    )
    return ErrorBounds(bounds.confidence, factors, floors)


def _check_others(potential: Potential, shape: tuple[int, int]) -> None:
    elements = potential.basis.elements
    check(
        potential.alternative is None or potential.alternative.basis.elements == elements,
        f"potential: the alternative is not for the elements {elements}",
    )
    check(
        potential.novelty is None or potential.novelty.mean.shape == shape,
        "potential: the novelty model belongs to another basis",
    )
    check(
        potential.zbl is None or potential.zbl.elements == elements,
        f"potential: the core repulsion is not for the elements {elements}",
    )


def _frozen(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(values, dtype=np.float64, order="C")
    check(array.shape == shape, f"potential: {name} must have shape {shape}, got {array.shape}")
    check(np.isfinite(array).all(), f"potential: {name} holds NaN or infinity")
    array.flags.writeable = False
    return array
