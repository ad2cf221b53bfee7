"""Energies, forces and stress held against each other: each kind of mistake is named, and right labels are not."""

from dataclasses import replace

import numpy as np
import pytest
from wrong import UNIT, changed, copper, judged, keys, molecules, of_one_volume, without_stress

from thalweg.coherence import ODD
from thalweg.models import RowKind
from thalweg.units import GPa

E, F, S = RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL
VASP = [0, 1, 2, 5, 3, 4]
ROWS = [0, 5, 4, 1, 3, 2]
"""Places of ASE's components in VASP's order, and in xx xy xz yy yz zz."""


@pytest.fixture(scope="module")
def right():
    return copper(24)


def with_energy(labelled, change):
    return changed(labelled, lambda k, s, label: replace(label, energy=change(k, s, label.energy)))


def with_forces(labelled, change):
    return changed(labelled, lambda k, _, label: replace(label, forces=change(k, label.forces)))


def with_stress(labelled, change):
    return changed(labelled, lambda k, s, label: replace(label, stress=change(k, s, label.stress)))


@pytest.mark.parametrize("n", [4, 8, 24])
def test_right_labels_are_silent(n, right):
    found = judged(right[:n])
    assert found.findings == ()
    assert found.doubted == frozenset()
    assert found.pressure == 0.0
    assert all((size < ODD).all() for size in found.odd.values())


def test_right_labels_of_molecules_and_of_one_volume_are_silent():
    assert judged(molecules(20)).findings == ()
    assert judged(of_one_volume(20)).findings == ()


def test_quantities_confirm_each_other_where_labels_are_right(right):
    assert judged(right).confirmed == {frozenset({E, F}), frozenset({F, S}), frozenset({E, S})}


def test_too_few_labels_say_nothing(right):
    wrong = with_energy(right[:3], lambda k, s, e: -e)
    assert judged(wrong).findings == ()


# --- one of three --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (lambda s, e: e / len(s), "energy: per atom", "per atom"),
        (lambda s, e: -e, "energy: sign", "opposite sign"),
        (lambda s, e: e / 27.2114, "energy: unit", "Hartree"),
        (lambda s, e: e * 23.0605, "energy: unit", "kcal/mol"),
        (lambda s, e: e + 5.0 * GPa * s.volume, "energy: pressure", "GPa times the volume"),
    ],
)
def test_wrong_energies_are_named(right, change, key, words):
    found = judged(with_energy(right, lambda _, s, e: change(s, e)))
    assert keys(found) == [key]
    assert words in found.findings[0].text
    assert found.doubted == {E}
    assert found.pressure == 0.0  # stress is right, and is left as it is


@pytest.mark.parametrize(
    ("factor", "key", "words"),
    [
        (-1.0, "forces: sign", "gradients"),
        (1 / 51.4221, "forces: unit", "Hartree/Bohr"),
        (23.0605, "forces: unit", "kcal/mol/Å"),
    ],
)
def test_wrong_forces_are_named(right, factor, key, words):
    found = judged(with_forces(right, lambda _, f: f * factor))
    assert keys(found) == [key]
    assert words in found.findings[0].text
    assert found.doubted == {F}


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (lambda s, x: -x, "virial: sign", "opposite sign"),
        (lambda s, x: x / GPa, "virial: unit", "GPa"),
        (lambda s, x: -10 * x / GPa, "virial: unit", "kbar, and of opposite sign"),
        (lambda s, x: x[VASP], "virial: order", "VASP's"),
        (lambda s, x: x[ROWS], "virial: order", "by rows"),
        (lambda s, x: (-10 * x / GPa)[VASP], "virial: order", "kbar, and of opposite sign"),
        (lambda s, x: x * s.volume, "virial: virial", "virial"),
        (lambda s, x: -x * s.volume, "virial: virial", "opposite sign"),
        (lambda s, x: x * s.volume / len(s), "virial: virial", "per atom"),
    ],
)
def test_wrong_stress_is_named(right, change, key, words):
    found = judged(with_stress(right, lambda _, s, x: change(s, x)))
    assert keys(found) == [key]
    assert words in found.findings[0].text
    assert found.doubted == {S}


