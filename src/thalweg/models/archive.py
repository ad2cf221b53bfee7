"""Folders of plain arrays and JSON, written so that no kill can damage them and read so that none can harm.

A folder holds one manifest `<kind>.json` and one array file that the manifest names. Writing puts the new
array file beside the old one, syncs it, and then replaces the manifest in one atomic rename: at every moment
the manifest names a whole array file. Reading trusts nothing: sizes are checked before memory is taken,
object arrays are refused, the array file must have the SHA-256 that the manifest states, and so must what the
manifest says (`manifest_sha256`, which folders of version 1 lack).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelError, SetupError

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_ARRAY_BYTES = 8 * 2**30
_PLAIN_KINDS = "fiub"
_SEAL = "manifest_sha256"
_ATTEMPTS = 3

Arrays = dict[str, NDArray[Any]]


def write_archive(
    folder: Path, kind: str, version: int, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]
) -> None:
    """Write `arrays` and the JSON-able `facts` under `folder`, replacing what was there atomically.

    Raises
    ------
    SetupError
        The disk is full or the folder cannot be written; what was there before is untouched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{kind}.{os.getpid()}.npz"
        with partial.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        checksum = _sha256(partial)
        array_file = f"{kind}-{checksum[:16]}.npz"
        partial.replace(folder / array_file)
        manifest = {
            "format": f"thalweg.{kind}",
            "version": version,
            "array_file": array_file,
            "sha256": checksum,
            "facts": dict(facts),
        }
        _replace_text(folder / f"{kind}.json", _sealed(manifest))
        for old in folder.glob(f"{kind}-*.npz"):
            if old.name != array_file:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(
            f"{folder}: cannot be written ({error}); free space or choose another folder"
        ) from error


def read_archive(folder: Path, kind: str, version: int) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a folder written by `write_archive`.

    Raises
    ------
    ModelError
        Nothing there, a newer format, or a damaged or hostile file.
    """
    manifest, path = _locate(folder, kind, version)
    try:
        _check_regular(path)
        if _sha256(path) != manifest.get("sha256"):
            raise ModelError(f"{path}: its checksum differs from the manifest's; the file is damaged")
        _check_members(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays: Arrays = {key: archive[key] for key in archive.files}
    except ModelError:
        raise
    except (
        Exception
    ) as error:  # the parsers of zip files and array headers raise whatever damage leads them to
        raise ModelError(f"{path}: cannot be read ({error}); the folder is damaged or incomplete") from error
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"{path}: array {key!r} holds NaN or infinity")
    facts = manifest.get("facts")
    if not isinstance(facts, dict):
        raise ModelError(f"{folder}: the manifest has no contents; it is damaged")
    return arrays, facts


def take(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type = np.float64) -> NDArray[Any]:
    """The array `name`, which must have this shape and dtype; ModelError otherwise."""
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != np.dtype(dtype):
        got = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise ModelError(f"model folder: {name!r} must be {np.dtype(dtype)} of shape {shape}, got {got}")
    return array


def _locate(folder: Path, kind: str, version: int) -> tuple[dict[str, Any], Path]:
    """The manifest and the array file that it names."""
    path = folder
    for _ in range(_ATTEMPTS):
        manifest = _read_manifest(folder / f"{kind}.json", kind, version)
        name = manifest.get("array_file")
        if not isinstance(name, str) or not re.fullmatch(rf"{kind}-[\w-]{{1,64}}\.npz", name, re.ASCII):
            raise ModelError(f"{folder}: the manifest names the array file {name!r}, not one of its own")
        path = folder / name
        # A writer may replace both between the two reads; the manifest is then a new one.
        if path.exists():
            break
    return manifest, path


def _read_manifest(path: Path, kind: str, version: int) -> dict[str, Any]:
    try:
        _check_regular(path)
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelError(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes; this is not a {kind} manifest")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent}: no saved {kind} here (expected {path.name})") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); the file is damaged") from error
    if not isinstance(manifest, dict) or manifest.get("format") != f"thalweg.{kind}":
        raise ModelError(f"{path}: not a Thalweg {kind}")
    _check_manifest(manifest, path)
    found = manifest.get("version")
    if not isinstance(found, int) or found < 1 or found > version:
        raise ModelError(
            f"{path}: format version {found!r}, this Thalweg reads up to {version}; upgrade Thalweg"
        )
    return manifest


def _sealed(manifest: Mapping[str, Any]) -> str:
    """The manifest's text, with the checksum of all that it says."""
    plain = json.loads(json.dumps(manifest, allow_nan=False))  # as it will be read: keys are text there
    plain[_SEAL] = _digest(plain)
    return json.dumps(plain, indent=1, sort_keys=True)


def _digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of everything in the manifest but this sum, however it is laid out."""
    rest = {key: value for key, value in manifest.items() if key != _SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    """Refuse one that says something else than it was written to say."""
    if manifest.get("version") == 1 and _SEAL not in manifest:
        return  # written before there was the sum
    try:
        right = manifest.get(_SEAL) == _digest(manifest)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); the file is damaged") from error
    if not right:
        raise ModelError(
            f"{path}: its checksum is wrong, so the file is damaged or was changed by hand; save the model again, or "
            "restore the folder from a copy"
        )


def _check_regular(path: Path) -> None:
    """Refuse devices and pipes, from which reading never ends."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelError(f"{path}: expected a file; this is something else")


def _check_members(path: Path) -> None:
    """Refuse compressed or overlapping entries (bombs), strange dtypes and absurd sizes before any is read."""
    total, size_on_disk = 0, path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            total += entry.file_size
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ModelError(
                    f"{path}: entry {entry.filename!r} is compressed, which Thalweg never writes"
                )
            if total > min(MAX_ARRAY_BYTES, size_on_disk):
                raise ModelError(f"{path}: its entries hold {total} bytes, more than the file; it is damaged")
            with archive.open(entry) as stream:
                major, _ = np.lib.format.read_magic(stream)
                read_header = (
                    np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read_header(stream)
            size = dtype.itemsize * int(np.prod(shape, dtype=object))
            if dtype.kind not in _PLAIN_KINDS or min(shape, default=0) < 0 or size > entry.file_size:
                raise ModelError(
                    f"{path}: entry {entry.filename!r} claims {dtype} {shape}; the file is damaged"
                )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
