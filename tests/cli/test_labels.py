"""`thalweg labels`, on a folder that the real store wrote."""

import json

import numpy as np
import pytest
from ase.build import molecule
from typer.testing import CliRunner

from thalweg.cli.app import app
from thalweg.label import Label
from thalweg.store import HANDED, SqliteStore
from thalweg.structure import Structure

ORACLE = '{"method":"GFN2-xTB","name":"tblite"}'
WRONG = 6
"""The label whose energy is off by 10 eV, with right forces: of ten ordinary ones."""


def water(seed):
    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=seed)
    return Structure.from_atoms(atoms)


@pytest.fixture
def folder(tmp_path):
    """Ten labels whose energies scatter by 0.1 eV, the sixth wrong, and a question that waits."""
    place, rng = tmp_path / "run", np.random.default_rng(0)
    with SqliteStore.open(place) as store:
        for k in range(1, 11):
            forces = rng.standard_normal((3, 3))
            said = {"forces": forces + 0.1 * rng.standard_normal((3, 3))} if k > 2 else None
            kind = "seed" if k <= 2 else "query"
            question = store.add_question(water(k), kind, iteration=k, prediction=said)
            energy = -100.0 + 0.1 * rng.standard_normal() + 10.0 * (k == WRONG)
            answer = Label(energy, forces, oracle=ORACLE, wall_time=0.01)
            store.commit_label(water(k), answer, kind=kind, iteration=k, question_id=question)
        store.save_checkpoint(10, {}, {})
        store.add_question(water(11), HANDED, iteration=10, reason={"text": "handed in from odd.xyz"})
    return place


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(folder, *arguments):
    result = invoke("labels", folder, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_labels_are_listed_with_what_waits(folder):
    text = invoke("labels", folder).output
    assert "GFN2-xTB" in text
    assert "H2O" in text
    assert "waiting: q11 (handed) handed in from odd.xyz" in text
    document = listed(folder)
    assert [row["number"] for row in document["labels"]] == list(range(1, 11))
    row = document["labels"][2]
    assert (row["kind"], row["place"], row["oracle"]) == ("query", 3, ORACLE)
    assert row["error"] > 0
    assert document["labels"][0]["error"] is None
    assert document["withdrawn"] == document["damaged"] == []


def test_kind_and_worst_choose(folder):
    assert [row["number"] for row in listed(folder, "--kind", "seed")["labels"]] == [1, 2]
    worst = listed(folder, "--worst", 2)["labels"]
    assert worst[0]["number"] == WRONG
    assert worst[0]["unlike"] > 5 * worst[1]["unlike"]
    assert "unlike" in invoke("labels", folder, "--worst", 2).output


def test_withdrawing_says_what_comes_next_and_stays_on_record(folder):
    result = invoke("labels", folder, "--withdraw", f"{WRONG},q11", "--why", "a jump of 10 eV")
    assert result.exit_code == 0, result.output
    assert (
        f"withdrawn: label {WRONG} (query, iteration {WRONG}); its structure is not asked about again"
        in result.output
    )
    assert "withdrawn: question q11 (handed, iteration 10)" in result.output
    assert "the next `thalweg run` relearns the model" in result.output
    document = listed(folder)
    assert WRONG not in [row["number"] for row in document["labels"]]
    assert [row["place"] for row in document["labels"]] == list(range(1, 10))
    assert document["waiting"] == []
    assert [record["why"] for record in document["withdrawn"]] == ["a jump of 10 eV"] * 2
    assert all(record["who"] for record in document["withdrawn"])
    exported = invoke("export", folder, "--output", folder / "labels.extxyz")
    assert "wrote 9 labelled structures" in exported.output


def test_asking_again_lets_the_structure_wait(folder):
    document = json.loads(invoke("labels", folder, "--withdraw", WRONG, "--ask-again", "--json").output)
    assert document["learn_anew"] is True
    words = f"asked again: label {WRONG} was withdrawn"
    assert words in [question["reason"] for question in listed(folder)["waiting"]]
    assert f"waiting: {words}" in invoke("status", folder).output


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--withdraw", "99"], "there is no label 99", 5),
        (["--withdraw", "q99"], "there is no question 99", 5),
        (["--withdraw", "q1"], "question 1 is done already", 5),
        (["--withdraw", "six"], "expected numbers of labels", 2),
        (["--withdraw", "1,,2"], "expected numbers of labels", 2),
        (["--withdraw", "1", "--kind", "seed"], "--withdraw takes numbers from the list", 2),
        (["--why", "because"], "need --withdraw", 2),
        (["--kind", "odd"], "it has query, seed", 2),
    ],
)
def test_what_cannot_be_done_is_one_message_and_changes_nothing(folder, arguments, words, code):
    result = invoke("labels", folder, *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert len(listed(folder)["labels"]) == 10


def test_all_are_withdrawn_or_none(folder):
    assert invoke("labels", folder, "--withdraw", "1,2,99").exit_code == 5
    assert len(listed(folder)["labels"]) == 10


def test_damaged_labels_are_listed_with_the_cure_and_can_be_withdrawn(folder):
    with SqliteStore.open(folder) as store:
        store._execute("UPDATE labels SET energy = energy * 2 WHERE id = 3")
    result = invoke("labels", folder)
    assert result.exit_code == 5
    cure = f"or withdraw it: thalweg labels {folder} --withdraw 3"
    assert (
        f"label 3 is damaged, its checksum does not fit; restore thalweg.db from a copy, {cure}"
        in result.stderr
    )
    assert invoke("export", folder, "--output", folder / "labels.extxyz").exit_code == 5
    assert invoke("labels", folder, "--withdraw", "3").exit_code == 0
    assert invoke("labels", folder).exit_code == 0


def test_a_run_that_is_going_is_left_alone(folder):
    with SqliteStore.open(folder):
        assert invoke("labels", folder).exit_code == 0
        result = invoke("labels", folder, "--withdraw", "1")
    assert result.exit_code == 5
    assert "in use by process" in result.stderr
