"""The models that a potential holds beside its mean, and what they say of energies and stress.

Notation
    phi_s    features of structure s summed over the atoms of each element, shape (n_elements, p)
    dw_m     draw m of the posterior less the mean, shape (n_elements, p), eV
    c_s      coefficient of structure s in a combination of energies, sum_s c_s E_s
    E_a      energy by the alternative (thalweg.potential.misfit)

    sd² = f² mean_m (dw_m . sum_s c_s phi_s)² + (sum_s c_s (E_a,s - E_s))²

f is the factor of differences where the combination is of as many atoms of each element on both sides, and that of
energies elsewhere. All structures of a combination share the draws: what they have in common cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError, check
from thalweg.features.batch import species_of
from thalweg.features.evaluate import Features
from thalweg.potential.finite import check_finite
from thalweg.structure import FloatArray, Structure

if TYPE_CHECKING:
    from thalweg.potential.potential import Potential

NOT_KNOWN = 1.0
"""eV. Where the standard deviation of a combination of energies is larger, words say that it is not known."""
STRESS_DRAWS = 16
"""Draws that a stress is computed with; each costs as much as the forces of one model."""
_BYTES_AT_ONCE = 64e6
_BALANCED = 1e-9
"""Of the atoms of a combination; what is left of an element is rounding."""

QuantityKind = Literal["energy", "forces", "stress", "difference"]
"""What a quantity hangs on: an energy, forces (frequencies, distances), stress (lattice, elasticity), or a difference
of energies (barriers, formation energies)."""


@dataclass(frozen=True)
class EnergyEstimate:
    """A combination of energies with its standard deviation.

    Attributes
    ----------
    value : float, eV
    uncertainty : float, eV
        Standard deviation: posterior and misfit in quadrature.
    posterior, misfit : float, eV
        Its parts: the widened spread of the draws, and the distance to the alternative.
    """

    value: float
    uncertainty: float
    posterior: float
    misfit: float

    @property
    def interval_95(self) -> tuple[float, float]:
        """eV: value ∓ 1.96 standard deviations."""
        half = 1.96 * self.uncertainty
        return self.value - half, self.value + half

    @property
    def is_known(self) -> bool:
        """False where members differ by electronvolts: the potential does not know this energy."""
        return self.uncertainty <= NOT_KNOWN

    def __str__(self) -> str:
        if not self.is_known:
            return f"not known (members differ by {self.uncertainty:.2g} eV)"
        return f"{self.value:.4f} ± {self.uncertainty:.4f} eV"


@dataclass(frozen=True, eq=False)
class Members:
    """The models that say how far a quantity is known, each a potential of its own.

    Iterating gives the draws and then, where there is one, the alternative. A quantity is computed with each of them
    in the same way as with the mean (relaxed anew where it is a relaxed one).

    Attributes
    ----------
    mean : Potential
    draws : tuple of Potential
        About the mean, their distance to it already widened.
    alternative : Potential or None
    """

    mean: Potential
    draws: tuple[Potential, ...]
    alternative: Potential | None

    def __iter__(self) -> Iterator[Potential]:
        yield from self.draws
        if self.alternative is not None:
            yield self.alternative

    def __len__(self) -> int:
        return len(self.draws) + (self.alternative is not None)

    def spread(self, quantity: Callable[[Potential], float | FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Value by the mean and standard deviation of a quantity: a number, or an array of any shape.

        `quantity` takes a potential and returns the value. 1.96 standard deviations make a 95 % interval.
        """
        value = np.asarray(quantity(self.mean), dtype=np.float64)
        draws = np.array([quantity(member) for member in self.draws], dtype=np.float64)
        other = None if self.alternative is None else np.asarray(quantity(self.alternative))
        return value, deviation_of(draws - value, None if other is None else other - value)


def deviation_of(draws: FloatArray, alternative: FloatArray | float | None) -> FloatArray:
    """Standard deviation from widened draws (n_draws, ...) and the alternative, both less the mean."""
    square = np.mean(draws**2, axis=0)
    return np.asarray(np.sqrt(square if alternative is None else square + np.asarray(alternative) ** 2))


def make_members(potential: Potential, kind: QuantityKind | None, n_draws: int | None) -> Members:
    """What `Potential.members` returns."""
    from thalweg.potential.potential import Potential

    widening = potential.widening
    check(
        kind is None or kind in get_args(QuantityKind),
        f"members: kind must be one of {', '.join(get_args(QuantityKind))} or None, got {kind!r}",
    )
    n_most = len(potential.all_draws)
    n = len(potential.member_deltas) if n_draws is None else n_draws
    check(1 <= n <= n_most, f"members: n_draws must be from 1 to {n_most}, got {n_draws}")
    factor = widening.largest if kind is None else float(getattr(widening, kind))

    def alone(basis_weights: FloatArray, other: bool = False) -> Potential:
        alternative = potential.alternative
        basis = alternative.basis if other and alternative is not None else potential.basis
        deltas = np.zeros((1, *basis_weights.shape))
        fixed = potential.reference_energies, potential.zbl, None, potential.bounds
        return Potential(basis, basis_weights, deltas, *fixed, provenance=potential.provenance)

    draws = tuple(alone(potential.weights + factor * delta) for delta in potential.all_draws[:n])
    one = potential.alternative
    return Members(potential, draws, None if one is None else alone(one.weights, other=True))


