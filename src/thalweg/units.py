"""Units. Inside: eV, Å, eV/Å, eV/Å³, amu, and ASE's time unit; fs, K, GPa only at the border.

ASE's time unit is Å·sqrt(amu/eV) ≈ 10.18 fs; velocities inside are Å per that unit, so that
kinetic energy is m v² / 2 in eV with m in amu. Constants are CODATA as ASE holds them.
"""

from __future__ import annotations

import ase.units as _ase

fs: float = float(_ase.fs)
"""One femtosecond in ASE's time unit (Å sqrt(amu/eV))."""

kB: float = float(_ase.kB)
"""Boltzmann's constant, eV/K."""

GPa: float = float(_ase.GPa)
"""One GPa in eV/Å³: stress_GPa = stress / GPa."""

meV: float = 1e-3
"""One meV in eV."""
