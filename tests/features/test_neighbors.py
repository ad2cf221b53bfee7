"""Neighbour lists against ASE's over molecules, small, skewed and partly periodic cells."""

from __future__ import annotations

from collections import Counter

import ase
import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import primitive_neighbor_list

from thalweg import _native
from thalweg.errors import SetupError
from thalweg.features.batch import pack
from thalweg.features.neighbors import check_vesin_version, connect
from thalweg.structure import FloatArray, Structure

connect()


def rattled(atoms: ase.Atoms, seed: int = 0) -> ase.Atoms:
    """Off their sites, so that no distance falls on a cutoff."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(0.0, 0.05, atoms.positions.shape)
    return atoms


def skewed(pbc: tuple[bool, bool, bool]) -> ase.Atoms:
    cell = [[3.1, 0.2, 0.0], [1.9, 2.8, 0.1], [-1.2, 0.7, 4.3]]
    return ase.Atoms("NaCl", scaled_positions=[[0.1, 0.1, 0.2], [0.6, 0.4, 0.7]], cell=cell, pbc=pbc)


def outside() -> ase.Atoms:
    """Atoms several cells away from the cell: walkers do not wrap."""
    atoms = rattled(bulk("Cu", cubic=True), 3)
    atoms.positions[0] += 5 * atoms.cell[0] - 2 * atoms.cell[1]
    atoms.positions[1] -= 3 * atoms.cell[2]
    return atoms


def slab_without_third_vector() -> ase.Atoms:
    atoms = rattled(fcc111("Al", (2, 2, 3), vacuum=None), 1)
    atoms.pbc = (True, True, False)
    return atoms


SYSTEMS = {
    "molecule": rattled(molecule("CH3CH2OH")),
    "one_atom": ase.Atoms("Ar"),
    "large_molecule": rattled(
        ase.Atoms("C512", [(2 * a, 2 * b, 2 * c) for a in range(8) for b in range(8) for c in range(8)])
    ),
    "one_atom_crystal": bulk("Cu"),
    "small_cubic_cell": rattled(bulk("NaCl", "rocksalt", a=5.6)),
    "skewed": skewed((True, True, True)),
    "skewed_wire": skewed((True, False, False)),
    "skewed_slab": skewed((False, True, True)),
    "skewed_molecule": skewed((False, False, False)),
    "slab_without_third_vector": slab_without_third_vector(),
    "wire_without_cell": ase.Atoms(
        "C2", [[0, 0, 0], [1.3, 0.4, 0.2]], cell=[2.6, 0, 0], pbc=(True, False, False)
    ),
    "atoms_outside_the_cell": outside(),
}


def native_pairs(structures: list[Structure], r_list: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    elements = sorted({symbol for s in structures for symbol in s.to_atoms().get_chemical_symbols()})
    first, j, offset = _native.build_pairs(*pack(structures, elements).arrays, r_list)
    return np.repeat(np.arange(len(first) - 1), np.diff(first)), j, offset


@pytest.mark.parametrize("r_list", [3.7, 5.13])
@pytest.mark.parametrize("name", SYSTEMS)
def test_pairs_equal_those_of_ase(name: str, r_list: float) -> None:
    atoms = SYSTEMS[name]
    structure = Structure.from_atoms(atoms)
    i, j, offset = native_pairs([structure], r_list)
    D = atoms.positions[j] - atoms.positions[i] + offset
    # ASE wants a complete cell; in non-periodic directions it changes nothing.
    at, to, vectors = primitive_neighbor_list(
        "ijD", atoms.pbc, structure._padded_cell(), atoms.positions, r_list
    )
    ours = Counter((int(a), int(b), *(d.round(6) + 0.0)) for a, b, d in zip(i, j, D, strict=True))
    theirs = Counter((int(a), int(b), *(d.round(6) + 0.0)) for a, b, d in zip(at, to, vectors, strict=True))
    assert ours == theirs
    assert ours or name == "one_atom"


@pytest.mark.parametrize("name", SYSTEMS)
def test_order_is_fixed(name: str) -> None:
    structure = Structure.from_atoms(SYSTEMS[name])
    i, j, offset = native_pairs([structure], 4.0)
    assert (np.diff(i) >= 0).all()
    within = np.diff(i) == 0
    assert (np.diff(j)[within] >= 0).all()
    again = native_pairs([structure], 4.0)
    assert all(np.array_equal(a, b) for a, b in zip((i, j, offset), again, strict=True))


def test_batch_lays_lists_end_to_end() -> None:
    structures = [Structure.from_atoms(atoms) for atoms in SYSTEMS.values()]
    i, j, offset = native_pairs(structures, 4.0)
    base, at = 0, 0
    for structure in structures:
        own_i, own_j, own_offset = native_pairs([structure], 4.0)
        n = len(own_i)
        assert np.array_equal(i[at : at + n], own_i + base)
        assert np.array_equal(j[at : at + n], own_j + base)
        assert np.array_equal(offset[at : at + n], own_offset)
        base, at = base + len(structure), at + n
    assert at == len(i)


def test_all_pairs_and_cell_list_agree_on_a_molecule() -> None:
    """The same atoms take the double loop alone, and vesin in a huge periodic cell."""
    atoms = SYSTEMS["molecule"].copy()
    loop = native_pairs([Structure.from_atoms(atoms)], 3.0)
    atoms.cell, atoms.pbc = np.eye(3) * 50, True
    cells = native_pairs([Structure.from_atoms(atoms)], 3.0)
    assert all(np.array_equal(a, b) for a, b in zip(loop, cells, strict=True))


def test_bad_input_is_refused() -> None:
    packed = pack([Structure.from_atoms(SYSTEMS["molecule"])], ["C", "H", "O"])
    with pytest.raises(ValueError, match="r_list must be positive"):
        _native.build_pairs(*packed.arrays, 0.0)
    packed.positions[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        _native.build_pairs(*packed.arrays, 3.0)


@pytest.mark.parametrize("version", ["0.5.9", "0.6.1", "0.7.0", "1.6.2"])
def test_other_series_of_vesin_are_refused(version: str) -> None:
    with pytest.raises(SetupError, match="pip install"):
        check_vesin_version(version)


@pytest.mark.parametrize("version", ["0.6.2", "0.6.10", "0.6.3+local"])
def test_own_series_of_vesin_is_accepted(version: str) -> None:
    check_vesin_version(version)
