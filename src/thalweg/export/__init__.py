"""Export: labels and potentials in formats of other tools."""

from __future__ import annotations

from thalweg.export.datasets import export_ase_db, export_extxyz

__all__ = ["export_ase_db", "export_extxyz"]
