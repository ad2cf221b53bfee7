"""What is wrong is named rightly where sizes, compositions and kinds of structures vary, or do not."""

from dataclasses import replace

import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from wrong import EMT, Labelled, changed, judged, keys, molecules

from thalweg.label import Label
from thalweg.models import RowKind
from thalweg.oracles import make_oracle
from thalweg.structure import Structure
from thalweg.units import GPa

E, F, S = RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL
KCAL = ase.units.kcal / ase.units.mol


def answered(atoms: Atoms) -> tuple[Structure, Label]:
    """A structure and EMT's answer."""
    structure = Structure.from_atoms(atoms)
    return structure, make_oracle(EMT).label(structure)


def strained(atoms: Atoms, size: float, rng: np.random.Generator) -> Atoms:
    """The same, strained and sheared at random."""
    strain = rng.normal(0.0, size, (3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + (strain + strain.T) / 2.0), scale_atoms=True)
    return atoms


def slabs(n: int) -> Labelled:
    """Slabs of 16 atoms, all of one size."""
    rng, out = np.random.default_rng(5), []
    for _ in range(n):
        atoms = fcc111("Cu", (2, 2, 4), vacuum=8.0)
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        out.append(answered(atoms))
    return out


def alloys(n: int) -> Labelled:
    """Crystals of two sizes and many compositions."""
    rng, out = np.random.default_rng(0), []
    for k in range(n):
        atoms = bulk("Cu", cubic=True, a=3.9) * (2, 2, 1 + k % 2)
        atoms.symbols[rng.permutation(len(atoms))[: rng.integers(1, len(atoms))]] = "Au"
        strained(atoms, 0.03, rng)
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        out.append(answered(atoms))
    return out


def isomers(n: int) -> Labelled:
    """HCN and HNC, vibrating little: EMT's, to which C and N differ."""
    rng, out = np.random.default_rng(1), []
    linear = [Atoms("HCN", [[0, 0, -1.07], [0, 0, 0], [0, 0, 1.15]])]
    linear.append(Atoms("HCN", [[0, 0, -1.0], [0, 0, 1.17], [0, 0, 0]]))
    for k in range(n):
        atoms = linear[k % 2].copy()
        atoms.positions += rng.normal(0.0, 0.003, atoms.positions.shape)
        out.append(answered(atoms))
    return out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda label: replace(label, energy=label.energy / KCAL), "energies are in kcal/mol"),
        (lambda label: replace(label, energy=label.energy / ase.units.Rydberg), "energies are in Rydberg"),
        (lambda label: replace(label, forces=label.forces / 51.4220675), "forces are in Hartree/Bohr"),
        (lambda label: replace(label, energy=label.energy / 16.0), "energies are per atom"),
    ],
)
def test_a_unit_is_named_and_nobody_blamed_where_all_structures_have_one_size(change, words):
    found = judged(changed(slabs(16), lambda k, s, label: change(label)))
    assert len(found.findings) == 1
    assert words in found.findings[0].text
    assert found.doubted == frozenset()


def _stress(factor):
    def change(k: int, structure: Structure, label: Label) -> Label:
        assert label.stress is not None
        return replace(label, stress=label.stress * factor(structure))

    return change


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (lambda s: -10.0 / GPa, "stress is in kbar, and of opposite sign"),
        (lambda s: -s.volume, "they are virials, volume times stress, and of opposite sign"),
    ],
)
def test_a_stress_is_named_by_what_is_wrong_with_stress(factor, words):
    found = judged(changed(alloys(16), _stress(factor)))
    assert found.doubted == {S}
    assert words in found.findings[0].text


def test_two_names_are_said_where_both_fit():
    """A stress in GPa is 160 times what it should be; so is a virial of a cell of 160 Å³."""
    rng, right = np.random.default_rng(2), []
    for _ in range(12):
        atoms = bulk("Cu", cubic=True, a=3.42) * (2, 2, 1)
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        right.append(answered(atoms))
    found = judged(changed(right, _stress(lambda s: 1.0 / GPa)))
    assert "stress is a virial, volume times stress, or in GPa" in found.findings[0].text


@pytest.mark.parametrize("labelled", [alloys(16), molecules(16)])
def test_one_energy_for_all_compositions_is_no_answer(labelled):
    found = judged(changed(labelled, lambda k, s, label: replace(label, energy=0.0)))
    assert "energies are 0 eV, to the last digit, for all of 16 labels" in found.findings[0].text
    assert found.doubted == {E}


def test_isomers_with_nothing_between_are_not_two_levels_of_theory():
    right = isomers(24)
    apart = np.ptp([label.energy for _, label in right])
    assert apart > 0.1
    assert judged(right).findings == ()


def test_a_jump_among_the_structures_of_isomers_is_one():
    jumped = changed(isomers(24), lambda k, s, label: replace(label, energy=label.energy + (k % 8 < 2)))
    assert keys(judged(jumped)) == ["energy: levels"]


def few_strained(n: int, n_strained: int, seed: int) -> Labelled:
    """Crystals of one volume, the first few strained: what seeds and walks of a run at one volume leave."""
    rng, out = np.random.default_rng(seed), []
    for k in range(n):
        atoms = bulk("Cu", cubic=True, a=3.59) * (2, 1, 1)
        if k < n_strained:
            strained(atoms, 0.03, rng)
        atoms.positions += rng.normal(0.0, 0.03, atoms.positions.shape)
        out.append(answered(atoms))
    return out


