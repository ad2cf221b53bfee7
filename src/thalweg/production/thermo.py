"""The thermodynamic log: one row of numbers every so many steps, as comma-separated values."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.explorers import ThermoLog
from thalweg.production.growing import GrowingFile
from thalweg.structure import FloatArray
from thalweg.units import GPa, kB

_CELL = ("cell_ax", "cell_ay", "cell_az", "cell_bx", "cell_by", "cell_bz", "cell_cx", "cell_cy", "cell_cz")
_PRESSURES = ("P_xx_GPa", "P_yy_GPa", "P_zz_GPa", "P_yz_GPa", "P_xz_GPa", "P_xy_GPa")
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
SCALARS = ("temperature_K", "E_pot_eV", "E_kin_eV", "E_tot_eV", "pressure_GPa", "volume_A3")

COLUMNS = ("step", "time_ps", *SCALARS, *_PRESSURES, *_CELL, "bound_eV_per_A", "novelty", "us_per_atom_step")
"""Of the log; the last is the wall time, and the only one that differs from run to run."""


def table(log: ThermoLog, n_atoms: int, is_periodic: bool) -> FloatArray:
    """(n, len(COLUMNS) - 1): every column but the wall time; NaN where there is no such number."""
    kinetic = 1.5 * n_atoms * kB * log.temperature
    volume = log.volume if is_periodic else np.full(len(log), np.nan)
    pressures = [-log.stress[:, a, b] / GPa for a, b in _VOIGT]
    columns = [
        log.step.astype(float),
        log.time_fs / 1000.0,
        log.temperature,
        log.potential_energy,
        kinetic,
        log.potential_energy + kinetic,
        log.pressure / GPa,
        volume,
        *pressures,
        *log.cells.reshape(-1, 9).T,
        log.bound,
        log.novelty,
    ]
    rows: FloatArray = np.stack(columns, axis=1)
    return rows


class ThermoFile:
    """The log's file; `size` bytes of it are kept where a trajectory goes on."""

    def __init__(self, path: Path, size: int | None) -> None:
        self._file = GrowingFile(path, size)
        if size is None:
            self._file.write(",".join(COLUMNS) + "\n")

    def write(self, rows: FloatArray, us_per_atom_step: float) -> None:
        """Append rows of `table`."""
        for row in rows:
            numbers = [f"{row[0]:.0f}", *("" if np.isnan(x) else f"{x:.10g}" for x in row[1:])]
            self._file.write(",".join(numbers) + f",{us_per_atom_step:.3g}\n")

    def mark(self) -> int:
        """Bytes, after they are safe on the disk."""
        return self._file.mark()

    def close(self) -> None:
        """No more rows."""
        self._file.close()