Terms = Iterable[tuple[float, Structure]]
"""Pairs of a coefficient and a structure."""


def combine_energies(potential: Potential, terms: Terms) -> EnergyEstimate:
    """What `Potential.energy_combination` returns."""
    pairs = _checked(potential, terms)
    totals, value, misfit = np.zeros_like(potential.weights), 0.0, 0.0
    for coefficient, structure in pairs:
        energy = float(potential.atom_energies(structure).sum())
        value += coefficient * energy
        totals += coefficient * feature_totals(potential.features, structure, potential.elements)
        misfit += coefficient * (other_energy(potential, structure, energy) or 0.0)
    widening = potential.widening
    factor = widening.difference if _is_balanced(potential, pairs) else widening.energy
    posterior = factor * energy_deviation(potential, totals)
    check_finite(pairs[0][1], value, posterior, misfit)
    return EnergyEstimate(value, float(np.hypot(posterior, misfit)), posterior, abs(misfit))


def _checked(potential: Potential, terms: Terms) -> list[tuple[float, Structure]]:
    """The terms as a list; InputError where they are none."""
    pairs = list(terms)
    check(len(pairs) > 0, "energy combination: no terms; expected pairs of a coefficient and a structure")
    out = []
    for number, pair in enumerate(pairs):
        where = f"energy combination: term {number}"
        try:
            coefficient, structure = pair
            factor = float(coefficient)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: expected a pair (a number, a structure), got {pair!r:.60}") from error
        check(bool(np.isfinite(factor)), f"{where}: the coefficient must be finite, got {factor}")
        check(
            isinstance(structure, Structure),
            f"{where}: expected a Structure (Structure.from_atoms makes one of ASE's atoms), got "
            f"{type(structure).__name__}",
        )
        potential.check_elements(structure, where)
        out.append((factor, structure))
    return out


def _is_balanced(potential: Potential, pairs: Sequence[tuple[float, Structure]]) -> bool:
    """Whether the atoms of each element cancel."""
    n = len(potential.elements)
    counts = np.array([np.bincount(species_of(one, potential.elements), minlength=n) for _, one in pairs])
    coefficients = np.array([coefficient for coefficient, _ in pairs])
    left, size = coefficients @ counts, np.abs(coefficients) @ counts
    return bool((np.abs(left) <= _BALANCED * size.max()).all())


def feature_totals(features: Features, structure: Structure, elements: Sequence[str]) -> FloatArray:
    """phi_s, shape (n_elements, p)."""
    totals = np.zeros((len(elements), features.basis.n_features))
    np.add.at(totals, species_of(structure, elements), features.phi([structure]))
    return totals


def energy_deviation(potential: Potential, totals: FloatArray) -> float:
    """Root mean square over all draws of dw_m . totals, eV; not widened."""
    return float(np.sqrt(np.mean(draw_energies(potential, totals) ** 2)))


def draw_energies(potential: Potential, totals: FloatArray) -> FloatArray:
    """dw_m . totals of each draw, shape (n_draws,), eV; not widened."""
    return np.asarray(np.tensordot(potential.all_draws, totals, axes=2))


def other_energy(potential: Potential, structure: Structure, energy: float) -> float | None:
    """E_a - E, eV; None where there is no alternative."""
    if potential.alternative_field is None:
        return None
    arrays = potential.packed(structure).arrays
    return float(potential.alternative_field.atom_energies(*arrays).sum()) - energy


def stress_deviation(potential: Potential, structure: Structure, stress: FloatArray) -> FloatArray:
    """Standard deviation of each component of `stress` (6,), eV/Å³, shape (6,): widened draws and the alternative."""
    from thalweg.models.training import voigt

    _, strains = pulled(potential.features, structure, potential.elements, potential.all_draws[:STRESS_DRAWS])
    draws = np.array([voigt(one) for one in strains]) / structure.volume
    other = None
    if potential.alternative_field is not None:
        _, _, virials, _, _ = potential.alternative_field.compute(*potential.packed(structure).arrays)
        other = voigt(virials[0]) / structure.volume - stress
    return deviation_of(potential.widening.stress * draws, other)


def pulled(
    features: Features, structure: Structure, elements: Sequence[str], draws: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradients (n_draws, n_atoms, 3), eV/Å, and strain gradients (n_draws, 3, 3), eV, of each draw's energy."""
    species: NDArray[np.int32] = species_of(structure, elements)
    at_once = max(int(_BYTES_AT_ONCE / (8.0 * len(structure) * draws.shape[-1])), 1)
    parts = [
        features.vjp([structure], draws[k : k + at_once][:, species]) for k in range(0, len(draws), at_once)
    ]
    return np.concatenate([g for g, _ in parts]), np.concatenate([s[:, 0] for _, s in parts])
