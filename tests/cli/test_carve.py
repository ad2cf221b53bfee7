"""`thalweg carve`: from a file to a file, and on into a run's queue."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from typer.testing import CliRunner

from small_potentials import random_potential
from thalweg.cli.app import app
from thalweg.loop.asking.handing import reason_of
from thalweg.store import read_scored
from thalweg.structure import Structure


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    train = []
    for k in range(6):
        atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
        atoms.rattle(0.1, seed=k)
        train.append(Structure.from_atoms(atoms))
    folder = tmp_path_factory.mktemp("carve") / "model"
    random_potential("Cu", train=train).save(folder)
    return folder


@pytest.fixture
def halted(tmp_path):
    """Copper, some hundred atoms, as dynamics leaves it where it halts."""
    atoms = bulk("Cu", cubic=True).repeat(6)
    atoms.rattle(0.08, seed=1)
    atoms.arrays["bound"] = np.full(len(atoms), 0.05)
    atoms.arrays["bound"][[812, 10]] = 0.41, 0.3
    atoms.arrays["novelty"] = np.full(len(atoms), 0.5)
    ase.io.write(tmp_path / "halted.extxyz", [bulk("Cu", cubic=True), atoms])
    return tmp_path / "halted.extxyz"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_most_uncertain_atom_of_the_last_structure_is_carved_out(halted, model, tmp_path):
    output = tmp_path / "cell.extxyz"
    result = invoke("carve", halted, "--model", model, "--max-atoms", 40, "-o", output)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Cu812, ")
    assert "cut along the crystal's lattice; its environment kept; boundary at" in result.output
    assert f"thalweg queue RUN {output}" in result.output
    (cell,) = read_scored(output)
    assert len(cell.structure) <= 40
    assert cell.structure.pbc.all()
    large = ase.io.read(halted)
    parent = ase.io.read(output).arrays["parent"]
    assert parent[cell.info["target"]] == 812
    assert np.array_equal(cell.structure.numbers, large.numbers[parent])
    reason = reason_of(cell, output)
    assert reason["text"] == "handed in from halted.extxyz: Cu812 uncertain, 0.41 eV/Å"


def test_a_named_atom_and_several_cells_as_json(halted, model, tmp_path):
    output = tmp_path / "cell.extxyz"
    arguments = ("carve", halted, "--model", model, "--max-atoms", 30, "-o", output, "--json", "--force")
    data = json.loads(invoke(*arguments, "--atom", 5).output)
    assert [cell["atom"] for cell in data["cells"]] == [5]
    data = json.loads(invoke(*arguments, "--cells", 4).output)
    assert [cell["atom"] for cell in data["cells"]] == [812, 10]
    assert all(cell["target_change"] == 0 for cell in data["cells"])
    assert len(ase.io.read(output, index=":")) == 2
    data = json.loads(invoke(*arguments, "--cells", 4, "--above", 0.4).output)
    assert [cell["atom"] for cell in data["cells"]] == [812]


def test_the_atom_that_the_file_names_comes_first_with_its_reason(halted, model, tmp_path):
    atoms = ase.io.read(halted)
    atoms.info |= {"atom": 300, "why": "Cu300 in an environment not seen before, novelty 12 (limit 10)"}
    ase.io.write(halted, atoms)
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(model)
    output = tmp_path / "cell.extxyz"
    arguments = ("carve", halted, "-m", run, "-n", 30, "-o", output, "--force", "--json")
    data = json.loads(invoke(*arguments, "--cells", 2).output)
    assert [cell["atom"] for cell in data["cells"]] == [300, 812]
    assert [read.info["why"] for read in read_scored(output)] == [
        "Cu300 in an environment not seen before, novelty 12 (limit 10)",
        "Cu812 uncertain, 0.41 eV/Å",
    ]
    data = json.loads(invoke(*arguments, "--above", 0.2).output)
    assert [cell["atom"] for cell in data["cells"]] == [812]


def test_an_environment_that_does_not_fit_is_said(halted, model, tmp_path):
    result = invoke("carve", halted, "--model", model, "--max-atoms", 8, "-o", tmp_path / "cell.extxyz")
    assert result.exit_code == 0, result.output
    assert "its environment NOT kept" in result.output
    assert "allow more atoms" in result.output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--atom": "C3"}, "expected the number of an atom, counted from 0, or auto, got 'C3'"),
        ({"--atom": "864"}, "there is no atom 864"),
        ({"--model": "nowhere"}, "nowhere"),
        ({"--above": "2"}, "no atom has a bound of 2 eV/Å or more; the largest is 0.41 eV/Å"),
    ],
)
def test_what_cannot_be_carved_is_one_message(halted, model, tmp_path, changes, words):
    options = {"--model": str(model), "-o": str(tmp_path / "cell.extxyz"), **changes}
    result = invoke("carve", halted, *(word for pair in options.items() for word in pair))
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
    assert not (tmp_path / "cell.extxyz").exists()


def test_nothing_is_overwritten_unasked(halted, model, tmp_path):
    output = tmp_path / "cell.extxyz"
    output.write_text("mine")
    result = invoke("carve", halted, "--model", model, "-o", output)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert output.read_text() == "mine"
