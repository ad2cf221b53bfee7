"""A learned potential: everything that a prediction needs, frozen, and nothing about how it was learned.

Notation
    w        coefficients of the mean model, shape (n_elements, p), eV
    dw_m     draw m less the mean, shape (M, n_elements, p), eV
    r_s      rival s less the mean (thalweg.models.rivals), shape (K, n_elements, p), eV
    E        sum_i w[z_i] . phi_i + sum_i E0[z_i] + E_zbl
    D        root of mean_m |F(dw_m)|² + sum_s |F(r_s)|², an atom's deviation; F(.) the force of these coefficients
    bound    factor[z] D + floor[z]: what the force error stays below at the stated confidence
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np

from thalweg import _native
from thalweg.errors import InputError, ModelError, check, core_refusals
from thalweg.features.basis import AceBasis
from thalweg.features.batch import PackedStructures, pack, species_of
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblCutoffs
from thalweg.models.archive import read_archive, write_archive
from thalweg.models.environments import NoveltyModel
from thalweg.models.linear import BayesianLinear
from thalweg.models.rivals import rival_deltas
from thalweg.models.training import Baseline, voigt
from thalweg.potential.checking import checked_parts
from thalweg.potential.fields import field_of_alternative, whole_field
from thalweg.potential.finite import check_finite
from thalweg.potential.members import (
    EnergyEstimate,
    Members,
    QuantityKind,
    Terms,
    combine_energies,
    energy_deviation,
    feature_totals,
    make_members,
    other_energy,
    stress_deviation,
)
from thalweg.potential.misfit import Alternative, Widening
from thalweg.potential.prediction import ErrorBounds, Prediction
from thalweg.potential.saving import KIND, VERSION, archived, restored
from thalweg.structure import FloatArray, Structure
from thalweg.vocabulary import Precision

RIVAL_WEIGHT = 0.2**0.5
"""Of a rival's force in an atom's deviation; a rival disagrees at the labels as much as a posterior draw does."""


@dataclass(frozen=True, eq=False)
class Potential:
    """Basis, coefficients, committee, baseline, novelty and calibration.

    Attributes
    ----------
    basis : AceBasis
    weights : float64 ndarray, shape (n_elements, p), eV
    member_deltas : float64 ndarray, shape (M, n_elements, p), eV
        Posterior draws less the mean; M >= 1.
    reference_energies : float64 ndarray, shape (n_elements,), eV
    zbl : ZblCutoffs or None
        None: no core repulsion.
    novelty : NoveltyModel or None
    bounds : ErrorBounds
    provenance : mapping
        JSON-able: oracle fingerprint, number of labels, hash of the data set, version, ...
    rivals : float64 ndarray, shape (K, n_elements, p), eV
        Models that differ in an assumption, less the mean, weighted as in D; K may be 0.
    draws : float64 ndarray, shape (n_draws, n_elements, p), eV, or None
        Posterior draws less the mean, from which the spread of energies and stress is taken: more than walkers step
        with, since the spread of eight is a quarter off. None: the committee members.
    widening : Widening
        Factors on that spread, per kind of quantity.
    alternative : Alternative or None
        Model of another radial exponent; its distance to the mean is added in quadrature.

    Raises
    ------
    InputError
        Inconsistent shapes, or non-finite values.
    """

    basis: AceBasis
    weights: FloatArray
    member_deltas: FloatArray
    reference_energies: FloatArray
    zbl: ZblCutoffs | None
    novelty: NoveltyModel | None
    bounds: ErrorBounds
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rivals: FloatArray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    draws: FloatArray | None = None
    widening: Widening = field(default_factory=Widening)
    alternative: Alternative | None = None

    def __post_init__(self) -> None:
        for name, part in checked_parts(self).items():
            object.__setattr__(self, name, part)

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
        rivals: FloatArray | None = None,
    ) -> Potential:
        """The potential of a fitted model: posterior mean, posterior draws and the baseline below them.

        `rivals` are those of `thalweg.models.rivals.rival_deltas`, shape (K, n_columns); None: made here.
        """
        n, p = len(basis.elements), basis.n_features
        zbl = None if baseline.zbl is None else baseline.zbl.cutoffs
        weights, deltas = model.mean.reshape(n, p), model.member_deltas().reshape(-1, n, p)
        rivals = RIVAL_WEIGHT * (rival_deltas(model) if rivals is None else rivals).reshape(-1, n, p)
        energies = baseline.reference_energies
        return cls(basis, weights, deltas, energies, zbl, novelty, bounds, provenance, rivals)

    @property
    def committee(self) -> FloatArray:
        """Draws and rivals, so weighted that the root mean square of their forces is D; (M + K, n_elements, p), eV."""
        n_draws, n_all = len(self.member_deltas), len(self.member_deltas) + len(self.rivals)
        draws = np.sqrt(n_all / n_draws) * self.member_deltas
        return np.concatenate([draws, np.sqrt(n_all) * self.rivals])

    def stating(
        self, draws: FloatArray, widening: Widening | None = None, alternative: Alternative | None = None
    ) -> Potential:
        """The same with what its energies and stress are stated by.

        Parameters
        ----------
        draws : float64 ndarray, shape (n_draws, n_columns), eV
            `BayesianLinear.member_deltas` of as many as are wanted.
        """
        shaped = draws.reshape(-1, *self.weights.shape)
        return replace(self, draws=shaped, widening=widening or Widening(), alternative=alternative)

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols, in the order of the species indices."""
        return self.basis.elements

    @property
    def all_draws(self) -> FloatArray:
        """Posterior draws less the mean, (n_draws, n_elements, p), eV; the committee where there are no others."""
        return self.member_deltas if self.draws is None else self.draws

    @cached_property
    def features(self) -> Features:
        """Evaluator of the basis."""
        return Features(self.basis)

    @cached_property
    def force_field(self) -> _native.LinearForceField:
        """The native force field that walkers step on, in double precision."""
        return whole_field(self, mixed=False)

    @cached_property
    def _mixed_field(self) -> _native.LinearForceField:
        return whole_field(self, mixed=True)

    @cached_property
    def alternative_field(self) -> _native.LinearForceField | None:
        """The native force field of the alternative; None where there is none."""
        return field_of_alternative(self)

    def field(self, precision: Precision = "double") -> _native.LinearForceField:
        """The native force field in double or mixed precision; mixed takes about half the time.

        Raises
        ------
        InputError
            An unknown precision.
        """
        check(precision in get_args(Precision), f"precision must be 'double' or 'mixed', got {precision!r}")
        return self._mixed_field if precision == "mixed" else self.force_field

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled by what it is made of; the core's objects are made again where they are wanted."""
        return Potential, tuple(getattr(self, part.name) for part in fields(self))

    def packed(self, structure: Structure) -> PackedStructures:
        """The structure as the core takes it; InputError names an element that the potential does not know."""
        return pack([structure], self.elements)

    def predict(
        self,
        structure: Structure,
        *,
        precision: Precision = "double",
        kept: _native.KeptPairs | None = None,
        stress_uncertainty: bool = True,
    ) -> Prediction:
        """Energy, forces and stress with their uncertainties.

        Parameters
        ----------
        structure : Structure
        precision : 'double' or 'mixed'
        kept : neighbour list to use, and to renew if outdated; None: build one for this call
        stress_uncertainty : False leaves it out, which takes half of the time that a crystal costs

        Raises
        ------
        InputError
            The structure contains an element that the potential does not know; the message names it. Or the
            potential has no finite numbers for it.
        """
        packed = pack([structure], self.elements)
        with core_refusals():
            energies, forces, virials, deviation, novelty = self.field(precision).compute(
                *packed.arrays, deviation=True, novelty=self.novelty is not None, kept=kept
            )
        species, energy = packed.species, float(energies[0])
        energy_uncertainty = self._energy_uncertainty(structure, energy)
        stress = voigt(virials[0]) / structure.volume if structure.pbc.all() else None
        deviates = None
        if stress_uncertainty and stress is not None:
            deviates = stress_deviation(self, structure, stress)
        check_finite(structure, energies, forces, virials, deviation, energy_uncertainty, novelty, deviates)
        return Prediction(
            energy=energy,
            forces=forces,
            stress=stress,
            energy_uncertainty=energy_uncertainty,
            forces_deviation=deviation,
            forces_bound=self.bounds.factors[species] * deviation + self.bounds.floors[species],
            novelty=novelty,
            stress_uncertainty=deviates,
        )

    def check_elements(self, structure: Structure, where: str) -> None:
        """Raise InputError, which begins with `where`, for an element that the potential does not know."""
        try:
            species_of(structure, self.elements)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def atom_energies(
        self,
        structure: Structure,
        *,
        precision: Precision = "double",
        kept: _native.KeptPairs | None = None,
    ) -> FloatArray:
        """The energy of each atom, float64 (n_atoms,), eV: w . phi, E0 and half of its core repulsions.

        Parameters and errors as in `predict`.
        """
        arrays = pack([structure], self.elements).arrays
        with core_refusals():
            energies = self.field(precision).atom_energies(*arrays, kept=kept)
        check_finite(structure, energies)
        return energies

    def _energy_uncertainty(self, structure: Structure, energy: float) -> float:
        """Standard deviation of the total energy (eV): widened draws and the alternative."""
        totals = feature_totals(self.features, structure, self.elements)
        posterior = self.widening.energy * energy_deviation(self, totals)
        return float(np.hypot(posterior, other_energy(self, structure, energy) or 0.0))

    def stress_uncertainty(self, structure: Structure, stress: FloatArray) -> FloatArray:
        """Standard deviation of each component of the `stress` (6,) that this potential gives, eV/Å³, shape (6,).

        Raises
        ------
        InputError
            The structure is not periodic in three directions, or holds an element that the potential does not know.
        """
        check(structure.pbc.all(), "stress uncertainty: the structure must be periodic in three directions")
        return stress_deviation(self, structure, stress)

    def energy_combination(self, terms: Terms) -> EnergyEstimate:
        """A linear combination of energies, with the standard deviation of the combination.

        Errors that the structures share cancel: the deviation is far below the sum of those of the energies.

        Parameters
        ----------
        terms : pairs (coefficient, structure)
            Of any real coefficients: a vacancy of N sites is `[(1, vacancy), (-(N - 1) / N, bulk)]`.

        Raises
        ------
        InputError
            No terms, a coefficient that is not finite, something else than a Structure, or an element that the
            potential does not know; the message counts terms from 0.
        """
        return combine_energies(self, terms)

    def energy_difference(self, first: Structure, second: Structure) -> EnergyEstimate:
        """E(first) - E(second), eV, with the standard deviation of the difference; errors as `energy_combination`."""
        return combine_energies(self, ((1.0, first), (-1.0, second)))

    def members(self, kind: QuantityKind | None = None, *, n_draws: int | None = None) -> Members:
        """The models that say how far any quantity is known, each a potential.

        Parameters
        ----------
        kind : what the quantity hangs on
            'difference' (barriers, formation energies), 'energy', 'forces' (frequencies, distances) or 'stress'
            (lattice constants, elasticity); None takes the largest of the four factors.
        n_draws : how many of the draws; None: as many as the committee has

        Raises
        ------
        InputError
            Another kind, or more draws than there are.
        """
        return make_members(self, kind, n_draws)

    def save(self, folder: str | Path) -> None:
        """Write plain arrays and JSON under `folder`, atomically; SetupError if they cannot be written."""
        write_archive(Path(folder), KIND, VERSION, *archived(self))

    @classmethod
    def load(cls, folder: str | Path) -> Potential:
        """Load a potential; ModelError if the folder is missing, damaged or of a newer format."""
        arrays, facts = read_archive(Path(folder), KIND, VERSION)
        try:
            return cls(**restored(arrays, facts))
        except (KeyError, TypeError, ValueError, OverflowError, MemoryError, InputError) as error:
            words = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise ModelError(
                f"{folder}: the saved potential is inconsistent ({words}); save it again, or restore the "
                "folder from a copy"
            ) from error
