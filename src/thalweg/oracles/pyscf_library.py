"""PySCF itself: what it knows of methods and basis sets, and the way it is called."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.units import Bohr
from threadpoolctl import threadpool_limits

from thalweg.errors import InputError, SetupError, check
from thalweg.structure import Structure


@lru_cache(maxsize=1)
def library() -> Any:
    """PySCF with the parts that are used; raises SetupError with the line that installs it."""
    try:
        import pyscf
        from pyscf import dft, gto, lib, mp, scf  # noqa: F401
        from pyscf.grad import mp2, rks, uks, ump2  # noqa: F401
        from pyscf.scf import dispersion  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"the oracle 'pyscf' cannot be loaded ({error}); `pip install 'thalweg[pyscf]'`"
        ) from error
    return pyscf


def check_method(method: object) -> None:
    """Raise InputError unless the method is HF, MP2 or a functional, without a correction that is not offered."""
    check(isinstance(method, str) and method.strip(), f"oracle pyscf: method must be a name, got {method!r}")
    name = str(method)
    if name.upper() in {"HF", "MP2"}:
        return
    pyscf = library()
    try:
        dispersion = pyscf.scf.dispersion.parse_dft(name)[2]
        pyscf.dft.libxc.parse_xc(name)
    except Exception as error:
        raise InputError(
            f"oracle pyscf: method must be HF, MP2 or a functional that PySCF knows (PBE, B3LYP, PBE0, wB97X-V), "
            f"got {name!r}: {error}"
        ) from None
    check(
        not dispersion,
        f"oracle pyscf: the dispersion correction in {name!r} is not supported; leave it out, or choose a "
        "functional with built-in dispersion (wB97X-V)",
    )


def check_basis(basis: object) -> None:
    """Raise InputError unless PySCF has the basis for some element."""
    check(isinstance(basis, str) and basis.strip(), f"oracle pyscf: basis must be a name, got {basis!r}")
    check(
        any(has_basis(str(basis), number) for number in (1, 6, 26, 79)),
        f"oracle pyscf: PySCF has no basis {basis!r}; examples are sto-3g, 6-31g*, def2-SVP, def2-TZVP, cc-pVDZ",
    )


def molecule(structure: Structure, basis: str, *, charge: int, unpaired: int, max_memory: int) -> Any:
    """PySCF's molecule, with the effective core potentials that belong to the basis; `max_memory` in MB."""
    symbols = [chemical_symbols[int(z)] for z in structure.numbers]
    built = library().gto.Mole()
    built.build(
        dump_input=False,
        parse_arg=False,  # else PySCF reads our command line
        verbose=0,
        atom=list(zip(symbols, (structure.positions / Bohr).tolist(), strict=True)),
        unit="Bohr",
        basis=basis,
        ecp={symbol: basis for symbol in set(symbols) if has_core_potential(basis, symbol)},
        charge=charge,
        spin=unpaired,
        max_memory=max_memory,
    )
    return built


@lru_cache(maxsize=512)
def has_basis(basis: str, number: int) -> bool:
    """Whether the basis covers the element of this atomic number."""
    if not 0 < number < len(chemical_symbols):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return len(library().gto.basis.load(basis, chemical_symbols[number])) > 0
        except (RuntimeError, KeyError, ValueError, AttributeError, OSError):
            return False


@lru_cache(maxsize=512)
def has_core_potential(basis: str, symbol: str) -> bool:
    """Whether an effective core potential belongs to the basis for this element."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return len(library().gto.basis.load_ecp(basis, symbol)) > 0
        except (RuntimeError, KeyError, ValueError, AttributeError, OSError):
            return False


@contextmanager
def quiet_on_one_thread() -> Iterator[None]:
    """One thread in PySCF's own loops and in the linear algebra: sums keep their order. Warnings are no output."""
    with warnings.catch_warnings(), threadpool_limits(limits=1), library().lib.with_omp_threads(1):
        warnings.simplefilter("ignore")
        yield


def shortest_distance(structure: Structure) -> float:
    """Shortest distance (Å) of two atoms; infinite for one atom."""
    n = len(structure)
    if n < 2:
        return float("inf")
    i, j = np.triu_indices(n, 1)
    return float(np.linalg.norm(structure.positions[i] - structure.positions[j], axis=1).min())
