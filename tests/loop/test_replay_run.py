"""A whole run along a given trajectory: what is asked, what goes on, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.md.verlet import VelocityVerlet
from resuming import Interrupted, interrupt, learned, told
from runs import cluster, make_config, same_model

from thalweg.errors import InputError
from thalweg.explorers import Replay, Track
from thalweg.loop import auditing
from thalweg.loop.runner import run
from thalweg.store import SqliteStore

N_FRAMES = 240


@pytest.fixture(scope="module")
def track():
    """EMT dynamics of the cluster from 800 K, 10 fs between frames."""
    atoms, frames = Octahedron("Cu", 2), []
    atoms.calc = EMT()
    atoms.set_momenta(np.random.default_rng(1).normal(0, np.sqrt(63.5 * units.kB * 800), (6, 3)))
    dynamics = VelocityVerlet(atoms, 2 * units.fs)
    dynamics.attach(lambda: frames.append(atoms.copy()), interval=5)
    dynamics.run(5 * (N_FRAMES - 1))
    return Track.of("emt.traj", frames)


def explorer(track):
    return Replay([track], step_fs=10.0)


def config(folder, **changes):
    return make_config(cluster(folder), **{"target": {"force_error": 0.03}, **changes})


def asked(folder):
    with SqliteStore.read(folder) as store:
        return [(q.kind, q.structure_hash, q.reason.get("where", "")) for q in store.questions()]


def test_a_run_asks_frames_of_the_trajectory_and_nothing_else(tmp_path, track):
    summary = run(config(tmp_path), tmp_path / "run", explorer=explorer(track))
    assert summary.audit is not None
    frames = {frame.content_hash for frame in track.frames}
    questions = asked(tmp_path / "run")
    for kind in ("query", "audit"):
        found = [(digest, where) for one, digest, where in questions if one == kind]
        assert len(found) >= 3
        assert all(digest in frames for digest, _ in found)
        assert all(" of emt.traj" in where for _, where in found)
    seeds = [digest for kind, digest, _ in questions if kind == "seed"]
    assert not frames.issuperset(seeds)  # the control: seeds are drawn about the start structure


def test_it_goes_on_as_if_it_had_not_been_interrupted(tmp_path, track):
    here = config(tmp_path, budget={"oracle_calls": 30})
    run(here, tmp_path / "calm", explorer=explorer(track))
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at=4)
        with pytest.raises(Interrupted):
            run(here, tmp_path / "resumed", explorer=explorer(track))
    before = len(learned(tmp_path / "resumed"))
    with pytest.raises(InputError, match=r"explorer 'replay'; go on with that explorer"):
        run(here, tmp_path / "resumed")
    run(here, tmp_path / "resumed", explorer=explorer(track))
    assert before < len(learned(tmp_path / "resumed"))
    assert told(tmp_path / "resumed") == told(tmp_path / "calm")
    assert learned(tmp_path / "resumed") == learned(tmp_path / "calm")
    assert same_model(tmp_path / "calm" / "model", tmp_path / "resumed" / "model")


def test_an_audit_draws_frames_too_and_needs_the_explorer(tmp_path, track):
    here = config(tmp_path, budget={"oracle_calls": 20})
    run(here, tmp_path / "run", explorer=explorer(track))
    with pytest.raises(InputError, match="explorer 'replay'"):
        auditing.audit(tmp_path / "run", 2, here)
    result = auditing.audit(tmp_path / "run", 4, here, explorer=explorer(track))
    assert result.audit.n_structures >= 1
    frames = {frame.content_hash for frame in track.frames}
    checks = [digest for kind, digest, _ in asked(tmp_path / "run") if kind == "check"]
    assert checks
    assert frames.issuperset(checks)
