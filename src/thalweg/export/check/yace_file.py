"""Reads `.yace` files of linear potentials into arrays, by the format's definition.

    E_i   = E0 + sum over rank 1 of c A1_(mu,k) + sum over others and their ms of c Re(prod_t A_(mu_t,n_t,l_t,m_t))
    A1    = sum_j g_k(r_ij),    A = sum_j R_nl(r_ij) Y_lm(r_ij),    R_nl = sum_k crad_nlk g_k

Reference
    Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021); ML-PACE v.2023.11.25, `ACECTildeBasisSet::load_yaml`
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from thalweg.errors import InputError, check
from thalweg.structure import FloatArray, IntArray


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with lists as tuples: the keys of `bonds` are lists."""


_Loader.add_constructor(
    "tag:yaml.org,2002:seq", lambda loader, node: tuple(loader.construct_sequence(node, True))
)


@dataclass(frozen=True)
class Bond:
    """Radial functions of neighbours: lambda, cutoff in Å, coefficients (n, l, k)."""

    exponent: float
    r_cut: float
    coefficients: FloatArray


@dataclass(frozen=True)
class Products:
    """Products of one rank: indices mu, n, l, m of the factors, each (n_products, rank); coefficients, eV.

    n counts from 0, as positions in `Bond.coefficients` do.
    """

    mu: IntArray
    n: IntArray
    l: IntArray
    m: IntArray
    coefficients: FloatArray


@dataclass(frozen=True)
class YaceFile:
    """What a file holds.

    elements : symbols; reference_energies : (n_elements,), eV; spline_bins : Å
    bonds : (element, element of the neighbour) -> Bond
    products : for each element, by rank
    """

    elements: tuple[str, ...]
    reference_energies: FloatArray
    spline_bins: float
    bonds: dict[tuple[int, int], Bond]
    products: tuple[dict[int, Products], ...]


def read_yace(path: str | Path) -> YaceFile:
    """Read a linear potential.

    Raises
    ------
    InputError
        Not a `.yace` file, or one with what only other programs write (an embedding that is not linear, a
        core repulsion, other radial functions).
    """
    path = Path(path)
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
        return _interpret(data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as a .yace file ({error})") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a whole .yace file ({error!r})") from error


def _interpret(data: Any) -> YaceFile:
    elements = tuple(str(element) for element in data["elements"])
    for z in range(len(elements)):
        _check_embedding(data["embeddings"][z])
    bonds = {(int(a), int(b)): _bond(bond) for (a, b), bond in data["bonds"].items()}
    return YaceFile(
        elements,
        np.array(data["E0"], dtype=np.float64),
        float(data["deltaSplineBins"]),
        bonds,
        tuple(_products(data["functions"][z]) for z in range(len(elements))),
    )


def _check_embedding(embedding: Any) -> None:
    linear = embedding["npoti"] == "FinnisSinclairShiftedScaled" and embedding["FS_parameters"] == (1.0, 1.0)
    check(
        linear and embedding["ndensity"] == 1, f"embedding: only F(rho) = rho is read here, got {embedding}"
    )


def _bond(bond: Any) -> Bond:
    check(bond["radbasename"] == "ChebPow", f"radbasename: ChebPow is read here, got {bond['radbasename']}")
    off = bond["prehc"] == bond["rcut_in"] == bond["dcut_in"] == 0
    check(off, "bonds: a core repulsion or an inner cutoff is not read here")
    coefficients = np.array(bond["radcoefficients"], dtype=np.float64)
    shape = (bond["nradmax"], bond["lmax"] + 1, bond["nradbasemax"])
    check(coefficients.shape == shape, f"radcoefficients: expected shape {shape}, got {coefficients.shape}")
    return Bond(float(bond["radparameters"][0]), float(bond["rcut"]), coefficients)


def _products(functions: Any) -> dict[int, Products]:
    """All functions of an element, flattened to products."""
    rows: dict[int, list[list[IntArray]]] = defaultdict(list)
    values: dict[int, list[float]] = defaultdict(list)
    for function in functions:
        rank, count = int(function["rank"]), int(function["num_ms_combs"])
        ms = np.array(function["ms_combs"], dtype=np.int64).reshape(count, rank)
        labels = [np.array(function[name], dtype=np.int64).reshape(rank) for name in ("mus", "ns", "ls")]
        coefficients = np.array(function["ctildes"], dtype=np.float64).reshape(count)
        rows[rank] += [[*labels, m] for m in ms]
        values[rank] += coefficients.tolist()
    out = {}
    for rank, found in rows.items():
        table = np.array(found, dtype=np.int64)
        out[rank] = Products(table[:, 0], table[:, 1] - 1, table[:, 2], table[:, 3], np.array(values[rank]))
    return out
