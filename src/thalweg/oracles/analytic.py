"""Closed-form pair potentials as oracles: exact, instant, for tests and demonstrations.

Notation
    D       pair vectors r_j - r_i, shape (n_pairs, 3), Å; both i j and j i are listed
    d       their lengths, Å
    v, dv   pair energy (eV) and its derivative (eV/Å)
    s, ds   switch from 1 to 0 over the last fifth of r_cut, twice continuously differentiable

    g       dE/dD of each listed pair, shape (n_pairs, 3), eV/Å

    E = 1/2 Σ v(d) s(d);  g = 1/2 (v s)'(d) D / d
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from thalweg.errors import check
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.neighbours import pairs_within
from thalweg.oracles.base import canonical_json, check_no_electrons, examine
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.oracles.failing import never_raises
from thalweg.oracles.probing import label_small
from thalweg.settings.fields import InUnit, quantity
from thalweg.structure import FloatArray, IntArray, Structure


def switch(d: FloatArray, r_cut: float) -> tuple[FloatArray, FloatArray]:
    """The switch s(d) and ds/dd: 1 - 10 x³ + 15 x⁴ - 6 x⁵ over the last fifth of r_cut."""
    width = 0.2 * r_cut
    x = np.clip((d - (r_cut - width)) / width, 0.0, 1.0)
    return 1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x**2), -30.0 * x**2 * (1.0 - x) ** 2 / width


def forces_and_stress(
    structure: Structure, i: IntArray, j: IntArray, D: FloatArray, g: FloatArray
) -> tuple[FloatArray, FloatArray | None]:
    """Forces (n_atoms, 3) and stress (6,) or None from g = dE/dD over all pairs, shape (n_pairs, 3), eV/Å.

    Since D = r_j - r_i + cell shift, F_i = +Σ g and F_j = -Σ g; under a strain ε, dE/dε = Σ D g^T.
    """
    forces = np.zeros((len(structure), 3))
    np.add.at(forces, i, g)
    np.add.at(forces, j, -g)
    if not structure.pbc.all():
        return forces, None
    virial = (D.T @ g) / structure.volume
    return forces, (0.5 * (virial + virial.T)).flat[[0, 4, 8, 5, 2, 1]]


@dataclass(frozen=True)
class PairOracle:
    """What the pair potentials share; `r_cut` in Å."""

    display_name: ClassVar[str] = "pair potential"
    gives_stress: ClassVar[bool] = True
    gives_isolated_atoms: ClassVar[bool] = True
    rungs: ClassVar[int] = 1
    r_cut: float = 6.0

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            check(value > 0.0, f"oracle {self.display_name}: {key} must be positive, got {value!r}")

    def pair_energy(self, d: FloatArray) -> tuple[FloatArray, FloatArray]:
        """v(d) in eV and dv/dd in eV/Å."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """Name and parameters."""
        return canonical_json({"name": self.display_name, **asdict(self)})

    def check_structure(self, structure: Structure) -> None:
        """Every structure without a word on electrons will do: all elements share the parameters."""
        check_no_electrons(structure, self.display_name)

    @never_raises
    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy, forces and, where periodic in three directions, stress."""
        start = time.perf_counter()
        i, j, D, d = pairs_within(structure, self.r_cut)
        if len(d) and d.min() < 1e-3:
            return Failure(
                FailureKind.CRASHED, "two atoms coincide", "", self.fingerprint, time.perf_counter() - start
            )
        v, dv = self.pair_energy(d)
        s, ds = switch(d, self.r_cut)
        g = (0.5 * (dv * s + v * ds) / d)[:, None] * D
        forces, stress = forces_and_stress(structure, i, j, D, g)
        energy = 0.5 * float(v @ s)
        label = Label(energy, forces, stress, oracle=self.fingerprint, wall_time=time.perf_counter() - start)
        return examine(structure, label)


@dataclass(frozen=True)
class LennardJonesOracle(PairOracle):
    """v = 4 ε ((σ/d)¹² - (σ/d)⁶); defaults near argon's. `epsilon` in eV, `sigma` and `r_cut` in Å."""

    display_name: ClassVar[str] = "lennard-jones"
    epsilon: float = 0.0103
    sigma: float = 3.40
    r_cut: float = 8.5

    def pair_energy(self, d: FloatArray) -> tuple[FloatArray, FloatArray]:
        """v(d) and dv/dd."""
        x6 = (self.sigma / d) ** 6
        return 4.0 * self.epsilon * (x6**2 - x6), -24.0 * self.epsilon * (2.0 * x6**2 - x6) / d


@dataclass(frozen=True)
class MorseOracle(PairOracle):
    """v = D_e ((1 - exp(-a (d - r_0)))² - 1).

    `well_depth` D_e in eV, `width` a in 1/Å, `r_0` and `r_cut` in Å.

    Defaults bind a metal-like crystal (near copper's: Girifalco & Weizer, Phys. Rev. 114, 687 (1959)).
    """

    display_name: ClassVar[str] = "morse"
    well_depth: float = 0.3429
    width: float = 1.3588
    r_0: float = 2.866
    r_cut: float = 6.0

    def pair_energy(self, d: FloatArray) -> tuple[FloatArray, FloatArray]:
        """v(d) and dv/dd."""
        e = np.exp(-self.width * (d - self.r_0))
        return self.well_depth * ((1.0 - e) ** 2 - 1.0), 2.0 * self.well_depth * self.width * (1.0 - e) * e


class LennardJonesSettings(OracleSettings):
    """The Lennard-Jones potential, the same for all elements: for tests and demonstrations."""

    name: Literal["lennard-jones"]
    epsilon: Annotated[float, quantity("eV", "> 0"), InUnit("eV")] = Field(
        default=0.0103, description="Depth of the well; the default is near argon's."
    )
    sigma: Annotated[float, quantity("Å", "> 0"), InUnit("Å")] = Field(
        default=3.40, description="Distance at which the energy of a pair is zero."
    )
    r_cut: Annotated[float, quantity("Å", "> 0", "<= 100"), InUnit("Å")] = Field(
        default=8.5, description="Cutoff distance of the pair potential."
    )


class MorseSettings(OracleSettings):
    """The Morse potential, the same for all elements: for tests and demonstrations."""

    name: Literal["morse"]
    well_depth: Annotated[float, quantity("eV", "> 0"), InUnit("eV")] = Field(
        default=0.3429, description="Depth of the well; the default is near copper's."
    )
    width: Annotated[float, quantity("1/Å", "> 0"), InUnit("1/Å")] = Field(
        default=1.3588, description="Steepness of the well."
    )
    r_0: Annotated[float, quantity("Å", "> 0"), InUnit("Å")] = Field(
        default=2.866, description="Distance of lowest energy of a pair."
    )
    r_cut: Annotated[float, quantity("Å", "> 0", "<= 100"), InUnit("Å")] = Field(
        default=6.0, description="Cutoff distance of the pair potential."
    )


LENNARD_JONES = OracleEntry(
    name="lennard-jones",
    oracle=LennardJonesOracle,
    settings=LennardJonesSettings,
    summary="a pair potential in closed form",
    probe=lambda: label_small(LennardJonesOracle(), "Ar"),
    core=True,
)
MORSE = OracleEntry(
    name="morse",
    oracle=MorseOracle,
    settings=MorseSettings,
    summary="a pair potential in closed form",
    probe=lambda: label_small(MorseOracle(), "Cu"),
    core=True,
)
