"""One OpenMP thread for the length of a call into a library, so that sums keep their order.

A label has to come out the same, bit for bit, each time it is computed; a threaded reduction adds in the
order in which threads finish. On small molecules one thread is also the fastest.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache


@lru_cache(maxsize=8)
def _openmp(library_path: str) -> ctypes.CDLL | None:
    """The library's own OpenMP runtime, found through its dependencies; None where it has none."""
    library = ctypes.CDLL(library_path)
    try:
        library.omp_get_max_threads.restype = ctypes.c_int
        library.omp_set_num_threads.argtypes = [ctypes.c_int]
    except AttributeError:
        return None
    return library


@contextmanager
def one_thread(library_path: str) -> Iterator[None]:
    """Within the block, the OpenMP runtime behind the shared library at `library_path` uses one thread."""
    openmp = _openmp(library_path)
    if openmp is None:
        yield
        return
    before = int(openmp.omp_get_max_threads())
    openmp.omp_set_num_threads(1)
    try:
        yield
    finally:
        openmp.omp_set_num_threads(before)
