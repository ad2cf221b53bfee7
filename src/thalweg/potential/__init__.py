"""A learned potential: everything that a prediction needs, frozen, and nothing about how it was learned."""

from thalweg.potential.potential import Potential
from thalweg.potential.prediction import ErrorBounds, Prediction
from thalweg.vocabulary import Precision

__all__ = ["ErrorBounds", "Potential", "Precision", "Prediction"]
