"""From a large structure to a small cell that the oracle can afford, around the atom that is uncertain.

Candidates: for a crystal its own sublattices; otherwise, and where none keeps what the target sees, close-packed and
cubic cells of the parent's density; for an isolated system a cluster of whole molecules. Each is filled, its boundary
is settled, and the best by `Cell.score` is taken. Related ways: Podryabinkin et al., arXiv:2304.13144 (environments
extracted and completed to a periodic configuration); Erhard et al., Nat. Commun. 15, 1927 (2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.carving.cell import Cell, CellKind
from thalweg.carving.cutting import Rules, fill, n_inside
from thalweg.carving.lattice import best_sublattice, crystal_lattice, packed_lattice, reduced
from thalweg.carving.place import Place
from thalweg.carving.relaxing import settle
from thalweg.errors import InputError, check
from thalweg.potential import Potential, Prediction
from thalweg.structure import FloatArray, IntArray, Structure

SAME_SITE = 0.5
"""Two copies of one site of a crystal are nearer than this fraction of the shortest usual distance."""
TIGHT = (0.9, 0.8, 0.7)
"""Elsewhere atoms must be this far apart, over that distance; the next is tried where too few fit."""
FEWER = 0.97
"""Share of the parent's density below which too few fit."""
PACKING = {1: 1.0, 2: 0.75**0.5, 3: 0.5**0.5}
"""Volume of the closest-packed lattice in so many dimensions, over the shortest vector to that power."""
SIZES = 12
"""Sizes tried from there on: no crystal's sublattices are much worse."""
FOREIGN = 4
"""Atoms beyond those of the ideal crystal for which a smaller cell leaves room."""
COVERED = 0.05
"""An atom whose features deviate by less in some cell needs no cell of its own."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """A cell to try: lattice vectors (k, 3) Å, what to keep, how close atoms may come, how many."""

    kind: CellKind
    vectors: FloatArray
    keep: float
    tightness: tuple[float, ...]
    n_wanted: int | None = None


def carve(structure: Structure, potential: Potential, atom: int, *, max_atoms: int = 100) -> Cell:
    """Cut the cell of at most `max_atoms` atoms that stands best for the surroundings of one atom.

    Raises
    ------
    InputError
        No such atom, an element that the potential does not know, or no cell of that size can be cut.
    """
    place = Place.of(structure, potential, atom, max_atoms)
    if len(structure) <= max_atoms:
        return _whole(place)
    best: Cell | None = None
    for plans in (_crystal_plans(place), _general_plans(place), _general_plans(place, through=True)):
        cells = [cell for plan in plans if (cell := _cell(place, plan)) is not None]
        best = min([*cells, *([best] if best else [])], key=lambda cell: cell.score, default=None)
        if best is not None and best.target_change == 0:
            break
    if best is None:
        raise InputError(
            f"carve: no cell of {max_atoms} atoms can be cut around atom {atom}: its molecule, or what lies nearest to "
            "it, is larger. Allow more atoms (--max-atoms)"
        )
    return best


def carve_uncertain(
    structure: Structure,
    potential: Potential,
    *,
    bound: FloatArray | None = None,
    first: int | None = None,
    above: float | None = None,
    max_atoms: int = 100,
    n_cells: int = 1,
) -> list[Cell]:
    """Cells for the most uncertain atom, then for the next that no cell before covers, up to `n_cells`.

    `bound` (n_atoms,), eV/Å, says how uncertain each atom is; without it the potential is asked. `first` is an atom
    that gets the first cell whatever its bound. Atoms count as uncertain from `above` (eV/Å) on, half of the largest
    bound where that is None.
    """
    scores = potential.predict(structure).forces_bound if bound is None else bound
    check(
        scores.shape == (len(structure),),
        f"carve: {len(structure)} atoms need as many bounds, got {scores.shape}",
    )
    least = 0.5 * float(scores.max()) if above is None else above
    left = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= least]
    if first is not None:
        left = [first, *(i for i in left if i != first)]
    check(
        left, f"carve: no atom has a bound of {least:g} eV/Å or more; the largest is {scores.max():.3g} eV/Å"
    )
    cells: list[Cell] = []
    while left and len(cells) < n_cells:
        cell = carve(structure, potential, left[0], max_atoms=max_atoms)
        covered = {int(i) for i in cell.parent[cell.change < COVERED]} | {left[0]}
        left = [i for i in left if i not in covered]
        cells.append(cell)
    return cells


# ---- candidates ---------------------------------------------------------------------------------------


def _crystal_plans(place: Place) -> Iterator[_Plan]:
    """Sublattices of the crystal: the smallest that keep what is to be kept, else the widest there is room for."""
    lattice = crystal_lattice(place.structure, place.wide, place.across)
    if lattice is None:
        return
    box = place.structure.cell[place.structure.pbc]
    volume, whole = (np.sqrt(np.linalg.det(v @ v.T)) for v in (lattice.vectors, box))
    per_cell = len(place.structure) * volume / whole
    largest = int(place.max_atoms / per_cell)
    k = int(lattice.free.sum())
    unit = np.sqrt(np.linalg.det(lattice.vectors[lattice.free] @ lattice.vectors[lattice.free].T))
    for keep in place.keeps:
        first = max(1, int(PACKING[k] * (2.0 * keep) ** k / unit))
        for times in range(first, min(first + SIZES, largest + 1)):
            vectors, shortest = best_sublattice(lattice, times)
            if shortest >= 2.0 * keep:
                yield _Plan(CellKind.CRYSTAL, vectors, keep, (SAME_SITE,))
                break
    for times in sorted({largest, largest - 1 - int(FOREIGN / per_cell)}):
        if times >= 1:  # the smaller one leaves room for what an interstitial adds
            vectors, shortest = best_sublattice(lattice, times)
            yield _Plan(CellKind.CRYSTAL, vectors, min(place.keeps[0], 0.5 * shortest), (SAME_SITE,))


def _general_plans(place: Place, *, through: bool = False) -> Iterator[_Plan]:
    """Cells that owe nothing to a crystal, or a cluster where nothing is periodic.

    `through`: cut through a slab, too, and let its lower part go.
    """
    if not place.structure.pbc.any():
        for keep in place.keeps:
            yield _Plan(CellKind.CLUSTER, np.zeros((0, 3)), keep, (0.0,))
        return
    fixed = place.structure.cell[place.vacuum & (not through)]
    across = place.structure.cell[place.structure.pbc if through else place.across]
    if not len(across) or (through and not place.vacuum.any()):
        return
    nearest = min(place.apart.values())  # so much room keeps what two images of the target see apart
    for cubic in (False, True):
        widest = _widest(place, across, fixed, cubic)
        for keep in sorted({min(keep, 0.5 * widest - 1e-9) for keep in place.keeps} if widest > 0 else ()):
            for shortest in sorted({min(2.0 * keep + room, widest) for room in (2e-9, nearest, np.inf)}):
                vectors = np.vstack([packed_lattice(across, shortest, cubic=cubic), fixed])
                yield _Plan(CellKind.PACKED, vectors, keep, TIGHT, n_inside(place.near, vectors))


def _widest(place: Place, across: FloatArray, fixed: FloatArray, cubic: bool) -> float:
    """The longest shortest vector (Å) of a cell that holds at most as many atoms as allowed; 0 for none."""
    low, high = 0.0, 1.6 * place.near.radius
    for _ in range(30):
        middle = 0.5 * (low + high)
        vectors = np.vstack([packed_lattice(across, middle, cubic=cubic), fixed])
        low, high = (middle, high) if n_inside(place.near, vectors) <= place.max_atoms else (low, middle)
    return low


# ---- from a plan to a cell ----------------------------------------------------------------------------


def _cell(place: Place, plan: _Plan) -> Cell | None:
    """The plan carried out; None where the target's own unit does not fit."""
    taken = _filled(place, plan)
    if taken is None:
        return None
    start = _structure(place, plan, taken)
    distance = place.near.distance[taken]
    bound, novelty = place.reference(taken)
    changed = distance + place.r_cut > plan.keep

    def excess(prediction: Prediction) -> float:
        if not changed.any():
            return 0.0
        worst = float((prediction.forces_bound / bound)[changed].max())
        if novelty is not None and prediction.novelty is not None:
            worst = max(worst, float((prediction.novelty / novelty)[changed].max()))
        return worst

    rigid = place.near.is_molecular and plan.kind is CellKind.CLUSTER
    settled = settle(
        start,
        place.potential,
        (distance >= plan.keep) & (not rigid),
        target=0,
        keep=plan.keep,
        ordinary_force=place.ordinary_force,
        excess=excess,
    )
    moved = float(np.linalg.norm(settled.structure.positions - start.positions, axis=1).max())
    return _finished(place, plan.kind, settled.structure, settled.prediction, taken, settled.excess, moved)