def test_seven_seeds_are_enough_to_name_a_wrong_sign(right):
    assert keys(judged(with_forces(right[:7], lambda _, f: -f))) == ["forces: sign"]
    assert keys(judged(with_stress(right[:7], lambda _, s, x: -x))) == ["virial: sign"]


# --- two against each other ----------------------------------------------------------------------------


def test_two_quantities_contradict_each_other_and_none_is_blamed(right):
    wrong = with_forces(without_stress(right), lambda _, f: -f)
    found = judged(wrong)
    assert keys(found) == ["energy+forces: sign"]
    assert found.doubted == frozenset()
    assert judged(without_stress(right)).findings == ()


def test_energies_per_atom_of_molecules_of_two_sizes_are_named_without_stress():
    labelled = molecules(24)
    found = judged(with_energy(labelled, lambda _, s, e: e / len(s)))
    assert keys(found) == ["energy: per atom"]


def test_energies_that_follow_from_nothing(right):
    rng = np.random.default_rng(1)
    found = judged(with_energy(right, lambda k, s, e: float(rng.normal(0, 1))))
    assert keys(found) == ["energy: unrelated"]
    assert found.doubted == {E}


# --- a constant pressure -------------------------------------------------------------------------------


def test_a_pulay_stress_is_the_stress_labels_fault(right):
    found = judged(with_stress(right, lambda k, s, x: x + 4.0 * GPa * UNIT))
    assert keys(found) == ["virial: pressure"]
    assert found.pressure / GPa == pytest.approx(4.0, abs=0.1)


def test_what_no_pulay_stress_does_is_not_subtracted(right):
    less = judged(with_stress(right, lambda k, s, x: x - 4.0 * GPa * UNIT))
    assert (keys(less), less.pressure) == (["energy: pressure"], 0.0)
    far = judged(with_stress(right, lambda k, s, x: x + 20.0 * GPa * UNIT))
    assert (keys(far), far.pressure, far.doubted) == (["energy+virial: pressure"], 0.0, frozenset())


def test_a_constant_pressure_is_not_subtracted_where_energies_scatter_about_the_forces(right):
    rng = np.random.default_rng(6)
    scattered = with_energy(right, lambda k, s, e: e + 0.05 * rng.normal())
    found = judged(with_stress(scattered, lambda k, s, x: x + 4.0 * GPa * UNIT))
    assert found.pressure == 0.0


def test_labels_of_one_volume_do_not_determine_a_constant_pressure():
    for offset in (0.0, 3.0, -5.0):
        labelled = with_stress(of_one_volume(20), lambda k, s, x, p=offset: x + p * GPa * UNIT)
        found = judged(labelled)
        assert found.pressure == 0.0
        assert S not in found.doubted


# --- two levels, jumps, odd labels ---------------------------------------------------------------------


def test_two_levels_of_theory_are_found(right):
    found = judged(with_energy(right, lambda k, s, e: e + 4.0 * (k % 2)))
    assert keys(found) == ["energy: levels"]
    assert found.findings[0].data["shift"] == pytest.approx(4.0, abs=0.05)
    assert set(found.findings[0].places) in ({*range(0, 24, 2)}, {*range(1, 24, 2)})


def test_jumps_of_single_energies_are_found_and_named(right):
    jumped = (3, 11, 17)
    found = judged(with_energy(right, lambda k, s, e: e + 1.0 * (k in jumped)))
    assert keys(found) == ["energy: levels"]
    assert found.findings[0].places == jumped
    assert "(structures 4, 12, 18)" in found.findings[0].words(range(1, 25))
    assert (found.odd[E][list(jumped)] >= ODD).all()
    assert (np.delete(found.odd[E], jumped) < ODD).all()


