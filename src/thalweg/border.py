"""What a structure that a user hands in must obey, beyond what every `Structure` does.

Here an odd file is told apart from physics before any neighbour list is made of it: an absurd cell would take the
machine's memory, and two atoms at the same position have no forces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.errors import InputError
from thalweg.structure import FloatArray, Structure

FARTHEST = 1e5
"""Å. Coordinates and cell vectors of a file."""
LEAST_LAYER = 0.1
"""Å. Distance of a periodic cell's faces."""
LEAST_VOLUME = 0.5
"""Å³ for each atom of a crystal; hydrogen at the pressure of Jupiter's core has 1.5."""
SAME_PLACE = 0.1
"""Å. Atoms nearer than this stand twice in the file: once more by another image, or by a symmetry whose fractions were
rounded. No collision brings nuclei so near."""
MOST_ATOMS = 1_000_000
"""Of a file's structure; `md` is meant for 100,000."""
MOST_ATOMS_OF_A_RUN = 10_000
"""Of a structure that an oracle is to label."""
VACUUM = 8.0
"""Å without an atom along a cell vector; in a crystal, a liquid or a porous solid there is no such layer."""
_STABLE_FS = ((4.0, 3.0), (20.0, 6.0), (np.inf, 20.0))
"""amu below which, fs: a third of the fastest period, 9 fs with hydrogen; twice that of first-row atoms' bonds."""
HOT, HOTTEST = 6000.0, 20_000.0
"""K: tungsten boils at the first; beyond the second, electrons are no longer in the ground state."""
FRAGMENTS_APART = 25.0
"""Å. Parts with more than this between them have nothing to do with each other."""


def check_input(structure: Structure, where: str, *, most_atoms: int = MOST_ATOMS) -> Structure:
    """The structure, if it can be worked with.

    Parameters
    ----------
    where : how messages begin: the file, and which of its structures
    most_atoms : the caller's limit

    Raises
    ------
    InputError
        Too many atoms, coordinates or a cell beyond 1e5 Å, a periodic cell lower than 0.1 Å or with less than 0.5 Å³
        for each atom, or two atoms at the same position.
    """
    check_count(len(structure), where, most_atoms)
    if np.abs(structure.positions).max() > FARTHEST:
        atom = int(np.abs(structure.positions).max(axis=1).argmax())
        place = ", ".join(f"{x:g}" for x in structure.positions[atom])
        raise InputError(
            f"{where}: atom {atom} (counted from 0) is at ({place}) Å, expected coordinates within {FARTHEST:g} Å; "
            "wrap the atoms into their cell, or look for a wrong unit"
        )
    check_cell(structure, where)
    _check_places(structure, where)
    return structure


def check_count(n_atoms: int, where: str, most: int = MOST_ATOMS) -> None:
    """Raise InputError where there are more atoms than `most`."""
    if n_atoms > most:
        raise InputError(
            f"{where}: {n_atoms:,} atoms, the limit is {most:,}; take a smaller cell or fewer repeats"
        )


def check_cell(structure: Structure, where: str) -> None:
    """Raise InputError where a periodic cell is no crystal's; cheap, without any neighbour list."""
    if np.abs(structure.cell).max() > FARTHEST:
        raise InputError(
            f"{where}: a cell vector is longer than {FARTHEST:g} Å: {_shown(structure.cell)}; look for a wrong unit"
        )
    if not structure.pbc.any():
        return
    heights = structure.heights()
    low = np.flatnonzero(structure.pbc & (heights < LEAST_LAYER))
    if len(low):
        axis = int(low[0])
        raise InputError(
            f"{where}: the cell's faces along vector {axis + 1} are {heights[axis]:.3g} Å apart, expected at least "
            f"{LEAST_LAYER:g} Å: {_shown(structure.cell)}; look for a wrong unit, or take a less skewed cell of the "
            "same lattice (ase.build.minkowski_reduce finds one)"
        )
    if structure.pbc.all() and structure.volume < LEAST_VOLUME * len(structure):
        raise InputError(
            f"{where}: {len(structure)} atoms in {structure.volume:.3g} Å³, expected at least {LEAST_VOLUME:g} Å³ for "
            "each; look for a wrong unit of the cell"
        )


