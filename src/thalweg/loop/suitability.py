"""Whether start structures suit what a run is to do with them, and what to know of them before any call is made."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.border import check_filled
from thalweg.cells import repeats_to_reach, shortest_vector
from thalweg.config import RunConfig
from thalweg.errors import InputError
from thalweg.explorers.order import is_crystal
from thalweg.oracles.base import Oracle
from thalweg.structure import Structure
from thalweg.vocabulary import Coupling


def check_cells(config: RunConfig, structures: Sequence[Structure]) -> None:
    """Whether they can be strained, and follow a pressure, where that is asked for."""
    periodic = all(structure.pbc.all() for structure in structures)
    if (config.explore.strain or 0.0) > 0 and not periodic:
        raise InputError(
            "explore.strain: only structures that are periodic in three directions can be strained"
        )
    _check_held(config, structures)
    if config.explore.ensemble != "npt":
        return
    if not periodic:
        raise InputError(
            "explore.ensemble: npt needs structures that are periodic in three directions; use nvt for molecules"
        )
    for structure in structures:
        check_filled(structure, "explore.ensemble")


def _check_held(config: RunConfig, structures: Sequence[Structure]) -> None:
    """Whether the cell is to move while some of its atoms are held: it would take them along."""
    moving = {
        "explore.strain": (config.explore.strain or 0.0) > 0,
        "explore.ensemble: npt": config.explore.ensemble == "npt",
        "system.relax: cell": config.system.relax == "cell",
    }
    asked = [setting for setting, wanted in moving.items() if wanted]
    if asked and any(structure.fixed is not None for structure in structures):
        raise InputError(
            f"{asked[0]} moves every atom with the cell, and some are held in the structure file; free them, or leave "
            "the cell as it is"
        )


def check_stress(config: RunConfig, oracle: Oracle, structures: Sequence[Structure]) -> None:
    """Whether there is a stress where one is to be certified, and to relax the cells with where that is asked for."""
    if config.target.stress_error is not None and not (
        oracle.gives_stress and all(structure.pbc.all() for structure in structures)
    ):
        raise InputError(
            "target.stress_error: a stress needs structures that are periodic in three directions and an oracle that "
            f"gives it; {oracle.display_name} {'does' if oracle.gives_stress else 'does not'}. Remove the line"
        )
    if config.system.relax != "cell":
        return
    if not oracle.gives_stress:
        raise InputError(
            f"system.relax: relaxing the cell needs stress, which {oracle.display_name} does not give; use positions"
        )
    for structure in structures:
        if not structure.pbc.all():
            raise InputError(
                "system.relax: only cells that are periodic in three directions can be relaxed; use positions"
            )
        check_filled(structure, "system.relax")


def automatic_coupling(structures: Sequence[Structure], *, gives_stress: bool) -> Coupling:
    """Crystals may change their shape, if labels say what that costs; a liquid's cell would flow."""
    return "full" if gives_stress and all(is_crystal(structure) for structure in structures) else "isotropic"


def small_cell(structures: Sequence[Structure], r_cut: float) -> str | None:
    """A warning where a cell is smaller than the potential's reach (Å), with the repeats that would do."""
    small = [
        (number, structure, length)
        for number, structure in enumerate(structures, start=1)
        if (length := shortest_vector(structure)[0]) < r_cut
    ]
    if not small:
        return None
    number, structure, length = small[0]
    others = f" (and {len(small) - 1} others)" if len(small) > 1 else ""
    repeat = list(repeats_to_reach(structure, r_cut))
    still = "; forces on its atom vanish by symmetry" if len(structure) == 1 else ""
    return (
        f"small cell, start {number} of {len(structures)}{others}: atoms are {length:.2f} Å from their own images, "
        f"below the cutoff of {r_cut:g} Å{still}; a larger cell shows more, and a certificate of this one says nothing "
        f"about it; system: {{repeat: {repeat}}} would do"
    )
