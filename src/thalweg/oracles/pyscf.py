"""Hartree-Fock, density functional theory and MP2 for molecules, through PySCF.

Every call starts from a fresh guess on one thread: the label of a structure does not depend on what was labelled
before it, and comes out the same to the last bit. Forces are analytic gradients; with a functional they include the
response of the integration grid, so that they are the derivative of the energy that is computed.

References
    Sun et al., J. Chem. Phys. 153, 024109 (2020)        PySCF
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.units import Bohr, Hartree
from pydantic import Field, StrictBool

from thalweg.errors import OracleError, check
from thalweg.isolation import isolated
from thalweg.label import Failure, FailureKind, Label, LabelNoise, Outcome
from thalweg.oracles.base import canonical_json, examine, is_isolated_atom, noise_from_net_force
from thalweg.oracles.entry import Charge, Multiplicity, OracleEntry, OracleSettings
from thalweg.oracles.failing import failure_of, never_raises
from thalweg.oracles.molecules import electrons_for
from thalweg.oracles.probing import label_small
from thalweg.oracles.pyscf_library import (
    check_basis,
    check_method,
    has_basis,
    library,
    molecule,
    quiet_on_one_thread,
    shortest_distance,
)
from thalweg.settings.fields import quantity, whole
from thalweg.structure import Electrons, FloatArray, Structure

RUNGS = ("as it comes", "level shift and damping", "second order")
"""The ladder: another way to the same answer each time."""
LEVEL_SHIFT = 0.3
"""Hartree added to the virtual orbitals on the second rung."""
DAMPING = 0.3
FORCES_NOISE = 0.02
"""Forces are off by less than this times the square root of `conv_tol` (atomic units; measured: 0.001 to 0.007)."""
MP2_ENERGY_NOISE = 3e-3
"""The same of MP2's energy, which is not variational (measured: 0.0005 to 0.0008)."""
_CLOSE = 1e-3
"""Å. Two atoms nearer than this are at the same position."""


class _UnconvergedError(Exception):
    pass