@pytest.mark.parametrize(("n", "n_strained"), [(34, 4), (57, 7)])
def test_a_few_strained_cells_are_not_unlike_all_others(n, n_strained):
    right = few_strained(n, n_strained, seed=0)
    assert judged(right).findings == ()
    wrong = changed(right, lambda k, s, label: replace(label, energy=label.energy + 1.0 * (k in (1, 20))))
    found = judged(wrong)
    assert [sorted(finding.places) for finding in found.findings if E in finding.about] == [[1, 20]]


def test_only_a_fit_says_that_odd_labels_count_less():
    right = few_strained(20, 0, seed=1)
    found = judged(changed(right, lambda k, s, label: replace(label, energy=label.energy + 1.0 * (k == 7))))
    assert not any("lower weight" in words for words in found.words(range(20)))
    assert any(words.endswith("it gets a lower weight") for words in found.words(range(20), weighed=True))


def mixture() -> Labelled:
    """Four molecules of three elements, five structures of each."""
    rng, out = np.random.default_rng(6), []
    for name in ("H2O", "CH3OH", "CO2", "CH4"):
        for _ in range(5):
            atoms = molecule(name)
            atoms.positions += rng.normal(0.0, 0.06, atoms.positions.shape)
            out.append(answered(atoms))
    return out


def relative(labelled: Labelled) -> Labelled:
    """Each energy over the least of its composition."""
    least: dict[bytes, float] = {}
    for structure, label in labelled:
        key = np.sort(structure.numbers).tobytes()
        least[key] = min(label.energy, least.get(key, np.inf))
    return changed(
        labelled, lambda k, s, la: replace(la, energy=la.energy - least[np.sort(s.numbers).tobytes()])
    )


def with_and_without_vacancy(n: int) -> Labelled:
    """Crystals of 32 and of 31 atoms, strained and rattled."""
    rng, out = np.random.default_rng(7), []
    for k in range(n):
        atoms = bulk("Al", cubic=True) * (2, 2, 2)
        if k % 2:
            del atoms[0]
        strained(atoms, 0.02, rng)
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        out.append(answered(atoms))
    return out


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (mixture, lambda labelled: changed(labelled, _minus_a_constant)),
        (lambda: with_and_without_vacancy(20), relative),
    ],
)
def test_energies_with_a_zero_for_each_composition_are_named(right, wrong):
    labelled = right()
    assert judged(labelled).findings == ()
    found = judged(wrong(labelled))
    assert keys(found) == ["energy: offset"]
    assert found.doubted == {E}
    assert "their zero is another for each composition" in found.findings[0].text


def _minus_a_constant(k: int, structure: Structure, label: Label) -> Label:
    return replace(label, energy=label.energy - 1234.5)


def test_a_constant_is_nothing_where_reference_energies_take_it_up():
    right = slabs(16)
    assert (
        judged(changed(right, lambda k, s, label: replace(label, energy=label.energy - 99.0))).findings == ()
    )


# --- two quantities of one unit; forces of nothing --------------------------------------------------------


def test_both_in_atomic_units_is_said():
    def atomic(k: int, structure: Structure, label: Label) -> Label:
        return replace(label, energy=label.energy / 27.211386, forces=label.forces / 51.4220675)

    (finding,) = judged(changed(slabs(16), atomic)).findings
    assert "or both are in atomic units (Hartree, Hartree/Bohr)" in finding.text


def test_energies_and_forces_of_one_unit_beside_a_right_stress_are_said():
    def kcal(k: int, structure: Structure, label: Label) -> Label:
        return replace(label, energy=label.energy / KCAL, forces=label.forces / KCAL)

    (finding,) = judged(changed(alloys(16), kcal)).findings
    assert finding.text.endswith("or energies are in kcal/mol and forces in kcal/mol/Å")


@pytest.mark.parametrize(
    "moved", [lambda forces: np.roll(forces, 1, axis=0), lambda forces: forces[:, [2, 0, 1]]]
)
@pytest.mark.parametrize("labelled", [slabs(16), alloys(16), molecules(16)])
def test_forces_of_other_atoms_or_axes_follow_from_nothing(labelled, moved):
    found = judged(changed(labelled, lambda k, s, label: replace(label, forces=moved(label.forces))))
    assert keys(found)[0] == "forces: unrelated"
    assert found.doubted == {F}


def test_small_forces_of_structures_at_rest_may_be_noise():
    """Rattled by 1 mÅ, energies to 0.1 meV, forces converged to 0.01 eV/Å: the forces are what is not converged."""
    rng, right = np.random.default_rng(3), []
    for _ in range(16):
        atoms = bulk("Cu", cubic=True, a=3.59) * (2, 1, 1)
        atoms.positions += rng.normal(0.0, 0.001, atoms.positions.shape)
        structure, label = answered(atoms)
        forces = label.forces + rng.normal(0.0, 0.01, label.forces.shape)
        right.append((structure, replace(label, energy=label.energy + rng.normal(0.0, 1e-4), forces=forces)))
    assert judged(right).findings == ()
