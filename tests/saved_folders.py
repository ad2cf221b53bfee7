"""Folders of saved potentials, and what somebody who means harm would do to them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from thalweg.errors import ModelError
from thalweg.potential import Potential

DATA = Path(__file__).parent / "data"
VERSIONS = sorted(path.name for path in DATA.glob("potential-v*") if path.is_dir())


def copied(to):
    """A copy of the folder of the newest version."""
    return Path(shutil.copytree(DATA / VERSIONS[-1], to))


def manifest_of(folder):
    return json.loads((folder / "potential.json").read_text())


def array_file(folder):
    return folder / manifest_of(folder)["array_file"]


def seal(folder, manifest):
    """Write a manifest with the checksum that belongs to what it says, as somebody who means harm would."""
    rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    sealed = rest | {"manifest_sha256": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "potential.json").write_text(json.dumps(sealed))


def replace_arrays(folder, data):
    """Other bytes in the array file, with the checksum that belongs to them."""
    manifest = manifest_of(folder)
    (folder / manifest["array_file"]).write_bytes(data)
    seal(folder, manifest | {"sha256": hashlib.sha256(data).hexdigest()})


def loads_or_is_refused(folder):
    """True if it loads; anything but a ModelError fails the test."""
    try:
        Potential.load(folder)
    except ModelError:
        loaded = False
    else:
        loaded = True
    return loaded
