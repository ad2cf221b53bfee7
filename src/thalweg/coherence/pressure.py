"""A constant pressure between energies and stress: enthalpies given as energies, or a Pulay stress.

    stress labels are too large by P0:  the energies that stress implies are too large by P0 V
    energies are E + P V:               energies are larger than that by P V

Both look the same from where energies and stress stand. Forces vote twice, by the evidence of a smooth potential
(thalweg.models.evidence): is it likelier with stress as it is or without the offset, with energies as they are or
without P V? Only where both votes say the same beyond doubt is one of the two wrong. In cells of one volume there is no
such offset: P V is a constant, which reference energies take up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thalweg.coherence.findings import Finding
from thalweg.coherence.levels import with_column
from thalweg.coherence.odd import least_deviations
from thalweg.coherence.pairs import implied_by, pressure_column
from thalweg.coherence.relation import SURE, coefficient, profile
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import FloatArray
from thalweg.units import GPa

LEAST_PRESSURE = 0.2 * GPa
"""eV/Å³; a smaller offset is what grids and cutoffs of a calculation leave."""
DEVIATIONS = 5.0
"""Standard deviations that make a pressure sure."""
LEAST_VOLUMES = 0.02
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
        if min(self.stress_vote, self.energies_vote) > SURE:
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
    as_is = Posterior(voices.basis, [forces, stress], spread)
    implied = implied_by(voices, as_is, energies)
    column = pressure_column(voices, energies)
    without, extended = (
        profile(energies.targets, implied),
        profile(energies.targets, with_column(implied, column)),
    )
    if without is None or extended is None or extended.like_one - without.best < SURE:
        return None
    excess, deviation = coefficient(energies.targets, implied, column, extended.kappa, extended.sigma)
    if abs(excess) < max(LEAST_PRESSURE, DEVIATIONS * deviation):
        return None
    moved = replace(stress, targets=stress.targets + excess * pressure_column(voices, stress))
    stress_vote = Posterior(voices.basis, [forces, moved], spread).evidence - as_is.evidence
    plain = replace(energies, targets=least_deviations(energies.targets, implied.free))
    less = replace(energies, targets=least_deviations(energies.targets - excess * column, implied.free))
    by_energies, without_pv = (Posterior(voices.basis, [forces, one], spread) for one in (plain, less))
    offset = Offset(-excess, stress_vote, by_energies.evidence - without_pv.evidence)
    return (
        replace(offset, pressure=_of_stress(voices, stress, by_energies))
        if offset.wrong is stress.kind
        else offset
    )


def _of_stress(voices: Voices, stress: Voice, posterior: Posterior) -> float:
    """The constant in stress labels over what energies and forces imply, eV/Å³: the median of the labels'."""
    off = (stress.targets - posterior.predict(stress.rows)).reshape(-1, 6)[:, :3]
    column = pressure_column(voices, stress).reshape(-1, 6)[:, :3]
    return float(np.median(off.mean(axis=1) / column.mean(axis=1)))


def _volumes_vary(voices: Voices, energies: Voice) -> bool:
    crystals = [voices.labelled[int(i)][0] for i in energies.labels if voices.labelled[int(i)][0].pbc.all()]
    volumes = np.array([crystal.volume / len(crystal) for crystal in crystals])
    return len(volumes) > 1 and bool(np.ptp(volumes) > LEAST_VOLUMES * volumes.mean())