def _filled(place: Place, plan: _Plan) -> IntArray | None:
    """Which of the surroundings the cell takes, at the tightest packing that gives about the parent's density."""
    best: IntArray | None = None
    formula = place.formula if plan.kind is CellKind.PACKED and not place.near.is_molecular else None
    for tight in plan.tightness:
        apart = {pair: tight * d for pair, d in place.apart.items()}
        wanted = plan.n_wanted
        most = place.max_atoms + (FOREIGN if plan.kind is CellKind.CRYSTAL else 0)
        taken = fill(place.near, plan.vectors, Rules(plan.keep, apart, most, formula), wanted)
        if len(taken) > place.max_atoms:
            return None  # cut short it would have a vacancy
        if plan.kind is CellKind.CLUSTER:
            taken = taken[_seen_units(place, taken, plan.keep)]
        if len(taken) and taken[0] == 0 and (best is None or len(taken) > len(best)):
            best = taken
        if best is not None and (wanted is None or len(best) >= FEWER * min(wanted, place.max_atoms)):
            break
    return best


def _seen_units(place: Place, taken: IntArray, keep: float) -> IntArray:
    """Of a cluster's atoms, those in a unit that the target sees: the rest only costs calls."""
    near = place.near
    seen = np.unique(near.unit[taken][near.distance[taken] < keep])
    return np.flatnonzero(np.isin(near.unit[taken], seen))


