"""Carving: from a large structure to a cell that the oracle can afford, around an atom that is uncertain."""

from __future__ import annotations

from thalweg.carving.carve import carve, carve_uncertain
from thalweg.carving.cell import Cell, CellKind

__all__ = ["Cell", "CellKind", "carve", "carve_uncertain"]
