"""Small fits to a sample of the labels, by which cutoff and spread are chosen.

Energies and forces alone: whether stresses agree with them is then found out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from thalweg.features import AceBasis, Features
from thalweg.features.defaults import default_basis
from thalweg.fitting.assembly import FitSettings, Fitted, fit_basis, typical_score
from thalweg.fitting.data import Labelled, Spread, equations
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
from thalweg.models import Kind
from thalweg.models.folds import fold_means
from thalweg.models.training import Baseline
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import FloatArray

SMALL: dict[int, tuple[int, ...]] = {1: (12, 10, 8, 7), 2: (8, 7, 5), 3: (6, 5, 3)}
"""Degrees by number of elements; more elements have (6, 3)."""
_MANY = (6, 3)
_SAMPLE_ATOMS = 9000
_SAMPLE_LABELS = 80
_ROUNDS = 2
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
            start = next((fit.model.fitted.x for fit in self._fits.values()), None)
            spread = self.spread().taken(range(self.n_labels))
            self._fits[key] = fit_basis(
                self.sample, self.basis(r_cut), self.baseline, spread, self.settings, start
            )
        return self._fits[key]

    def score(self, r_cut: float) -> float:
        """Mean log of the typical held-out errors of the small basis at a cutoff."""
        return typical_score(self.fit(r_cut))

    def learn_spread(self, r_cut: float) -> None:
        """The laws of noise from held-out errors at this cutoff, in two rounds."""
        for _ in range(_ROUNDS):
            energy, forces = self._residuals(self.fit(r_cut))
            n, before = self.n_labels, self.laws
            self.laws = (
                most_likely_law(self.energy_sizes[:n], energy, ENERGY_LAWS),
                most_likely_law(self.force_sizes[:n], forces, FORCES_LAWS),
            )
            if self.laws == before:
                return
            self._fits.clear()

    def _residuals(self, fit: Fitted) -> tuple[FloatArray, FloatArray]:
        """|e_i| and q_i of the sample, each label predicted without its fold; in units of ordinary labels."""
        means = fold_means(fit.model.prior, fit.sums, fit.model.fitted.x)
        features, alike = Features(fit.basis), Spread.alike(self.n_labels)
        energy, forces = np.zeros(self.n_labels), np.zeros(self.n_labels)
        for i, pair in enumerate(self.sample):
            w = means[i % fit.n_folds] / fit.sums.scale
            for block in equations(features, pair, self.baseline, alike, i):
                size = float(np.sqrt(np.mean((block.targets - block.rows @ w) ** 2)))
                (energy if block.kind is Kind.ENERGY else forces)[i] = size
        return energy, forces

    def judge(self, r_cut: float) -> tuple[Spread, StressFindings | None]:
        """The spread of all labels, virials too, and what was found about stress."""
        fit = self.fit(r_cut)
        ones = np.ones(len(self.baseline.elements))
        potential = Potential.from_model(
            fit.model,
            fit.basis,
            self.baseline,
            novelty=None,
            bounds=ErrorBounds(0.95, ones, 0 * ones),
            provenance={},
        )
        return judge_stress(self.all, potential, self.spread())
