"""Charge, multiplicity and the number of electrons: what goes together, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ase.build import bulk, molecule

from thalweg.errors import InputError
from thalweg.structure import (
    Electrons,
    Structure,
    UnsaidElectronsError,
    check_states,
    electrons_of,
    n_electrons,
)

WATER = Structure.from_atoms(molecule("H2O"))
METHYL = Structure.from_atoms(molecule("CH3"))


def plain(name: str) -> Structure:
    structure = Structure.from_atoms(molecule(name))
    return replace(structure, magmoms=None)


def test_a_singlet_goes_without_saying():
    assert electrons_of(WATER) == Electrons(0, 1)
    assert n_electrons(WATER, 0) == 10
    assert electrons_of(WATER, charge=2) == Electrons(2, 1)


def test_an_odd_number_of_electrons_must_be_explained():
    with pytest.raises(UnsaidElectronsError, match=r"CH3 has 9 electrons .* nothing says its charge or spin"):
        electrons_of(plain("CH3"))
    with pytest.raises(UnsaidElectronsError, match="nothing says its spin"):
        electrons_of(WATER, charge=1)
    assert electrons_of(plain("CH3"), charge=1) == Electrons(1, 1)
    assert electrons_of(plain("CH3"), multiplicity=2).unpaired == 1
    assert electrons_of(Structure.from_atoms(bulk("Al"))) == Electrons(
        0, 2
    )  # a metal's cell may have any number


def test_the_structure_itself_may_say_it():
    assert electrons_of(replace(WATER, charge=-1, multiplicity=2)) == Electrons(-1, 2)
    assert electrons_of(METHYL) == Electrons(0, 2)  # of ASE's initial moments
    with pytest.raises(InputError, match="its charge is -1, and the oracle's section says 1"):
        electrons_of(replace(WATER, charge=-1), charge=1)
    with pytest.raises(InputError, match="its multiplicity is 3"):
        electrons_of(replace(WATER, multiplicity=3), multiplicity=1)


@pytest.mark.parametrize(
    ("charge", "multiplicity", "words"),
    [
        (0, 2, "an even number of electrons has multiplicity 1, 3"),
        (1, 3, "an odd number of electrons has multiplicity 2, 4"),
        (10, None, "leaves 0 electrons"),
        (0, 13, "12 unpaired electrons, and there are 10"),
    ],
)
def test_what_cannot_be_is_refused(charge, multiplicity, words):
    with pytest.raises(InputError, match=words):
        electrons_of(WATER, charge, multiplicity)


def test_one_composition_in_two_states_does_not_belong_into_one_run():
    hydroxide = replace(plain("OH"), charge=-1)
    check_states([WATER, hydroxide, replace(WATER, charge=0)])
    with pytest.raises(InputError, match="no charge and no multiplicity in structure 1 and charge \\+1"):
        check_states([WATER, replace(WATER, charge=1, multiplicity=2)])


def test_what_is_not_said_is_a_neutral_singlet():
    said = Structure.from_atoms(molecule("H2O"))
    said, unsaid = replace(said, charge=0, multiplicity=1), said
    check_states([said, unsaid])
    with pytest.raises(InputError, match="sees neither charge nor spin"):
        check_states([unsaid, replace(unsaid, multiplicity=3)])
