"""Hands vesin's neighbour lists to the native core.

vesin's compiled library lies inside its wheel, at a path that only Python knows, so the core is not linked
against it: `connect` passes the addresses of its two functions. Whoever makes a native object calls it first.
"""

from __future__ import annotations

import ctypes
from importlib import metadata

from thalweg import _native
from thalweg.errors import SetupError

VESIN_SERIES = (0, 6)
"""The series of vesin whose C structures the core was compiled against."""


def check_vesin_version(version: str) -> None:
    """Raise SetupError unless `version` is of the series the core was compiled against (0.6.2 or later)."""
    numbers = tuple(int(part) for part in version.split("+", maxsplit=1)[0].split(".")[:3] if part.isdigit())
    if numbers[:2] != VESIN_SERIES or numbers < (0, 6, 2):
        raise SetupError(
            f"vesin {version} is installed; its C interface changes between series and Thalweg was built for "
            ">=0.6.2,<0.7. Run: pip install 'vesin>=0.6.2,<0.7'"
        )


def connect() -> None:
    """Give the core the addresses of `vesin_neighbors` and `vesin_free`; harmless when repeated.

    Raises
    ------
    SetupError
        vesin is missing, of another series, or its library cannot be loaded.
    """
    try:
        check_vesin_version(metadata.version("vesin"))
        from vesin._c_lib import get_library

        library = get_library()
    except (ImportError, OSError) as error:
        raise SetupError(f"vesin cannot be loaded ({error}). Run: pip install 'vesin>=0.6.2,<0.7'") from error
    _native.use_vesin(_address(library.vesin_neighbors), _address(library.vesin_free))


def _address(function: object) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
    if address is None:
        raise SetupError(
            "vesin's library has no such function. Run: pip install --force-reinstall 'vesin>=0.6.2,<0.7'"
        )
    return address
