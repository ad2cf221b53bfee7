"""What is written for LAMMPS against an independent reading of the files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import yaml
from yace_cases import BASES, fitted_alloy, structures_for, with_random_weights

from small_potentials import ethanol, random_potential, silicon
from thalweg.errors import InputError
from thalweg.export.check.compare import deviation, predicted, read_anew, values_of
from thalweg.export.check.structures import trial_structures
from thalweg.export.check.yace_energy import evaluate_yace
from thalweg.export.check.yace_file import read_yace
from thalweg.export.check.zbl import read_pair_commands
from thalweg.export.yace import lammps_lines, write_lammps, write_yace
from thalweg.features import AceBasis
from thalweg.features.zbl import ZblBaseline, ZblCutoffs

EXACT = 1e-11
"""Two double-precision evaluations that sum in different orders."""


@pytest.fixture(params=BASES)
def case(request):
    basis = BASES[request.param]
    return with_random_weights(basis), structures_for(basis.elements)


def reread(potential, path, structures):
    commands = write_lammps(potential, path)
    theirs = read_anew(read_yace(path), read_pair_commands(commands), structures)
    return deviation(potential, structures, predicted(potential, structures), theirs)


def test_the_file_states_the_potential(case, tmp_path):
    potential, structures = case
    potential = dataclasses.replace(potential, zbl=None)
    write_yace(potential, tmp_path / "p.yace")
    file = read_yace(tmp_path / "p.yace")
    theirs = [values_of(evaluate_yace(file, s, splines=False), s) for s in structures]
    ours = predicted(potential, structures)
    assert max(np.abs(values.forces).max() for values in ours) > 0.1
    assert deviation(potential, structures, ours, theirs).largest < EXACT


def test_splines_and_commands_keep_it_well_below_one_in_a_million(case, tmp_path):
    potential, structures = case
    found = reread(potential, tmp_path / "p.yace", structures)
    assert found.largest < 1e-7
    assert found.forces > EXACT, "the splines are not there"
    assert (found.stress is None) == (not any(s.pbc.all() for s in structures))


def test_a_fitted_potential_is_stated_too(tmp_path):
    potential, labelled = fitted_alloy()
    structures = [structure for structure, _ in labelled]
    errors = [
        np.abs(potential.predict(structure).forces - label.forces).max() for structure, label in labelled
    ]
    assert max(errors) < 0.3
    assert reread(potential, tmp_path / "p.yace", structures).largest < 1e-7


def test_a_wrong_number_anywhere_is_seen(tmp_path):
    potential = random_potential("C", "H", "O", train=[ethanol(k) for k in range(3)])
    structures = trial_structures(potential.elements)
    commands = write_lammps(potential, tmp_path / "p.yace")
    ours = predicted(potential, structures)

    def seen():
        theirs = read_anew(read_yace(tmp_path / "p.yace"), read_pair_commands(commands), structures)
        return deviation(potential, structures, ours, theirs).largest

    assert seen() < 1e-7
    text, lines = (tmp_path / "p.yace").read_text(), commands.read_text()
    last = text.rindex("ctildes: [") + len("ctildes: [")
    for wrong in (
        text[:last] + text[last:].replace(".", "1.", 1),
        text.replace("E0: [-", "E0: [-1", 1),
        text.replace("radparameters: [3.0]", "radparameters: [3.0001]"),
    ):
        assert wrong != text
        (tmp_path / "p.yace").write_text(wrong)
        assert seen() > 1e-6
    (tmp_path / "p.yace").write_text(text)
    outer = round(float(potential.zbl.outer[0, 0]), 9)
    wrong = lines.replace(str(outer), str(outer * 1.01))
    assert wrong != lines
    commands.write_text(wrong)
    assert seen() > 1e-6


def test_no_product_is_written_twice(tmp_path):
    potential = with_random_weights(BASES["molecule, order 4"])
    write_yace(potential, tmp_path / "p.yace")
    file = read_yace(tmp_path / "p.yace")
    met = set()
    for z, of_rank in enumerate(file.products):
        for rank, products in of_rank.items():
            factors = np.stack([products.mu, products.n, products.l, products.m], axis=-1)
            for row in factors.tolist():
                conjugate = [[mu, n, l, -m] for mu, n, l, m in row]
                key = (z, min(str(sorted(row)), str(sorted(conjugate))))
                assert key not in met
                met.add(key)
                assert rank == 1 or sum(m for *_, m in row) == 0
    assert len(met) > potential.basis.n_features


def test_every_number_is_a_float_of_yaml_1_1_bit_by_bit(tmp_path):
    energies = np.array([1e-05, -1e22, 0.1])
    potential = dataclasses.replace(
        random_potential("C", "H", "O", train=[ethanol()]), reference_energies=energies
    )
    write_yace(potential, tmp_path / "p.yace")
    head = (tmp_path / "p.yace").read_text().partition("embeddings")[0]
    assert yaml.safe_load(head)["E0"] == energies.tolist()


def test_elements_that_yaml_takes_for_a_truth_value(tmp_path):
    basis = AceBasis(("No", "Y"), 5.0, correlation_order=2, max_degree=(2, 2))
    write_yace(with_random_weights(basis), tmp_path / "p.yace")
    assert read_yace(tmp_path / "p.yace").elements == ("No", "Y")


def test_one_zbl_style_for_each_pair_of_cutoffs():
    potential = random_potential("C", "H", "O", train=[ethanol()])
    inner, outer = (np.array(a) for a in (potential.zbl.inner, potential.zbl.outer))
    inner[:2, :2], outer[:2, :2] = 0.5, 1.0
    inner[2, 0] = inner[0, 2] = outer[2, 0] = outer[0, 2] = 0.0
    several = dataclasses.replace(potential, zbl=ZblCutoffs(potential.elements, inner, outer))
    lines = lammps_lines(several, "my pot.yace")
    assert lines[3].split()[:6] == ["pair_style", "hybrid/overlay", "pace", "zbl", "0.5", "1.0"]
    assert lines[4] == 'pair_coeff * * pace "my pot.yace" C H O'
    assert lines[5:8] == [
        f"pair_coeff {pair}" for pair in ("1 1 zbl 1 6.0 6.0", "1 2 zbl 1 6.0 1.0", "2 2 zbl 1 1.0 1.0")
    ]
    assert [line.split()[1:5] for line in lines[8:]] == [["2", "3", "zbl", "2"], ["3", "3", "zbl", "3"]]

    uniform = ZblCutoffs(potential.elements, np.full((3, 3), 0.5), np.full((3, 3), 1.0))
    lines = lammps_lines(dataclasses.replace(potential, zbl=uniform), "p.yace")
    assert lines[3] == "pair_style hybrid/overlay pace zbl 0.5 1.0"
    assert lines[5] == "pair_coeff 1 1 zbl 6.0 6.0"

    lines = lammps_lines(dataclasses.replace(potential, zbl=None), "p.yace")
    assert lines[3:] == ["pair_style pace", "pair_coeff * * p.yace C H O"]


def test_cutoffs_are_written_as_people_write_them():
    """0.8 times a sum of radii is 1.7760000000000002 in binary; what has no short form keeps ten digits."""
    potential = random_potential("Si", "C", train=[silicon()])
    outer = np.array([[1.776, 1 / 0.6], [1 / 0.6, np.nextafter(1.776, 2)]])
    cutoffs = ZblCutoffs(potential.elements, outer / 2, outer)
    assert len(set(cutoffs.outer.ravel())) == 3
    lines = lammps_lines(dataclasses.replace(potential, zbl=cutoffs), "p.yace")
    words = lines[2].split()
    assert words[:6] == ["pair_style", "hybrid/overlay", "pace", "zbl", "0.888", "1.776"]
    assert [float(word) for word in words[7:]] == pytest.approx([1 / 1.2, 1 / 0.6], rel=1e-9)
    assert max(map(len, words[7:])) <= 12
    assert [line.split()[1:5] for line in lines[4:]] == [
        ["1", "1", "zbl", "1"],
        ["2", "2", "zbl", "1"],
        ["1", "2", "zbl", "2"],
    ]


CUTOFFS = {
    "none": None,
    "one pair of cutoffs": ZblCutoffs(("C", "H", "O"), np.full((3, 3), 0.5), np.full((3, 3), 1.1)),
    "not between all": ZblCutoffs(("C", "H", "O"), 0.5 * np.eye(3)[::-1], 1.5 * np.eye(3)[::-1]),
}


@pytest.mark.parametrize("cutoffs", CUTOFFS.values(), ids=CUTOFFS)
def test_commands_of_every_kind_state_the_repulsion(cutoffs, tmp_path):
    potential = dataclasses.replace(random_potential("C", "H", "O", train=[ethanol()]), zbl=cutoffs)
    structures = trial_structures(potential.elements)
    assert reread(potential, tmp_path / "p.yace", structures).largest < 1e-7
    other = None if cutoffs else CUTOFFS["one pair of cutoffs"]
    ours = predicted(potential, structures), predicted(dataclasses.replace(potential, zbl=other), structures)
    assert deviation(potential, structures, *ours).largest > 1e-3


def test_trial_structures_reach_into_the_core_repulsion():
    for elements in (("C", "H", "O"), ("Si",), ("Cu", "Au")):
        structures = trial_structures(elements)
        assert [s.pbc.all() for s in structures] == [False, True]
        energies = ZblBaseline(elements).compute(structures)[0]
        assert energies[0] > 0.01


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("FS_parameters: [1.0, 1.0]", "FS_parameters: [1.0, 0.5]", "only F"),
        ("ChebPow", "SBessel", "ChebPow is read here"),
        ("prehc: 0.0", "prehc: 4.0", "core repulsion"),
        ("functions:", "nothing:", "not a whole"),
        ("elements:", "{", "cannot be read"),
        ("lmax: 2", "lmax: 3", "expected shape"),
        ("E0:", "E0: !!python/object/apply:os.getcwd []\nE1:", "cannot be read"),
    ],
)
def test_files_that_are_not_ours_are_refused(tmp_path, before, after, words):
    path = tmp_path / "p.yace"
    write_yace(random_potential("Si", train=[silicon()]), path)
    text = path.read_text()
    text = text.replace("lmax: " + text.partition("lmax: ")[2][0], "lmax: 2")
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(InputError, match=words):
        read_yace(path)
