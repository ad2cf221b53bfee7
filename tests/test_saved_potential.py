"""Saved potentials: folders of earlier versions are read for ever, damaged and hostile ones are refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import random
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from thalweg.errors import ModelError
from thalweg.potential import Potential
from thalweg.structure import Structure

DATA = Path(__file__).parent / "data"
VERSIONS = sorted(path.name for path in DATA.glob("potential-v*") if path.is_dir())


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(DATA / VERSIONS[-1], tmp_path / "model"))


def manifest_of(folder):
    return json.loads((folder / "potential.json").read_text())


def array_file(folder):
    return folder / manifest_of(folder)["array_file"]


def replace_arrays(folder, data):
    """Other bytes in the array file, with the checksum that belongs to them."""
    manifest = manifest_of(folder)
    (folder / manifest["array_file"]).write_bytes(data)
    manifest["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "potential.json").write_text(json.dumps(manifest))


def loads_or_is_refused(folder):
    """True if it loads; anything but a ModelError fails the test."""
    started = time.perf_counter()
    try:
        Potential.load(folder)
    except ModelError:
        loaded = False
    else:
        loaded = True
    assert time.perf_counter() - started < 5.0
    return loaded


# --- versions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_folder_of_an_earlier_version_predicts_what_it_did(version):
    potential = Potential.load(DATA / version)
    cases = json.loads((DATA / f"{version}-predictions.json").read_text())
    assert len(cases) == 3
    for case in cases:
        structure = Structure(*(np.array(case[key]) for key in ("numbers", "positions", "cell", "pbc")))
        prediction = potential.predict(structure)
        for name, expected in case["prediction"].items():
            value = getattr(prediction, name)
            if expected is None:
                assert value is None
            else:
                np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9, err_msg=name)
                assert np.abs(expected).max() > 1e-3
    assert cases[-1]["prediction"]["stress"] is not None


def test_what_is_written_now_is_a_version_that_is_kept_here(tmp_path):
    Potential.load(DATA / VERSIONS[-1]).save(tmp_path)
    assert f"potential-v{manifest_of(tmp_path)['version']}" in VERSIONS


def test_a_folder_says_what_it_was_trained_on_and_how_it_is_calibrated(folder):
    potential = Potential.load(folder)
    assert potential.provenance["oracle"] == "none: random coefficients"
    assert potential.bounds.confidence == 0.95
    assert potential.bounds.factors.tolist() == [1.5, 2.0]
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npz"]


# --- damage ---------------------------------------------------------------------------------------------


def test_any_changed_byte_of_the_arrays_is_noticed(folder):
    path = array_file(folder)
    data = path.read_bytes()
    rng = random.Random(1)
    for at in [0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(60))]:
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        with pytest.raises(ModelError, match="damaged"):
            Potential.load(folder)
    path.write_bytes(data)
    Potential.load(folder)


def mutated(data, rng):
    data = bytearray(data)
    kind = rng.randrange(4)
    at, length = rng.randrange(len(data)), rng.choice([1, 1, 2, 8, 64])
    if kind == 0:
        data[at : at + length] = rng.randbytes(length)
    elif kind == 1:
        del data[at : at + length]
    elif kind == 2:
        data[at:at] = rng.randbytes(length)
    else:
        del data[at:]
    return bytes(data)


def headers_of(data):
    """Places of the zip's and the arrays' own structure, where mutations hurt most."""
    marks = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY"]
    return [at for mark in marks for at in range(len(data)) if data.startswith(mark, at)]


def test_fuzzed_arrays_with_a_right_checksum_are_read_or_refused(folder):
    data = array_file(folder).read_bytes()
    rng = random.Random(2)
    outcomes = []
    headers = headers_of(data)
    assert len(headers) > 20
    for k in range(400):
        if k % 2:
            at = rng.choice(headers) + rng.randrange(80)
            changed = data[:at] + rng.randbytes(1) + data[at + 1 :]
        else:
            changed = mutated(data, rng)
        replace_arrays(folder, changed)
        outcomes.append(loads_or_is_refused(folder))
    assert 0 < sum(outcomes) < len(outcomes)


def test_fuzzed_manifests_are_read_or_refused(folder):
    path = folder / "potential.json"
    data = path.read_bytes()
    rng = random.Random(3)
    outcomes = []
    for _ in range(300):
        path.write_bytes(mutated(data, rng))
        outcomes.append(loads_or_is_refused(folder))
    assert not all(outcomes)


HOSTILE = [None, True, -1, 0, 1, 2.5, 1e308, 10**30, float("nan"), "", "x", "\0", "\ud800", "../x", [], {}]
HOSTILE += [[[]], ["C"] * 1000, [10**9] * 3, [16] * 4, "A" * 10**5]


def places(value, path=()):
    """Every place in a JSON document."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def test_hostile_values_anywhere_in_the_manifest_are_read_or_refused(folder):
    whole = manifest_of(folder)
    refused = 0
    for path in list(places(whole))[1:]:
        for value in HOSTILE:
            document = copy.deepcopy(whole)
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            (folder / "potential.json").write_text(json.dumps(document))
            refused += not loads_or_is_refused(folder)
    assert refused > 200