@dataclass(frozen=True)
class PyscfOracle:
    """Molecules by PySCF.

    Attributes
    ----------
    method : str
        `HF`, `MP2` (all electrons correlated), or a functional that PySCF knows: `PBE`, `B3LYP`, `wB97X-V`.
    basis : str
        With heavy elements the effective core potentials that belong to the basis are used.
    charge : int or None, e
        None: the structure's own, else 0.
    multiplicity : int or None
        2 S + 1; None: the structure's own, else 1. Restricted orbitals for 1, unrestricted ones above.
    conv_tol : float, Hartree
        The SCF stops when the energy moves by less; label noise follows from it.
    max_cycle : int
        SCF cycles of the first attempt.
    density_fit : bool
        Fit the electron repulsion: faster, with an error of its own. Not with MP2.
    grid_level : int
        0 to 9, of the integration grid of a functional.
    max_memory : int, MB

    A lone atom is labelled as the neutral atom with the unpaired electrons of its ground state.

    Raises
    ------
    InputError
        An option out of range, or an unknown method or basis.
    SetupError
        PySCF is not installed.
    """

    method: str = "PBE"
    basis: str = "def2-SVP"
    charge: int | None = None
    multiplicity: int | None = None
    conv_tol: float = 1e-9
    max_cycle: int = 100
    density_fit: bool = False
    grid_level: int = 3
    max_memory: int = 4000

    def __post_init__(self) -> None:
        for key in ("charge", "multiplicity", "max_cycle", "grid_level", "max_memory"):
            value = getattr(self, key)
            if value is None and key in ("charge", "multiplicity"):
                continue
            whole_number = (
                isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
            )
            check(whole_number, f"oracle pyscf: {key} must be a whole number, got {value!r}")
            object.__setattr__(self, key, int(value))
        check(
            self.multiplicity is None or self.multiplicity >= 1,
            f"oracle pyscf: multiplicity must be at least 1, got {self.multiplicity}",
        )
        check(self.max_cycle >= 1, f"oracle pyscf: max_cycle must be at least 1, got {self.max_cycle}")
        check(
            0 <= self.grid_level <= 9, f"oracle pyscf: grid_level must lie in 0 ... 9, got {self.grid_level}"
        )
        check(
            1e-14 <= self.conv_tol <= 1e-3,
            f"oracle pyscf: conv_tol must lie between 1e-14 and 1e-3 Hartree, got {self.conv_tol}",
        )
        check(
            not (self.density_fit and self._is_mp2),
            "oracle pyscf: PySCF has no gradients of MP2 with density fitting; set density_fit: false",
        )
        check_method(self.method)
        check_basis(self.basis)

    @property
    def _is_mp2(self) -> bool:
        return self.method.upper() == "MP2"

    @cached_property
    def _functional(self) -> str | None:
        return None if self.method.upper() in {"HF", "MP2"} else self.method

    @property
    def fingerprint(self) -> str:
        """PySCF's version and every setting that moves a number; `max_cycle` and `max_memory` do not."""
        settings = asdict(self)
        for key in ("max_cycle", "max_memory", *(() if self._functional else ("grid_level",))):
            del settings[key]
        settings["charge"], settings["multiplicity"] = self.charge or 0, self.multiplicity or 1
        settings["method"], settings["basis"] = self.method.upper(), self.basis.lower()
        return canonical_json({"name": "pyscf", "version": library().__version__, **settings})

    @property
    def display_name(self) -> str:
        """Method and basis, for example 'PBE/def2-SVP'."""
        return f"{self.method}/{self.basis}"

    @property
    def gives_stress(self) -> bool:
        """Molecules have none."""
        return False

    @property
    def gives_isolated_atoms(self) -> bool:
        """A lone atom is neutral and has the unpaired electrons of its ground state."""
        return True

    @property
    def rungs(self) -> int:
        """The length of RUNGS."""
        return len(RUNGS)

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError for periodicity, elements without basis, or electrons that do not fit."""
        if structure.pbc.any():
            raise OracleError(
                f"pyscf labels molecules only, but the structure has pbc = {structure.pbc.tolist()}; set pbc to "
                "'F F F', or choose an oracle for crystals (tblite with GFN1-xTB, Quantum ESPRESSO through ase)"
            )
        for number in sorted({int(z) for z in structure.numbers}):
            if not has_basis(self.basis, number):
                name = chemical_symbols[number] if 0 < number < len(chemical_symbols) else f"Z = {number}"
                raise OracleError(
                    f"the basis {self.basis} has no {name}; choose one that covers it (def2-SVP: H to Rn)"
                )
        self._electrons(structure)

    def _electrons(self, structure: Structure) -> Electrons:
        return electrons_for(structure, self.charge, self.multiplicity, "pyscf")

    @never_raises
    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy and forces; `attempt` climbs the ladder RUNGS."""
        start = time.perf_counter()
        self.check_structure(structure)
        if shortest_distance(structure) < _CLOSE:
            took = time.perf_counter() - start
            return Failure(
                FailureKind.CRASHED, "two atoms are at the same position", "", self.fingerprint, took
            )
        with isolated(seed=structure.content_hash) as folder, quiet_on_one_thread():
            try:
                energy, forces = self._solve(structure, attempt)
            except _UnconvergedError as error:
                took, rung = time.perf_counter() - start, RUNGS[min(attempt, len(RUNGS) - 1)]
                return Failure(FailureKind.UNCONVERGED, str(error), f"rung: {rung}", self.fingerprint, took)
            except Exception as error:
                return failure_of(error, self, start, folder)
        noise = LabelNoise(
            energy=self._energy_noise,
            forces=float(np.hypot(self._forces_noise, noise_from_net_force(forces))),
        )
        label = Label(energy, forces, None, noise, self.fingerprint, time.perf_counter() - start)
        return examine(structure, label)

    @property
    def _energy_noise(self) -> float:
        return float(Hartree) * (MP2_ENERGY_NOISE * self.conv_tol**0.5 if self._is_mp2 else self.conv_tol)

    @property
    def _forces_noise(self) -> float:
        return FORCES_NOISE * float(np.sqrt(self.conv_tol) * Hartree / Bohr)

    def _solve(self, structure: Structure, attempt: int) -> tuple[float, FloatArray]:
        """Energy (eV) and forces (n_atoms, 3) in eV/Å."""
        method = field = self._field(self._molecule(structure), attempt)
        field.kernel()
        if not field.converged:
            raise _UnconvergedError(f"SCF not converged in {field.max_cycle} cycles")
        if self._is_mp2:
            method = library().mp.MP2(field)
            method.verbose = 0
            method.kernel()
        energy = float(method.e_tot) * float(Hartree)
        if is_isolated_atom(structure):
            return energy, np.zeros((1, 3))
        gradient = method.nuc_grad_method()
        gradient.verbose = 0
        if self._functional:
            gradient.grid_response = True
        return energy, -np.asarray(gradient.kernel(), dtype=np.float64) * float(Hartree / Bohr)

    def _molecule(self, structure: Structure) -> Any:
        electrons = self._electrons(structure)
        return molecule(
            structure,
            self.basis,
            charge=electrons.charge,
            unpaired=electrons.unpaired,
            max_memory=self.max_memory,
        )

    def _field(self, atoms: Any, attempt: int) -> Any:
        """The SCF object on the rung of `attempt`."""
        pyscf = library()
        if self._functional:
            field = (pyscf.dft.UKS if atoms.spin else pyscf.dft.RKS)(atoms, xc=self._functional)
            field.grids.level = self.grid_level
        else:
            field = (pyscf.scf.UHF if atoms.spin else pyscf.scf.RHF)(atoms)
        if self.density_fit:
            field = field.density_fit()
        field.conv_tol, field.max_cycle, field.chkfile = self.conv_tol, self.max_cycle, None
        if attempt == 1:
            field.level_shift, field.damp, field.max_cycle = LEVEL_SHIFT, DAMPING, 3 * self.max_cycle
            field.conv_tol = 0.01 * self.conv_tol  # small steps: the energy moves little before it is there
        elif attempt >= 2:
            field = field.newton()
            field.max_cycle = max(50, self.max_cycle)
        return field


