"""Structures that are there twice are found: as they are, renumbered, moved, and in other digits; and no others."""

from dataclasses import replace

import numpy as np
import pytest

from copper import copper
from thalweg.fitting import find_overlap
from thalweg.structure import Structure


@pytest.fixture(scope="module")
def labelled():
    return copper(6)


def changed(pair, positions, numbers=None):
    structure, label = pair
    return Structure(
        structure.numbers if numbers is None else numbers, positions, structure.cell, structure.pbc
    ), label


def moved(pair):
    structure = pair[0]
    return changed(pair, structure.positions + np.array([0.7, -3.0, 11.0]))


def renumbered(pair):
    return changed(pair, pair[0].positions[::-1].copy())


def wrapped(pair):
    structure = pair[0]
    return changed(pair, structure.positions + np.eye(8, 3) @ structure.cell)


def rounded(pair):
    structure, label = pair
    return changed((structure, replace(label, energy=round(label.energy, 5))), structure.positions.round(5))


@pytest.mark.parametrize("change", [lambda pair: pair, moved, renumbered, wrapped, rounded])
def test_test_structures_that_were_trained_on_are_named(labelled, change):
    train, others = labelled[:4], labelled[4:]
    overlap = find_overlap(train, [others[0], change(train[2]), others[1]])
    assert overlap.tested == ((1, 2),)
    assert overlap.repeated == ()
    (warning,) = overlap.warnings(3, [11, 12, 13, 14], [1, 2, 3])
    assert warning.startswith("1 of 3 test structures are in the training set: 2 = 13 ")
    assert overlap.to_json([11, 12, 13, 14], [1, 2, 3])["test_in_train"] == [[2, 13]]


def test_neighbours_in_a_trajectory_are_not_the_same(labelled):
    structure, label = labelled[0]
    step = structure.positions.copy()
    step[3, 1] += 0.01
    overlap = find_overlap(labelled, [changed((structure, label), step), *copper(4, seed=1)])
    assert overlap.tested == overlap.repeated == ()
    assert overlap.warnings(5, range(6), range(5)) == []


def test_repeated_training_structures_are_counted_and_contradictions_named(labelled):
    structure, label = labelled[1]
    other = replace(label, energy=label.energy + 0.5)
    overlap = find_overlap([*labelled, labelled[0], (structure, other)])
    assert overlap.repeated == ((6, 0), (7, 1))
    assert overlap.contradicting == ((7, 1),)
    twice, unlike = overlap.warnings(0, range(1, 9), ())
    assert twice.startswith("2 training structures are there more than once: 7 = 1, 8 = 2;")
    assert unlike.startswith("1 of these have another energy")


def test_molecules_turned_are_the_same_and_mirrored_compositions_not(labelled):
    rng = np.random.default_rng(3)
    places, turn = rng.normal(size=(5, 3)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    empty, label = np.zeros((3, 3)), replace(labelled[0][1], stress=None)
    numbers = np.array([6, 1, 1, 8, 1])
    one = Structure(numbers, places, empty, np.zeros(3, bool)), label
    turned = Structure(numbers, places @ turn, empty, np.zeros(3, bool)), label
    swapped = Structure(numbers[[3, 1, 2, 0, 4]], places, empty, np.zeros(3, bool)), label
    assert find_overlap([one], [turned, swapped]).tested == ((0, 0),)
