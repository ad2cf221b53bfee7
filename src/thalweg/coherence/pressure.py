"""A constant pressure between energies and stress: enthalpies given as energies, or a Pulay stress.

    stress labels are too large by P0:  the energies that stress implies are too large by P0 V
    energies are E + P V:               energies are larger than that by P V

Stress is held against energies and forces together; an offset is there where a smooth potential for all three is
likelier without it (thalweg.models.evidence). Both cases look the same so far, and forces vote twice: is stress
likelier as it is or without the offset, are energies as they are or without P V? Only where both votes say the
same beyond doubt is one of the two wrong. Where they do not, energies must show the same P V beside what forces and
stress imply, or nothing is said. In cells of one volume P V is a constant, which reference energies take up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.levels import with_column
from thalweg.coherence.odd import least_deviations
from thalweg.coherence.pairs import free_columns, implied_by, pressure_column
from thalweg.coherence.relation import SURE, coefficient, profile
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import FloatArray
from thalweg.units import GPa

LEAST_PRESSURE = 0.2 * GPa
"""eV/Å³; a smaller offset is what grids and cutoffs of a calculation leave."""
LEAST_VOLUMES = 0.03
"""Relative range of volume per atom below which labels say nothing of a constant pressure."""


@dataclass(frozen=True)
class Offset:
    """Stress labels less what energies imply (eV/Å³), and who is wrong: energies, stress, or nobody knows.

    `stress_vote`, `energies_vote` : nats by which forces prefer stress without the offset to stress as it is, and
    energies as they are to energies without P V.
    """

    pressure: float
    stress_vote: float
    energies_vote: float

    @property
    def wrong(self) -> RowKind | None:
        """Both votes must say the same beyond doubt."""
        if min(self.stress_vote, self.energies_vote) > 2.0 * SURE:  # something will be subtracted
            return RowKind.VIRIAL
        if max(self.stress_vote, self.energies_vote) < -SURE:
            return RowKind.ENERGY
        return None

    def finding(self) -> Finding:
        """In words."""
        gap = self.pressure / GPa
        data = {"pressure_GPa": gap, "stress_vote": self.stress_vote, "energies_vote": self.energies_vote}
        if self.wrong is RowKind.ENERGY:
            text = (
                f"energies contradict forces and stress by {-gap:.2f} GPa times the volume: enthalpies (PSTRESS?) "
                "given as energies, or energies of another method"
            )
            return Finding((RowKind.ENERGY,), "pressure", text, (), data)
        if self.wrong is RowKind.VIRIAL:
            text = (
                f"stress labels are off by a constant {gap:+.2f} GPa from what energies and forces imply, which agree "
                "with each other (Pulay stress?)"
            )
            return Finding((RowKind.VIRIAL,), "pressure", text, (), data)
        text = (
            f"energies and stress contradict each other by a constant {gap:+.2f} GPa: enthalpies (E + P V) given as "
            "energies, or a Pulay stress; forces do not decide which, and nothing is subtracted"
        )
        return Finding((RowKind.ENERGY, RowKind.VIRIAL), "pressure", text, (), data)


def find_offset(
    voices: Voices, energies: Voice, forces: Voice, stress: Voice, spread: FloatArray
) -> Offset | None:
    """The constant pressure between energies and stress, where there is one beyond doubt.

    Parameters
    ----------
    energies, forces, stress : labels that are not odd
    spread : how noisy each label may be, shape (n_labels,)
    """
    if not _volumes_vary(voices, energies):
        return None
    energies = replace(energies, targets=least_deviations(energies.targets, free_columns(voices, energies)))
    by_energies = Posterior(voices.basis, [forces, energies], spread)
    pressure = _of_stress(voices, stress, by_energies)
    if abs(pressure) < LEAST_PRESSURE:
        return None
    less = replace(stress, targets=stress.targets - pressure * pressure_column(voices, stress))
    as_is, moved = (Posterior(voices.basis, [energies, forces, s], spread).evidence for s in (stress, less))
    if moved - as_is < SURE:
        return None
    no_pv = energies.targets + pressure * pressure_column(voices, energies)
    no_pv = least_deviations(no_pv, free_columns(voices, energies))
    without_pv = Posterior(voices.basis, [forces, replace(energies, targets=no_pv)], spread)
    by_stress, by_less = (Posterior(voices.basis, [forces, s], spread) for s in (stress, less))
    votes = by_less.evidence - by_stress.evidence, by_energies.evidence - without_pv.evidence
    offset = Offset(pressure, *votes)
    return offset if offset.wrong or _seen_in_energies(voices, energies, by_stress, pressure) else None


def _seen_in_energies(voices: Voices, energies: Voice, by_stress: Posterior, pressure: float) -> bool:
    """Whether energies, beside what forces and stress imply of them, have P V in them about as large."""
    implied, column = implied_by(voices, by_stress, energies), pressure_column(voices, energies)
    without, extended = (
        profile(energies.targets, implied),
        profile(energies.targets, with_column(implied, column)),
    )
    if without is None or extended is None or extended.like_one - without.best < SURE:
        return False
    excess, _ = coefficient(energies.targets, implied, column, extended.kappa, extended.sigma)
    return 0.5 < -excess / pressure < 2.0


def _of_stress(voices: Voices, stress: Voice, posterior: Posterior) -> float:
    """The constant in stress labels over what energies and forces imply, eV/Å³: the median of the labels'."""
    off = (stress.targets - posterior.predict(stress.rows)).reshape(-1, 6)[:, :3]
    column = pressure_column(voices, stress).reshape(-1, 6)[:, :3]
    return float(np.median(off.mean(axis=1) / column.mean(axis=1)))


def _volumes_vary(voices: Voices, energies: Voice) -> bool:
    crystals = [voices.labelled[int(i)][0] for i in energies.labels if voices.labelled[int(i)][0].pbc.all()]
    volumes = np.array([crystal.volume / len(crystal) for crystal in crystals])
    return len(volumes) > 1 and bool(np.ptp(volumes) > LEAST_VOLUMES * volumes.mean())