class PyscfSettings(OracleSettings):
    """Hartree-Fock, density functional theory and MP2 for molecules; `pip install 'thalweg[pyscf]'`."""

    name: Literal["pyscf"]
    method: str = Field(
        default="PBE", description="HF, MP2, or a functional that PySCF knows, such as PBE, B3LYP or wB97X-V."
    )
    basis: str = Field(
        default="def2-SVP", description="Basis set, with its effective core potentials for heavy elements."
    )
    charge: Charge = None
    multiplicity: Multiplicity = None
    conv_tol: Annotated[float, quantity("", ">= 1e-14", "<= 1e-3")] = Field(
        default=1e-9, description="Change of the energy (Hartree) at which the SCF stops."
    )
    max_cycle: Annotated[int, whole(">= 1", "<= 100000")] = Field(
        default=100, description="Most SCF cycles; a call that needs more is unconverged: no label."
    )
    density_fit: StrictBool = Field(
        default=False, description="Fit the electron repulsion: faster for larger molecules. Not with MP2."
    )
    grid_level: Annotated[int, whole(">= 0", "<= 9")] = Field(
        default=3, description="Fineness of a functional's integration grid."
    )
    max_memory: Annotated[int, whole(">= 100", "<= 10000000")] = Field(
        default=4000, description="Memory (MB) that PySCF may use."
    )


PYSCF = OracleEntry(
    name="pyscf",
    oracle=PyscfOracle,
    settings=PyscfSettings,
    summary="Hartree-Fock, DFT and MP2 for molecules",
    probe=lambda: label_small(PyscfOracle(method="HF", basis="sto-3g"), "H2"),
    extra="thalweg[pyscf]",
)
