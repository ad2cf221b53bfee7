"""Neighbour lists against ASE's over molecules, small, skewed and partly periodic cells."""

from __future__ import annotations

from collections import Counter

import ase
import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import primitive_neighbor_list

from thalweg import _native
from thalweg.features import set_num_threads
from thalweg.features.batch import pack
from thalweg.structure import FloatArray, Structure


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
        "ijD", atoms.pbc, structure.padded_cell(), atoms.positions, r_list
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
    """The same atoms take the double loop alone, and the cell list in a huge periodic cell."""
    atoms = SYSTEMS["molecule"].copy()
    i, j, _ = native_pairs([Structure.from_atoms(atoms)], 3.0)
    atoms.cell, atoms.pbc = np.eye(3) * 50, True
    at, to, offset = native_pairs([Structure.from_atoms(atoms)], 3.0)
    assert sorted(zip(i, j, strict=True)) == sorted(zip(at, to, strict=True))
    assert len(i) > 10
    assert not offset.any()


@pytest.mark.parametrize("r_list", [2.9, 6.1, 14.0])
def test_large_and_long_boxes(r_list: float) -> None:
    """Boxes of many cells, thin in one direction; threads change nothing."""
    rng = np.random.default_rng(5)
    cell = np.array([[31.0, 0, 0], [3.0, 9.0, 0], [-2.0, 1.0, 17.0]])
    atoms = ase.Atoms(
        "Ar400", scaled_positions=rng.random((400, 3)) * 3 - 1, cell=cell, pbc=(True, True, False)
    )
    structure = Structure.from_atoms(atoms)
    i, j, offset = native_pairs([structure], r_list)
    at, to, vectors = primitive_neighbor_list("ijD", atoms.pbc, cell, atoms.positions, r_list)
    ours = Counter(
        (int(a), int(b), *(d.round(6) + 0.0))
        for a, b, d in zip(i, j, atoms.positions[j] - atoms.positions[i] + offset, strict=True)
    )
    assert ours == Counter(
        (int(a), int(b), *(d.round(6) + 0.0)) for a, b, d in zip(at, to, vectors, strict=True)
    )
    set_num_threads(3)
    threaded = native_pairs([structure], r_list)
    set_num_threads(1)
    assert all(np.array_equal(a, b) for a, b in zip((i, j, offset), threaded, strict=True))


def test_bad_input_is_refused() -> None:
    packed = pack([Structure.from_atoms(SYSTEMS["molecule"])], ["C", "H", "O"])
    with pytest.raises(ValueError, match="r_list must be positive"):
        _native.build_pairs(*packed.arrays, 0.0)
    flat = pack([Structure.from_atoms(bulk("Cu"))], ["Cu"])
    flat.cells[0, 1] = 2 * flat.cells[0, 0]
    with pytest.raises(ValueError, match="lie in one plane"):
        _native.build_pairs(*flat.arrays, 3.0)
    packed.positions[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        _native.build_pairs(*packed.arrays, 3.0)
