"""Equation of state: energy against volume, and what the third-order Birch-Murnaghan law makes of it.

Notation
    V, V_r   volume of the cell, and that of the structure given, Å³
    u        (V_r / V)^(2/3)
    E(u)     energy; the Birch-Murnaghan law of third order is exactly a cubic in u
    V_0      V_r u_0^(-3/2), where E'(u_0) = 0 and E''(u_0) > 0
    B        V d²E/dV² = 4/9 V_r^(4/3) V_0^(-7/3) E''(u_0)
    B'       dB/dP = 4 + 2/3 u_0 E'''(u_0) / E''(u_0)

Since the law is linear in its coefficients, the fit has one answer and needs no start, for every member too. The cell
is scaled uniformly and atoms keep their fractional coordinates: right where symmetry fixes them (diamond, fcc, bcc,
...), an upper bound of the energy elsewhere.

References
    Birch, Phys. Rev. 71, 809 (1947), eq. 15
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from thalweg.errors import InputError, check
from thalweg.potential import Potential, Widening
from thalweg.potential.members import deviation_of, draw_energies, feature_totals, other_energy
from thalweg.structure import FloatArray, Structure
from thalweg.units import GPa

EnergyFunction = Callable[[Structure], float]
"""Total energy (eV) of a structure: an oracle's, a calculator's or a potential's."""

MAX_STRAIN = 0.04
"""Default largest linear strain: ± 12 % of the volume, where the third order still holds."""

N_POINTS = 9

ROUNDS = 3
"""So often the volumes are moved towards lower energies before it is said that there is no minimum."""


@dataclass(frozen=True, eq=False)
class EquationOfState:
    """Energy against volume of one cell, and the minimum of its Birch-Murnaghan curve.

    The uncertainties are standard deviations over the potential's members (thalweg.potential.misfit) of the same
    quantity, each member fitted by itself; None where the energies come from something without members, or where one
    of them has no minimum: then nothing is known. They hold no misfit of the law: `residual` shows that.

    Attributes
    ----------
    n_atoms : int
        Atoms in the cell.
    volume : float, Å³ per cell, at the minimum
    energy : float, eV per cell, there
    bulk_modulus_GPa : float, GPa, there
    bulk_modulus_derivative : float, dimensionless
        dB/dP there.
    residual : float, eV per cell
        Root mean square of the energies about the curve.
    volumes, energies : float64 ndarray, shape (n_points,), Å³ and eV per cell
        The points fitted, by rising volume.
    volume_uncertainty, energy_uncertainty, bulk_modulus_uncertainty_GPa : float or None
    calibrated : bool
        Whether they hold what the basis cannot represent; where not, they are the draws' spread and no error bars.
    """

    n_atoms: int
    volume: float
    energy: float
    bulk_modulus_GPa: float  # noqa: N815  (GPa is how it is written)
    bulk_modulus_derivative: float
    residual: float
    volumes: FloatArray
    energies: FloatArray
    volume_uncertainty: float | None = None
    energy_uncertainty: float | None = None
    bulk_modulus_uncertainty_GPa: float | None = None  # noqa: N815
    calibrated: bool = False

    def to_json(self) -> dict[str, float | int | list[float] | None]:
        """Plain data, keys as the attributes."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EquationOfState:
        """Inverse of `to_json`."""
        arrays = {name: np.array(data[name], dtype=np.float64) for name in ("volumes", "energies")}
        return cls(**{**data, **arrays})


@dataclass(frozen=True, eq=False)
class MemberEnergies:
    """What members make of the points of a curve.

    Attributes
    ----------
    draws : float64 ndarray, shape (n_draws, n_points), eV
        Energies of the posterior draws less the mean model's, not widened.
    alternative : float64 ndarray, shape (n_points,), eV, or None
        The alternative's less the mean model's.
    widening : Widening
    """

    draws: FloatArray
    alternative: FloatArray | None = None
    widening: Widening = field(default_factory=Widening)


def equation_of_state(
    structure: Structure,
    energy: EnergyFunction,
    *,
    max_strain: float = MAX_STRAIN,
    n_points: int = N_POINTS,
) -> EquationOfState:
    """Scale the cell by linear strains up to ± `max_strain`, ask for the energies, fit.

    Where the lowest energy is at an end, the volumes are centred there anew, ROUNDS times at most.

    Raises
    ------
    InputError
        Not periodic in three directions, fewer than 5 points, or no minimum among the volumes visited.
    """
    cells, energies = _around_minimum(structure, energy, max_strain, n_points)
    return fit_birch_murnaghan(_volumes(cells), energies, n_atoms=len(structure))


def potential_equation_of_state(
    structure: Structure,
    potential: Potential,
    *,
    max_strain: float = MAX_STRAIN,
    n_points: int = N_POINTS,
) -> EquationOfState:
    """The same of a learned potential, with uncertainties from its members; raises as above.

    Volume and bulk modulus hang on the stress, and the factor of the stress widens their draws.
    """
    cells, energies = _around_minimum(
        structure, lambda cell: potential.predict(cell, stress_uncertainty=False).energy, max_strain, n_points
    )
    eos = fit_birch_murnaghan(
        _volumes(cells), energies, n_atoms=len(structure), members=_members(potential, cells, energies)
    )
    return replace(eos, calibrated=potential.alternative is not None)


def _members(potential: Potential, cells: list[Structure], energies: FloatArray) -> MemberEnergies:
    others = [other_energy(potential, cell, energy) for cell, energy in zip(cells, energies, strict=True)]
    return MemberEnergies(
        np.column_stack([member_energy_deltas(potential, cell) for cell in cells]),
        None if potential.alternative is None else np.array(others, dtype=np.float64),
        potential.widening,
    )


def _around_minimum(
    structure: Structure, energy: EnergyFunction, max_strain: float, n_points: int
) -> tuple[list[Structure], FloatArray]:
    """Cells and their energies (eV), centred again where the lowest energy lies at an end."""
    for _ in range(ROUNDS):
        cells = scaled_cells(structure, max_strain, n_points)
        energies = np.array([energy(cell) for cell in cells], dtype=np.float64)
        lowest = int(np.argmin(energies))
        if 0 < lowest < n_points - 1:
            break
        structure = cells[lowest]
    return cells, energies


def _volumes(cells: list[Structure]) -> FloatArray:
    return np.array([cell.volume for cell in cells], dtype=np.float64)


def scaled_cells(structure: Structure, max_strain: float, n_points: int) -> list[Structure]:
    """The cell under uniform linear strains from -max_strain to max_strain, by rising volume."""
    check(structure.pbc.all(), "equation of state: the structure must be periodic in three directions")
    check(n_points >= 5, f"equation of state: at least 5 points determine a curve, got {n_points}")
    check(
        0 < max_strain < 0.3,
        f"equation of state: max_strain must lie between 0 and 0.3, got {max_strain}; 0.04 is usual",
    )
    factors = 1.0 + np.linspace(-max_strain, max_strain, n_points)
    return [structure.strained(factor * np.eye(3)) for factor in factors]


def member_energy_deltas(potential: Potential, structure: Structure) -> FloatArray:
    """Energies of the posterior draws less the mean model's, shape (n_draws,), eV; not widened."""
    totals = feature_totals(potential.features, structure, potential.elements)
    return draw_energies(potential, totals)


