"""Any ASE calculator as an oracle, named by the dotted path of its class or factory."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from thalweg.errors import check
from thalweg.isolation import isolated
from thalweg.label import Failure, FailureKind, Label, LabelNoise, Outcome
from thalweg.oracles.base import canonical_json, described, examine, noise_from_net_force
from thalweg.oracles.calculators import (
    build,
    copied,
    is_calculator,
    load_factory,
    path_of,
    use_folder,
)
from thalweg.oracles.charged import check_electrons, fixes_electrons
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.oracles.excerpt import excerpt, said_unconverged
from thalweg.oracles.failing import failure_of, never_raises
from thalweg.oracles.probing import label_small
from thalweg.oracles.reading import Answer, AnswerError, ask
from thalweg.settings.fields import InUnit, quantity, shown
from thalweg.structure import Structure


@dataclass(frozen=True)
class AseOracle:
    """Labels from an ASE calculator.

    Attributes
    ----------
    calculator : str or object
        Dotted path of the calculator's class, or of a function that returns a calculator; or a calculator itself, of
        which every call gets a copy.
    options : mapping
        Keyword arguments of that class or function. Texts that begin with `./`, `../` or `~` are paths from where the
        command was given; a mapping `profile` becomes the profile object of ASE's calculators for programs.
    reuse : bool
        Keep one calculator for all calls, for calculators that are slow to build. Off by default: one that
        remembers (a wave function, a neighbour list) makes labels depend on the calls before them.
    noise : mapping
        Keys energy (eV), forces (eV/Å), stress (eV/Å³): s.d. of the calculator's own convergence, if known.
        The noise of the forces that a net force betrays is added to it.
    isolated_atoms : bool
        Whether the calculator gives a lone atom without periodicity its ground state with these options.
    charge_from : 'info', 'initial_charges' or None
        Where the calculator reads a structure's charge: `atoms.info['charge']` (and the multiplicity in
        `atoms.info['spin']`), or the sum of the initial charges. None: it has it among its options, if at all.

    Raises
    ------
    InputError, SetupError
        The calculator cannot be found, built, or gives no energy and forces.
    """

    calculator: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    reuse: bool = False
    noise: Mapping[str, float] = field(default_factory=dict)
    isolated_atoms: bool = True
    charge_from: str | None = None

    def __post_init__(self) -> None:
        check(
            isinstance(self.calculator, str) or is_calculator(self.calculator),
            f"oracle ase: calculator must be an import path or a calculator, got {self.calculator!r:.100}",
        )
        check(
            isinstance(self.options, Mapping), f"oracle ase: options must be a mapping, got {self.options!r}"
        )
        unknown = set(self.noise) - {"energy", "forces", "stress"}
        check(not unknown, f"oracle ase: noise has keys energy, forces, stress; got {sorted(unknown)}")
        check(
            self.charge_from in (None, "info", "initial_charges"),
            f"oracle ase: charge_from is info or initial_charges, got {self.charge_from!r:.50}",
        )
        missing = {"energy", "forces"} - self._properties
        check(
            not missing,
            f"oracle ase: {self._path} gives no {' and no '.join(sorted(missing))}; learning needs both",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return AseOracle, tuple(getattr(self, own.name) for own in fields(self))

    def _build(self) -> Any:
        with isolated():  # calculators print, write and change things already when they are made
            if not isinstance(self.calculator, str):
                return copied(self.calculator)
            return build(load_factory(self.calculator), self.options, self.calculator)

    @cached_property
    def _kept(self) -> Any:
        return self._build()

    @cached_property
    def _properties(self) -> frozenset[str]:
        return frozenset(getattr(self._kept if self.reuse else self._build(), "implemented_properties", ()))

    @property
    def fingerprint(self) -> str:
        """Calculator and options as they are written; options that are not JSON enter by their repr."""
        options = self.options
        if not isinstance(self.calculator, str):
            options = dict(getattr(self.calculator, "parameters", None) or {})
        return canonical_json({"name": "ase", "calculator": self._path, "options": described(options)})

    @property
    def display_name(self) -> str:
        """The last part of the dotted path."""
        return self._path.rpartition(".")[2]

    @property
    def _path(self) -> str:
        return self.calculator if isinstance(self.calculator, str) else path_of(self.calculator)

    @property
    def gives_stress(self) -> bool:
        """Whether the calculator implements it."""
        return "stress" in self._properties

    @property
    def gives_isolated_atoms(self) -> bool:
        """As `isolated_atoms` says, unless the options give every lone atom the charge or spin of the molecule."""
        calculator = self._kept if self.reuse else self._build()
        return self.isolated_atoms and not fixes_electrons(calculator)

    @property
    def rungs(self) -> int:
        """One: a calculator's settings are its numbers, so that a retry repeats them."""
        return 1

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError where the calculator would not hear of the structure's charge or spin.

        Nothing else is known of a calculator's reach without a call.
        """
        check_electrons(
            structure, self._kept if self.reuse else self._build(), self.display_name, self.charge_from
        )

    @never_raises
    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy (the one that the forces belong to), forces and, where periodic and implemented, stress.

        The calculator runs in a scratch folder of its own, which is also the current folder. Options are the same at
        every attempt; a retry starts from a fresh calculator.
        """
        start = time.perf_counter()
        with isolated(seed=structure.content_hash) as folder:
            try:
                answer = self._ask(structure, folder, fresh=attempt > 0 or not self.reuse)
            except KeyboardInterrupt:
                raise
            except AnswerError as error:
                took = time.perf_counter() - start
                return Failure(error.kind, str(error), excerpt(folder), self.fingerprint, took)
            except BaseException as error:  # SystemExit as well: a calculator must not end the run
                return failure_of(error, self, start, folder)
        label = Label(*answer, self._noise(answer), self.fingerprint, time.perf_counter() - start)
        return examine(structure, label)

    def _ask(self, structure: Structure, folder: Path, *, fresh: bool) -> Answer:
        calculator = self._build() if fresh else self._kept
        check_electrons(structure, calculator, self.display_name, self.charge_from)  # of what was handed in
        use_folder(calculator, folder)
        answer = ask(
            structure,
            calculator,
            free_energy="free_energy" in self._properties,
            stress=self.gives_stress and bool(structure.pbc.all()),
            charge_from=self.charge_from,
        )
        if said := said_unconverged(folder):
            raise AnswerError(f"{self.display_name}: {said}", FailureKind.UNCONVERGED)
        return answer

    def _noise(self, answer: Answer) -> LabelNoise:
        net = noise_from_net_force(answer.forces)
        return LabelNoise(
            energy=float(self.noise.get("energy", 0.0)),
            forces=math.hypot(self.noise.get("forces", 0.0), net if math.isfinite(net) else 0.0),
            stress=float(self.noise.get("stress", 0.0)),
        )


