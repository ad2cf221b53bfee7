"""Walking along given trajectories: which frames are asked about, passed over, and refused."""

from __future__ import annotations

import dataclasses
import json

import ase
import numpy as np
import pytest
from ase.build import molecule
from fields import NO_LIMITS, crystal, ethanol, morse

from thalweg.errors import InputError
from thalweg.explorers import Replay, Track, WalkEvent
from thalweg.explorers.replay import CHUNK, ReplayVisit
from thalweg.structure import Structure

RNG = np.random.default_rng(0)


def dimer(distance: float) -> Structure:
    return Structure([6, 8], [[0, 0, 0], [0, 0, distance]], np.zeros((3, 3)), [False] * 3)


FAR = 5
NEAR_REST = [1.40 + 0.001 * k for k in range(12)]
DISTANCES = [*NEAR_REST[:FAR], 2.2, *NEAR_REST[FAR + 1 :]]
"""Å; the bond of the Morse dimer is 1.4, and far from it the committee disagrees."""
TRACK = Track("co.xyz", tuple(dimer(d) for d in DISTANCES))
LIMITS = dataclasses.replace(NO_LIMITS, bound_break=0.2)


def replay(**settings: float) -> Replay:
    return Replay([TRACK], step_fs=2.0, **settings)  # type: ignore[arg-type]


def first_visit(n_steps: int = 8) -> tuple[Replay, ReplayVisit]:
    explorer = replay()
    (state,) = explorer.start([dimer(1.4)], [300.0], seed=1)
    (visit,) = explorer.advance(morse(), [state], n_steps, LIMITS)
    return explorer, visit


def test_frames_are_passed_in_order_with_the_fields_energies() -> None:
    explorer = replay()
    (state,) = explorer.start([dimer(1.4)], [300.0], seed=1)
    (visit,) = explorer.advance(morse(), [state], 11, NO_LIMITS)
    assert [float(m.structure.positions[1, 2]) for m in visit.samples] == DISTANCES[1:]
    u = np.exp(-2.0 * (np.array(DISTANCES[1:FAR]) - 1.4))
    assert visit.samples.potential_energy[: FAR - 1] == pytest.approx(4.0 * (u * u - 2 * u), abs=1e-9)
    assert visit.event is WalkEvent.BLOCK_END
    assert visit.worst is not None
    assert visit.worst.step == FAR
    assert visit.state.time_fs == 22.0


def test_a_frame_beyond_the_break_limit_is_itself_what_is_asked_about() -> None:
    _, visit = first_visit()
    assert visit.event is WalkEvent.BREAK_UNCERTAIN
    assert (visit.state.step, visit.n_steps) == (FAR - 1, FAR - 1)
    asked = visit.last_sane(0.16)
    assert asked is not None
    assert asked.step == FAR
    assert asked.bound_max is not None
    assert asked.bound_max > 0.2
    assert not visit.is_stuck


def test_once_asked_the_walker_stands_at_the_frame_and_passes_over_what_it_cannot_learn() -> None:
    explorer, visit = first_visit()
    asked = visit.last_sane(0.16)
    assert asked is not None
    there = explorer.step_back(visit.state, asked)
    assert float(there.structure.positions[1, 2]) == 2.2
    (again,) = explorer.advance(morse(), [there], 4, LIMITS)
    assert again.is_stuck
    assert (again.n_steps, again.state.step) == (0, FAR)
    after = explorer.restart(again.state, there.structure, RNG, stuck=True)
    assert (after.step, after.time_fs) == (FAR + 1, there.time_fs + 2.0)
    (onward,) = explorer.advance(morse(), [after], 4, LIMITS)
    assert onward.n_steps == 4


def test_a_trajectory_begins_again_at_its_end() -> None:
    explorer = replay()
    (state,) = explorer.start([dimer(1.4)], [300.0], seed=1)
    (visit,) = explorer.advance(morse(), [state], 2 * CHUNK + 30, NO_LIMITS)
    assert visit.n_steps == 2 * CHUNK + 30
    expected = DISTANCES[(2 * CHUNK + 30) % len(DISTANCES)]
    assert float(visit.state.structure.positions[1, 2]) == expected
    assert visit.state.where(visit.last) == f"walker 0, frame {(2 * CHUNK + 30) % 12} of co.xyz"


