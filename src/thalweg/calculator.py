"""An ASE calculator whose results also carry the uncertainties."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from thalweg.potential import Potential
from thalweg.structure import Structure


class ThalwegCalculator(Calculator):  # type: ignore[misc]  # ASE ships no types
    """Energy, forces and stress of a potential, for anything that speaks ASE.

    A stress exists for structures periodic in three directions; asked of others, ASE raises
    PropertyNotImplementedError. Besides ASE's own, `results` holds after each calculation

    energy_uncertainty : float, eV
        Standard deviation over the committee of the total energy.
    forces_uncertainty : float64 ndarray, shape (n_atoms,), eV/Å
        Largest deviation of a committee member's force.
    forces_bound : float64 ndarray, shape (n_atoms,), eV/Å
        Error bound at the potential's confidence.
    novelty : float64 ndarray, shape (n_atoms,)
        Absent when the potential holds no novelty model.

    Parameters
    ----------
    potential : Potential
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

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
            An element that the potential does not know.
        """
        super().calculate(atoms, properties, system_changes)
        structure = Structure.from_atoms(self.atoms)
        prediction = self.potential.predict(structure)
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
        self.results = results
