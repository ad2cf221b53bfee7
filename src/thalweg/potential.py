"""A learned potential: everything that a prediction needs, frozen, and nothing of how it was learned.

Notation
    w        coefficients of the mean model, shape (n_elements, p), eV
    dw_m     member m less the mean, shape (M, n_elements, p), eV
    E        sum_i w[z_i] . phi_i + sum_i E0[z_i] + E_zbl
    F_m      forces of member m
    bound    factor[z] max_m |F_m - F| + floor[z]: what the force error stays below at the stated confidence
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from thalweg import _native
from thalweg.errors import InputError, ModelError, check
from thalweg.features.basis import AceBasis
from thalweg.features.batch import pack
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblBaseline, ZblCutoffs
from thalweg.models.archive import Arrays, read_archive, take, write_archive
from thalweg.models.environments import NoveltyModel
from thalweg.models.linear import BayesianLinear
from thalweg.models.training import Baseline, voigt
from thalweg.structure import FloatArray, Structure

Precision = Literal["double", "mixed"]
"""Arithmetic of the kernel: mixed keeps displacements, the core repulsion and sums over atoms in double precision."""

_KIND = "potential"
_VERSION = 1
_MAX_MEMBERS, _MAX_DIRECTIONS = 1024, 4096


@dataclass(frozen=True)
class Prediction:
    """What a potential says of one structure.

    Attributes
    ----------
    energy : float, eV, total
    forces : float64 ndarray, shape (n_atoms, 3), eV/Å
    stress : float64 ndarray, shape (6,), eV/Å³, or None
        Voigt order and sign as ASE's; None unless periodic in three directions.
    energy_uncertainty : float, eV
        Standard deviation over the members of the total energy.
    forces_deviation : float64 ndarray, shape (n_atoms,), eV/Å
        Largest deviation of any member's force from the mean model's.
    forces_bound : float64 ndarray, shape (n_atoms,), eV/Å
        Calibrated error bound at `ErrorBounds.confidence`.
    novelty : float64 ndarray, shape (n_atoms,), or None
        In units of the training set's own reach; None when the potential holds no novelty model.
    """

    energy: float
    forces: FloatArray
    stress: FloatArray | None
    energy_uncertainty: float
    forces_deviation: FloatArray
    forces_bound: FloatArray
    novelty: FloatArray | None


@dataclass(frozen=True, eq=False)
class ErrorBounds:
    """bound = factor[z] * deviation + floor[z], per element of the basis.

    Attributes
    ----------
    confidence : float
        Fraction of atoms whose force error the bound is to exceed.
    factors : float64 ndarray, shape (n_elements,), dimensionless
    floors : float64 ndarray, shape (n_elements,), eV/Å
    """

    confidence: float
    factors: FloatArray
    floors: FloatArray


@dataclass(frozen=True, eq=False)
class Potential:
    """Basis, coefficients, committee, baseline, novelty and calibration.

    Attributes
    ----------
    basis : AceBasis
    weights : float64 ndarray, shape (n_elements, p), eV
    member_deltas : float64 ndarray, shape (M, n_elements, p), eV
        Committee members less the mean; M >= 1.
    reference_energies : float64 ndarray, shape (n_elements,), eV
    zbl : ZblCutoffs or None
        None: no core repulsion.
    novelty : NoveltyModel or None
    bounds : ErrorBounds
    provenance : mapping
        JSON-able: oracle fingerprint, number of labels, hash of the data set, version, ...

    Raises
    ------
    InputError
        Shapes that do not belong together, or numbers that are not finite.
    """

    basis: AceBasis
    weights: FloatArray
    member_deltas: FloatArray
    reference_energies: FloatArray
    zbl: ZblCutoffs | None
    novelty: NoveltyModel | None
    bounds: ErrorBounds
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, p = len(self.basis.elements), self.basis.n_features
        n_members = len(self.member_deltas)
        check(
            1 <= n_members <= _MAX_MEMBERS, f"potential: 1 to {_MAX_MEMBERS} members needed, got {n_members}"
        )
        shapes = {"weights": (n, p), "member_deltas": (n_members, n, p), "reference_energies": (n,)}
        for name, shape in shapes.items():
            object.__setattr__(self, name, _frozen(getattr(self, name), shape, name))
        factors, floors = (_frozen(a, (n,), "bounds") for a in (self.bounds.factors, self.bounds.floors))
        check(
            (factors > 0).all() and (floors >= 0).all(), "potential: bounds need factors > 0 and floors >= 0"
        )
        check(
            0 < self.bounds.confidence < 1,
            f"potential: confidence must be between 0 and 1, got {self.bounds.confidence}",
        )
        object.__setattr__(self, "bounds", ErrorBounds(self.bounds.confidence, factors, floors))
        check(
            self.novelty is None or self.novelty.mean.shape == (n, p),
            "potential: the novelty model belongs to another basis",
        )
        check(
            self.zbl is None or self.zbl.elements == self.basis.elements,
            f"potential: the core repulsion is not for the elements {self.basis.elements}",
        )

    @classmethod
    def from_model(
        cls,
        model: BayesianLinear,
        basis: AceBasis,
        baseline: Baseline,
        *,
        novelty: NoveltyModel | None,
        bounds: ErrorBounds,
        provenance: Mapping[str, Any],
    ) -> Potential:
        """The potential of a fitted model: posterior mean, posterior draws and the baseline below them."""
        n, p = len(basis.elements), basis.n_features
        zbl = None if baseline.zbl is None else baseline.zbl.cutoffs
        weights, deltas = model.mean.reshape(n, p), model.member_deltas().reshape(-1, n, p)
        return cls(basis, weights, deltas, baseline.reference_energies, zbl, novelty, bounds, provenance)

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols, in the order of the species indices."""
        return self.basis.elements

    @cached_property
    def features(self) -> Features:
        """Evaluator of the basis."""
        return Features(self.basis)

    @cached_property
    def force_field(self) -> _native.LinearForceField:
        """The native force field that walkers step on, in double precision."""
        return self._native_field(mixed=False)

    @cached_property
    def _mixed_field(self) -> _native.LinearForceField:
        return self._native_field(mixed=True)

    def field(self, precision: Precision = "double") -> _native.LinearForceField:
        """The native force field in double precision, or in mixed, which takes about half the time.

        Raises
        ------
        InputError
            Another precision than these.
        """
        check(precision in get_args(Precision), f"precision must be 'double' or 'mixed', got {precision!r}")
        return self._mixed_field if precision == "mixed" else self.force_field

    def _native_field(self, *, mixed: bool) -> _native.LinearForceField:
        novelty = zbl = None
        if self.novelty is not None:
            novelty = _native.NoveltyModel(
                mean=self.novelty.mean,
                scale=self.novelty.scale,
                components=self.novelty.components,
                factors=self.novelty.inv_lambda,
                rest=self.novelty.inv_rest,
            )
        if self.zbl is not None:
            zbl = ZblBaseline(self.elements, self.zbl).native
        return _native.LinearForceField(
            self.features.native,
            self.weights,
            self.member_deltas,
            self.reference_energies,
            novelty,
            zbl,
            mixed,
        )

    def predict(
        self,
        structure: Structure,
        *,
        precision: Precision = "double",
        kept: _native.KeptPairs | None = None,
    ) -> Prediction:
        """Energy, forces and stress with their uncertainties.

        Parameters
        ----------
        structure : Structure
        precision : 'double' or 'mixed'
        kept : neighbour list to use and to renew where it no longer serves; None makes one for this call

        Raises
        ------
        InputError
            The structure holds an element that the potential does not know; the message names it.
        """
        packed = pack([structure], self.elements)
        energies, forces, virials, deviation, novelty = self.field(precision).compute(
            *packed.arrays, deviation=True, novelty=self.novelty is not None, kept=kept
        )
        species = packed.species
        return Prediction(
            energy=float(energies[0]),
            forces=forces,
            stress=voigt(virials[0]) / structure.volume if structure.pbc.all() else None,
            energy_uncertainty=self._energy_uncertainty(structure, species),
            forces_deviation=deviation,
            forces_bound=self.bounds.factors[species] * deviation + self.bounds.floors[species],
            novelty=novelty,
        )

    def _energy_uncertainty(self, structure: Structure, species: np.ndarray[Any, Any]) -> float:
        """Standard deviation over members of sum_i dw_m[z_i] . phi_i."""
        phi = self.features.phi([structure])
        totals = np.zeros_like(self.weights)
        np.add.at(totals, species, phi)
        members = np.tensordot(self.member_deltas, totals, axes=2)
        return float(np.sqrt(np.mean(members**2)))

    def save(self, folder: str | Path) -> None:
        """Write plain arrays and JSON under `folder`, atomically; SetupError when it cannot be written."""
        arrays: Arrays = {
            "weights": self.weights,
            "member_deltas": self.member_deltas,
            "reference_energies": self.reference_energies,
            "bound_factors": self.bounds.factors,
            "bound_floors": self.bounds.floors,
        }
        if self.zbl is not None:
            arrays |= {"zbl_inner": self.zbl.inner, "zbl_outer": self.zbl.outer}
        if self.novelty is not None:
            arrays |= {f"novelty_{name}": getattr(self.novelty, name) for name in _NOVELTY_ARRAYS}
        facts = {
            "basis": self.basis.to_json(),
            "n_members": len(self.member_deltas),
            "n_directions": 0 if self.novelty is None else self.novelty.components.shape[1],
            "has_zbl": self.zbl is not None,
            "has_novelty": self.novelty is not None,
            "confidence": self.bounds.confidence,
            "provenance": dict(self.provenance),
        }
        write_archive(Path(folder), _KIND, _VERSION, arrays, facts)

    @classmethod
    def load(cls, folder: str | Path) -> Potential:
        """Read a potential back; ModelError when the folder is missing, damaged or of a newer format."""
        arrays, facts = read_archive(Path(folder), _KIND, _VERSION)
        try:
            return _restore(arrays, facts)
        except (KeyError, TypeError, ValueError, OverflowError, MemoryError, InputError) as error:
            raise ModelError(f"{folder}: the saved potential is inconsistent ({error!r})") from error


