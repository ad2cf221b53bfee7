"""Small calls that show whether an oracle works."""

from __future__ import annotations

from thalweg.errors import SetupError
from thalweg.label import Label
from thalweg.oracles.base import Oracle
from thalweg.structure import Structure


def label_small(oracle: Oracle, system: str) -> str:
    """Label a small system and describe the outcome.

    `system` names a molecule of ASE's collection (`H2O`) or an element with a crystal (`Cu`, its conventional cell).
    Raises SetupError with the failure's message where no label comes.
    """
    from ase.build import bulk, molecule
    from ase.data import chemical_symbols

    atoms = bulk(system, cubic=True) if system in chemical_symbols else molecule(system)
    structure = Structure.from_atoms(atoms)
    outcome = oracle.label(structure)
    if not isinstance(outcome, Label):
        raise SetupError(f"no label of {system}: {outcome.message}")
    return f"{len(structure)} atoms in {1e3 * outcome.wall_time:.0f} ms, {outcome.energy:.3f} eV"
