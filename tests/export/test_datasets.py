import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import bulk

from thalweg.errors import SetupError
from thalweg.export.datasets import export_ase_db, export_extxyz
from thalweg.label import Label, LabelNoise
from thalweg.oracles import make_oracle
from thalweg.store import SqliteStore, read_labelled
from thalweg.structure import Structure


@pytest.fixture
def filled(tmp_path):
    oracle = make_oracle({"name": "stillinger-weber"})
    molecule = Structure(np.array([8, 1]), np.array([[0, 0, 0], [0, 0, 0.97]]), np.zeros((3, 3)), np.zeros(3))
    with SqliteStore.open(tmp_path / "run") as store:
        for seed in range(3):
            atoms = bulk("Si", cubic=True)
            atoms.rattle(0.1, seed=seed)
            structure = Structure.from_atoms(atoms)
            store.commit_label(structure, oracle.label(structure), kind="query", iteration=seed)
        label = Label(-1.5, np.full((2, 3), 0.25), None, LabelNoise(1e-3, 2e-3), "by hand", 2.0)
        store.commit_label(molecule, label, kind="import", iteration=7)
        yield store


def test_extended_xyz_comes_back_with_labels_and_provenance(filled, tmp_path):
    path = tmp_path / "out" / "labels.xyz"
    assert export_extxyz(filled, path) == 4
    for record, (structure, label), atoms in zip(
        filled.all_labels(), read_labelled(path), ase.io.read(path, ":"), strict=True
    ):
        assert np.allclose(structure.positions, record.structure.positions, atol=1e-7)
        assert label.energy == pytest.approx(record.label.energy, abs=1e-9)
        assert np.allclose(label.forces, record.label.forces, atol=1e-7)
        assert (label.stress is None) == (record.label.stress is None)
        if label.stress is not None:
            assert np.allclose(label.stress, record.label.stress, atol=1e-9)
            assert np.abs(label.stress).max() > 1e-4
        assert label.oracle == record.label.oracle
        assert atoms.info["kind"] == record.kind
        assert atoms.info["iteration"] == record.iteration
        assert atoms.info["sequence"] == record.sequence
        assert atoms.info["forces_noise"] == record.label.noise.forces


def test_ase_database_comes_back_bit_by_bit_and_can_be_searched(filled, tmp_path):
    path = tmp_path / "labels.db"
    assert export_ase_db(filled, path) == 4
    with ase.db.connect(path) as database:
        assert database.count(kind="query") == 3
        for record, row in zip(filled.all_labels(), database.select(sort="sequence"), strict=True):
            assert np.array_equal(row.positions, record.structure.positions)
            assert row.energy == record.label.energy
            assert np.array_equal(row.forces, record.label.forces)
            assert row.data["oracle"] == record.label.oracle


def test_exporting_again_replaces_the_file(filled, tmp_path):
    for export, name in ((export_extxyz, "a.xyz"), (export_ase_db, "a.db")):
        assert export(filled, tmp_path / name) == export(filled, tmp_path / name) == 4
    assert len(ase.io.read(tmp_path / "a.xyz", ":")) == 4
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".thalweg")]


def test_an_unwritable_place_is_a_clear_error(filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot write"):
        export_extxyz(filled, tmp_path / "file" / "labels.xyz")