@pytest.mark.parametrize(
    "key", ["confidence", "basis", "n_members", "n_directions", "has_zbl", "has_novelty"]
)
def test_a_manifest_that_lacks_a_fact_is_refused(folder, key):
    manifest = manifest_of(folder)
    del manifest["facts"][key]
    (folder / "potential.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="inconsistent"):
        Potential.load(folder)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("novelty_inv_lambda", lambda a: -a - 1, "must be 0 or more"),
        ("novelty_scale", lambda a: -a - 1, "must be 0 or more"),
        ("bound_factors", lambda a: 0 * a, "factors > 0"),
        ("zbl_outer", lambda a: a + np.triu(a), "symmetric"),
        ("weights", lambda a: a * np.inf, "NaN or infinity"),
        ("weights", lambda a: a[:, :-1], "must be float64 of shape"),
        ("weights", lambda a: a.astype(">f8"), "must be float64 of shape"),
        ("weights", lambda a: a.astype(np.float32), "must be float64 of shape"),
    ],
)
def test_arrays_that_no_potential_holds_are_refused(folder, name, change, words):
    path = array_file(folder)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)
    replace_arrays(folder, path.read_bytes())
    with pytest.raises(ModelError, match=words):
        Potential.load(folder)


# --- malice ---------------------------------------------------------------------------------------------


class Bomb:
    """Pickles to a call of `os.mkdir`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickled_objects_are_not_run(folder, tmp_path):
    mark = tmp_path / "executed"
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.is_dir(), "the bomb would not go off"
    mark.rmdir()
    path = array_file(folder)
    for weights in (np.array([Bomb(mark)], dtype=object), np.array(Bomb(mark), dtype=object)):
        np.savez(path, weights=weights)
        replace_arrays(folder, path.read_bytes())
        with pytest.raises(ModelError):
            Potential.load(folder)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.npy", pickle.dumps(Bomb(mark)))
    replace_arrays(folder, path.read_bytes())
    with pytest.raises(ModelError):
        Potential.load(folder)
    path.write_bytes(pickle.dumps(Bomb(mark)))
    replace_arrays(folder, path.read_bytes())
    with pytest.raises(ModelError):
        Potential.load(folder)
    assert not mark.exists()


def test_entries_that_share_their_bytes_are_refused(folder):
    """A small file whose directory names one large entry many times over."""
    path = array_file(folder)
    np.savez(path, a=np.zeros(1000))
    with zipfile.ZipFile(path, "a") as archive:
        entry = archive.infolist()[0]
        for k in range(100):
            again = copy.copy(entry)
            again.filename = f"a{k}.npy"
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive.comment = b"so that the directory is written anew"
    replace_arrays(folder, path.read_bytes())
    with pytest.raises(ModelError, match="damaged"):
        Potential.load(folder)


def test_an_encrypted_entry_is_refused(folder):
    data = bytearray(array_file(folder).read_bytes())
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    replace_arrays(folder, bytes(data))
    with pytest.raises(ModelError, match="damaged"):
        Potential.load(folder)


@pytest.mark.parametrize("which", ["potential.json", "arrays"])
def test_pipes_and_devices_are_refused(folder, which):
    path = folder / which if which == "potential.json" else array_file(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelError, match="expected a file"):
        Potential.load(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="expected a file"):
        Potential.load(folder)


def test_a_basis_too_large_to_enumerate_is_refused_at_once(folder):
    manifest = manifest_of(folder)
    manifest["facts"]["basis"] |= {"elements": ["H", "C", "N", "O", "F"], "max_degree": [16] * 4}
    manifest["facts"]["basis"]["correlation_order"] = 4
    (folder / "potential.json").write_text(json.dumps(manifest))
    started = time.perf_counter()
    with pytest.raises(ModelError, match="products"):
        Potential.load(folder)
    assert time.perf_counter() - started < 1.0
