"""Out of the house: labels in formats that people have tools for."""

from __future__ import annotations

from thalweg.export.datasets import export_ase_db, export_extxyz

__all__ = ["export_ase_db", "export_extxyz"]
