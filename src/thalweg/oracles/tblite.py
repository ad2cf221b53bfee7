"""Extended tight binding through tblite: the quantum oracle that comes with the install.

Every call starts from a fresh guess on one thread: the label of a structure does not depend on what was
labelled before it, and comes out the same to the last bit.

References
    Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019)            GFN2-xTB
    Grimme, Bannwarth, Shushkov, J. Chem. Theory Comput. 13, 1989 (2017)          GFN1-xTB
    Asgeirsson, Bauer, Grimme, Chem. Sci. 8, 4879 (2017)                          IPEA1-xTB
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.units import Bohr, Hartree
from ase.units import kB as _kB
from pydantic import Field

from thalweg.errors import InputError, OracleError, SetupError, check
from thalweg.label import Failure, FailureKind, Label, LabelNoise, Outcome
from thalweg.oracles.base import canonical_json, examine, is_isolated_atom
from thalweg.oracles.entry import Charge, Multiplicity, OracleEntry, OracleSettings
from thalweg.oracles.failing import never_raises
from thalweg.oracles.molecules import electrons_for
from thalweg.oracles.probing import label_small
from thalweg.oracles.threads import one_thread
from thalweg.settings.fields import InUnit, quantity, whole
from thalweg.structure import Electrons, Structure

METHODS = ("GFN2-xTB", "GFN1-xTB", "IPEA1-xTB")
LANTHANUM, LUTETIUM, LARGEST_NUMBER = 57, 71, 86
"""All three parametrisations end at radon."""

ENERGY_NOISE = 1e-6 * Hartree
"""eV at accuracy 1: the SCF stops when the energy moves by less than this (measured: far smaller errors)."""

FORCES_NOISE = 2e-4
"""eV/Å at accuracy 1; measured on molecules and on silicon: 0.8e-4 against accuracy 1e-4."""

RETRIES: tuple[dict[str, float | int], ...] = (
    {},
    {"mixer-damping": 0.2, "mixer-memory": 20, "iterations": 2},
    {"mixer-damping": 0.05, "mixer-memory": 8, "iterations": 4, "guess": 1},
)
"""The ladder: slower mixing, more iterations, another start; none of them moves the converged answer.

A short memory helps hard cases to converge and keeps late iterations as cheap as early ones.
"""


@lru_cache(maxsize=1)
def _tblite() -> tuple[Any, str, str]:
    """tblite's Calculator class, its version and the path of its shared library."""
    try:
        from tblite import _libtblite, interface, library
    except ImportError as error:
        raise SetupError(f"the oracle 'tblite' cannot be loaded ({error}); `pip install tblite`") from error
    return interface.Calculator, ".".join(map(str, library.get_version())), str(_libtblite.__file__)


