"""Saved potentials that mean harm: none runs code, takes the memory or the time of the reader, or is believed."""

from __future__ import annotations

import copy
import os
import pickle
import zipfile

import numpy as np
import pytest

from saved_folders import (
    array_file,
    copied,
    manifest_of,
    replace_arrays,
    seal,
)
from thalweg.errors import ModelError
from thalweg.features import AceBasis
from thalweg.potential import Potential


@pytest.fixture
def folder(tmp_path):
    return copied(tmp_path / "model")


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
    seal(folder, manifest)
    with pytest.raises(ModelError, match=r"products.*save it again"):
        Potential.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"r_cut": 200.0}, "at most 20 Å"),
        ({"r_cut": 0.1}, "above 0.5"),
        ({"max_degree": [81] * 2, "correlation_order": 2}, "from 0 to 80"),
        ({"max_degree": [10**9] * 2, "radial_weight": 10**9, "correlation_order": 2}, "from 0 to 80"),
        ({"radial_exponent": 65}, "from 1 to 64"),
        ({"radial_weight": 9}, "from 1 to 8"),
        # Within every limit, and half a minute of enumeration: but the coefficients are those of a small basis.
        ({"max_degree": [10] * 4, "correlation_order": 4}, "products and coefficients of"),
    ],
)
def test_limits_of_the_configuration_hold_for_folders(folder, change, words, monkeypatch):
    manifest = manifest_of(folder)
    manifest["facts"]["basis"] |= change
    seal(folder, manifest)
    monkeypatch.setattr(AceBasis, "terms", property(lambda self: pytest.fail("it was enumerated")))
    with pytest.raises(ModelError, match=words):
        Potential.load(folder)


def test_a_repulsion_that_reaches_too_far_is_refused(folder):
    path = array_file(folder)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["zbl_outer"] = np.full_like(arrays["zbl_outer"], 200.0)
    np.savez(path, **arrays)
    replace_arrays(folder, path.read_bytes())
    with pytest.raises(ModelError, match="at most 20 Å"):
        Potential.load(folder)
