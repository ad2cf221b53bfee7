"""A learned potential: everything that a prediction needs, frozen, and nothing about how it was learned."""

from thalweg.potential.members import EnergyEstimate, Members
from thalweg.potential.misfit import N_DRAWS, Alternative, Widening
from thalweg.potential.potential import Potential
from thalweg.potential.prediction import ErrorBounds, Prediction
from thalweg.vocabulary import Precision

__all__ = [
    "N_DRAWS",
    "Alternative",
    "EnergyEstimate",
    "ErrorBounds",
    "Members",
    "Potential",
    "Precision",
    "Prediction",
    "Widening",
]
