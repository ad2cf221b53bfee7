"""From a configuration to everything a run needs, with every input checked before any work is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.border import check_movable, check_temperature, check_timestep
from thalweg.config import ExploreConfig, RunConfig, Starts, TargetConfig, automatic_timestep, read_starts
from thalweg.errors import InputError, OracleError
from thalweg.explorers.base import Walker
from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.explorer import AnyExplorer
from thalweg.explorers.md import MdSettings
from thalweg.explorers.origin import is_open
from thalweg.explorers.seeding import seed_structures
from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.loop.deciding.policy_state import Rules
from thalweg.loop.deciding.stopping import Target
from thalweg.loop.suitability import automatic_coupling, check_cells, check_stress, small_cell
from thalweg.machine import available_cores
from thalweg.oracles.base import Oracle
from thalweg.properties.eos import N_POINTS
from thalweg.structure import FloatArray, Structure, check_states
from thalweg.units import GPa
from thalweg.vocabulary import Coupling

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS = 8
"""First labels when the configuration names no number."""
SEED_HEAT = 0.7
"""Seeds are drawn at this fraction of each temperature: a harmonic model's far tails are not worth a label."""
SEED_STRAIN = 0.03
"""Largest strain of the first structures of a crystal, where none is asked for."""
SAMPLE_FS = 10.0
"""Time between the samples of a trajectory from which audits are drawn."""


