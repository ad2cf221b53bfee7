"""Labels held against each other: what of energies, forces and stress is wrong, and how."""

from __future__ import annotations

from thalweg.coherence.check import coherence_basis, hold_together, sample_of
from thalweg.coherence.findings import NAMES, Coherence, Finding
from thalweg.coherence.odd import ODD

__all__ = ["NAMES", "ODD", "Coherence", "Finding", "coherence_basis", "hold_together", "sample_of"]
