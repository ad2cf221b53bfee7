"""Names under which programs write what a structure has beyond numbers, positions and cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ase

CHARGES = (
    *("charge", "totalcharge", "totcharge", "netcharge", "systemcharge", "chrg"),
    *("molecularcharge", "molcharge", "formalcharge"),
)
MULTIPLICITIES = ("multiplicity", "spinmultiplicity", "mult")
UNPAIRED = ("uhf", "nunpaired", "unpairedelectrons", "nunpairedelectrons")
SPIN = ("spin", "totalspin")
"""Names in `info` without case, hyphens and underscores."""
MASSES = ("masses", "mass", "atomicmasses", "atomicmass")
MOMENTS = ("initialmagmom", "magmoms", "magmom", "magneticmoments", "magneticmoment")
PARTIAL_CHARGES = ("charges", "charge", "partialcharges", "atomiccharges", "formalcharges", "q")
HELD = ("fixed", "isfixed", "frozen", "isfrozen", "fix")
MOVABLE = ("movable", "ismovable", "selectivedynamics")
"""Names of columns, likewise."""


def plain_name(name: object) -> str:
    """A name without case, hyphens, blanks and underscores, which programs set as they like."""
    return re.sub(r"[-_ ]", "", str(name).lower())


def column(atoms: ase.Atoms, names: tuple[str, ...]) -> Any:
    """The first column (n_atoms, ...) that is called by one of these plain names; None where there is none."""
    called = {plain_name(name): values for name, values in atoms.arrays.items()}
    return next((called[name] for name in names if name in called), None)


def plain_info(atoms: ase.Atoms) -> dict[str, Any]:
    """`atoms.info` by plain names."""
    return {plain_name(name): value for name, value in atoms.info.items()}