_NOVELTY_ARRAYS = ("mean", "scale", "components", "inv_lambda", "inv_rest")


def _restore(arrays: Arrays, facts: Mapping[str, Any]) -> Potential:
    basis = AceBasis.from_json(facts["basis"])
    n, p = len(basis.elements), basis.n_features
    n_members, r = int(facts["n_members"]), int(facts["n_directions"])
    if not (1 <= n_members <= _MAX_MEMBERS and 0 <= r <= _MAX_DIRECTIONS):
        raise ValueError(f"{n_members} members and {r} directions")
    zbl = novelty = None
    if facts["has_zbl"]:
        zbl = ZblCutoffs(basis.elements, take(arrays, "zbl_inner", (n, n)), take(arrays, "zbl_outer", (n, n)))
    if facts["has_novelty"]:
        shapes = ((n, p), (n, p), (n, r, p), (n, r), (n,))
        parts = [
            take(arrays, f"novelty_{k}", shape) for k, shape in zip(_NOVELTY_ARRAYS, shapes, strict=True)
        ]
        novelty = NoveltyModel(*parts)
    return Potential(
        basis=basis,
        weights=take(arrays, "weights", (n, p)),
        member_deltas=take(arrays, "member_deltas", (n_members, n, p)),
        reference_energies=take(arrays, "reference_energies", (n,)),
        zbl=zbl,
        novelty=novelty,
        bounds=ErrorBounds(
            float(facts["confidence"]),
            take(arrays, "bound_factors", (n,)),
            take(arrays, "bound_floors", (n,)),
        ),
        provenance=dict(facts["provenance"]),
    )


def _frozen(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(values, dtype=np.float64, order="C")
    check(array.shape == shape, f"potential: {name} must have shape {shape}, got {array.shape}")
    check(np.isfinite(array).all(), f"potential: {name} holds NaN or infinity")
    array.flags.writeable = False
    return array
