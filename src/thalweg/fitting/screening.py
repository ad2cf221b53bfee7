"""Small fits to a sample of the labels, by which cutoff and spread are chosen.

Energies and forces alone: whether stresses agree with them is then found out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.fitting.assembly import FitSettings, Fitted, fit_basis
from thalweg.fitting.data import Labelled, Spread
from thalweg.fitting.held_out import HeldOutErrors, bare_potential
from thalweg.fitting.spread import (
    ENERGY_LAWS,
    FORCES_LAWS,
    Law,
    StressFindings,
    excess_energies,
    force_sizes,
    judge_stress,
    most_likely_law,
)
from thalweg.models.training import Baseline

SMALL: dict[int, tuple[int, ...]] = {1: (12, 10, 8, 7), 2: (8, 7, 5), 3: (6, 5, 3)}
"""Degrees by number of elements; more elements have (6, 3)."""
_MANY = (6, 3)
_SAMPLE_ATOMS = 9000
_SAMPLE_LABELS = 80
_ROUNDS = 2
CUTOFF_STEP = 1.12
EXPONENTS = (1, 2, 3)
FIRST_EXPONENT = 2
"""Radial exponent by which spread and cutoff are first learned."""


class Screen:
    """Fits of a small basis at any cutoff; those made are kept.

    Parameters
    ----------
    labelled : in shuffled order; the first ones are the sample
    """

    def __init__(self, labelled: Labelled, baseline: Baseline, settings: FitSettings) -> None:
        self.all, self.baseline, self.settings = labelled, baseline, settings
        atoms = np.cumsum([len(structure) for structure, _ in labelled])
        n = max(min(_SAMPLE_LABELS, len(labelled)), int(np.searchsorted(atoms, _SAMPLE_ATOMS)))
        self.sample = [(structure, replace(label, stress=None)) for structure, label in labelled[:n]]
        self.energy_sizes = excess_energies(labelled, baseline.elements)
        self.force_sizes = force_sizes(labelled)
        self.laws = (Law(), Law())
        self.exponent = FIRST_EXPONENT
        self._fits: dict[tuple[float, int], Fitted] = {}

    @property
    def n_labels(self) -> int:
        """Labels in the sample."""
        return len(self.sample)

    @property
    def n_features(self) -> int:
        """Of the small basis, per element."""
        return self.basis(5.0).n_features

    def basis(self, r_cut: float) -> AceBasis:
        """The small basis."""
        elements = self.baseline.elements
        return default_basis(elements, True, r_cut, None, SMALL.get(len(elements), _MANY), self.exponent)

    def spread(self) -> Spread:
        """Of all labels under the laws in force; virials alike."""
        of_energy, of_forces = self.laws
        return Spread(of_energy(self.energy_sizes), of_forces(self.force_sizes), np.ones(len(self.all)))

    def fit(self, r_cut: float) -> Fitted:
        """The small basis at a cutoff and the exponent in force, fitted to the sample."""
        key = r_cut, self.exponent
        if key not in self._fits:
            start = next(iter(self._fits.values()), None)
            spread = self.spread().taken(range(self.n_labels))
            self._fits[key] = fit_basis(
                self.sample, self.basis(r_cut), self.baseline, spread, self.settings, start
            )
        return self._fits[key]

    def score(self, r_cut: float) -> float:
        """Mean log of the typical held-out errors of the small basis at a cutoff."""
        return self.fit(r_cut).score()

    def learn_spread(self, r_cut: float) -> None:
        """The laws of noise from held-out errors at this cutoff, in two rounds."""
        for _ in range(_ROUNDS):
            before = self.laws
            self._learn_laws(self.fit(r_cut).held_out)
            if self.laws == before:
                return
            self._fits.clear()

    def relearned(self, errors: HeldOutErrors, spread: Spread) -> Spread:
        """The spread of all labels under the laws that held-out errors say; virials as they were."""
        self._learn_laws(errors)
        return replace(spread, energy=self.spread().energy, forces=self.spread().forces)

    def _learn_laws(self, errors: HeldOutErrors) -> None:
        """The laws under which errors of the first labels, or of all, are most likely."""
        n = len(errors.energy)
        self.laws = (
            most_likely_law(self.energy_sizes[:n], errors.energy, ENERGY_LAWS),
            most_likely_law(self.force_sizes[:n], np.nan_to_num(errors.forces_rms), FORCES_LAWS),
        )

    def judge(self, r_cut: float) -> tuple[Spread, StressFindings | None]:
        """The spread of all labels, virials too, and what was found about stress."""
        fit = self.fit(r_cut)
        potential = bare_potential(fit.basis, self.baseline, fit.model.mean)
        return judge_stress(self.all, potential, self.spread())


def rounded(r_cut: float) -> float:
    """A cutoff as people write it, Å."""
    return round(r_cut, 2)