@dataclass(frozen=True)
class Setup:
    """A checked configuration in the terms of the loop."""

    config: RunConfig
    rules: Rules
    structures: tuple[Structure, ...]
    basis: AceBasis
    explorer: AnyExplorer
    temperatures: tuple[float, ...]
    warnings: tuple[str, ...] = ()
    """What the user should know before any call is made."""
    coupling: Coupling = "isotropic"
    """What the barostat may change."""
    gives_stress: bool = False
    """Whether the oracle does, for structures that are periodic in three directions."""
    moves_on: bool = True
    """Whether walkers take the starts in turn: molecular dynamics does, an explorer of the user's has its own way."""

    @property
    def sends_back(self) -> bool:
        """Whether walkers that have fallen apart go back to their start."""
        return self.moves_on and self.config.explore.dissociation == "stop"

    @property
    def may_flow(self) -> bool:
        """Whether the barostat may change the shape of the cell."""
        return self.moves_on and self.config.explore.ensemble == "npt" and self.coupling != "isotropic"

    @property
    def seed_strain(self) -> float:
        """Largest strain of the first structures: without it nothing is learned of how a crystal answers to shear."""
        if self.config.explore.strain is not None:
            return self.config.explore.strain
        solid = not any(is_open(structure) or structure.fixed is not None for structure in self.structures)
        return SEED_STRAIN if self.gives_stress and solid else 0.0

    @property
    def width(self) -> int:
        """Calls of the oracle that run side by side."""
        return max(1, self.config.executor.workers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Atomic numbers of the system's elements, rising."""
        return tuple(sorted({int(z) for structure in self.structures for z in structure.numbers}))

    @staticmethod
    def symbol(number: int) -> str:
        """Chemical symbol of an atomic number."""
        from ase.data import chemical_symbols

        return str(chemical_symbols[number])

    @property
    def n_seeds(self) -> int:
        """First labels, at least one for each start structure where the budget allows."""
        wanted = self.config.seeds.count or max(SEEDS, len(self.structures))
        return min(wanted, self.rules.oracle_calls)

    def seeds(self, rng: np.random.Generator) -> list[Structure]:
        """The first structures to label, each once, chosen without any call of the oracle."""
        heat = sorted({SEED_HEAT * t for t in self.temperatures})
        seeds = seed_structures(self.structures, self.n_seeds, heat, rng, self.seed_strain)
        return list({seed.content_hash: seed for seed in seeds}.values())

    def walkers(self) -> list[Walker]:
        """Walkers at their start: start structures in turn, crystals strained over the configured range."""
        starts = [self.start(k, k % len(self.structures)) for k in range(len(self.temperatures))]
        return list(self.explorer.start(starts, self.temperatures, self.config.seed))

    def start(self, walker: int, start: int) -> Structure:
        """Where this walker begins on that start structure: a crystal is strained for it."""
        n, largest = len(self.temperatures), self.config.explore.strain or 0.0
        if n == 1 or largest == 0.0:
            return self.structures[start]
        strain = (2.0 * walker / (n - 1) - 1.0) * largest * np.eye(3)
        if self.gives_stress:
            strain += 0.25 * largest * _shear(walker)  # a shear angle of half the largest strain
        return self.structures[start].strained(np.eye(3) + strain)


def _check_each(structures: Sequence[Structure], places: Sequence[str] | None, oracle: Oracle) -> None:
    """Whether each start can move, and the oracle can treat it; `places` are where its file has it."""
    for number, structure in enumerate(structures, start=1):
        file = "" if places is None else f" ({places[number - 1]})"
        where = f"start structure {number} of {len(structures)}{file}"
        check_movable(structure, where)
        try:
            oracle.check_structure(structure)
        except OracleError as error:
            raise OracleError(f"{where}: {error}") from error


def prepare(
    config: RunConfig,
    oracle: Oracle,
    structures: Sequence[Structure] | None = None,
    *,
    explorer: AnyExplorer | None = None,
) -> Setup:
    """Check structures against the oracle and settle what was left automatic.

    `structures` stand for those that the configuration names, which may have moved since; `explorer` for the molecular
    dynamics that it describes.

    Raises
    ------
    InputError
        An unreadable structure, or structures that do not belong into one run.
    OracleError
        An element or a periodicity that the oracle cannot treat.
    """
    warnings: list[str] = []
    places: Sequence[str] | None = None
    if structures is None:
        starts = _read(config, warnings)
        structures, places = starts.structures, starts.places
    structures = tuple(structures)
    check_states(structures)
    _check_each(structures, places, oracle)
    explore = config.explore
    timestep = explore.timestep or automatic_timestep(list(structures))
    check_cells(config, structures)
    check_stress(config, oracle, structures)
    basis = _basis(config, structures)
    coupling = explore.coupling or automatic_coupling(structures, gives_stress=oracle.gives_stress)
    found = (
        check_timestep(structures, timestep, "explore.timestep"),
        check_temperature(explore.temperatures(), "explore.temperature"),
        small_cell(structures, basis.r_cut),
    )
    warnings += [text for text in found if text is not None]
    return Setup(
        config=config,
        rules=_rules(config),
        structures=structures,
        basis=basis,
        explorer=_dynamics(explore, timestep, coupling) if explorer is None else explorer,
        temperatures=explore.temperatures(),
        warnings=tuple(warnings),
        coupling=coupling,
        gives_stress=oracle.gives_stress,
        moves_on=explorer is None,
    )


def _read(config: RunConfig, warnings: list[str]) -> Starts:
    """The structures that the configuration names; a warning where what their files say is not taken."""
    starts = read_starts(config.system)
    if starts.with_velocities:
        warnings.append(
            f"velocities of {starts.with_velocities} of {len(starts.structures)} start structures are not taken: "
            "walkers draw their own at their temperatures"
        )
    return starts


def _rules(config: RunConfig) -> Rules:
    return Rules(
        target=_target(config.target),
        oracle_calls=_calls_to_learn(config),
        time_fs=1000.0 * config.explore.time,
        block_fs=config.explore.block,
        walkers=config.explore.walkers,
        batch=max(config.acquisition.batch, config.executor.workers),
        audit_fraction=config.acquisition.audit_fraction,
        sends_back=config.explore.dissociation == "stop",
    )


def _target(config: TargetConfig) -> Target:
    stress = None if config.stress_error is None else config.stress_error * GPa
    return Target(config.force_error, config.confidence, config.level, stress)


def _calls_to_learn(config: RunConfig) -> int:
    """The budget without what properties will need at the end."""
    kept, budget = calls_kept_back(config), config.budget.oracle_calls
    if budget <= kept:
        raise InputError(
            f"budget.oracle_calls: {kept} calls are reserved for the equation of state, so at least {kept + 1} "
            f"are needed, got {budget}; raise it, or set properties.equation_of_state: false"
        )
    return budget - kept


def _dynamics(explore: ExploreConfig, timestep: float, coupling: Coupling) -> MolecularDynamics:
    """The explorer that the configuration describes, on every processor."""
    settings = MdSettings(
        timestep_fs=timestep,
        friction_per_fs=explore.friction,
        ensemble=explore.ensemble,
        pressure_gpa=explore.pressure,
        coupling=coupling,
        committee=explore.committee,
        record_stride=max(1, round(SAMPLE_FS / timestep)),
        history_stride=max(1, round(2.0 / timestep)),
        history_length=64,
    )
    return MolecularDynamics(settings, n_threads=available_cores())


def calls_kept_back(config: RunConfig) -> int:
    """Calls of the budget that the properties of a configuration will need."""
    return N_POINTS if config.properties.equation_of_state else 0


def _basis(config: RunConfig, structures: Sequence[Structure]) -> AceBasis:
    from ase.data import chemical_symbols

    numbers = sorted({int(z) for structure in structures for z in structure.numbers})
    elements = tuple(chemical_symbols[z] for z in numbers)
    model = config.model
    settings: dict[str, Any] = {
        "r_cut": model.r_cut,
        "correlation_order": model.correlation_order,
        "max_degree": model.max_degree,
        "radial_weight": model.radial_weight or 1,
    }
    return default_basis(elements, any(bool(s.pbc.any()) for s in structures), **settings)


def _shear(walker: int) -> FloatArray:
    """A unit shear for this walker: yz, xz, xy in turn, then the same the other way."""
    shear = np.zeros((3, 3))
    i, j = ((1, 2), (0, 2), (0, 1))[walker % 3]
    shear[i, j] = shear[j, i] = -1.0 if walker // 3 % 2 else 1.0
    return shear