@dataclass(frozen=True)
class TBLiteOracle:
    """GFN2-xTB, GFN1-xTB or IPEA1-xTB.

    Attributes
    ----------
    method : str
        One of METHODS.
    charge : int or None, e
        Total charge; None: the structure's own, else 0.
    multiplicity : int or None
        2 S + 1; None: the structure's own, else 1 (in a periodic cell with an odd number of electrons 2).
    accuracy : float
        tblite's multiplier of its SCF thresholds; label noise is proportional to it.
    electronic_temperature : float, K
    max_iterations : int
        SCF cycles of the first attempt.

    Raises
    ------
    InputError
        An option out of range or an unknown method.
    SetupError
        tblite is not installed.
    """

    method: str = "GFN2-xTB"
    charge: int | None = None
    multiplicity: int | None = None
    accuracy: float = 1.0
    electronic_temperature: float = 300.0
    max_iterations: int = 250

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            near = difflib.get_close_matches(str(self.method), METHODS, n=1, cutoff=0.3)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"oracle tblite: method must be one of {METHODS}, got {self.method!r}{hint}")
        for key, low, high in (
            ("charge", -100, 100),
            ("multiplicity", 1, 100),
            ("accuracy", 1e-4, 1e3),
            ("electronic_temperature", 1e-3, 1e5),
            ("max_iterations", 1, 10_000),
        ):
            value = getattr(self, key)
            check(
                value is None or low <= value <= high,
                f"oracle tblite: {key} must lie between {low:g} and {high:g}, got {value}",
            )
        _tblite()

    @property
    def fingerprint(self) -> str:
        """Every setting that moves a number; `max_iterations` does not.

        Where charge and multiplicity are left to the structures, those are named that a structure without a word gets.
        """
        settings = asdict(self)
        del settings["max_iterations"]
        settings["charge"] = float(self.charge or 0)
        settings["multiplicity"] = self.multiplicity or 1
        return canonical_json({"name": "tblite", "version": _tblite()[1], **settings})

    @property
    def display_name(self) -> str:
        """The method, for example 'GFN2-xTB'."""
        return self.method

    @property
    def gives_stress(self) -> bool:
        """Periodic structures get a stress."""
        return True

    @property
    def gives_isolated_atoms(self) -> bool:
        """A lone atom is neutral and has the unpaired electrons of its ground state."""
        return True

    @property
    def rungs(self) -> int:
        """The length of RETRIES."""
        return len(RETRIES)

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError for what tblite cannot treat, before any call.

        That is an element past radon, periodicity in one or two directions, magnetic moments in a crystal, or a number
        of electrons that does not go with charge and multiplicity.
        """
        beyond = sorted({int(z) for z in structure.numbers if not 1 <= z <= LARGEST_NUMBER})
        if beyond:
            names = ", ".join(chemical_symbols[z] if z < len(chemical_symbols) else f"Z={z}" for z in beyond)
            raise OracleError(
                f"{self.method} has no parameters for {names} (H to Rn only); choose an oracle that covers it"
            )
        if structure.pbc.any() and not structure.pbc.all():
            raise OracleError(
                f"{self.method} in tblite is periodic in three directions or none, but the structure has pbc = "
                f"{structure.pbc.tolist()}; set pbc to 'T T T' with a vacuum of 15 Å or more"
            )
        if structure.magmoms is not None and structure.pbc.any():
            raise OracleError(
                f"{self.method} has no exchange between spins: initial magnetic moments of a crystal mean nothing to "
                "it; take them out of the structure file, or choose a spin-polarised oracle"
            )
        self._electrons(structure)

    def _electrons(self, structure: Structure) -> Electrons:
        """Raises OracleError where they cannot be."""
        # Lanthanides have their 4f electrons in the core here, so that each counts as lanthanum.
        lanthanide = (structure.numbers > LANTHANUM) & (structure.numbers <= LUTETIUM)
        numbers = np.where(lanthanide, LANTHANUM, structure.numbers)
        counted = replace(structure, numbers=numbers, masses=None)
        return electrons_for(structure, self.charge, self.multiplicity, self.method, counted)

    def _calculator(self, structure: Structure, charge: int, unpaired: int, attempt: int) -> Any:
        cls, _, _ = _tblite()
        periodic = bool(structure.pbc.any())
        calculator = cls(
            self.method,
            structure.numbers,
            structure.positions / Bohr,
            charge=float(charge),
            uhf=unpaired,
            lattice=structure.cell / Bohr if periodic else None,
            periodic=np.array(structure.pbc) if periodic else None,
            color=False,
            logger=lambda _: None,
        )
        ladder = dict(RETRIES[min(attempt, len(RETRIES) - 1)])
        calculator.set("verbosity", 0)
        calculator.set("accuracy", self.accuracy)
        calculator.set("temperature", self.electronic_temperature * _kB / Hartree)
        calculator.set("max-iter", int(self.max_iterations * ladder.pop("iterations", 1)))
        for key, value in ladder.items():
            with suppress(ValueError):  # older tblites lack mixer-memory
                calculator.set(key, value)
        return calculator

    @never_raises
    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy, forces and, where periodic, stress; `attempt` climbs the ladder RETRIES.

        A lone atom without periodicity is the neutral atom with the unpaired electrons of its ground state. The
        Hamiltonian has no exchange between spins: their number only sets occupations. Where the parametrisation keeps
        open f shells in the core, or the ground state does not converge on any rung, the lowest spin takes its place.
        """
        start = time.perf_counter()
        self.check_structure(structure)
        try:
            with one_thread(_tblite()[2]):
                result = self._singlepoint(structure, attempt)
        except (RuntimeError, ValueError) as error:
            message = str(error)
            kind = FailureKind.UNCONVERGED if "not converged" in message else FailureKind.CRASHED
            return Failure(kind, message, f"attempt {attempt}", self.fingerprint, time.perf_counter() - start)
        stress = None
        if structure.pbc.all():
            # tblite's virial is dE/dstrain, so virial / V has ASE's sign
            stress = (result.get("virial") * (Hartree / structure.volume)).flat[[0, 4, 8, 5, 2, 1]]
        return examine(
            structure,
            Label(
                energy=float(result.get("energy")) * Hartree,
                forces=-result.get("gradient") * (Hartree / Bohr),
                stress=stress,
                noise=self._noise(structure),
                oracle=self.fingerprint,
                wall_time=time.perf_counter() - start,
            ),
        )

    def _singlepoint(self, structure: Structure, attempt: int) -> Any:
        """tblite's result; raises RuntimeError or ValueError with tblite's words."""
        electrons = self._electrons(structure)
        if not is_isolated_atom(structure):
            return self._calculator(structure, electrons.charge, electrons.unpaired, attempt).singlepoint()
        ladder = range(min(attempt, len(RETRIES) - 1), len(RETRIES))
        tries = [(0, unpaired, rung) for unpaired in (electrons.unpaired, 0) for rung in ladder]
        for one in tries[:-1]:
            with suppress(RuntimeError, ValueError):
                return self._calculator(structure, *one).singlepoint()
        return self._calculator(structure, *tries[-1]).singlepoint()

    def _noise(self, structure: Structure) -> LabelNoise:
        forces = FORCES_NOISE * self.accuracy
        stress = 0.0
        if structure.pbc.all():
            # V σ_stress = Σ_i r_i f_i over n atoms with lever arms of the order of a bond, 2 Å
            stress = forces * 2.0 * np.sqrt(len(structure)) / structure.volume
        return LabelNoise(energy=ENERGY_NOISE * self.accuracy, forces=forces, stress=float(stress))


