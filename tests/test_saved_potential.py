"""Saved potentials: folders of earlier versions are read for ever, damaged ones are refused."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from saved_folders import (
    DATA,
    VERSIONS,
    array_file,
    copied,
    loads_or_is_refused,
    manifest_of,
    replace_arrays,
    seal,
)
from thalweg.errors import ModelError
from thalweg.potential import Potential
from thalweg.structure import Structure

LARGEST = ("potential-v1", "potential-v2")
"""Versions whose deviation was that of the member furthest off."""


@pytest.fixture
def folder(tmp_path):
    return copied(tmp_path / "model")


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
            elif version in LARGEST and name in ("forces_deviation", "forces_bound"):
                # They were the largest member's, and are the root mean square now; bounds are as wide on average.
                ratio = np.array(value) / np.array(expected)
                assert (
                    (0.6, 0.75)[name == "forces_bound"] < ratio.mean() < (1.0, 1.25)[name == "forces_bound"]
                )
                assert 0.5 < ratio.min() < ratio.max() < 1.4
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


def test_any_flipped_bit_of_the_manifest_is_noticed_or_says_the_same(folder):
    """All that it says is under its checksum: facts, versions, names, the arrays' checksum."""
    path = folder / "potential.json"
    data = path.read_bytes()
    rng = random.Random(4)
    refused = 0
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        try:
            Potential.load(folder)
        except ModelError:
            refused += 1
        else:
            assert manifest_of(folder) == json.loads(data)
    assert refused > 0.8 * len(data)
    path.write_bytes(data)
    Potential.load(folder)


def test_a_fact_changed_by_hand_is_noticed(folder):
    path = folder / "potential.json"
    text = path.read_text()
    changed = text.replace('"r_cut": 3.5', '"r_cut": 7.5')
    assert changed != text
    path.write_text(changed)
    with pytest.raises(ModelError, match=r"checksum is wrong.*save the model again"):
        Potential.load(folder)
    # A folder of version 1 has no such sum: that is what the new version is for.
    old = Path(shutil.copytree(DATA / "potential-v1", folder.parent / "old"))
    (old / "potential.json").write_text((old / "potential.json").read_text().replace("3.5", "7.5"))
    assert Potential.load(old).basis.r_cut == 7.5


def test_laying_the_manifest_out_anew_is_no_damage(folder):
    (folder / "potential.json").write_text(json.dumps(manifest_of(folder), indent=4))
    Potential.load(folder)


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
            try:
                seal(folder, document)
            except UnicodeEncodeError:
                continue
            refused += not loads_or_is_refused(folder)
    assert refused > 200


@pytest.mark.parametrize(
    "key", ["confidence", "basis", "n_members", "n_directions", "has_zbl", "has_novelty"]
)
def test_a_manifest_that_lacks_a_fact_is_refused(folder, key):
    manifest = manifest_of(folder)
    del manifest["facts"][key]
    seal(folder, manifest)
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
