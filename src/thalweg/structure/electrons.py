"""How many electrons a structure has, and which of them are unpaired.

Notation
    Z_i    atomic numbers;  q  total charge, in units of e
    N      number of electrons, sum_i Z_i - q
    2S+1   multiplicity: one more than the number of unpaired electrons, so that N and 2S have one parity
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.errors import InputError
from thalweg.structure.structure import Structure


class UnsaidElectronsError(InputError):
    """A molecule has an odd number of electrons, and nothing says its charge or spin."""


@dataclass(frozen=True)
class Electrons:
    """What a molecule is calculated with.

    charge : int, in units of e
    multiplicity : int, 2S + 1
    """

    charge: int
    multiplicity: int

    @property
    def unpaired(self) -> int:
        """2S."""
        return self.multiplicity - 1


def n_electrons(structure: Structure, charge: int) -> int:
    """N, core electrons counted."""
    return int(structure.numbers.sum()) - charge


def electrons_of(
    structure: Structure, charge: int | None = None, multiplicity: int | None = None
) -> Electrons:
    """Charge and multiplicity of a structure: those that it says itself, else those given, else 0 and a singlet.

    Initial magnetic moments count as a multiplicity where nothing else says one. A structure that is periodic may have
    an odd number of electrons in its cell, as metals do: without a word on its spin it gets the lowest one.

    Parameters
    ----------
    charge, multiplicity : of the oracle's settings; None where they leave it to the structure

    Raises
    ------
    InputError
        The structure says another charge or multiplicity than is given; no electron is left; the number of electrons
        does not go with the multiplicity.
    """
    q = _one_word(structure.charge, charge, "charge")
    spin = _one_word(_own_multiplicity(structure), multiplicity, "multiplicity")
    N = n_electrons(structure, q or 0)
    if N < 1:
        raise InputError(
            f"a charge of {q or 0:+d} leaves {N} electrons, and the nuclei have {structure.numbers.sum()} protons; "
            "correct the charge"
        )
    if spin is None:
        spin = _unsaid(structure, N, q)
    if spin < 1:
        raise InputError(f"multiplicity must be 2S + 1, at least 1, got {spin}")
    if spin - 1 > N:
        raise InputError(
            f"multiplicity {spin} has {spin - 1} unpaired electrons, and there are {N}; correct the multiplicity"
        )
    if (N - (spin - 1)) % 2:
        raise InputError(
            f"{N} electrons (charge {q or 0:+d}) cannot have multiplicity {spin}: "
            f"{'an odd' if N % 2 else 'an even'} number of electrons has multiplicity {'2, 4' if N % 2 else '1, 3'}, "
            f"...; {_CURE}"
        )
    return Electrons(q or 0, spin)


def check_states(structures: Sequence[Structure]) -> None:
    """Raise InputError where structures of one composition differ in charge or multiplicity: no model sees these."""
    known: dict[bytes, tuple[int, Structure]] = {}
    for number, structure in enumerate(structures, start=1):
        key = np.sort(structure.numbers).tobytes()
        first, other = known.setdefault(key, (number, structure))
        if _told(other) != _told(structure):
            formula = structure.to_atoms().get_chemical_formula()
            raise InputError(
                f"{formula} has {_state(other)} in structure {first} and {_state(structure)} in structure {number}; "
                "the potential sees neither charge nor spin, so that each needs a run of its own"
            )


def check_joins(structure: Structure, starts: Sequence[Structure], where: str) -> None:
    """Whether a structure from elsewhere may join a run that begins with others; `where` is its place in messages.

    Raises
    ------
    InputError
        It has another charge or spin than a start of its composition; or it says no charge where a start has one, so
        that it would be taken for neutral.
    """
    charged = next((start.charge for start in starts if start.charge), None)
    if charged is not None and structure.charge is None:
        raise InputError(
            f"{where}: it says no charge, and the run starts from a structure with charge {charged:+d}; write "
            "charge=... into its comment line (atoms.info), charge=0 if it is neutral"
        )
    numbers = np.sort(structure.numbers)
    like = next((start for start in starts if np.array_equal(np.sort(start.numbers), numbers)), None)
    if like is None:
        return
    try:
        check_states([like, structure])
    except InputError as error:
        raise InputError(f"{where}: {error} (1: the run's start, 2: this)") from None


def check_divisible(structure: Structure, where: str) -> None:
    """Raise InputError for a charge or multiplicity, of which nobody knows the share that a part has."""
    if structure.charge or (structure.multiplicity or 1) > 1:
        raise InputError(
            f"{where}: it has a charge or multiplicity, and nobody knows which share of it a part has; take charge and "
            "multiplicity out of the file, and give them to the parts"
        )


def _told(structure: Structure) -> tuple[int, int]:
    """Charge and multiplicity; what is not said is neutral, and a singlet."""
    return structure.charge or 0, structure.multiplicity or 1


def _state(structure: Structure) -> str:
    spin = "no multiplicity" if structure.multiplicity is None else f"multiplicity {structure.multiplicity}"
    return f"{'no charge' if structure.charge is None else f'charge {structure.charge:+d}'} and {spin}"


def _unsaid(structure: Structure, N: int, charge: int | None) -> int:
    if N % 2 == 0:
        return 1
    if structure.pbc.any():
        return 2
    formula = structure.to_atoms().get_chemical_formula()
    missing = "charge or spin" if charge is None else "spin"
    raise UnsaidElectronsError(
        f"{formula} has {N} electrons (charge {charge or 0:+d}), an odd number, and nothing says its {missing}; {_CURE}"
    )


_CURE = (
    "an ion needs its charge, a radical its multiplicity: write charge=-1 or multiplicity=2 into the comment line of "
    "the structure file, or `charge: -1` or `multiplicity: 2` into the oracle's section"
)


def _own_multiplicity(structure: Structure) -> int | None:
    if structure.multiplicity is not None or structure.magmoms is None or structure.pbc.any():
        return structure.multiplicity
    total = structure.magmoms.sum(axis=0)
    return 1 + round(float(np.linalg.norm(total) if structure.magmoms.ndim == 2 else abs(total)))


def _one_word(own: int | None, given: int | None, what: str) -> int | None:
    if own is not None and given is not None and own != given:
        raise InputError(f"its {what} is {own}, and the oracle's section says {given}; leave out one of them")
    return given if own is None else own
