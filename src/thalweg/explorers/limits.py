"""What a walker is watched for at every step, and what is said when it happens.

Order of the checks: physical sanity first (a broken state's uncertainty means nothing), then the limits at
which a walker must stop, then those at which a label is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from thalweg import _native
from thalweg.errors import InputError
from thalweg.models.environments import TOO_FEW_NEIGHBOURS
from thalweg.structure import FloatArray, Structure
from thalweg.units import kB

SHORTEST_FRACTION = 0.5
"""Default shortest distance over the sum of covalent radii: closer than that no chemistry takes place."""

NOVELTY_BREAK = 5.0
"""Usual break limit of novelty: beyond it bounds, learned within the training set's reach, say nothing any more."""

HEAT_MARGIN = 3.0
"""Default margin of temperature_max over the largest thermal fluctuation: room for a reaction's heat."""


class WalkEvent(StrEnum):
    """What ended a block, or what was met in it."""

    NONE = "none"
    NOT_FINITE = "not_finite"
    TOO_CLOSE = "too_close"
    TOO_HOT = "too_hot"
    ENERGY_SPIKE = "energy_spike"
    BREAK_UNCERTAIN = "break_uncertain"
    BREAK_NOVEL = "break_novel"
    LABEL_UNCERTAIN = "label_uncertain"
    LABEL_NOVEL = "label_novel"
    BLOCK_END = "block_end"

    @property
    def is_label(self) -> bool:
        """A label is wanted here; the state itself is sane."""
        return self in (WalkEvent.LABEL_UNCERTAIN, WalkEvent.LABEL_NOVEL)

    @property
    def is_break(self) -> bool:
        """The walker stopped before this moment: uncertain or novel beyond the break limit."""
        return self in (WalkEvent.BREAK_UNCERTAIN, WalkEvent.BREAK_NOVEL)

    @property
    def is_insane(self) -> bool:
        """The walker stopped before this moment: it is unphysical."""
        return self in (WalkEvent.NOT_FINITE, WalkEvent.TOO_CLOSE, WalkEvent.TOO_HOT, WalkEvent.ENERGY_SPIKE)


EVENTS = tuple(WalkEvent)
"""In the order of the native enumeration."""


