"""A constant pressure between energies and stress: enthalpies given as energies, or a Pulay stress.

    stress labels are too large by P0:  the energies that stress implies are too large by P0 V
    energies are E + P V:               energies are larger than that by P V

Both look the same. Forces alone decide: what pressure they imply, with the deviation of their own posterior. In cells of
one volume that is wide, and nothing is decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.pairs import Pair, implied_by, pressure_column
from thalweg.coherence.relation import SURE, Implied, coefficient, profile
from thalweg.coherence.levels import with_column
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.units import GPa

LEAST_PRESSURE = 0.2 * GPa
"""eV/Å³; a smaller offset is what grids and cutoffs of a calculation leave."""
DEVIATIONS = 5.0
"""Standard deviations that make a pressure sure."""
LEAST_VOLUMES = 0.02
"""Relative range of volume per atom below which labels say nothing of a constant pressure."""


@dataclass(frozen=True)
class Offset:
    """Stress labels less what energies and forces imply (eV/Å³), each with its deviation; and who is wrong."""

    by_energies: float
    by_forces: float
    forces_deviation: float
    wrong: RowKind | None

    def finding(self) -> Finding:
        """In words."""
        gap, forces = self.by_energies / GPa, self.by_forces / GPa
        data = {"by_energies_GPa": gap, "by_forces_GPa": forces, "deviation_GPa": self.forces_deviation / GPa}
        if self.wrong is RowKind.ENERGY:
            text = (
                f"energies contain {-gap:+.2f} GPa times the volume that forces and stress know nothing of: enthalpies "
                "(PSTRESS?) given as energies, or energies of another method; stress is kept as it is"
            )
            return Finding((RowKind.ENERGY,), "pressure", text, (), data)
        if self.wrong is RowKind.VIRIAL:
            text = (
                f"stress labels are off by a constant {gap:+.2f} GPa from what energies and forces imply, which agree "
                "with each other (Pulay stress?)"
            )
            return Finding((RowKind.VIRIAL,), "pressure", text, (), data)
        text = (
            f"energies and stress contradict each other by a constant {gap:+.2f} GPa: Pulay stress in the stress labels, "
            "or P V in the energies; forces do not decide which. Nothing is subtracted"
        )
        return Finding((RowKind.ENERGY, RowKind.VIRIAL), "pressure", text, (), data)


def find_offset(
    voices: Voices, energies: Voice, forces: Posterior, both: Posterior, forces_to_stress: Pair | None
) -> Offset | None:
    """The constant pressure between energies and stress, where there is one beyond doubt.

    Parameters
    ----------
    energies : those that are no outliers
    forces, both : what forces, and forces and stress together, leave of the coefficients
    """
    if not _volumes_vary(voices, energies):
        return None
    implied = implied_by(voices, both, energies)
    column = pressure_column(voices, energies)
    without, extended = profile(energies.targets, implied), profile(energies.targets, with_column(implied, column))
    if without is None or extended is None or extended.like_one - without.best < SURE:
        return None
    by_energies, deviation = coefficient(energies.targets, implied, column, extended.kappa, extended.sigma)
    if abs(by_energies) < max(LEAST_PRESSURE, DEVIATIONS * deviation):
        return None
    by_forces, unsure = _by_forces(voices, forces, forces_to_stress)
    return Offset(-by_energies, by_forces, unsure, _wrong(-by_energies, by_forces, unsure))


def _volumes_vary(voices: Voices, energies: Voice) -> bool:
    crystals = [voices.labelled[int(i)][0] for i in energies.labels if voices.labelled[int(i)][0].pbc.all()]
    volumes = np.array([crystal.volume / len(crystal) for crystal in crystals])
    return len(volumes) > 1 and bool(np.ptp(volumes) > LEAST_VOLUMES * volumes.mean())


def _by_forces(voices: Voices, forces: Posterior, pair: Pair | None) -> tuple[float, float]:
    """Constant pressure of stress labels over what forces imply, and its deviation; infinite where nothing is known."""
    if pair is None:
        return 0.0, float("inf")
    column = pressure_column(voices, pair.voice)
    open_ = Implied(pair.implied.mean, pair.implied.covariance, None)
    return coefficient(pair.voice.targets, open_, column, pair.plain.kappa, pair.plain.sigma)


def _wrong(gap: float, by_forces: float, unsure: float) -> RowKind | None:
    """Whose fault the gap is by what forces say of the stress: none of it, or all of it."""
    if unsure * DEVIATIONS > abs(gap) / 2:
        return None
    if abs(by_forces) < abs(gap) / 4:
        return RowKind.ENERGY
    if abs(by_forces - gap) < abs(gap) / 4:
        return RowKind.VIRIAL
    return None