def test_walkers_take_tracks_in_turn_and_begin_at_even_distances() -> None:
    other = Track("ethanol.xyz", tuple(ethanol(k) for k in range(10)))
    explorer = Replay([TRACK, other])
    states = explorer.start([dimer(1.4), ethanol()], [300.0] * 5, seed=1)
    assert [(state.source, state.first) for state in states] == [
        ("co.xyz", 0),
        ("ethanol.xyz", 0),
        ("co.xyz", 4),
        ("ethanol.xyz", 5),
        ("co.xyz", 8),
    ]
    drawn = {explorer.fresh(states[1], 9, np.random.default_rng(k)).structure.content_hash for k in range(80)}
    assert len(drawn) == 10


def test_tracks_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="no trajectory given"):
        Replay([])
    with pytest.raises(InputError, match=r"a\.xyz has no frames"):
        Track("a.xyz", ())
    with pytest.raises(InputError, match=r"frame 1 of a\.xyz has other atoms"):
        Track("a.xyz", (ethanol(), crystal()))
    with pytest.raises(InputError, match="step_fs must be above 0 fs, got 0"):
        Replay([TRACK], step_fs=0.0)
    with pytest.raises(InputError, match=r"co\.xyz has elements that no start structure has"):
        replay().start([Structure.from_atoms(ase.Atoms("Cu"))], [300.0], seed=1)


def test_a_saved_walker_knows_its_trajectory_again_and_no_other() -> None:
    explorer, visit = first_visit()
    data = json.loads(json.dumps(visit.state.to_dict()))
    assert explorer.state_from_dict(data).structure is TRACK.frames[FAR - 1]
    moved = Replay([Track("co.xyz", (*TRACK.frames[: FAR - 1], dimer(1.5), *TRACK.frames[FAR:]))])
    with pytest.raises(InputError, match=r"co\.xyz has changed since the run stood at frame 4"):
        moved.state_from_dict(data)
    with pytest.raises(InputError, match="no saved walker of these trajectories"):
        explorer.state_from_dict({**data, "track": 3})
    with pytest.raises(InputError, match="walkers of another explorer"):
        explorer.state_from_dict({"step": 3})


def test_frames_in_very_skewed_cells_are_reduced_and_others_named() -> None:
    atoms = crystal().to_atoms()
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 0, 0], [40, 1, 0], [0, 3, 1]]) @ np.array(atoms.cell))
    track = Track.of("md.traj", [atoms, skewed])
    assert track.frames[0].cell == pytest.approx(np.array(atoms.cell))
    assert np.abs(np.linalg.det(track.frames[1].cell)) == pytest.approx(atoms.get_volume())
    assert track.frames[1].heights().min() > 0.5 * track.frames[0].heights().min()
    assert skewed.cell[1, 0] > 100  # the caller's atoms stay
    flat = atoms.copy()
    flat.set_cell([5, 5, 0.01])
    with pytest.raises(InputError, match=r"replay: frame 1 of md.traj: the cell's faces"):
        Track.of("md.traj", [atoms, flat])
    flat.set_cell([5, 5, 0])
    with pytest.raises(InputError, match=r"replay: frame 0 of md.traj: a periodic direction"):
        Track.of("md.traj", [flat])


def test_tracks_of_other_electrons_are_refused() -> None:
    atoms = molecule("H2O")
    ion = molecule("H2O")
    ion.info |= {"charge": 1, "multiplicity": 2}
    with pytest.raises(InputError, match=r"frame 1 of a\.xyz has another charge or multiplicity"):
        Track.of("a.xyz", [atoms, ion])
    explorer, start = Replay([Track.of("a.xyz", [atoms])]), Structure.from_atoms(ion)
    with pytest.raises(InputError, match=r"replay: a\.xyz: it says no charge, .* charge \+1; write charge="):
        explorer.start([start], [300.0], 0)
    assert len(explorer.start([Structure.from_atoms(atoms)], [300.0], 0)) == 1