def fit_birch_murnaghan(
    volumes: FloatArray,
    energies: FloatArray,
    *,
    n_atoms: int,
    members: MemberEnergies | None = None,
) -> EquationOfState:
    """The least-squares curve through energies (n_points,), eV, over volumes (n_points,), Å³.

    `members` give the uncertainties. Raises InputError when the curve has no minimum within the volumes.
    """
    reference = float(np.mean(volumes))
    powers = np.vander((reference / volumes) ** (2.0 / 3.0), 4, increasing=True)
    coefficients: FloatArray = np.asarray(np.linalg.lstsq(powers, energies, rcond=None)[0], dtype=np.float64)
    minimum = _minimum(coefficients, reference)
    if minimum is None or not volumes.min() <= minimum[0] <= volumes.max():
        raise InputError(
            f"equation of state: no minimum between {volumes.min():.4g} and {volumes.max():.4g} Å³ "
            f"(the lowest energy there is at {volumes[np.argmin(energies)]:.4g} Å³); start from a cell "
            "nearer to equilibrium, or raise max_strain"
        )
    volume, energy, bulk, derivative = minimum
    spread = None if members is None else _deviations(powers, energies, members, reference, minimum)
    return EquationOfState(
        n_atoms,
        volume,
        energy,
        bulk / GPa,
        derivative,
        residual=float(np.sqrt(np.mean((powers @ coefficients - energies) ** 2))),
        volumes=volumes,
        energies=energies,
        volume_uncertainty=None if spread is None else float(spread[0]),
        energy_uncertainty=None if spread is None else float(spread[1]),
        bulk_modulus_uncertainty_GPa=None if spread is None else float(spread[2] / GPa),
    )


def _minimum(coefficients: FloatArray, reference: float) -> tuple[float, float, float, float] | None:
    """V_0, E(V_0), B (eV/Å³) and B' of the cubic sum_k coefficients[k] u^k, or None if it has no minimum."""
    _, c1, c2, c3 = coefficients
    discriminant = c2**2 - 3.0 * c1 * c3
    if discriminant <= 0:
        return None
    # The root of E' = c1 + 2 c2 u + 3 c3 u² at which E'' = 2 sqrt(discriminant) > 0, safe for c3 -> 0.
    u = float(-c1 / (c2 + np.sqrt(discriminant)))
    if not u > 0:
        return None
    curvature = float(2.0 * np.sqrt(discriminant))
    volume = reference * u**-1.5
    bulk = 4.0 / 9.0 * reference ** (4.0 / 3.0) * volume ** (-7.0 / 3.0) * curvature
    return volume, float(np.polyval(coefficients[::-1], u)), bulk, 4.0 + 2.0 / 3.0 * u * 6.0 * c3 / curvature


def _deviations(
    powers: FloatArray,
    energies: FloatArray,
    members: MemberEnergies,
    reference: float,
    minimum: tuple[float, float, float, float],
) -> FloatArray | None:
    """Standard deviations of V_0, E(V_0), B and B', shape (4,); None where a member has no minimum."""

    def off(deltas: FloatArray) -> FloatArray | None:
        return _off_by(powers, energies, deltas, reference, minimum)

    by_stress, by_energy = (
        off(factor * members.draws) for factor in (members.widening.stress, members.widening.energy)
    )
    other = None if members.alternative is None else off(members.alternative[None, :])
    if by_stress is None or by_energy is None or (other is None and members.alternative is not None):
        return None
    draws = by_stress.copy()
    draws[:, 1] = by_energy[:, 1]
    return deviation_of(draws, None if other is None else other[0])


def _off_by(
    powers: FloatArray,
    energies: FloatArray,
    deltas: FloatArray,
    reference: float,
    minimum: tuple[float, float, float, float],
) -> FloatArray | None:
    """V_0, E(V_0), B and B' of each member less the mean model's, shape (n_members, 4)."""
    fitted = np.linalg.lstsq(powers, (energies + deltas).T, rcond=None)[0]
    minima = [_minimum(column, reference) for column in fitted.T]
    if any(one is None for one in minima):
        return None
    return np.asarray(np.array(minima, dtype=np.float64) - np.array(minimum))
