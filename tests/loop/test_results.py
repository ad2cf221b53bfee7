"""What is asked of the finished potential, also when it cannot be had."""

import numpy as np
import pytest
from runs import EMT, cluster, crystal, make_config

from thalweg.labelling.labeller import ATTEMPTS, Labeller
from thalweg.loop.results import META_KEY, compute, describe, recall
from thalweg.loop.setup import prepare
from thalweg.potential import ErrorBounds
from thalweg.store import SqliteStore

ASKED = {"equation_of_state": True}


def setup_and_labeller(path, oracle=EMT, **changes):
    config = make_config(path, oracle=oracle, properties=ASKED, **changes)
    labeller = Labeller(config.oracle.model_dump())
    return prepare(config, labeller.oracle), labeller


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    """A potential that has learned a copper crystal at many volumes."""
    from ase.calculators import emt

    from thalweg.label import Label
    from thalweg.loop.learning.relearning import make_learner
    from thalweg.structure import Structure

    setup, _ = setup_and_labeller(crystal(tmp_path_factory.mktemp("learned")))
    learner = make_learner(setup, {29: 3.5})
    pairs = []
    for seed, factor in enumerate(np.linspace(0.94, 1.06, 14)):
        atoms = setup.structures[0].to_atoms()
        atoms.set_cell(factor * atoms.cell, scale_atoms=True)
        atoms.rattle(0.02 * (seed % 3), seed=seed)
        atoms.calc = emt.EMT()
        label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(), wall_time=0.01)
        pairs.append((Structure.from_atoms(atoms), label))
    learner.learn_first(pairs)
    return learner.potential(ErrorBounds(0.95, np.ones(1), np.zeros(1)))


def test_nothing_is_computed_that_was_not_asked_for(tmp_path, potential):
    config = make_config(crystal(tmp_path))
    labeller = Labeller(config.oracle.model_dump())
    assert compute(prepare(config, labeller.oracle), potential, labeller) == {}
    assert describe({}) == []


def test_the_equation_of_state_stands_beside_the_oracles_own(tmp_path, potential):
    setup, labeller = setup_and_labeller(crystal(tmp_path))
    results = compute(setup, potential, labeller)
    eos = results["equation_of_state"]
    assert eos["potential"]["volume"] == pytest.approx(eos["oracle"]["volume"], rel=0.01)
    assert eos["oracle_calls"] >= 9
    (line,) = describe(results)
    assert "potential V0 11." in line
    assert "oracle V0 11." in line
    assert "±" in line
    assert line.endswith(f"({eos['oracle_calls']} further calls)")


def test_an_oracle_that_fails_says_at_which_volume_and_why(tmp_path, potential):
    faulty = {"name": "faulty", "inner": EMT, "rates": {"unconverged": 1.0}}
    setup, labeller = setup_and_labeller(crystal(tmp_path), faulty)
    results = compute(setup, potential, labeller)
    eos = results["equation_of_state"]
    assert set(eos) == {"failed", "oracle_calls"}
    assert eos["failed"].startswith("the oracle failed at a volume of ")
    assert eos["failed"].endswith("SCF not converged (on purpose)")
    assert eos["oracle_calls"] == ATTEMPTS
    assert describe(results) == [f"equation of state: {eos['failed']}"]


def test_a_molecule_has_none_and_says_so(tmp_path, potential):
    setup, labeller = setup_and_labeller(cluster(tmp_path))
    eos = compute(setup, potential, labeller)["equation_of_state"]
    assert "periodic in three directions" in eos["failed"]
    assert eos["oracle_calls"] == 0


def test_results_are_remembered_with_the_run(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        assert recall(store) == {}
        store.set_meta(META_KEY, {"equation_of_state": {"failed": "no"}})
        assert recall(store) == {"equation_of_state": {"failed": "no"}}
