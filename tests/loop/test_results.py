"""What is asked of the finished potential, also when it cannot be had."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
from runs import EMT, cluster, crystal, make_config

from thalweg.errors import InputError
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Account
from thalweg.labelling.ladder import ATTEMPTS
from thalweg.labelling.source import OracleSource
from thalweg.loop.asking.opening import open_labeller
from thalweg.loop.results import META_KEY, compute, recall
from thalweg.loop.setup import prepare
from thalweg.potential import ErrorBounds
from thalweg.properties.results import PropertyResults
from thalweg.store import SqliteStore

ASKED = {"equation_of_state": True}


@contextmanager
def setup_and_labeller(path, oracle=EMT, properties=ASKED):
    config = make_config(path, oracle=oracle, properties=properties)
    source = OracleSource.of(config.oracle.model_dump())
    with SqliteStore.open(path.parent / "run") as store:
        account = Account(config.budget.oracle_calls)
        with open_labeller(store, Arrivals(store), source, config.executor, account=account) as labeller:
            yield prepare(config, labeller.oracle), labeller


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    """A potential that has learned a copper crystal at many volumes."""
    from ase.calculators import emt

    from thalweg.label import Label
    from thalweg.loop.learning.relearning import make_learner, references_of
    from thalweg.structure import Structure

    with setup_and_labeller(crystal(tmp_path_factory.mktemp("learned"))) as (setup, _):
        learner = make_learner(setup, references_of(setup, {29: 3.5}, []))
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
    with setup_and_labeller(crystal(tmp_path), properties={}) as (setup, labeller):
        assert compute(setup, potential, labeller, 1).to_json() == {}
        assert labeller.account.calls == 0
    assert PropertyResults().describe() == []


def test_the_equation_of_state_stands_beside_the_oracles_own(tmp_path, potential):
    with setup_and_labeller(crystal(tmp_path)) as (setup, labeller):
        results = compute(setup, potential, labeller, 1)
        eos = results.to_json()["equation_of_state"]
        assert eos["oracle_calls"] == labeller.account.calls == results.oracle_calls
        # Answers are in the store, and cost nothing at a second time; nothing is learned from them.
        assert compute(setup, potential, labeller, 1).to_json() == results.to_json()
    with SqliteStore.read(tmp_path / "run") as store:
        assert len(store.all_labels()) == eos["oracle_calls"]
        assert {record.kind for record in store.all_labels()} == {"property"}
        assert store.labels_in_order() == []
    assert eos["potential"]["volume"] == pytest.approx(eos["oracle"]["volume"], rel=0.01)
    assert eos["oracle_calls"] >= 9
    (line,) = results.describe()
    again = PropertyResults.from_json(json.loads(json.dumps(results.to_json())))
    assert again.to_json() == results.to_json()
    assert "potential V0 11." in line
    assert "oracle V0 11." in line
    assert "which is no error bar" in line
    assert f"({eos['oracle_calls']} calls); off by" in line


def test_an_oracle_that_fails_says_at_which_volume_and_why(tmp_path, potential):
    faulty = {"name": "faulty", "inner": EMT, "rates": {"unconverged": 1.0}}
    with setup_and_labeller(crystal(tmp_path), faulty) as (setup, labeller):
        results = compute(setup, potential, labeller, 1)
    eos = results.to_json()["equation_of_state"]
    assert set(eos) == {"failed", "oracle_calls"}
    assert eos["failed"].startswith("the oracle failed at a volume of ")
    assert eos["failed"].endswith("SCF not converged (on purpose)")
    assert eos["oracle_calls"] == ATTEMPTS
    assert results.describe() == [f"equation of state: {eos['failed']}"]


def test_a_molecule_has_none_and_says_so(tmp_path, potential):
    with setup_and_labeller(cluster(tmp_path)) as (setup, labeller):
        eos = compute(setup, potential, labeller, 1).to_json()["equation_of_state"]
    assert "periodic in three directions" in eos["failed"]
    assert eos["oracle_calls"] == 0


def test_the_budget_is_not_exceeded_and_what_is_missing_is_said(tmp_path, potential):
    with setup_and_labeller(crystal(tmp_path)) as (setup, labeller):
        labeller.account = Account(budget=4)
        eos = compute(setup, potential, labeller, 1).to_json()["equation_of_state"]
        assert labeller.account.calls == eos["oracle_calls"] == 4
    assert "raise budget.oracle_calls" in eos["failed"]


def test_calls_for_it_are_kept_back_from_the_budget(tmp_path):
    def prepared(calls):
        config = make_config(crystal(tmp_path), properties=ASKED, budget={"oracle_calls": calls})
        return prepare(config, OracleSource.of(EMT).oracle())

    assert prepared(50).rules.oracle_calls == 41
    with pytest.raises(InputError, match="at least 10"):
        prepared(9)


def test_results_are_remembered_with_the_run(tmp_path):
    with SqliteStore.open(tmp_path / "run") as store:
        assert recall(store).to_json() == {}
        kept = {"equation_of_state": {"failed": "no", "oracle_calls": 3}}
        store.set_meta(META_KEY, kept)
        assert recall(store).to_json() == kept