@dataclass(frozen=True)
class Finding:
    """An event with its reason: `value` passed `limit`.

    Units: eV/Å (uncertain), dimensionless (novel), Å (too close), K (too hot), eV/atom (energy spike).
    atom, partner: indices, None where the reason is not an atom's.
    """

    event: WalkEvent
    atom: int | None = None
    partner: int | None = None
    value: float = 0.0
    limit: float = 0.0

    def describe(self, structure: Structure) -> str:
        """The reason in words, for example 'O4 uncertain, 0.41 eV/Å (limit 0.20)'."""
        from ase.data import chemical_symbols

        def name(atom: int | None) -> str:
            return "?" if atom is None else f"{chemical_symbols[structure.numbers[atom]]}{atom}"

        value, limit = f"{self.value:.3g}", f"{self.limit:.3g}"
        if self.event in (WalkEvent.LABEL_UNCERTAIN, WalkEvent.BREAK_UNCERTAIN):
            return f"{name(self.atom)} uncertain, {value} eV/Å (limit {limit})"
        if self.event in (WalkEvent.LABEL_NOVEL, WalkEvent.BREAK_NOVEL):
            if self.value >= TOO_FEW_NEIGHBOURS:
                return f"{name(self.atom)} has fewer neighbours than its like in any label"
            return f"{name(self.atom)} in an environment not seen before, novelty {value} (limit {limit})"
        words = {
            WalkEvent.TOO_CLOSE: f"{name(self.atom)} and {name(self.partner)} too close, {value} Å (limit {limit})",
            WalkEvent.TOO_HOT: f"too hot, {value} K (limit {limit})",
            WalkEvent.ENERGY_SPIKE: f"potential energy rose by {value} eV/atom (limit {limit})",
            WalkEvent.NOT_FINITE: "energy, forces or positions are not finite",
            WalkEvent.BLOCK_END: "end of the block",
        }
        return words.get(self.event, "nothing")


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits above which an event fires; infinity switches one off.

    Attributes
    ----------
    bound_label, bound_break : float, eV/Å
        On the largest atomic error bound: committee deviation times its species' factor plus its floor.
    novelty_label, novelty_break : float
        On the largest atomic novelty.
    temperature_max : float, K, or None
        On the instantaneous kinetic temperature. None: `hottest_plausible` of each walker.
    energy_rise_max : float, eV/atom
        On the potential energy above the walker's first.
    species_factor, species_floor : sequences in the order of the field's elements, or None
        Make a deviation an error bound, factor * deviation + floor (eV/Å). None: 1 and 0 for all.
    min_distance : ndarray (n_elements, n_elements), Å, or None
        None: `shortest_distances`. Zeros switch it off.
    """

    bound_label: float = math.inf
    bound_break: float = math.inf
    novelty_label: float = math.inf
    novelty_break: float = math.inf
    temperature_max: float | None = None
    energy_rise_max: float = math.inf
    species_factor: Sequence[float] | None = None
    species_floor: Sequence[float] | None = None
    min_distance: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("bound_label", "bound_break", "novelty_label", "novelty_break", "energy_rise_max"):
            if not getattr(self, name) >= 0:
                raise InputError(f"limits: {name} must be 0 or more, got {getattr(self, name)}")
        pairs = ((self.bound_label, self.bound_break), (self.novelty_label, self.novelty_break))
        if any(stop < label < math.inf for label, stop in pairs):
            raise InputError("limits: a break limit lies below its label limit; expected label <= break")

    def to_native(self, elements: Sequence[str], temperature: float, n_free: int) -> _native.Limits:
        """The core's form, for one walker at `temperature` (K) with `n_free` components that move."""
        n = len(elements)
        factor = np.ones(n) if self.species_factor is None else np.asarray(self.species_factor, dtype=float)
        floor = np.zeros(n) if self.species_floor is None else np.asarray(self.species_floor, dtype=float)
        given = self.min_distance
        shortest = shortest_distances(elements) if given is None else np.asarray(given)
        if factor.shape != (n,) or floor.shape != (n,) or shortest.shape != (n, n):
            raise InputError(
                f"limits: with {n} elements species_factor and species_floor must have shape ({n},) and "
                f"min_distance ({n}, {n}), got {factor.shape}, {floor.shape} and {shortest.shape}"
            )
        hottest = self.temperature_max
        if hottest is None:
            hottest = hottest_plausible(temperature, n_free)
        native = _native.Limits(factor, floor, np.ascontiguousarray(shortest, dtype=float))
        native.bound_label, native.bound_break = self.bound_label, self.bound_break
        native.novelty_label, native.novelty_break = self.novelty_label, self.novelty_break
        native.kT_max = kB * hottest
        native.energy_rise_max = self.energy_rise_max
        return native


def shortest_distances(elements: Sequence[str], fraction: float = SHORTEST_FRACTION) -> FloatArray:
    """Shortest sane distances in Å, (n_elements, n_elements): `fraction` of the sum of covalent radii."""
    from ase.data import atomic_numbers, covalent_radii

    radii = np.array([covalent_radii[atomic_numbers[element]] for element in elements], dtype=np.float64)
    distances: FloatArray = fraction * (radii[:, None] + radii[None, :])
    return distances


def hottest_plausible(temperature: float, n_free: int) -> float:
    """Kinetic temperature (K) that fluctuations of n_free components at `temperature` do not reach.

    In the canonical ensemble n T_kin / T follows a chi-squared law with n degrees of freedom; its quantile at a chance
    of 1e-9 per step is taken `HEAT_MARGIN` times. Infinity at zero temperature, where nothing is known, and where
    nothing moves.
    """
    from scipy.special import chdtri

    if temperature == 0 or n_free == 0:
        return math.inf
    return float(HEAT_MARGIN * temperature * chdtri(n_free, 1e-9) / n_free)
