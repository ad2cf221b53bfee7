"""A learned potential: everything that a prediction needs, frozen, and nothing of how it was learned."""

from thalweg.potential.potential import Potential, Precision
from thalweg.potential.prediction import ErrorBounds, Prediction

__all__ = ["ErrorBounds", "Potential", "Precision", "Prediction"]