class TbliteConfig(OracleSettings):
    """Extended tight binding, part of the installation."""

    name: Literal["tblite"]
    method: Literal["GFN2-xTB", "GFN1-xTB", "IPEA1-xTB"] = Field(
        default="GFN2-xTB", description="GFN2-xTB (molecules), GFN1-xTB (also crystals) or IPEA1-xTB."
    )
    charge: Charge = None
    multiplicity: Multiplicity = None
    accuracy: Annotated[float, quantity("", ">= 1e-4", "<= 1e3")] = Field(
        default=1.0, description="Numerical accuracy of tblite; smaller is tighter."
    )
    electronic_temperature: Annotated[float, quantity("K", "> 0"), InUnit("K")] = Field(
        default=300.0, description="Temperature of the electrons' Fermi distribution."
    )
    max_iterations: Annotated[int, whole(">= 1")] = Field(
        default=250,
        description="Most self-consistency cycles; a call that needs more is unconverged: no label.",
    )


def _advise(structures: Sequence[Structure]) -> dict[str, Any]:
    periodic = any(structure.pbc.any() for structure in structures)
    return {"method": "GFN1-xTB" if periodic else "GFN2-xTB"}


TBLITE = OracleEntry(
    name="tblite",
    oracle=TBLiteOracle,
    settings=TbliteConfig,
    summary="extended tight binding, for molecules and crystals",
    probe=lambda: label_small(TBLiteOracle(), "H2O"),
    extra="tblite",
    core=True,
    advise=_advise,
)
