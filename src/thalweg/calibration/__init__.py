"""Uncertainty -> error bound, learnt from the oracle's own answers.

`online.Calibration` is the state of a run; its `bounds` map deviations to bounds; `curves` judges them
afterwards; `intervals` holds the confidence intervals of a fraction.
"""

from thalweg.calibration.bounds import BoundMap
from thalweg.calibration.curves import ReliabilityCurve, coverage, ence, rank_correlation, reliability_curve
from thalweg.calibration.intervals import clopper_pearson_lower, clustered_lower_bound, wilson_interval
from thalweg.calibration.online import Calibration, Coverage
from thalweg.calibration.records import CalibrationSpec, Compared, Stream, is_evidence

__all__ = [
    "BoundMap",
    "Calibration",
    "CalibrationSpec",
    "Compared",
    "Coverage",
    "ReliabilityCurve",
    "Stream",
    "clopper_pearson_lower",
    "clustered_lower_bound",
    "coverage",
    "ence",
    "is_evidence",
    "rank_correlation",
    "reliability_curve",
    "wilson_interval",
]