def _check_places(structure: Structure, where: str) -> None:
    pair = _same_place(structure)
    if pair is None:
        return
    from ase.data import chemical_symbols

    names = " and ".join(f"{chemical_symbols[int(structure.numbers[k])]}{k}" for k in pair)
    images = " (periodic images counted)" if structure.pbc.any() else ""
    raise InputError(
        f"{where}: {names} (counted from 0) are at the same position, less than {SAME_PLACE:g} Å apart{images}; "
        "remove one of them, or write thirds of a cell with more digits"
    )


def _same_place(structure: Structure) -> tuple[int, int] | None:
    """Two atoms nearer than SAME_PLACE, or None.

    Fractions of the cell times its heights span a box of right angles in which no two atoms are farther apart along
    any axis than in space: neighbours there are the candidates.
    """
    if len(structure) == 1:
        return None
    from scipy.spatial import cKDTree

    cell, heights = structure.padded_cell(), structure.heights()
    fractions = structure.positions @ np.linalg.inv(cell)
    fractions[:, structure.pbc] %= 1.0
    fractions[:, structure.pbc] %= 1.0  # again: what was a little below 0 became 1
    crowded = _same_voxel(fractions @ cell)
    if crowded is not None:
        return crowded
    points, box = fractions * heights, np.where(structure.pbc, heights, 0.0)
    # a few nearest ones are enough: in so small a box there is room for no more atoms that are apart
    _, near = cKDTree(points, boxsize=box).query(
        points, k=np.arange(2, 9), p=np.inf, distance_upper_bound=SAME_PLACE
    )
    first, which = np.nonzero(np.asarray(near) < len(structure))
    second = np.asarray(near)[first, which]
    steps = fractions[first] - fractions[second]
    steps[:, structure.pbc] -= np.round(steps[:, structure.pbc])
    same = np.flatnonzero((np.linalg.norm(steps @ cell, axis=1) < SAME_PLACE) & (first != second))
    return _in_order(first[same[0]], second[same[0]]) if len(same) else None


def _same_voxel(positions: FloatArray) -> tuple[int, int] | None:
    """Two atoms in one cube whose diagonal is below SAME_PLACE; without any, a search tree has few in each place."""
    voxels = np.floor(positions / (0.5 * SAME_PLACE)).astype(np.int64)
    order = np.lexsort(voxels.T)
    shared = np.flatnonzero((np.diff(voxels[order], axis=0) == 0).all(axis=1))
    return _in_order(order[shared[0]], order[shared[0] + 1]) if len(shared) else None


def _in_order(i: int, j: int) -> tuple[int, int]:
    return (int(i), int(j)) if i < j else (int(j), int(i))


def check_connected(structure: Structure, where: str) -> None:
    """Raise InputError where parts of the structure are so far apart that neither feels the other.

    Atoms are sorted into boxes of 25 Å across the directions that are not periodic; boxes that touch belong together.
    """
    free = _free_directions(structure)
    if not free.shape[1]:
        return
    boxes = np.floor(structure.positions @ free / FRAGMENTS_APART).astype(np.int64)
    occupied = {tuple(box) for box in boxes.tolist()}
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * free.shape[1]), axis=-1).reshape(-1, free.shape[1]).tolist()
    reached, edge = set(), [tuple(boxes[0].tolist())]
    while edge:
        box = edge.pop()
        if box in reached:
            continue
        reached.add(box)
        neighbours = (tuple(a + b for a, b in zip(box, step, strict=True)) for step in steps)
        edge += [near for near in neighbours if near in occupied]
    if len(reached) < len(occupied):
        strays = [k for k, box in enumerate(boxes.tolist()) if tuple(box) not in reached]
        raise InputError(
            f"{where}: {len(strays)} of its {len(structure)} atoms, such as atom {strays[0]} (counted from 0), "
            f"are more than {FRAGMENTS_APART:g} Å from the others, so the parts do not interact. "
            "Hand in each part separately"
        )


