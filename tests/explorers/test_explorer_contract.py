"""Every built-in explorer against the contract that a user's own can be held against."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fields import NO_LIMITS, crystal, ethanol, morse

from thalweg.explorers import (
    CoreField,
    Explorer,
    Limits,
    MdSettings,
    MolecularDynamics,
    Replay,
    Track,
    WalkerState,
    advance,
)
from thalweg.explorers.replay import ReplayState
from thalweg.structure import Structure
from thalweg.testing.explorers import ExplorerContract

NVT = MdSettings(timestep_fs=0.5, friction_per_fs=0.05, record_stride=10)
NPT = dataclasses.replace(NVT, ensemble="npt", coupling="full", barostat_fs=100.0)


class OnMorse(ExplorerContract):
    """Two molecules and two crystals; `break_` is crossed by some of them within a block."""

    break_ = 3.0

    def field(self) -> CoreField:
        return morse()

    def structures(self) -> list[Structure]:
        return [ethanol(0), crystal(1), ethanol(2), crystal(3)]

    def free(self) -> Limits:
        return NO_LIMITS

    def tight(self) -> Limits:
        return dataclasses.replace(NO_LIMITS, bound_break=self.break_)


class TestMolecularDynamics(OnMorse):
    def explorer(self, n_threads: int) -> Explorer[WalkerState]:
        return MolecularDynamics(NVT, n_threads=n_threads)


class TestScreenedCommittee(OnMorse):
    def explorer(self, n_threads: int) -> Explorer[WalkerState]:
        return MolecularDynamics(dataclasses.replace(NVT, committee="screened"), n_threads=n_threads)


class TestConstantPressure(OnMorse):
    break_ = 0.15

    def explorer(self, n_threads: int) -> Explorer[WalkerState]:
        return MolecularDynamics(NPT, n_threads=n_threads)

    def structures(self) -> list[Structure]:
        return [crystal(1), crystal(3), crystal(5)]


def track(structure: Structure, n_frames: int = 60) -> Track:
    """A trajectory of molecular dynamics at 350 K, two steps between frames."""
    start = WalkerState.start(structure, temperature=350.0, seed=4, walker_id=0)
    settings = dataclasses.replace(NVT, record_stride=2)
    samples = advance(morse(), [start], 2 * n_frames, settings, NO_LIMITS)[0].samples
    return Track(f"{len(structure)}.xyz", tuple(moment.structure for moment in samples))


TRACKS = (track(ethanol(0)), track(crystal(1)))


class TestReplay(OnMorse):
    def explorer(self, n_threads: int) -> Explorer[ReplayState]:
        return Replay(TRACKS, step_fs=2.0, n_threads=n_threads)


def deliberately_wrong() -> ExplorerContract:
    class Forgetful(MolecularDynamics):
        """Draws from a generator that is not in its walkers' states."""

        rng = np.random.default_rng(0)

        def advance(self, field, states, n_steps, limits, *, sample_every=None):  # type: ignore[no-untyped-def]
            kicked = [
                dataclasses.replace(
                    s, velocities=s.velocities + 1e-3 * self.rng.normal(size=s.velocities.shape)
                )
                for s in states
            ]
            return super().advance(field, kicked, n_steps, limits, sample_every=sample_every)

    class Suite(OnMorse):
        def explorer(self, n_threads: int) -> Explorer[WalkerState]:
            return Forgetful(NVT, n_threads=n_threads)

    return Suite()


@pytest.mark.parametrize(
    "law",
    [
        "test_the_same_bits_twice_and_on_any_number_of_threads",
        "test_a_walker_goes_the_same_way_in_any_company",
        "test_a_block_in_two_is_the_block_in_one",
        "test_states_survive_json_to_the_last_bit",
    ],
)
def test_the_suite_finds_an_explorer_that_keeps_something_outside_of_its_states(law: str) -> None:
    with pytest.raises(AssertionError):
        getattr(deliberately_wrong(), law)()