def _import_path(value: Any) -> Any:
    names = value.split(".") if isinstance(value, str) else []
    if len(names) < 2 or not all(name.isidentifier() for name in names):
        raise ValueError(f"expected an import path such as ase.calculators.emt.EMT, got {shown(value)}")
    return value


class AseNoise(BaseModel):
    """Standard deviations of the calculator's answers; they enter the fit as weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: Annotated[float, quantity("eV", ">= 0"), InUnit("eV")] = Field(
        default=0.0, description="Of the total energy."
    )
    forces: Annotated[float, quantity("eV/Å", ">= 0"), InUnit("eV/Å")] = Field(
        default=0.0, description="Of each force component."
    )
    stress: Annotated[float, quantity("eV/Å^3", ">= 0"), InUnit("eV/Å^3")] = Field(
        default=0.0, description="Of each stress component."
    )


class AseConfig(OracleSettings):
    """Any ASE calculator."""

    name: Literal["ase"]
    calculator: Annotated[str, BeforeValidator(_import_path)] = Field(
        description="Import path of the calculator's class or factory, such as ase.calculators.emt.EMT."
    )
    options: dict[str, Any] = Field(default={}, description="Keyword arguments of the calculator.")

    reuse: StrictBool = Field(
        default=False,
        description="Keep one calculator for all calls; its memory may then affect later answers.",
    )
    noise: AseNoise = Field(default=AseNoise(), description="Known convergence errors of the calculator.")
    isolated_atoms: StrictBool = Field(
        default=True,
        description="Whether the calculator, with these options, gives an isolated atom in its ground state; false: "
        "reference energies are fitted.",
    )
    charge_from: Literal["info", "initial_charges"] | None = Field(
        default=None,
        description="Where the calculator reads charge and multiplicity of a structure: info (atoms.info['charge'] and "
        "['spin']) or initial_charges (their sum); null: they are among its options.",
    )


ASE = OracleEntry(
    name="ase",
    oracle=AseOracle,
    settings=AseConfig,
    summary="any ASE calculator",
    probe=lambda: "EMT, " + label_small(AseOracle("ase.calculators.emt.EMT"), "Cu"),
    extra="ase",
    core=True,
    advise=lambda structures: {"calculator": "ase.calculators.emt.EMT"},
)