def _structure(place: Place, plan: _Plan, taken: IntArray) -> Structure:
    """The cell's atoms where they were relative to the target, which sits in the middle."""
    parent, x = place.structure, place.near.x[taken]
    if plan.kind is CellKind.CLUSTER:
        return parent.part(place.near.parent[taken], x, np.zeros((3, 3)), parent.pbc)
    cell = np.array(parent.cell)
    cell[parent.pbc] = reduced(plan.vectors)
    x = x + 0.5 * cell[parent.pbc].sum(axis=0)
    whole = np.linalg.pinv(cell[parent.pbc])
    x = x - np.floor(x @ whole) @ cell[parent.pbc]
    return parent.part(place.near.parent[taken], x, cell, parent.pbc)


def _whole(place: Place) -> Cell:
    """The large structure itself, where it is small enough."""
    n = len(place.structure)
    prediction = place.potential.predict(place.structure)
    novelty = np.nan if prediction.novelty is None else float(prediction.novelty[place.atom])
    return Cell(
        structure=place.structure,
        atom=place.atom,
        target=place.atom,
        parent=np.arange(n, dtype=np.int64),
        change=np.zeros(n),
        bound=prediction.forces_bound,
        novelty=prediction.novelty,
        bound_before=float(prediction.forces_bound[place.atom]),
        novelty_before=novelty,
        excess=0.0,
        moved=0.0,
        kind=CellKind.WHOLE,
    )


def _finished(
    place: Place,
    kind: CellKind,
    structure: Structure,
    prediction: Prediction,
    taken: IntArray,
    excess: float,
    moved: float,
) -> Cell:
    _, _, bound, novelty = place.before
    return Cell(
        structure=structure,
        atom=place.atom,
        target=0,
        parent=place.near.parent[taken],
        change=place.change(structure, taken),
        bound=prediction.forces_bound,
        novelty=prediction.novelty,
        bound_before=float(bound[0]),
        novelty_before=np.nan if novelty is None else float(novelty[0]),
        excess=excess,
        moved=moved,
        kind=kind,
    )
