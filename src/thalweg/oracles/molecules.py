"""What a method for molecules is asked to calculate with: charge and multiplicity of a structure, or a refusal."""

from __future__ import annotations

from ase.data import ground_state_magnetic_moments

from thalweg.errors import InputError, OracleError
from thalweg.oracles.base import is_isolated_atom
from thalweg.structure import Electrons, Structure, electrons_of


def electrons_for(
    structure: Structure,
    charge: int | None,
    multiplicity: int | None,
    who: str,
    counted: Structure | None = None,
) -> Electrons:
    """The electrons of a structure; a lone atom is neutral, with the unpaired electrons of its ground state.

    Parameters
    ----------
    charge, multiplicity : of the oracle's settings; None leaves them to the structure
    who : the method, for messages
    counted : the structure with other nuclei, where the method counts electrons of some in its core

    Raises
    ------
    OracleError
        As `thalweg.structure.electrons_of` refuses them.
    """
    if is_isolated_atom(structure):
        return Electrons(0, 1 + round(float(ground_state_magnetic_moments[int(structure.numbers[0])])))
    try:
        return electrons_of(structure if counted is None else counted, charge, multiplicity)
    except InputError as error:
        raise OracleError(f"{who}: {error}") from None
