"""Thalweg's native core. Arrays are C-contiguous NumPy arrays of the given dtype."""

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Flags = NDArray[np.uint8]

class Evaluator:
    def __init__(
        self,
        *,
        n_elements: int,
        r_cut: float,
        exponent: int,
        recurrence: Doubles,
        radial_count: Ints,
        nodes: Ints,
        tensor_start: Ints,
        tensor_index: Ints,
        tensor_value: Doubles,
        features: Ints,
        scale: Doubles,
        instructions: str = "",
    ) -> None: ...
    @property
    def n_features(self) -> int: ...
    @property
    def instructions(self) -> str: ...
    def phi(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags
    ) -> Doubles: ...
    def vjp(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags, g: Doubles
    ) -> tuple[Doubles, Doubles]: ...
    def jvp(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags, v: Doubles
    ) -> Doubles: ...
    def jacobian(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags
    ) -> tuple[Ints, Ints, Doubles]: ...
    def design_rows(
        self,
        first_atom: Ints,
        species: Ints,
        positions: Doubles,
        cells: Doubles,
        pbc: Flags,
        want_strain: bool,
    ) -> tuple[Doubles, Doubles, Doubles]: ...

class ForceField:
    @property
    def r_cut(self) -> float: ...
    @property
    def has_committee(self) -> bool: ...
    @property
    def has_novelty(self) -> bool: ...

TOO_FEW_NEIGHBORS: float

class NoveltyModel:
    def __init__(
        self,
        *,
        mean: Doubles,
        scale: Doubles,
        components: Doubles,
        factors: Doubles,
        rest: Doubles,
        fewest_neighbors: Ints | None = None,
    ) -> None: ...

class KeptPairs:
    def __init__(self, skin: float) -> None: ...

class LinearForceField(ForceField):
    def __init__(
        self,
        evaluator: Evaluator,
        weights: Doubles,
        member_deltas: Doubles,
        reference_energies: Doubles,
        novelty: NoveltyModel | None = None,
        zbl: ZblTable | None = None,
        mixed: bool = False,
    ) -> None: ...
    @property
    def mixed(self) -> bool: ...
    @overload
    def compute(
        self,
        first_atom: Ints,
        species: Ints,
        positions: Doubles,
        cells: Doubles,
        pbc: Flags,
        *,
        deviation: Literal[True],
        novelty: bool = False,
        kept: KeptPairs | None = None,
    ) -> tuple[Doubles, Doubles, Doubles, Doubles, Doubles | None]: ...
    @overload
    def compute(
        self,
        first_atom: Ints,
        species: Ints,
        positions: Doubles,
        cells: Doubles,
        pbc: Flags,
        *,
        deviation: bool = False,
        novelty: bool = False,
        kept: KeptPairs | None = None,
    ) -> tuple[Doubles, Doubles, Doubles, Doubles | None, Doubles | None]: ...
    def atom_energies(
        self,
        first_atom: Ints,
        species: Ints,
        positions: Doubles,
        cells: Doubles,
        pbc: Flags,
        *,
        kept: KeptPairs | None = None,
    ) -> Doubles: ...

def parse_potential(text: bytes) -> tuple[LinearForceField, list[str], float, Doubles, Doubles, str]: ...
def set_num_threads(n: int) -> None: ...
def num_threads() -> int: ...

# Neighbour lists, baselines and walkers.

def build_pairs(
    first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags, r_list: float
) -> tuple[Ints, Ints, Doubles]: ...

class ZblTable:
    def __init__(self, numbers: list[int], inner: Doubles, outer: Doubles) -> None: ...
    def compute(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags
    ) -> tuple[Doubles, Doubles, Doubles]: ...

class MorseForceField(ForceField):
    def __init__(
        self,
        depth: Doubles,
        width: Doubles,
        distance: Doubles,
        *,
        r_on: float,
        r_cut: float,
        spread: float = 0.0,
        novelty_scale: float = 0.0,
    ) -> None: ...
    def compute(
        self, first_atom: Ints, species: Ints, positions: Doubles, cells: Doubles, pbc: Flags
    ) -> tuple[Doubles, Doubles, Doubles]: ...

class Walker:
    def __init__(
        self,
        *,
        species: Ints,
        masses: Doubles,
        positions: Doubles,
        velocities: Doubles,
        cell: Doubles,
        pbc: Flags,
        fixed: Flags,
        list_positions: Doubles,
        list_cell: Doubles,
    ) -> None: ...
    kT: float
    seed: int
    id: int
    step: int
    reference_energy: float

class MdSettings:
    timestep: float
    friction: float
    skin: float
    record_stride: int
    history_stride: int
    history_length: int
    score_stride: int
    screen_share: float
    log_stride: int
    def set_barostat(self, coupling: str, pressure: float, mobility: float) -> None: ...

class Limits:
    def __init__(self, species_factor: Doubles, species_floor: Doubles, min_distance: Doubles) -> None: ...
    bound_label: float
    bound_break: float
    novelty_label: float
    novelty_break: float
    kT_max: float
    energy_rise_max: float

def advance(
    field: ForceField,
    walkers: list[Walker],
    settings: MdSettings,
    limits: list[Limits],
    *,
    n_steps: int,
    stop_on_label: bool,
    n_threads: int,
    poll: Callable[[int], bool] | None = None,
) -> list[dict[str, Any]]: ...
def philox4x32_10(counter: list[int], key: list[int]) -> list[int]: ...
def normals(seed: int, stream: int, step: int, n: int) -> Doubles: ...
