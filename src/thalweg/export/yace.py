"""Writes a potential as `.yace`, the format of LAMMPS' `pair_style pace`, and the lines that go with it.

    E0                    reference energies, eV
    embedding             F(rho) = rho, one density: a linear potential
    bonds                 g_k: `ChebPow` with lambda = radial_exponent; c_nk: `radcoefficients`, the same for every l
    functions, rank 1     over g_k itself; rank 2 and more: products of complex A (`thalweg.export.products`)

The core repulsion of `.yace` is left off. Ours goes into `pair_style zbl` beside it, under `hybrid/overlay`; a zbl
style has one pair of cutoffs, so there is one for each pair of cutoffs in use.

References
    Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021); ML-PACE v.2023.11.25, `ACECTildeBasisSet::load_yaml`
    LAMMPS documentation: pair_style pace, zbl, hybrid/overlay
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ase.data import atomic_masses, atomic_numbers

from thalweg.errors import check
from thalweg.export.products import ProductFunction, pair_coefficients, product_functions
from thalweg.features.basis import AceBasis
from thalweg.files import moved_into_place
from thalweg.potential import Potential

SPLINE_BINS = 0.001
"""Width of ML-PACE's radial spline intervals, Å: the format's usual value; its errors are near 1e-9."""


def write_yace(potential: Potential, path: str | Path, *, spline_bins: float = SPLINE_BINS) -> None:
    """Write the potential without its core repulsion to one `.yace` file.

    Parameters
    ----------
    potential : the mean model is written; committee, novelty and bounds have no place in the format
    path : file to write, replaced whole
    spline_bins : width of the spline intervals that LAMMPS makes of the radial functions, Å

    Raises
    ------
    SetupError
        The file cannot be written.
    """
    check(spline_bins > 0, f"spline_bins must be a positive length in Å, got {spline_bins}")
    with moved_into_place(Path(path)) as draft, draft.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _yace_lines(potential, spline_bins))


def lammps_lines(potential: Potential, file_name: str) -> list[str]:
    """The `mass`, `pair_style` and `pair_coeff` commands for LAMMPS in metal units.

    Atom types 1, 2, ... are the potential's elements in their order; `file_name` is how LAMMPS finds the file.
    """
    elements = potential.elements
    if any(letter.isspace() or letter == "#" for letter in file_name):
        file_name = f'"{file_name}"'
    masses = [
        f"mass {t} {_number(atomic_masses[atomic_numbers[element]])}  # {element}"
        for t, element in enumerate(elements, start=1)
    ]
    groups = _zbl_groups(potential)
    names = " ".join(elements)
    if not groups:
        return [*masses, "pair_style pace", f"pair_coeff * * {file_name} {names}"]
    styles = " ".join(f"zbl {_number(inner)} {_number(outer)}" for inner, outer in groups)
    lines = [*masses, f"pair_style hybrid/overlay pace {styles}", f"pair_coeff * * pace {file_name} {names}"]
    for number, pairs in enumerate(groups.values(), start=1):
        instance = f"zbl {number}" if len(groups) > 1 else "zbl"
        for i, j in pairs:
            Zi, Zj = (float(atomic_numbers[elements[k]]) for k in (i, j))
            lines.append(f"pair_coeff {i + 1} {j + 1} {instance} {Zi} {Zj}")
    return lines


def write_lammps(potential: Potential, path: str | Path, *, spline_bins: float = SPLINE_BINS) -> Path:
    """Write the `.yace` file and, beside it, the LAMMPS commands as `<stem>.in`; returns the latter's path.

    Raises
    ------
    InputError
        The path ends in `.in`.
    SetupError
        A file cannot be written.
    """
    path = Path(path)
    include = path.with_suffix(".in")
    check(path != include, f"{path}: .in is the suffix of the commands beside the potential; use .yace")
    write_yace(potential, path, spline_bins=spline_bins)
    header = [
        "# Thalweg: commands for LAMMPS with the ML-PACE package, after `units metal` and the box.",
        f"# Atom types: {', '.join(f'{t} {e}' for t, e in enumerate(potential.elements, start=1))}.",
        f"# {path.name} is looked for in the folder where LAMMPS runs.",
    ]
    with moved_into_place(include) as draft:
        draft.write_text("\n".join([*header, *lammps_lines(potential, path.name)]) + "\n", encoding="utf-8")
    return include


def _zbl_groups(potential: Potential) -> dict[tuple[float, float], list[tuple[int, int]]]:
    """(inner, outer) in Å -> the pairs of species i <= j that have these cutoffs, to ten digits."""
    groups: dict[tuple[float, float], list[tuple[int, int]]] = {}
    if potential.zbl is None:
        return groups
    n = len(potential.elements)
    for i in range(n):
        for j in range(i, n):
            inner, outer = (_ten_digits(of[i, j]) for of in (potential.zbl.inner, potential.zbl.outer))
            if outer > 0:
                groups.setdefault((inner, outer), []).append((i, j))
    return groups


def _yace_lines(potential: Potential, spline_bins: float) -> Iterator[str]:
    basis = potential.basis
    n = len(basis.elements)
    functions = [product_functions(basis, weights) for weights in potential.weights]
    yield "elements: [" + ", ".join(f'"{element}"' for element in basis.elements) + "]"
    yield f"E0: {_list(map(_number, potential.reference_energies))}"
    yield f"deltaSplineBins: {_number(spline_bins)}"
    yield "embeddings:"
    for z in range(n):
        yield (
            f"  {z}: {{ndensity: 1, FS_parameters: [1.0, 1.0], npoti: FinnisSinclairShiftedScaled, "
            "rho_core_cutoff: 100000.0, drho_core_cutoff: 250.0}"
        )
    yield "bonds:"
    bond = _bond(basis, [function for of_one in functions for function in of_one])
    for a in range(n):
        for b in range(n):
            yield f"  [{a}, {b}]: {bond}"
    yield "functions:"
    for z in range(n):
        yield f"  {z}:"
        yield from _pair_functions(basis, potential, z)
        for function in functions[z]:
            yield _function(z, function)


def _bond(basis: AceBasis, functions: Sequence[ProductFunction]) -> str:
    """The radial functions between two elements, as many as the functions of rank 2 and more use."""
    used = [channel for function in functions for channel in function.channels]
    n_top, l_top = max((n for _, n, _ in used), default=0), max((l for *_, l in used), default=0)
    coefficients = basis.radial_coefficients()
    rows = (_list(map(_number, row)) for row in coefficients[: n_top + 1])
    table = _list(_list([row] * (l_top + 1)) for row in rows)
    return (
        f"{{nradmax: {n_top + 1}, lmax: {l_top}, nradbasemax: {coefficients.shape[1]}, radbasename: ChebPow, "
        f"radparameters: [{_number(basis.radial_exponent)}], radcoefficients: {table}, prehc: 0.0, lambdahc: 1.0, "
        f"rcut: {_number(basis.r_cut)}, dcut: 0.01, rcut_in: 0.0, dcut_in: 0.0, inner_cutoff_type: distance}}"
    )


def _pair_functions(basis: AceBasis, potential: Potential, z: int) -> Iterator[str]:
    table = pair_coefficients(basis, potential.weights[z])
    for other, row in enumerate(table):
        for k, coefficient in enumerate(row, start=1):
            yield (
                f"    - {{mu0: {z}, rank: 1, ndensity: 1, num_ms_combs: 1, mus: [{other}], ns: [{k}], ls: [0], "
                f"ms_combs: [0], ctildes: [{_number(coefficient)}]}}"
            )


def _function(z: int, function: ProductFunction) -> str:
    # ML-PACE's recursive evaluator finds more partial products to share when factors of large l come first.
    order = sorted(
        range(len(function.channels)), key=lambda t: (-function.channels[t][2], -function.channels[t][1])
    )
    zs, ns, ls = zip(*(function.channels[t] for t in order), strict=True)
    ms = (product[t] for product in function.products for t in order)
    return (
        f"    - {{mu0: {z}, rank: {len(zs)}, ndensity: 1, num_ms_combs: {len(function.products)}, "
        f"mus: {_list(zs)}, ns: {_list(n + 1 for n in ns)}, ls: {_list(ls)}, ms_combs: {_list(ms)}, "
        f"ctildes: {_list(map(_number, function.products.values()))}}}"
    )


def _list(items: Iterable[object]) -> str:
    return "[" + ", ".join(map(str, items)) + "]"


def _ten_digits(value: float) -> float:
    """What people read and change: 0.888, not 0.8880000000000001."""
    return float(f"{value:.10g}")


def _number(value: float) -> str:
    """Every bit of a float, with the decimal point without which YAML 1.1 takes `1e-05` for a word."""
    mantissa, e, exponent = repr(float(value)).partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + e + exponent
