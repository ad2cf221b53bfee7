"""Numbers and plain data as bytes and text: little-endian arrays, npz without pickle, JSON."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InputError, StoreError
from thalweg.structure import Structure

LONGEST_TEXT = 20_000
"""Characters of one text that are kept: of a failure's message and log, and of a line of the conversation."""


def bounded_text(text: Any, limit: int | None = LONGEST_TEXT) -> str:
    """`text` fit for UTF-8 and SQLite, without NUL and lone surrogates; beyond `limit` its middle is left out."""
    clean = str(text)
    if limit is not None and len(clean) > limit:
        half = limit // 2 - 50
        clean = f"{clean[:half]}\n[... {len(clean) - 2 * half} characters left out ...]\n{clean[-half:]}"
    return clean.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def bounded_data(data: Any) -> Any:
    """Plain data with every text in it bounded."""
    if isinstance(data, Mapping):
        return {str(key): bounded_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [bounded_data(value) for value in data]
    return bounded_text(data) if isinstance(data, str) else data


def to_blob(values: Any, dtype: str = "<f8") -> bytes:
    """C-ordered little-endian bytes (float64 unless told)."""
    return np.ascontiguousarray(values, dtype=dtype).tobytes()


def from_blob(blob: bytes, shape: tuple[int, ...], dtype: str = "<f8") -> NDArray[Any]:
    """The array in `blob`, in the machine's own byte order; StoreError when the size is wrong."""
    try:
        array = np.frombuffer(blob, dtype=dtype).reshape(shape)
        return array.astype(array.dtype.newbyteorder("="))
    except ValueError as error:
        raise StoreError(
            f"the store is damaged: an array of shape {shape} was expected, {len(blob)} bytes are there; "
            "restore thalweg.db from a copy"
        ) from error


def arrays_to_blob(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as npz bytes. Raises StoreError for object arrays, which only pickle could hold."""
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise StoreError(f"array {name!r} holds Python objects (dtype {array.dtype}); store numbers only")
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **plain)
    return buffer.getvalue()


def arrays_from_blob(blob: bytes | None) -> dict[str, NDArray[Any]]:
    """Named arrays from npz bytes; none from None."""
    if blob is None:
        return {}
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"the store is damaged: its arrays cannot be read ({error}); restore thalweg.db from a copy"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not plain data")


def to_json(data: Any) -> str:
    """Compact JSON; NumPy numbers and arrays become plain ones. Floats survive to the last bit."""
    return json.dumps(data, separators=(",", ":"), default=_plain)


def structure_columns(structure: Structure) -> tuple[bytes, bytes, bytes, bytes, str | None]:
    """numbers, positions, cell and pbc as blobs, and what else is known as JSON."""
    particulars = structure.plain_particulars()
    return (
        to_blob(structure.numbers, "<i8"),
        to_blob(structure.positions),
        to_blob(structure.cell),
        to_blob(structure.pbc, "<u1"),
        to_json(particulars) if particulars else None,
    )


def structure_from_columns(
    numbers: bytes, positions: bytes, cell: bytes, pbc: bytes, particulars: str | None = None
) -> Structure:
    """The structure in these columns; StoreError where they are none."""
    n = len(numbers) // 8
    try:
        return Structure(
            from_blob(numbers, (n,), "<i8"),
            from_blob(positions, (n, 3)),
            from_blob(cell, (3, 3)),
            from_blob(pbc, (3,), "<u1").astype(np.bool_),
            **({} if particulars is None else json.loads(particulars)),
        )
    except (InputError, TypeError, ValueError) as error:
        raise StoreError(f"the store is damaged: {error}; restore thalweg.db from a copy") from error
