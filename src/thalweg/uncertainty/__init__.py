"""Uncertainty: how far environments lie from those of the training labels."""

from thalweg.models.environments import NoveltyModel
from thalweg.uncertainty.novelty import NoveltyFit

__all__ = ["NoveltyFit", "NoveltyModel"]
