"""A constant pressure between energies and stress: enthalpies given as energies, or a Pulay stress.

    stress labels are too large by P0:  the energies that stress implies are too large by P0 V
    energies are E + P V:               energies are larger than that by P V

The two look the same from where energies and stress stand, and forces do not tell them apart: what pressure they imply
rests on how smooth a potential is, and comes out wrong by several of its standard deviations. What tells them apart is
the sign. A plane-wave basis of fixed cutoff makes a calculation pull its cell together, never push it apart (Pulay
stress; Francis & Payne, J. Phys.: Condens. Matter 2, 4395, 1990), so that stress labels are too large in ASE's sign.
Enthalpies are those of compressed crystals, and make them look too small.

In cells of one volume P V is a constant, which reference energies take up, and nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.levels import with_column
from thalweg.coherence.pairs import implied_by, pressure_column
from thalweg.coherence.relation import SURE, coefficient, profile
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.units import GPa

LEAST_PRESSURE = 0.3 * GPa
"""eV/Å³; a smaller offset is what grids and cutoffs of a calculation leave."""
MOST_PULAY = 8.0 * GPa
"""eV/Å³; basis sets that people use have less."""
DEVIATIONS = 5.0
"""Standard deviations that make a pressure sure."""
LEAST_VOLUMES = 0.03
"""Relative range of volume per atom below which labels say nothing of a constant pressure."""


@dataclass(frozen=True)
class Offset:
    """Stress labels less what energies imply, eV/Å³."""

    pressure: float

    @property
    def wrong(self) -> RowKind | None:
        """Energies or stress, by the sign; None where it is too large for a Pulay stress."""
        if self.pressure < 0.0:
            return RowKind.ENERGY
        return RowKind.VIRIAL if self.pressure < MOST_PULAY else None

    def finding(self) -> Finding:
        """In words."""
        gap = self.pressure / GPa
        kinds = (RowKind.ENERGY, RowKind.VIRIAL) if self.wrong is None else (self.wrong,)
        text = (
            f"energies and stress contradict each other by a constant {gap:+.2f} GPa; nothing is subtracted"
        )
        if self.wrong is RowKind.VIRIAL:
            text = (
                f"stress labels are off by a constant {gap:+.2f} GPa from what energies imply (a Pulay stress, as of a "
                "plane-wave basis of fixed cutoff?)"
            )
        elif self.wrong is RowKind.ENERGY:
            text = (
                f"energies contradict stress by {-gap:.2f} GPa times the volume, which no Pulay stress does: they are "
                "enthalpies (E + P V), or of another method"
            )
        return Finding(kinds, "pressure", text, (), {"pressure_GPa": gap})


def find_offset(voices: Voices, energies: Voice, stress: Posterior) -> Offset | None:
    """The constant pressure between energies and stress, where there is one beyond doubt.

    Parameters
    ----------
    energies : those of labels that are not odd
    stress : what stress alone leaves of the coefficients
    """
    if not _volumes_vary(voices, energies):
        return None
    implied, column = implied_by(voices, stress, energies), pressure_column(voices, energies)
    without, extended = (
        profile(energies.targets, implied),
        profile(energies.targets, with_column(implied, column)),
    )
    if without is None or extended is None or extended.like_one - without.best < SURE:
        return None
    excess, deviation = coefficient(energies.targets, implied, column, extended.kappa, extended.sigma)
    sure = abs(excess) > max(LEAST_PRESSURE, DEVIATIONS * deviation)
    return Offset(-excess) if sure else None


def _volumes_vary(voices: Voices, energies: Voice) -> bool:
    crystals = [voices.labelled[int(i)][0] for i in energies.labels]
    volumes = np.array([crystal.volume / len(crystal) for crystal in crystals if crystal.pbc.all()])
    return len(volumes) > 1 and bool(np.ptp(volumes) > LEAST_VOLUMES * volumes.mean())
