"""The main job whole: malonaldehyde's proton transfer learned from GFN2-xTB, then judged on walks it never saw."""

from pathlib import Path

import numpy as np
import pytest

from thalweg.config import load_config
from thalweg.explorers.base import CoreField
from thalweg.explorers.limits import WalkEvent
from thalweg.explorers.md import Limits, MdSettings, advance
from thalweg.explorers.walker import WalkerState
from thalweg.loop.runner import run
from thalweg.oracles.registry import make_oracle
from thalweg.potential import Potential
from thalweg.store import SqliteStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "malonaldehyde.yaml"
DONOR, ACCEPTOR, PROTON = 0, 4, 5
"""Indices in the example's structure: the proton is bound to the one oxygen or to the other."""
FRESH_SEED = 987_654_321
WALK_PS = 10.0
FRAMES = 60
CONNECTED = 1.5
"""Farther apart than this many sums of covalent radii, an atom has left the molecule."""

pytestmark = [pytest.mark.physics, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The example's run from the first label to the verdict."""
    folder = tmp_path_factory.mktemp("main_job") / "run"
    config = load_config(EXAMPLE)
    summary = run(config, folder)
    return config, folder, summary


@pytest.fixture(scope="module")
def fresh(learned):
    """Two walks at 300 and 500 K with random numbers that learning never used; watched for physics alone."""
    _, folder, _ = learned
    potential = Potential.load(folder / "model")
    with SqliteStore.read(folder) as store:
        start = store.labels_in_order()[0].structure
    field = CoreField(potential.elements, potential.force_field)
    walkers = [
        WalkerState.start(start, temperature=temperature, seed=FRESH_SEED, walker_id=k)
        for k, temperature in enumerate((300.0, 500.0))
    ]
    steps = round(1000 * WALK_PS / 0.5)
    settings = MdSettings(timestep_fs=0.5, record_stride=2 * steps // FRAMES, history_stride=0)
    return potential, advance(field, walkers, steps, settings, Limits(), n_threads=2)


def proton_positions(structures):
    """d(donor, H) - d(acceptor, H) in Å: below zero in one well, above in the other."""
    positions = np.array([structure.positions for structure in structures])
    to_donor = np.linalg.norm(positions[:, PROTON] - positions[:, DONOR], axis=1)
    to_acceptor = np.linalg.norm(positions[:, PROTON] - positions[:, ACCEPTOR], axis=1)
    return to_donor - to_acceptor


def test_it_stops_by_itself_with_its_target_certified_within_the_budget(learned):
    config, _, summary = learned
    assert summary.verdict.reason == "target"
    assert summary.oracle_calls <= 300
    assert summary.verdict.certified["lower_bound"] >= config.target.confidence


def test_the_proton_was_met_in_both_wells(learned):
    with SqliteStore.read(learned[1]) as store:
        structures = [record.structure for record in store.labels_in_order()]
    numbers = structures[0].numbers
    assert [numbers[k] for k in (DONOR, ACCEPTOR, PROTON)] == [8, 8, 1]
    where = proton_positions(structures)
    # Well inside each well, several times, and not only at the barrier.
    assert (where < -0.3).sum() >= 5
    assert (where > 0.3).sum() >= 5


def test_fresh_walks_neither_explode_nor_lose_an_atom(fresh):
    from ase.data import covalent_radii

    for result in fresh[1]:
        assert result.event is WalkEvent.BLOCK_END
        assert result.n_steps == round(1000 * WALK_PS / 0.5)
        assert result.mean_temperature == pytest.approx(result.state.temperature, rel=0.25)
        for moment in result.samples:
            structure = moment.structure
            apart = np.linalg.norm(structure.positions[:, None] - structure.positions[None], axis=-1)
            radii = covalent_radii[structure.numbers]
            reach = apart / (radii[:, None] + radii[None])
            np.fill_diagonal(reach, np.inf)
            assert (reach.min(axis=1) < CONNECTED).all()


def test_on_fresh_walks_errors_are_within_the_target_and_bounds_hold(learned, fresh):
    config, _, _ = learned
    potential, results = fresh
    oracle = make_oracle(config.oracle.model_dump())
    moments = [moment for result in results for moment in result.samples]
    assert len(moments) == FRAMES
    errors, bounds, forces = [], [], []
    for moment in moments:
        prediction = potential.predict(moment.structure)
        label = oracle.label(moment.structure)
        errors.append(np.linalg.norm(prediction.forces - label.forces, axis=1))
        bounds.append(prediction.forces_bound)
        forces.append(np.linalg.norm(label.forces, axis=1))
    within = np.mean(np.array(errors) <= config.target.force_error)
    assert within >= 0.95
    assert np.mean(np.array(errors) <= np.array(bounds)) >= 0.90
    # The control: a model that knows nothing is off by the forces themselves.
    assert np.mean(np.array(forces) <= config.target.force_error) < 0.1