def check_timestep(structures: Sequence[Structure], timestep_fs: float, where: str) -> str | None:
    """A warning where steps are long for the lightest atom; None where they are not.

    Raises
    ------
    InputError
        Verlet steps of this length cannot follow its vibrations: the energy grows until the structure bursts.
    """
    from ase.data import chemical_symbols

    masses = [
        (float(structure.amu.min()), int(structure.amu.argmin()), structure) for structure in structures
    ]
    mass, number, structure = min(masses, key=lambda one: one[0])
    stable = next(limit for bound, limit in _STABLE_FS if mass < bound)
    atom = chemical_symbols[int(structure.numbers[number])]
    if timestep_fs > stable:
        raise InputError(
            f"{where}: steps of {timestep_fs:g} fs cannot follow the vibrations of {atom}, the limit is {stable:g} fs; "
            "use a shorter one, or let Thalweg choose it"
        )
    if timestep_fs > stable / 2:
        cure = f"look at the drift of the energy, or take {stable / 6:.1g} fs"
        return f"{where}: {timestep_fs:g} fs is long for {atom}; {cure}"
    return None


def check_temperature(temperatures: Sequence[float], where: str) -> str | None:
    """A warning where dynamics would be hotter than any condensed substance or molecule; None where they would not.

    Raises
    ------
    InputError
        A temperature that is negative, not finite, or beyond 20,000 K.
    """
    lowest, highest = min(temperatures), max(temperatures)
    if not (lowest >= 0.0 and highest <= HOTTEST):
        odd = lowest if not lowest >= 0.0 else highest
        raise InputError(f"{where}: expected 0 to {HOTTEST:g} K, got {odd:g}")
    if highest > HOT:
        return f"{where}: {highest:g} K is hotter than any bond or crystal lasts ({HOT:g} K); is it meant?"
    return None


def check_movable(structure: Structure, where: str) -> None:
    """Raise InputError where every atom is held along x, y and z, so that nothing could move."""
    if structure.n_free == 0:
        raise InputError(
            f"{where}: all of its {len(structure)} atoms are held, so that nothing moves; free some of them (FixAtoms, "
            "move_mask, selective dynamics)"
        )


def check_filled(structure: Structure, where: str) -> None:
    """Raise InputError where a cell whose size is to follow the pressure holds a layer of vacuum.

    The barostat would press the vacuum out of it.
    """
    axis, gap = largest_gap(structure)
    if gap > VACUUM:
        raise InputError(
            f"{where}: along cell vector {axis + 1} there are {gap:.1f} Å without an atom: at constant "
            "pressure the cell would close over this vacuum; keep the cell fixed (nvt), or take one without vacuum"
        )


def largest_gap(structure: Structure) -> tuple[int, float]:
    """The thickest layer without an atom between faces of the cell: the cell vector (from 0) across it, and Å."""
    heights = structure.heights()
    fractions = np.linalg.solve(structure.cell.T, structure.positions.T).T % 1.0
    ordered = np.sort(fractions, axis=0)
    gaps = np.diff(np.vstack([ordered, ordered[:1] + 1.0]), axis=0).max(axis=0) * heights
    axis = int(np.argmax(gaps))
    return axis, float(gaps[axis])


def _free_directions(structure: Structure) -> FloatArray:
    """An orthonormal basis (3, k) of the directions that no periodic cell vector reaches."""
    periodic = structure.cell[structure.pbc]
    if not len(periodic):
        return np.eye(3)
    return np.asarray(np.linalg.svd(periodic)[2][len(periodic) :].T, dtype=np.float64)


def _shown(cell: FloatArray) -> str:
    return "[" + ", ".join("[" + ", ".join(f"{x:.4g}" for x in row) + "]" for row in cell.tolist()) + "]"
