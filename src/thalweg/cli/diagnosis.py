"""What works on this machine, and the cure for what does not: the checks behind `thalweg doctor`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.cli.programs import PROGRAMS, AbsentError, FoundError, answer_of
from thalweg.errors import SetupError, ThalwegError
from thalweg.isolation import isolated
from thalweg.machine import available_cores
from thalweg.oracles.entry import OracleEntry
from thalweg.oracles.registry import BUILT_IN, find_entry, oracle_names

if TYPE_CHECKING:
    from thalweg.structure import Structure

REINSTALL = "pip install --force-reinstall --no-binary thalweg thalweg (needs a C++20 compiler)"
_SMALL_DISK = 1e9
"""Bytes. A run of some hundred labels takes some ten MB; below this a long one is at risk."""


class State(StrEnum):
    """How a part of the installation is. Only what was called, and answered, is ok."""

    OK = "ok"
    FOUND = "found, not tried"
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
        except AbsentError as error:
            return self._finding(State.ABSENT, str(error))
        except FoundError as error:
            return Finding(self.group, self.name, State.FOUND, str(error), core=self.core)
        except ThalwegError as error:
            absent = isinstance(error.__cause__, ModuleNotFoundError)
            return self._finding(State.ABSENT if absent else State.BROKEN, str(error))
        except KeyboardInterrupt:
            raise
        except (
            BaseException
        ) as error:  # whatever a broken installation throws, SystemExit as well, is the finding
            return self._finding(State.BROKEN, f"{type(error).__name__}: {error}")
        return Finding(self.group, self.name, State.OK, detail, core=self.core)

    def _finding(self, state: State, detail: str) -> Finding:
        return Finding(self.group, self.name, state, detail, self.cure, self.core)


def diagnose() -> Iterator[Finding]:
    """Every check in turn; a few seconds in all. None of them raises."""
    for probe in (*_CORE, *_oracles(), *_OTHERS):
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


def _lammps_module() -> str:
    """LAMMPS inside Python, started in a process of its own: a broken library must not take this one with it."""
    if importlib.util.find_spec("lammps") is None:
        raise AbsentError("no module lammps")
    code = "import lammps; print('version', lammps.lammps(cmdargs=['-screen', 'none', '-log', 'none']).version())"
    return answer_of([sys.executable, "-c", code], r"(version \d+)", "import lammps")


def _oracles() -> Iterator[_Probe]:
    """One check for each name that `oracle:` takes, and one for each program that is reached through `ase`."""
    for name in oracle_names():
        try:
            entry = find_entry(name)
        except ThalwegError as error:
            yield _Probe("oracles", name, _raising(SetupError(str(error))), "")
        else:
            look = _isolated(entry.probe or _untried(entry))
            yield _Probe("oracles", name, look, entry.cure, core=entry.core and name in BUILT_IN)
    for program in PROGRAMS:
        yield _Probe("oracles", f"ase: {program.title}", program.look, program.cure)


def _isolated(look: Callable[[], str]) -> Callable[[], str]:
    """What a probe prints, and what it does to the current folder, is nobody's business."""

    def quietly() -> str:
        with isolated():
            return look()

    return quietly


def _raising(error: Exception) -> Callable[[], str]:
    def look() -> str:
        raise error

    return look


def _untried(entry: OracleEntry) -> Callable[[], str]:
    return _raising(FoundError(f"{entry.summary}; it provides no probe"))


def _lammps() -> str:
    for name in ("lmp", "lmp_mpi", "lmp_serial"):
        if path := shutil.which(name):
            return answer_of([path, "-help"], r"(Large-scale Atomic/Molecular[^\n]*)", path)
    raise AbsentError("lmp is not on the PATH")


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


_CORE = (
    _Probe("core", "kernel", _kernel, REINSTALL, core=True),
    _Probe("core", "kernel derivatives", _kernel_derivatives, REINSTALL, core=True),
    _Probe("core", "neighbours", _neighbours, REINSTALL, core=True),
)
_OTHERS = (
    _Probe("engines", "LAMMPS (Python)", _lammps_module, "pip install lammps"),
    _Probe("engines", "LAMMPS (program)", _lammps, "conda install lammps"),
    _Probe("machine", "cores", _cores, ""),
    _Probe("machine", "disk", _disk, "free some space, or work in another folder"),
    _Probe("machine", "folder", _writable, "work in a folder that you may write to", core=True),
)
