"""Runs begun before start structures kept what their files say."""

import dataclasses

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from runs import EMT, make_config

from thalweg.errors import StoreError
from thalweg.loop.beginning import register
from thalweg.loop.older import as_begun
from thalweg.loop.setup import prepare
from thalweg.oracles.registry import make_oracle
from thalweg.store import SqliteStore


@pytest.fixture
def begun(tmp_path):
    """Setup of a crystal, and the store of a run that started from its atoms and cell alone."""
    ase.io.write(tmp_path / "cu.xyz", bulk("Cu", cubic=True))
    oracle = make_oracle(EMT)
    setup = prepare(make_config(tmp_path / "cu.xyz"), oracle)
    with SqliteStore.open(tmp_path / "run") as store:
        register(store, setup, oracle, tmp_path)
        yield setup, store


def with_own(setup, **own):
    (structure,) = setup.structures
    return dataclasses.replace(setup, structures=(dataclasses.replace(structure, **own),))


def test_held_atoms_and_masses_are_left_out_as_before_and_said(begun):
    setup, store = begun
    now = as_begun(with_own(setup, fixed=np.eye(4, 3, dtype=bool), masses=np.full(4, 65.0)), store)
    assert now.structures[0].content_hash == setup.structures[0].content_hash
    assert (
        "did not take the held atoms and masses of the structure file: it goes on without" in now.warnings[-1]
    )


@pytest.mark.parametrize(
    ("own", "words"), [({"charge": 1}, "charge"), ({"magmoms": np.full(4, 0.5)}, "magnetic moments")]
)
def test_labels_of_other_electrons_are_not_gone_on_with(begun, own, words):
    setup, store = begun
    with pytest.raises(StoreError, match=f"did not take the {words} of the structure file"):
        as_begun(with_own(setup, **own), store)


def test_a_charge_that_the_oracle_had_all_the_same(begun):
    setup, store = begun
    oracle = make_config("x.xyz", oracle={"name": "tblite", "charge": 1}).oracle
    charged = dataclasses.replace(setup, config=setup.config.model_copy(update={"oracle": oracle}))
    now = as_begun(with_own(charged, charge=1, multiplicity=1), store)
    assert now.structures[0].particulars == {}
    assert now.warnings == setup.warnings


def test_the_same_and_another_system_are_left_to_others(begun):
    setup, store = begun
    assert as_begun(setup, store) is setup
    other = with_own(setup, positions=setup.structures[0].positions + 0.1, charge=1)
    assert as_begun(other, store) is other
