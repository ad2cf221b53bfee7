"""Any ASE calculator as an oracle, named by the dotted path of its class or factory."""

from __future__ import annotations

import difflib
import importlib
import math
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import InputError, OracleError, SetupError, check
from thalweg.label import Failure, FailureKind, Label, LabelNoise, Outcome
from thalweg.oracles.base import canonical_json, examine, noise_from_net_force
from thalweg.structure import Structure

LOG_TAIL = 2000
"""Characters kept of each file that a failed calculation leaves in its scratch folder."""


def load_factory(dotted_path: str) -> Any:
    """The class or function at 'package.module.Name'.

    Raises
    ------
    InputError
        Not a dotted path, no such module or name (with the nearest one), or not callable.
    SetupError
        The module exists but something that it needs does not.
    """
    module_name, _, name = dotted_path.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in dotted_path.split(".")):
        raise InputError(
            "oracle ase: calculator must be a dotted path such as 'ase.calculators.emt.EMT', "
            f"got {dotted_path!r}"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if module_name == missing or module_name.startswith(missing + "."):
            raise InputError(
                f"oracle ase: there is no module {missing!r} (in calculator: {dotted_path!r}); check the "
                "spelling, or install the package that has it"
            ) from error
        raise SetupError(f"oracle ase: {module_name} needs {missing!r}; `pip install {missing}`") from error
    except ImportError as error:
        raise SetupError(f"oracle ase: {module_name} cannot be imported: {error}") from error
    factory = getattr(module, name, None)
    if factory is None:
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {module_name}.{near[0]}?" if near else ""
        raise InputError(f"oracle ase: {module_name} has no {name!r}{hint}")
    check(callable(factory), f"oracle ase: {dotted_path} is not a calculator class or factory")
    return factory


@dataclass(frozen=True)
class AseOracle:
    """Labels from an ASE calculator.

    Attributes
    ----------
    calculator : str
        Dotted path of the calculator's class, or of a function that returns a calculator.
    options : mapping
        Keyword arguments of that class or function.
    reuse : bool
        Keep one calculator for all calls, for calculators that are slow to build. Off by default: one that
        remembers (a wave function, a neighbour list) makes labels depend on the calls before them.
    noise : mapping
        Keys energy (eV), forces (eV/Å), stress (eV/Å³): s.d. of the calculator's own convergence, if known.
        The noise of the forces that a net force betrays is added to it.

    Raises
    ------
    InputError, SetupError
        The calculator cannot be found, built, or gives no energy and forces.
    """

    calculator: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reuse: bool = False
    noise: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(
            isinstance(self.calculator, str), f"oracle ase: calculator must be text, got {self.calculator!r}"
        )
        check(
            isinstance(self.options, Mapping), f"oracle ase: options must be a mapping, got {self.options!r}"
        )
        unknown = set(self.noise) - {"energy", "forces", "stress"}
        check(not unknown, f"oracle ase: noise has keys energy, forces, stress; got {sorted(unknown)}")
        missing = {"energy", "forces"} - self._properties
        check(
            not missing,
            f"oracle ase: {self.calculator} gives no {' and no '.join(sorted(missing))}; learning needs both",
        )

    def _build(self) -> Any:
        factory = load_factory(self.calculator)
        try:
            return factory(**self.options)
        except Exception as error:
            raise InputError(
                f"oracle ase: {self.calculator} cannot be built with options {dict(self.options)!r}: "
                f"{type(error).__name__}: {error}"
            ) from error

    @cached_property
    def _kept(self) -> Any:
        return self._build()

    @cached_property
    def _properties(self) -> frozenset[str]:
        return frozenset(getattr(self._kept if self.reuse else self._build(), "implemented_properties", ()))

    @property
    def fingerprint(self) -> str:
        """Calculator and options; options that are not JSON enter by their repr."""
        options = {key: _plain(value) for key, value in self.options.items()}
        return canonical_json({"name": "ase", "calculator": self.calculator, "options": options})

    @property
    def rungs(self) -> int:
        return 1

    @property
    def gives_isolated_atoms(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        """The last part of the dotted path."""
        return self.calculator.rpartition(".")[2]

    @property
    def gives_stress(self) -> bool:
        """Whether the calculator implements it."""
        return "stress" in self._properties

    def check_structure(self, structure: Structure) -> None:
        """Nothing is known without a call."""

    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy (the one that the forces belong to), forces and, where periodic and implemented, stress.

        The calculator runs in a scratch folder of its own. Options are the same at every attempt, since a
        calculator's own settings are its numbers; a retry starts from a fresh calculator.
        """
        from ase.calculators.calculator import PropertyNotImplementedError, SCFError

        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="thalweg-", ignore_cleanup_errors=True) as scratch:
            try:
                calculator = self._kept if self.reuse and attempt == 0 else self._build()
                if hasattr(calculator, "directory") and "directory" not in self.options:
                    calculator.directory = scratch
                energy, forces, stress = self._evaluate(structure, calculator)
            except PropertyNotImplementedError as error:
                raise OracleError(f"{self.display_name} does not give {error}") from error
            except InputError:
                raise
            except Exception as error:
                kind = FailureKind.UNCONVERGED if isinstance(error, SCFError) else FailureKind.CRASHED
                message = f"{type(error).__name__}: {error}"
                log = traceback.format_exc() + _tails(Path(scratch))
                return Failure(kind, message, log, self.fingerprint, time.perf_counter() - start)
        noise = LabelNoise(
            energy=float(self.noise.get("energy", 0.0)),
            forces=math.hypot(self.noise.get("forces", 0.0), _finite(noise_from_net_force(forces))),
            stress=float(self.noise.get("stress", 0.0)),
        )
        label = Label(energy, forces, stress, noise, self.fingerprint, time.perf_counter() - start)
        return examine(structure, label)

    def _evaluate(self, structure: Structure, calculator: Any) -> tuple[float, Any, Any]:
        atoms = structure.to_atoms()
        atoms.calc = calculator
        # with electronic smearing only the free energy has the forces as its derivative
        energy = atoms.get_potential_energy(force_consistent="free_energy" in self._properties)
        forces = np.array(atoms.get_forces(), dtype=np.float64)
        stress = np.array(atoms.get_stress()) if self.gives_stress and structure.pbc.all() else None
        return float(energy), forces, stress

    def isolated_atom_energy(self, number: int) -> float | None:
        """Energy (eV) of one atom in empty space; None where the calculator fails on it."""
        atom = Structure(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
        try:
            outcome = self.label(atom)
        except OracleError:
            return None
        return outcome.energy if isinstance(outcome, Label) else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else repr(value)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _tails(folder: Path) -> str:
    """The ends of the text files in a scratch folder."""
    parts = []
    for path in sorted(folder.rglob("*"))[:20]:
        if path.is_file() and path.stat().st_size < 50_000_000:
            text = path.read_bytes()[-LOG_TAIL:].decode("utf-8", errors="replace")
            if text.isprintable() or "\n" in text:
                parts.append(f"--- {path.name}\n{text}")
    return "\n".join(parts)
