"""Reference energies: isolated atoms in any cell, of this method, of one energy, and said where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from thalweg.errors import InputError
from thalweg.features import AceBasis
from thalweg.fitting import find_references, fit_labels, is_isolated_atom, make_baseline
from thalweg.label import Label
from thalweg.structure import Structure

E0 = {1: -13.0, 6: -1030.0}


def one(number, energy, box=None):
    cell, pbc = (np.zeros((3, 3)), False) if box is None else (np.eye(3) * box, True)
    structure = Structure(np.array([number]), np.zeros((1, 3)), cell, np.full(3, pbc))
    return structure, Label(energy, np.zeros((1, 3)))


def bound(numbers, binding=4.0, box=None):
    """A molecule whose atoms are bound by so many eV each."""
    n = len(numbers)
    places = np.arange(n)[:, None] * np.array([1.1, 0.2, 0.1])
    cell, pbc = (np.zeros((3, 3)), False) if box is None else (np.eye(3) * box, True)
    structure = Structure(np.array(numbers), places, cell, np.full(3, pbc))
    return structure, Label(sum(E0[z] for z in numbers) - n * binding, np.zeros((n, 3)))


def test_an_atom_is_isolated_where_nothing_is_within_the_cutoff():
    assert is_isolated_atom(one(6, 0.0)[0], 5.0)
    assert is_isolated_atom(one(6, 0.0, box=12.0)[0], 5.0)
    assert not is_isolated_atom(one(6, 0.0, box=3.0)[0], 5.0)
    assert not is_isolated_atom(one(6, 0.0, box=12.0)[0], 13.0)
    assert not is_isolated_atom(bound([1, 1], box=30.0)[0], 5.0)


@pytest.mark.parametrize("box", [None, 15.0])
def test_isolated_atoms_of_all_elements_are_the_references(box):
    labels = [bound([6, 1, 1]), one(1, -13.0, box), bound([6, 6, 1]), one(6, -1030.0, box)]
    found = find_references(labels, ("H", "C"), 5.0)
    assert found.energies.tolist() == [-13.0, -1030.0]
    assert found.isolated == {"H": 1, "C": 3}
    assert found.warnings(range(1, 5)) == []
    assert make_baseline(labels, ("H", "C")).reference_energies.tolist() == [-13.0, -1030.0]


def test_an_isolated_atom_of_one_element_is_its_reference_and_the_others_are_fitted():
    labels = [bound([6, 1, 1], 4.0, box=15.0), one(1, -13.0, 15.0)]
    found = find_references(labels, ("H", "C"), 5.0)
    assert found.energies == pytest.approx([-13.0, -1030.0 - 12.0])
    assert found.to_json() == {
        "H": {"energy": -13.0, "origin": "isolated"},
        "C": {"energy": pytest.approx(-1042.0), "origin": "fitted"},
    }


def test_two_that_disagree_are_named_and_the_lower_is_taken():
    labels = [bound([6, 1]), one(1, -12.0), one(1, -13.0), one(6, -1030.0), one(6, -1030.0)]
    found = find_references(labels, ("H", "C"), 5.0)
    assert found.energies.tolist() == [-13.0, -1030.0]
    (warning,) = found.warnings(range(11, 16))
    assert "isolated H has more than one energy: -12 eV (structure 12), -13 eV (structure 13)" in warning


@pytest.mark.parametrize("wrong", [-150.0, -2000.0])
def test_one_of_another_method_is_named_and_set_aside(wrong):
    labels = [bound([6, 1, 1]), bound([6, 6, 1, 1]), bound([6, 1, 1, 1, 1]), one(1, -13.0), one(6, wrong)]
    found = find_references(labels, ("H", "C"), 5.0)
    (warning,) = found.warnings(range(1, 6))
    assert f"isolated C is of another method than the labels: {wrong:g} eV (structure 5)" in warning
    assert found.set_aside == {4}
    assert found.energies == pytest.approx([-13.0, -1034.0], abs=8)
    sound = find_references([*labels[:4], one(6, -1030.0)], ("H", "C"), 5.0)
    assert (sound.set_aside, sound.energies.tolist()) == (set(), [-13.0, -1030.0])
    both = find_references([*labels, one(6, -1030.0)], ("H", "C"), 5.0)
    assert both.energies.tolist() == [-13.0, -1030.0]


def test_one_composition_does_not_determine_them_and_it_is_said():
    alone = find_references([bound([6, 1, 1])] * 3, ("H", "C"), 5.0)
    assert alone.undetermined == ("H", "C")
    assert "arbitrary" in alone.words
    two = find_references([bound([6, 1, 1]), bound([6, 1])], ("H", "C"), 5.0)
    assert two.undetermined == ()
    assert "arbitrary" not in two.words
    element = find_references([bound([6, 6])] * 3, ("C",), 5.0)
    assert element.undetermined == ()


def test_isolated_atoms_alone_are_no_training_set():
    basis = AceBasis(("C",), 5.0, correlation_order=2, max_degree=(6, 4))
    with pytest.raises(InputError, match="isolated atom"):
        fit_labels([one(6, -1030.0, 15.0)], basis)


def test_an_energy_that_is_far_from_all_others_has_no_say_in_fitted_ones():
    right = [bound([6] * (1 + k % 3) + [1] * (1 + k % 4)) for k in range(12)]
    structure, label = right[5]
    wrong = [*right, (structure, Label(label.energy + 1e6, label.forces))]
    expected = find_references(right, ("H", "C"), 5.0).energies
    assert find_references(wrong, ("H", "C"), 5.0).energies == pytest.approx(expected, abs=1e-9)
    assert expected == pytest.approx([E0[1] - 4.0, E0[6] - 4.0], abs=1e-9)


def test_where_a_composition_would_be_lost_no_energy_is_left_out():
    labels = [bound([1, 1]) for _ in range(6)] + [bound([6, 6], binding=400.0)]
    found = find_references(labels, ("H", "C"), 5.0)
    assert found.energies == pytest.approx([E0[1] - 4.0, E0[6] - 400.0], abs=1e-6)


def test_a_lone_ion_is_no_reference_and_is_set_aside():
    structure, label = one(1, -40.0)
    ion, atom, others = (replace(structure, charge=-1), label), one(1, -13.0), [bound([1, 1]), bound([1] * 3)]
    found = find_references([ion, atom, *others], ("H",), 5.0)
    assert found.energies.tolist() == [-13.0]
    assert found.set_aside == {0}
    (words,) = found.warnings([1, 2, 3, 4])
    assert words.startswith("isolated atoms with a charge (structures 1) give no reference energies")
    assert find_references([atom, *others], ("H",), 5.0).warnings([1, 2, 3]) == []
