"""Going on with a run: start structures are compared by what they are, not by where they lie."""

import ase.io
import pytest
from ase.build import bulk
from runs import EMT, make_config

from thalweg.errors import StoreError
from thalweg.loop.beginning import register as register_setup
from thalweg.loop.setup import prepare
from thalweg.oracles.registry import make_oracle
from thalweg.store import MemoryStore
from thalweg.testing.toys import learn


def register(store, config, folder):
    oracle = make_oracle(config.oracle.model_dump())
    return register_setup(store, prepare(config, oracle), oracle, folder)


def crystal(folder, a=3.6, name="crystal.xyz"):
    folder.mkdir(exist_ok=True)
    ase.io.write(folder / name, bulk("Cu", "fcc", a=a, cubic=True))
    return folder / name


@pytest.fixture
def begun(tmp_path):
    """A store with a label, of a run that started from a crystal in `tmp_path`/old."""
    with MemoryStore() as store:
        assert register(store, make_config(crystal(tmp_path / "old")), tmp_path) == []
        learn(store, 0)
        yield store


def test_the_same_structure_in_another_place_is_the_same_run_and_said(begun, tmp_path):
    (change,) = register(begun, make_config(crystal(tmp_path / "new")), tmp_path)
    assert change.startswith("system.paths")
    assert "new/crystal.xyz" in change
    assert len(begun.runs()) == 2


def test_another_lattice_under_the_same_name_is_another_system(begun, tmp_path):
    config = make_config(crystal(tmp_path / "old", a=3.7))
    with pytest.raises(
        StoreError, match=r"another start structure 1 of 1 \(Cu4; files: .*old/crystal\.xyz\)"
    ):
        register(begun, config, tmp_path)
    assert len(begun.runs()) == 1


def test_a_repeated_cell_or_one_more_structure_is_another_system(begun, tmp_path):
    path = crystal(tmp_path / "old")
    for system in ({"paths": [str(path)], "repeat": [2, 1, 1]}, {"paths": [str(path), str(path)]}):
        with pytest.raises(StoreError, match="start structure"):
            register(begun, make_config(path, system=system), tmp_path)


def test_another_oracle_is_refused(begun, tmp_path):
    config = make_config(crystal(tmp_path / "old"), oracle={"name": "morse"})
    with pytest.raises(StoreError, match="another `oracle` section"):
        register(begun, config, tmp_path)


def test_while_there_is_no_label_everything_may_change(tmp_path):
    with MemoryStore() as store:
        register(store, make_config(crystal(tmp_path / "old")), tmp_path)
        store.add_structure(store.start_structures()[0])
        changed = make_config(crystal(tmp_path / "old", a=3.7), oracle={"name": "faulty", "inner": EMT})
        assert any(line.startswith("oracle") for line in register(store, changed, tmp_path))
        assert store.runs()[-1].structures != store.runs()[0].structures


def test_a_run_of_an_older_version_is_compared_by_its_section(tmp_path):
    config = make_config(crystal(tmp_path / "old"))
    with MemoryStore() as store:
        store.start_run(config.model_dump(mode="json"))
        learn(store, 0)
        with pytest.raises(StoreError, match="another `system` section"):
            register(store, make_config(crystal(tmp_path / "new")), tmp_path)
        assert register(store, config, tmp_path) == []
        assert store.runs()[-1].structures is not None
