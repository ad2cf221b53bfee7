"""From a configuration to everything a run needs, with every input checked before any work is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.border import check_filled, check_temperature, check_timestep
from thalweg.config import ExploreConfig, RunConfig, automatic_timestep, read_starts
from thalweg.errors import InputError, OracleError
from thalweg.explorers.base import Walker
from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.explorer import AnyExplorer
from thalweg.explorers.md import MdSettings
from thalweg.explorers.seeding import seed_structures
from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.loop.deciding.policy_state import Rules
from thalweg.loop.deciding.stopping import Target
from thalweg.machine import available_cores
from thalweg.oracles.base import Oracle
from thalweg.properties.eos import N_POINTS
from thalweg.structure import Structure, check_states

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS = 8
"""First labels when the configuration names no number."""
SEED_HEAT = 0.7
"""Seeds are drawn at this fraction of each temperature: a harmonic model's far tails are not worth a label."""
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
        seeds = seed_structures(self.structures, self.n_seeds, heat, rng, self.config.explore.strain)
        return list({seed.content_hash: seed for seed in seeds}.values())

    def walkers(self) -> list[Walker]:
        """Walkers at their start: start structures in turn, crystals strained over the configured range."""
        n = len(self.temperatures)
        strains = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1)) * self.config.explore.strain
        starts = [_strained(self.structures[k % len(self.structures)], strains[k]) for k in range(n)]
        return list(self.explorer.start(starts, self.temperatures, self.config.seed))


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
    warnings = []
    if structures is None:
        starts = read_starts(config.system)
        structures = starts.structures
        if starts.with_velocities:
            warnings.append(
                f"velocities of {starts.with_velocities} of {len(structures)} start structures are not taken: walkers "
                "draw their own at their temperatures"
            )
    structures = tuple(structures)
    check_states(structures)
    for number, structure in enumerate(structures, start=1):
        try:
            oracle.check_structure(structure)
        except OracleError as error:
            raise OracleError(f"start structure {number} of {len(structures)}: {error}") from error
    explore = config.explore
    timestep = explore.timestep or automatic_timestep(list(structures))
    warnings += [
        warning
        for warning in (
            check_timestep(structures, timestep, "explore.timestep"),
            check_temperature(explore.temperatures(), "explore.temperature"),
        )
        if warning is not None
    ]
    _check_cells(config, structures)
    return Setup(
        config=config,
        rules=_rules(config),
        structures=structures,
        basis=_basis(config, structures),
        explorer=_dynamics(explore, timestep) if explorer is None else explorer,
        temperatures=explore.temperatures(),
        warnings=tuple(warnings),
    )


def _rules(config: RunConfig) -> Rules:
    return Rules(
        target=Target(config.target.force_error, config.target.confidence, config.target.level),
        oracle_calls=_calls_to_learn(config),
        time_fs=1000.0 * config.explore.time,
        block_fs=config.explore.block,
        walkers=config.explore.walkers,
        batch=max(config.acquisition.batch, config.executor.workers),
        audit_fraction=config.acquisition.audit_fraction,
    )


def _check_cells(config: RunConfig, structures: Sequence[Structure]) -> None:
    """Whether they can be strained, and follow a pressure, where that is asked for."""
    periodic = all(structure.pbc.all() for structure in structures)
    if config.explore.strain > 0 and not periodic:
        raise InputError(
            "explore.strain: only structures that are periodic in three directions can be strained"
        )
    held = any(structure.fixed is not None for structure in structures)
    if held and config.explore.strain > 0:
        raise InputError(
            "explore.strain: it moves every atom with the cell, and some are fixed in the structure file; free them, "
            "or leave out the strain"
        )
    if config.explore.ensemble != "npt":
        return
    if held:
        raise InputError(
            "explore.ensemble: npt moves every atom with the cell, and some are fixed in the structure file; free "
            "them, or use nvt"
        )
    if not periodic:
        raise InputError(
            "explore.ensemble: npt needs structures that are periodic in three directions; use nvt for molecules"
        )
    for structure in structures:
        check_filled(structure, "explore.ensemble")


def _calls_to_learn(config: RunConfig) -> int:
    """The budget without what properties will need at the end."""
    kept, budget = calls_kept_back(config), config.budget.oracle_calls
    if budget <= kept:
        raise InputError(
            f"budget.oracle_calls: {kept} calls are reserved for the equation of state, so at least {kept + 1} "
            f"are needed, got {budget}; raise it, or set properties.equation_of_state: false"
        )
    return budget - kept


def _dynamics(explore: ExploreConfig, timestep: float) -> MolecularDynamics:
    """The explorer that the configuration describes, on every processor."""
    settings = MdSettings(
        timestep_fs=timestep,
        friction_per_fs=explore.friction,
        ensemble=explore.ensemble,
        pressure_gpa=explore.pressure,
        coupling=explore.coupling,
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


def _strained(structure: Structure, strain: float) -> Structure:
    if strain == 0.0:
        return structure
    return structure.strained((1.0 + strain) * np.eye(3))
