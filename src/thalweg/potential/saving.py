"""A potential as plain arrays and JSON: what `Potential.save` writes and `Potential.load` reads.

Versions 1 and 2 have neither rivals nor a guard of lost neighbours. Their bounds are of the member that is furthest
off; read, they are of the root mean square over members, as wide on average (`thalweg.potential.older`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.features.basis import AceBasis
from thalweg.features.zbl import ZblCutoffs
from thalweg.models.archive import Arrays, take
from thalweg.models.environments import NoveltyModel
from thalweg.potential.misfit import Alternative, Widening
from thalweg.potential.older import largest_over_rms
from thalweg.potential.prediction import ErrorBounds

if TYPE_CHECKING:
    from thalweg.potential.potential import Potential

KIND = "potential"
VERSION = 3
MAX_MEMBERS, _MAX_DIRECTIONS = 1024, 4096
_PRODUCTS_PER_FEATURE, _FEW_PRODUCTS = 64, 10_000
"""Of real bases up to some ten products make one feature."""

NOVELTY_ARRAYS = ("mean", "scale", "components", "inv_lambda", "inv_rest")
"""Of a NoveltyModel, in the order of its arguments."""


def archived(potential: Potential) -> tuple[Arrays, dict[str, Any]]:
    """Everything that a potential is: arrays, and facts that JSON can hold."""
    arrays: Arrays = {
        "weights": potential.weights,
        "member_deltas": potential.member_deltas,
        "reference_energies": potential.reference_energies,
        "rivals": potential.rivals,
        "bound_factors": potential.bounds.factors,
        "bound_floors": potential.bounds.floors,
    }
    zbl, novelty = potential.zbl, potential.novelty
    if zbl is not None:
        arrays |= {"zbl_inner": zbl.inner, "zbl_outer": zbl.outer}
    if novelty is not None:
        arrays |= {f"novelty_{name}": getattr(novelty, name) for name in NOVELTY_ARRAYS}
        arrays |= {"novelty_fewest_neighbours": novelty.fewest_neighbours}
    if potential.draws is not None:
        arrays["draws"] = potential.draws
    if potential.alternative is not None:
        arrays["alternative_weights"] = potential.alternative.weights
    facts = {
        "basis": potential.basis.to_json(),
        "n_members": len(potential.member_deltas),
        "n_rivals": len(potential.rivals),
        "n_directions": 0 if novelty is None else novelty.components.shape[1],
        "has_zbl": zbl is not None,
        "has_novelty": novelty is not None,
        "confidence": potential.bounds.confidence,
        "provenance": dict(potential.provenance),
        "n_draws": 0 if potential.draws is None else len(potential.draws),
        "widening": potential.widening.to_json(),
        "alternative": None if potential.alternative is None else potential.alternative.basis.to_json(),
    }
    return arrays, facts


def restored(arrays: Arrays, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the Potential that was archived.

    Raises
    ------
    ModelError, InputError, KeyError, TypeError, ValueError, OverflowError, MemoryError
        Arrays and facts do not belong together, or were never those of a potential.
    """
    basis = _basis_of(facts["basis"], arrays["weights"].shape)
    n, p = len(basis.elements), basis.n_features
    n_members, r = int(facts["n_members"]), int(facts["n_directions"])
    n_rivals = int(facts.get("n_rivals", 0))
    if not (1 <= n_members <= MAX_MEMBERS and 0 <= n_rivals <= MAX_MEMBERS and 0 <= r <= _MAX_DIRECTIONS):
        raise ValueError(f"{n_members} members, {n_rivals} rivals and {r} directions")
    is_older = "n_rivals" not in facts  # versions 1 and 2
    zbl = novelty = None
    if facts["has_zbl"]:
        zbl = ZblCutoffs(basis.elements, take(arrays, "zbl_inner", (n, n)), take(arrays, "zbl_outer", (n, n)))
    if facts["has_novelty"]:
        novelty = _novelty(arrays, n, p, r, guarded=not is_older)
    factors, floors = take(arrays, "bound_factors", (n,)), take(arrays, "bound_floors", (n,))
    if is_older:
        factors = factors * largest_over_rms(n_members)
    return {
        "basis": basis,
        "weights": take(arrays, "weights", (n, p)),
        "member_deltas": take(arrays, "member_deltas", (n_members, n, p)),
        "reference_energies": take(arrays, "reference_energies", (n,)),
        "zbl": zbl,
        "novelty": novelty,
        "bounds": ErrorBounds(float(facts["confidence"]), factors, floors),
        "provenance": dict(facts["provenance"]),
        "rivals": np.zeros((0, n, p)) if is_older else take(arrays, "rivals", (n_rivals, n, p)),
        **_misfit(arrays, facts, (n, p)),
    }


def _basis_of(description: Mapping[str, Any], shape: tuple[int, ...]) -> AceBasis:
    """The basis of coefficients of this shape; ValueError where it would take long to enumerate."""
    basis, stored = AceBasis.from_json(dict(description)), shape[-1] if shape else 0
    if basis.n_products > _PRODUCTS_PER_FEATURE * stored + _FEW_PRODUCTS:
        raise ValueError(f"a basis of {basis.n_products:,} products and coefficients of {stored:,} features")
    return basis


def _misfit(arrays: Arrays, facts: Mapping[str, Any], shape: tuple[int, int]) -> dict[str, Any]:
    """What versions 1 and 2 lack: draws, their widening, and the alternative."""
    n_draws, other = int(facts.get("n_draws", 0)), facts.get("alternative")
    if not 0 <= n_draws <= MAX_MEMBERS:
        raise ValueError(f"{n_draws} draws")
    alternative = None
    if other is not None:
        weights = arrays["alternative_weights"]
        basis = _basis_of(other, weights.shape)
        expected = (len(basis.elements), basis.n_features)
        alternative = Alternative(basis, take(arrays, "alternative_weights", expected))
    return {
        "draws": take(arrays, "draws", (n_draws, *shape)) if n_draws else None,
        "widening": Widening.from_json(facts.get("widening")),
        "alternative": alternative,
    }


def _novelty(arrays: Arrays, n: int, p: int, r: int, *, guarded: bool) -> NoveltyModel:
    """Of n elements, p features and r directions; with the fewest neighbours where these were saved (`guarded`)."""
    shapes = ((n, p), (n, p), (n, r, p), (n, r), (n,))
    parts = [take(arrays, f"novelty_{k}", shape) for k, shape in zip(NOVELTY_ARRAYS, shapes, strict=True)]
    model = NoveltyModel(*parts)
    if not guarded:
        return model
    return replace(model, fewest_neighbours=take(arrays, "novelty_fewest_neighbours", (n,), np.int32))