def test_labels_unlike_all_others_are_found_in_all_quantities(right):
    rng = np.random.default_rng(2)
    garbage = (2, 9, 20)
    wrong = with_forces(right, lambda k, f: f + (k in garbage) * rng.normal(0, 1.5, f.shape))
    found = judged(wrong)
    assert keys(found) == ["forces: odd"]
    assert set(found.findings[0].places) == set(garbage)

    energies = judged(with_energy(right, lambda k, s, e: e + 2.3 * (k == 5)))
    assert keys(energies) == ["energy: odd"]
    assert energies.findings[0].places == (5,)

    stress = judged(with_stress(right, lambda k, s, x: x + 0.2 * (k == 7) * rng.normal(size=6)))
    assert keys(stress) == ["virial: odd"]
    assert stress.findings[0].places == (7,)


def test_stress_of_some_in_another_order_is_found(right):
    some = range(0, 24, 4)
    found = judged(with_stress(right, lambda k, s, x: x[VASP] if k in some else x))
    assert keys(found) == ["virial: order of some"]
    assert found.findings[0].places == tuple(some)
    half = judged(with_stress(right, lambda k, s, x: x[VASP] if k % 2 else x))
    assert keys(half) == ["virial: order of some"]


def test_one_wrong_energy_among_several_compositions_is_found():
    labelled = molecules(24)
    found = judged(with_energy(labelled, lambda k, s, e: e + 1.0 * (k == 5)))
    assert keys(found) == ["energy: odd"]
    assert found.findings[0].places == (5,)


def test_an_excited_structure_is_not_odd(right):
    hot = copper(2, seed=9, size=0.35)
    assert judged([*right, *hot]).findings == ()


def test_labels_outside_the_sample_are_judged_too():
    labelled = copper(110)
    wrong = (5, 50, 104)
    rng = np.random.default_rng(3)
    spoiled = with_forces(labelled, lambda k, f: f + (k in wrong) * rng.normal(0, 1.5, f.shape))
    spoiled = with_energy(spoiled, lambda k, s, e: e + 3.0 * (k == 77))
    found = judged(spoiled)
    assert {place for f in found.findings for place in f.places} == {*wrong, 77}
    assert judged(labelled).findings == ()


# --- placeholders --------------------------------------------------------------------------------------


def test_one_energy_for_all_is_a_placeholder(right):
    for energy in (0.0, 1.0, -12.3):
        found = judged(with_energy(right, lambda k, s, e, same=energy: same))
        assert keys(found) == ["energy: constant"]
        assert found.doubted == {E}
        assert found.findings[0].places == ()


def test_some_energies_of_zero_are_named(right):
    found = judged(with_energy(right, lambda k, s, e: 0.0 if k < 4 else e))
    assert keys(found) == ["energy: constant"]
    assert found.findings[0].places == (0, 1, 2, 3)


def test_zeros_for_forces_or_stress_are_placeholders_where_symmetry_does_not_ask_for_them(right):
    assert keys(judged(with_stress(right, lambda k, s, x: 0 * x))) == ["virial: zero"]
    assert keys(judged(with_forces(right, lambda k, f: 0 * f))) == ["forces: zero"]
    found = judged(with_forces(right, lambda k, f: 0 * f if k == 6 else f))
    assert keys(found) == ["forces: zero"]
    assert found.findings[0].places == (6,)


def test_forces_of_zero_by_symmetry_are_none():
    from ase.build import bulk

    from copper import EMT
    from thalweg.oracles import make_oracle
    from thalweg.structure import Structure

    oracle, labelled = make_oracle(EMT), copper(10)
    for a in np.linspace(3.4, 3.8, 5):
        structure = Structure.from_atoms(bulk("Cu", "fcc", a=a, cubic=True))
        label = oracle.label(structure)
        labelled.append((structure, replace(label, forces=np.zeros_like(label.forces))))
    assert judged(labelled).findings == ()


def test_the_same_forces_for_different_structures(right):
    found = judged(with_forces(right, lambda k, f: right[0][1].forces if k in (3, 4) else f))
    assert "forces: identical" in keys(found)


def test_copies_of_a_structure_may_have_its_label(right):
    assert judged([*right, right[0], right[1], right[0]]).findings == ()
