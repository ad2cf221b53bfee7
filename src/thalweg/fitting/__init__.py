"""From labels to a potential, without the loop: basis, noise and error bounds by what is held out."""

from __future__ import annotations

from thalweg.fitting.assembly import FitSettings
from thalweg.fitting.choice import Choice, Tell, Wanted, silent
from thalweg.fitting.data import Labelled, data_hash, make_baseline
from thalweg.fitting.final import Fit, fit_chosen, fit_labels
from thalweg.fitting.overlap import Overlap, find_overlap
from thalweg.fitting.references import References, find_references, is_isolated_atom

__all__ = [
    "Choice",
    "Fit",
    "FitSettings",
    "Labelled",
    "Overlap",
    "References",
    "Tell",
    "Wanted",
    "data_hash",
    "find_overlap",
    "find_references",
    "fit_chosen",
    "fit_labels",
    "is_isolated_atom",
    "make_baseline",
    "silent",
]
