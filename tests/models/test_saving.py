"""Saved models come back whole, and damaged or hostile folders are refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from linear_problem import Problem

from thalweg.errors import ModelError, SetupError
from thalweg.models import BayesianLinear, load_model, save_model
from thalweg.models.archive import read_archive, write_archive


@pytest.fixture
def saved(tmp_path: Path) -> tuple[BayesianLinear, Path, Problem]:
    problem = Problem()
    model = BayesianLinear(problem.prior, n_members=5, seed=11)
    for label in [*problem.labels(3, virial=True), problem.label(label_noise=0.3)]:
        model.update(label)
    model.tune(5)
    model.update(problem.label())
    save_model(model, tmp_path / "m")
    return model, tmp_path / "m", problem


def test_a_loaded_model_goes_on_with_the_same_bits(saved: tuple[BayesianLinear, Path, Problem]) -> None:
    model, folder, problem = saved
    loaded = load_model(folder)
    label = problem.label()
    for each in (model, loaded):
        each.update(label)
        each.tune(5)
        each.update(label)
    assert loaded.members().tobytes() == model.members().tobytes()
    assert loaded.should_tune() == model.should_tune()
    assert loaded.n_labels == model.n_labels


def test_saving_again_leaves_one_array_file(saved: tuple[BayesianLinear, Path, Problem]) -> None:
    model, folder, problem = saved
    model.update(problem.label())
    save_model(model, folder)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npz"]
    assert load_model(folder).mean.tobytes() == model.mean.tobytes()


@pytest.mark.parametrize(
    "damage", ["truncate", "flip", "missing", "manifest", "newer", "nan manifest", "path"]
)
def test_damage_is_refused(saved: tuple[BayesianLinear, Path, Problem], damage: str) -> None:
    _, folder, _ = saved
    manifest, arrays = folder / "linear-model.json", next(folder.glob("*.npz"))
    facts = json.loads(manifest.read_text())
    data = bytearray(arrays.read_bytes())
    if damage == "truncate":
        arrays.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[len(data) // 2] ^= 1
        arrays.write_bytes(data)
    elif damage == "missing":
        arrays.unlink()
    elif damage == "manifest":
        manifest.write_text("{" * 100)
    elif damage == "newer":
        manifest.write_text(json.dumps(facts | {"version": 99}))
    elif damage == "nan manifest":
        manifest.write_text(json.dumps(facts | {"facts": {"n_features": "many"}}))
    else:
        manifest.write_text(json.dumps(facts | {"array_file": "../linear-model-x.npz"}))
    with pytest.raises(ModelError):
        load_model(folder)


def _with_checksum(folder: Path, path: Path) -> None:
    import hashlib

    facts = {"format": "thalweg.thing", "version": 1, "array_file": path.name, "facts": {}}
    facts["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "thing.json").write_text(json.dumps(facts))


def test_hostile_array_files_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    bomb = tmp_path / "thing-bomb.npz"
    np.savez_compressed(bomb, zeros=np.zeros(10**6))
    _with_checksum(tmp_path, bomb)
    with pytest.raises(ModelError, match="compressed"):
        read_archive(tmp_path, "thing", 1)

    pickled = tmp_path / "thing-pickle.npz"
    np.savez(pickled, evil=np.array([{"a": 1}], dtype=object))
    _with_checksum(tmp_path, pickled)
    with pytest.raises(ModelError):
        read_archive(tmp_path, "thing", 1)

    liar = tmp_path / "thing-liar.npz"
    with zipfile.ZipFile(liar, "w") as archive, archive.open("huge.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
    _with_checksum(tmp_path, liar)
    with pytest.raises(ModelError, match="claims"):
        read_archive(tmp_path, "thing", 1)

    honest = tmp_path / "thing-honest.npz"
    np.savez(honest, fine=np.arange(3.0))
    _with_checksum(tmp_path, honest)
    assert read_archive(tmp_path, "thing", 1)[0]["fine"].tolist() == [0, 1, 2]


def test_an_interrupted_write_leaves_the_old_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path, "thing", 1, {"a": np.zeros(2)}, {"n": 1})

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("thalweg.models.archive._replace_text", refuse)
    with pytest.raises(SetupError, match="No space left"):
        write_archive(tmp_path, "thing", 1, {"a": np.ones(2)}, {"n": 2})
    arrays, facts = read_archive(tmp_path, "thing", 1)
    assert arrays["a"].tolist() == [0, 0]
    assert facts == {"n": 1}


def test_a_reader_survives_a_writer_between_its_two_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thalweg.models import archive

    write_archive(tmp_path, "thing", 1, {"a": np.zeros(2)}, {"n": 1})
    read_manifest, writes = archive._read_manifest, [1]

    def then_write(*args: object) -> object:
        manifest = read_manifest(*args)  # type: ignore[arg-type]
        if writes:
            writes.pop()
            write_archive(tmp_path, "thing", 1, {"a": np.ones(2)}, {"n": 2})
        return manifest

    monkeypatch.setattr(archive, "_read_manifest", then_write)
    arrays, facts = read_archive(tmp_path, "thing", 1)
    assert arrays["a"].tolist() == [1, 1]
    assert facts == {"n": 2}


def test_nothing_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no saved linear-model here"):
        load_model(tmp_path)
