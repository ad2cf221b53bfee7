"""An ASE calculator whose results also carry the uncertainties."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from thalweg import _native
from thalweg.border import check_cell
from thalweg.errors import ExtrapolationError, check, core_refusals
from thalweg.features.batch import pack
from thalweg.models.training import voigt
from thalweg.potential import Potential
from thalweg.potential.finite import check_finite
from thalweg.reducing import least_skewed, reduce_atoms
from thalweg.sites import check_sites
from thalweg.structure import Structure
from thalweg.vocabulary import Precision


class ThalwegCalculator(Calculator):  # type: ignore[misc]  # ASE ships no types
    """Energy, forces and stress of a potential, for anything that uses ASE.

    The neighbour list is kept between calls until an atom has moved by half the skin. A stress exists for
    structures periodic in three directions; for others, ASE raises PropertyNotImplementedError. Energies of atoms
    (`atoms.get_potential_energies()`) include each atom's reference energy and half of its core repulsions. They add up
    to the energy, and are computed on request. A calculator, and atoms that carry one, can be copied and pickled.
    After each calculation, `results` also holds the following, unless `uncertainty` is off:

    energy_uncertainty : float, eV
        Standard deviation of the total energy, calibrated; `Potential.energy_difference` has that of differences.
    stress_uncertainty : float64 ndarray, shape (6,), eV/Å³
        Standard deviation of each component of the stress. Computed when the stress is asked for
        (`atoms.get_stress()`), since it costs as much as all the rest.
    forces_uncertainty : float64 ndarray, shape (n_atoms,), eV/Å
        Largest deviation of a committee member's force.
    forces_bound : float64 ndarray, shape (n_atoms,), eV/Å
        Error bound at the potential's confidence.
    novelty : float64 ndarray, shape (n_atoms,)
        Absent when the potential holds no novelty model.

    Parameters
    ----------
    potential : Potential
    precision : 'double' or 'mixed'
        Mixed takes about half the time; forces differ by some 1e-5 of their size.
    uncertainty : bool
        False leaves uncertainties out: a call then costs a fifth to a third.
    skin : float, Å
    bound_max : float or None, eV/Å
        Largest error bound of a force that is allowed. A structure beyond it raises ExtrapolationError, so that a band
        or an optimiser cannot fall into a hole of the potential.
    novelty_max : float or None
        The same for novelty.

    Raises
    ------
    InputError
        Another precision; a skin that is negative or not finite; limits that are not positive, or that need
        uncertainties or a novelty model that are not there.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]

    def __init__(
        self,
        potential: Potential,
        *,
        precision: Precision = "double",
        uncertainty: bool = True,
        skin: float = 0.5,
        bound_max: float | None = None,
        novelty_max: float | None = None,
    ) -> None:
        super().__init__()
        check(0 <= skin < np.inf, f"skin must be a length of 0 Å or more, got {skin}")
        potential.field(precision)
        self.potential = potential
        self.precision: Precision = precision
        self.uncertainty = uncertainty
        self.bound_max, self.novelty_max = bound_max, novelty_max
        self._check_limits()
        self.results: dict[str, Any] = {}
        self.skin = skin
        self._kept = _native.KeptPairs(skin)

    def _check_limits(self) -> None:
        for name in ("bound_max", "novelty_max"):
            limit = getattr(self, name)
            check(limit is None or limit > 0, f"{name} must be above 0, got {limit}")
            check(limit is None or self.uncertainty, f"{name} needs uncertainty=True, which computes it")
        known = self.novelty_max is None or self.potential.novelty is not None
        check(known, "novelty_max: this potential has no novelty model; use bound_max")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_kept"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._kept = _native.KeptPairs(self.skin)  # a neighbour list of its own

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results` for `atoms`; ASE calls this.

        Raises
        ------
        InputError
            An element that the potential does not know, sites that are not one whole atom, an unphysical cell, or a
            structure for which there are no finite numbers.
        ExtrapolationError
            A force bound or a novelty above `bound_max` or `novelty_max`.
        """
        super().calculate(atoms, properties, system_changes)
        structure = _structure_of(self.atoms)
        # Without changes only something left out before is asked for.
        results: dict[str, Any] = {}
        if not system_changes:
            results |= self.results
        if "energy" not in results:
            results |= self._with_uncertainty(structure) if self.uncertainty else self._plain(structure)
        if "energies" in (properties or ()):
            results["energies"] = self.potential.atom_energies(
                structure, precision=self.precision, kept=self._kept
            )
        self.results = {}
        check_finite(structure, *results.values())
        self._refuse_extrapolation(structure, results)
        self.results = results

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of the results; ASE calls this. With the stress, `results` also gets its uncertainty."""
        value = super().get_property(name, atoms, allow_calculation)
        if (
            name == "stress"
            and value is not None
            and self.uncertainty
            and "stress_uncertainty" not in self.results
        ):
            structure = _structure_of(self.atoms)
            self.results["stress_uncertainty"] = self.potential.stress_uncertainty(structure, value)
        return value

    def _refuse_extrapolation(self, structure: Structure, results: dict[str, Any]) -> None:
        limits = (
            ("forces_bound", self.bound_max, "error bound of the force", " eV/Å", "bound_max"),
            ("novelty", self.novelty_max, "novelty", "", "novelty_max"),
        )
        for key, limit, what, unit, name in limits:
            if limit is None or results[key].max() <= limit:
                continue
            atom = int(results[key].argmax())
            self.results = {}
            raise ExtrapolationError(
                f"the potential does not know this structure: the {what} on "
                f"{chemical_symbols[int(structure.numbers[atom])]}{atom} is {results[key][atom]:.3g}{unit}, above "
                f"{name} = {limit:g}{unit}. Label structures like it (`thalweg queue`), start closer to what was "
                f"learned, or raise {name}"
            )

    def _plain(self, structure: Structure) -> dict[str, Any]:
        packed = pack([structure], self.potential.elements)
        with core_refusals():
            energies, forces, virials, _, _ = self.potential.field(self.precision).compute(
                *packed.arrays, kept=self._kept
            )
        results = {"energy": float(energies[0]), "free_energy": float(energies[0]), "forces": forces}
        if structure.pbc.all():
            results["stress"] = voigt(virials[0]) / structure.volume
        return results

    def _with_uncertainty(self, structure: Structure) -> dict[str, Any]:
        prediction = self.potential.predict(
            structure, precision=self.precision, kept=self._kept, stress_uncertainty=False
        )
        results: dict[str, Any] = {
            "energy": prediction.energy,
            "free_energy": prediction.energy,
            "forces": np.array(prediction.forces),
            "energy_uncertainty": prediction.energy_uncertainty,
            "forces_uncertainty": prediction.forces_deviation,
            "forces_bound": prediction.forces_bound,
        }
        if prediction.novelty is not None:
            results["novelty"] = prediction.novelty
        if prediction.stress is not None:
            results["stress"] = prediction.stress
        return results


def _structure_of(atoms: Atoms) -> Structure:
    """The atoms in the least skewed cell of their lattice, in which all results are the same."""
    check_sites(atoms, "these atoms")
    if least_skewed(np.array(atoms.cell), atoms.pbc) is not None:
        atoms = atoms.copy()
        reduce_atoms(atoms)
    # Constraints, masses and charges are the business of whoever uses the forces.
    structure = Structure(atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc)
    check_cell(structure, "these atoms")
    return structure
