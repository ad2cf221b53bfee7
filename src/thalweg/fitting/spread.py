"""How noisy each label is beside the others: laws whose one number is chosen by held-out errors.

Notation
    h_i      excess energy of label i, eV/atom: above the lowest, less what composition explains
    f_i      rms of its forces, eV/Å
    s_i      spread of a label: sqrt(1 + (h_i / h_c)²) for energies, sqrt(1 + (f_i / f_c)²) for forces
    t_i      rms over components of (stress label - prediction), times V / sqrt(n_atoms)

A basis cannot follow a crystal squeezed to 30 eV/atom as well as one near its minimum, and should not try at the
latter's expense; how fast errors grow is different in each data set. So h_c and f_c are those with which a small basis
has the least held-out errors (thalweg.fitting.screening). They have a least value, and no law is steeper than this one:
what a small basis cannot follow a large one often can.

Stress labels are held against a model of energies and forces alone: files may order components differently from group
to group. Whether the three quantities hold together at all was asked before (thalweg.coherence); where energies or
forces are doubted, stress is not judged by them. Labels that deviate by more than OUTLIER times
the median t and than ITS_OWN of their own size o_i (a small basis follows a squeezed crystal's 100 GPa less closely)
count less and less: s_i = (t_i / max(OUTLIER median t, ITS_OWN o_i))², times the s_i that energies have by then.
Nothing is thrown away, and `StressFindings` says what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.features.batch import species_of
from thalweg.fitting.data import Labelled, Spread
from thalweg.label import Label
from thalweg.potential import Potential
from thalweg.structure import FloatArray, Structure
from thalweg.units import GPa


@dataclass(frozen=True)
class Law:
    """How noise grows with a size: in proportion from `limit` (eV/atom or eV/Å) on; inf: not at all."""

    limit: float = float("inf")

    def __call__(self, size: FloatArray) -> FloatArray:
        """s_i for sizes h_i or f_i, at least 1."""
        return np.asarray(np.hypot(1.0, size / self.limit))


UNIFORM = Law()
"""All labels alike."""
ENERGY_LAWS = tuple(Law(limit) for limit in (float("inf"), 10.0, 5.0, 2.5, 1.2))
"""Beyond what heat does: some 1000 K leave the noise of energies as it is."""
FORCES_LAWS = tuple(Law(limit) for limit in (float("inf"), 20.0, 10.0, 5.0, 2.5))
"""Likewise."""
OUTLIER = 3.0
ITS_OWN = 0.1
"""Share of its own size that a stress label may deviate by from a small basis' word."""
_FEW = 10


def excess_energies(labelled: Labelled, elements: Sequence[str]) -> FloatArray:
    """h_i: energies per atom, less their least-deviations fit by composition, above the lowest; (n,), eV/atom."""
    counts = np.array(
        [np.bincount(species_of(s, elements), minlength=len(elements)) for s, _ in labelled], dtype=np.float64
    )
    n_atoms = counts.sum(axis=1)
    X, y = counts / n_atoms[:, None], np.array([label.energy for _, label in labelled]) / n_atoms
    weight = np.ones(len(y))
    for _ in range(30):  # least absolute deviations by reweighting: outliers have one vote each
        fitted = X @ np.linalg.lstsq(X * weight[:, None], y * weight, rcond=1e-10)[0]
        weight = 1.0 / np.sqrt(np.abs(y - fitted) + 1e-4)
    residual = y - fitted
    return np.asarray(residual - residual.min())


def force_sizes(labelled: Labelled) -> FloatArray:
    """f_i: rms force components, 0 where none are labelled; (n,), eV/Å."""
    return np.array(
        [float(np.sqrt(np.mean(label.forces**2))) if label.has_forces else 0.0 for _, label in labelled]
    )


@dataclass(frozen=True)
class StressFindings:
    """What was found about the stress labels.

    n_labels, n_outliers : stress labels, and those that deviate too far
    typical : GPa, median over labels of the rms deviation from a model of energies and forces
    pressure : GPa, the constant offset taken away; 0 where none is beyond doubt
    """

    n_labels: int
    n_outliers: int
    typical: float
    pressure: float = 0.0

    @property
    def warning(self) -> str | None:
        """Words for the user where the labels do not hang together."""
        words = []
        if self.pressure:
            words.append(f"the constant {self.pressure:+.2f} GPa was subtracted from the stress labels")
        if self.n_outliers > 0.05 * self.n_labels:
            words.append(
                f"{self.n_outliers} of {self.n_labels} stress labels deviate by more than {OUTLIER:.0f} times the "
                f"usual {self.typical:.2g} GPa and by more than {ITS_OWN:.0%} of their own size (another order of "
                "components in some?); they get a lower weight"
            )
        return "; ".join(words) or None


def judge_stress(
    labelled: Labelled, potential: Potential, spread: Spread
) -> tuple[Spread, StressFindings | None]:
    """The spread completed for virials, by a potential fitted to energies and forces alone.

    Where `spread` has a pressure, there is one beyond doubt, which a small basis has seen in a sample of the labels;
    its size is then the median of what all labels deviate by.
    """
    index = [i for i, (_, label) in enumerate(labelled) if label.stress is not None]
    if len(index) < _FEW:
        return spread, None
    deviation = np.array([_stress_deviation(labelled[i], potential) for i in index])
    pressure = float(np.median(deviation[:, :3].mean(axis=1))) if spread.pressure else 0.0
    deviation -= pressure * np.array([1.0, 1, 1, 0, 0, 0])
    factor = np.array([labelled[i][0].volume / np.sqrt(len(labelled[i][0])) for i in index])
    rms = np.sqrt((deviation**2).mean(axis=1))
    t = rms * factor
    own = np.array([np.sqrt(np.mean(_stress_of(labelled[i]) ** 2)) for i in index]) * factor
    relative = t / np.maximum(OUTLIER * max(float(np.median(t)), 1e-12), ITS_OWN * own)
    virial = spread.virial.copy()
    virial[index] *= np.maximum(relative, 1.0) ** 2
    findings = StressFindings(
        len(index), int((relative > 1).sum()), float(np.median(rms)) / GPa, pressure / GPa
    )
    return replace(spread, virial=virial, pressure=pressure), findings


def _stress_deviation(pair: tuple[Structure, Label], potential: Potential) -> FloatArray:
    """Label less prediction, shape (6,), eV/Å³."""
    predicted = potential.predict(pair[0]).stress
    assert predicted is not None  # a stress label belongs to a structure periodic in three directions
    return _stress_of(pair) - predicted


def _stress_of(pair: tuple[Structure, Label]) -> FloatArray:
    stress = pair[1].stress
    assert stress is not None
    return stress
