"""Structures handed in from outside: what may join a run's queue, and what the run makes of it."""

import os
import shutil
import signal
import time

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators import emt
from ase.calculators.calculator import all_changes
from ase.cluster import Octahedron
from runs import cluster, make_config, same_model

from thalweg.config import override
from thalweg.errors import InputError, OracleError, StoreError
from thalweg.label import FailureKind
from thalweg.loop.asking.handing import hand_in
from thalweg.loop.runner import run
from thalweg.store import HANDED, SqliteStore, TaskState
from thalweg.structure import Structure


class Ear:
    def __init__(self):
        self.lines = []

    def event(self, kind, text, data):
        self.lines.append((kind, text))

    def progress(self, progress):
        pass


def write(folder, *seeds, name="odd.xyz", size=0.35, **info):
    """Copper clusters far from those that a run at some hundred kelvin meets, with the bounds that a run would save."""
    frames = []
    for seed in seeds:
        atoms = Octahedron("Cu", 2)
        atoms.rattle(size, seed=seed)
        atoms.arrays["bound"] = np.array([0.1, 0.1, 0.41, 0.1, 0.1, 0.1])
        atoms.info.update(info)
        frames.append(atoms)
    ase.io.write(folder / name, frames, format="extxyz")
    return folder / name


def budgeted(folder, calls, **changes):
    return make_config(cluster(folder), budget={"oracle_calls": calls}, **changes)


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A run that has stopped with its target certified; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("certified")
    config = make_config(cluster(folder))
    assert run(config, folder / "run").verdict.reason == "target"
    return config, folder / "run"


@pytest.fixture
def finished(certified, tmp_path):
    config, folder = certified
    return config, shutil.copytree(folder, tmp_path / "run")


def test_a_certified_run_is_reopened_and_learns_what_was_handed_in_first(finished, tmp_path):
    config, folder = finished
    with SqliteStore.read(folder) as store:
        before = len(store.labels_in_order())
    receipt = hand_in(folder, [write(tmp_path, 1, 2)], max_atoms=300)
    assert list(receipt.queued) == ["handed in from odd.xyz: Cu2 uncertain, 0.41 eV/Å"] * 2
    ear = Ear()
    summary = run(config, folder, ear)
    with SqliteStore.read(folder) as store:
        labels = store.labels_in_order()
        handed = store.questions(kind=HANDED)
    assert [record.kind for record in labels[before : before + 2]] == [HANDED, HANDED]
    assert {record.structure.content_hash for record in labels[before:]} >= {q.structure_hash for q in handed}
    assert all(q.state is TaskState.DONE and "forces_bound" in q.prediction for q in handed)
    assert summary.verdict.reason == "target"
    assert summary.oracle_calls == before + 2 + summary.failed_calls + (len(labels) - before - 2) + 1
    assert any("2 structures were handed in" in text for _, text in ear.lines)
    told = [text for kind, text in ear.lines if kind == "query"]
    assert told[0].startswith("handed in from odd.xyz: Cu2 uncertain, 0.41 eV/Å -> asked EMT (call ")
    assert "was off by" in told[0]


def test_what_was_learned_is_in_the_potential(finished, tmp_path):
    from thalweg.potential import Potential

    config, folder = finished
    odd = write(tmp_path, 5)
    structure = Structure.from_atoms(ase.io.read(odd))
    before = Potential.load(folder / "model").predict(structure)
    hand_in(folder, [odd], max_atoms=300)
    run(config, folder)
    after = Potential.load(folder / "model").predict(structure)
    with SqliteStore.read(folder) as store:
        truth = store.labels_in_order()[-1].label.forces
    assert np.abs(after.forces - truth).max() < 0.3 * np.abs(before.forces - truth).max()


def test_handing_in_twice_is_handing_in_once_and_a_learned_structure_is_not_asked_again(finished, tmp_path):
    config, folder = finished
    odd = write(tmp_path, 1, 2)
    assert len(hand_in(folder, [odd], max_atoms=300).queued) == 2
    again = hand_in(folder, [odd, odd], max_atoms=300)
    assert (again.queued, again.waiting, again.n_waiting) == ((), 4, 2)
    calls = run(config, folder).oracle_calls
    done = hand_in(folder, [odd], max_atoms=300)
    assert (done.queued, done.learned, done.n_waiting) == ((), 2, 0)
    assert run(config, folder).oracle_calls == calls


def test_a_spent_budget_lets_them_wait_until_it_is_raised(tmp_path):
    tight = budgeted(tmp_path, 6, target={"force_error": 0.001})
    assert run(tight, tmp_path / "run").verdict.reason == "budget"
    receipt = hand_in(tmp_path / "run", [write(tmp_path, 1, 2, 3)], max_atoms=300)
    assert (receipt.calls, receipt.budget, receipt.left_over) == (6, 6, 3)
    ear = Ear()
    assert run(tight, tmp_path / "run", ear).oracle_calls == 6
    assert any(kind == "warning" and "raise budget.oracle_calls" in text for kind, text in ear.lines)
    some = budgeted(tmp_path, 8, target={"force_error": 0.001})
    assert run(some, tmp_path / "run").oracle_calls == 8
    with SqliteStore.read(tmp_path / "run") as store:
        assert [q.state for q in store.questions(kind=HANDED)] == [TaskState.DONE] * 2 + [TaskState.WAITING]
        assert len(store.handed_in()) == 1


def test_a_run_killed_while_it_labels_them_ends_as_if_it_had_not_been(finished, tmp_path):
    config, folder = finished
    hand_in(folder, [write(tmp_path, *range(1, 13))], max_atoms=300)
    killed = shutil.copytree(folder, tmp_path / "killed")
    whole = run(config, folder)
    rng = np.random.default_rng(3)
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                run(config, killed)
            finally:
                os._exit(0)
        time.sleep(float(rng.uniform(0.05, 0.5)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    summary = run(config, killed)
    assert (summary.oracle_calls, summary.n_labels, summary.verdict) == (
        whole.oracle_calls,
        whole.n_labels,
        whole.verdict,
    )
    assert same_model(folder / "model", killed / "model")


def test_the_same_structures_give_the_same_run_and_others_another(finished, tmp_path):
    config, folder = finished
    places = {name: shutil.copytree(folder, tmp_path / name) for name in ("one", "same", "other")}
    for name, place in places.items():
        hand_in(place, [write(tmp_path, 1, 3 if name == "other" else 2)], max_atoms=300)
        run(config, place)
    assert same_model(places["one"] / "model", places["same"] / "model")
    assert not same_model(places["one"] / "model", places["other"] / "model")


def test_before_the_first_label_they_wait_for_the_seeds(tmp_path):
    config = budgeted(tmp_path, 7, target={"force_error": 0.001})
    with SqliteStore.open(tmp_path / "run") as store:
        store.start_run(config.model_dump(mode="json"))
    receipt = hand_in(tmp_path / "run", [write(tmp_path, 1, 2)], max_atoms=300)
    assert (receipt.calls, receipt.n_waiting) == (0, 2)
    run(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        assert [r.kind for r in store.labels_in_order()][:6] == ["seed"] * 4 + [HANDED] * 2


def test_workers_side_by_side_answer_in_the_order_of_handing_in(finished, tmp_path):
    config, folder = finished
    parallel = override(config, {"executor.kind": "process", "executor.workers": 2})
    hand_in(folder, [write(tmp_path, *range(1, 6))], max_atoms=300)
    with SqliteStore.read(folder) as store:
        queued = [question.structure_hash for question in store.handed_in()]
    run(parallel, folder)
    with SqliteStore.read(folder) as store:
        learned = [r.structure.content_hash for r in store.labels_in_order() if r.kind == HANDED]
    assert learned == queued


class GrumpyEMT(emt.EMT):
    """Breaks down on anything that is far from the origin."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        if atoms is not None and atoms.positions.mean() > 10:
            raise RuntimeError("too far away")
        super().calculate(atoms, properties, system_changes)


def test_a_structure_that_the_oracle_cannot_answer_is_set_aside(tmp_path):
    oracle = {"name": "ase", "calculator": f"{__name__}.GrumpyEMT"}
    settings = {"oracle": oracle, "target": {"force_error": 0.001}}
    run(budgeted(tmp_path, 6, **settings), tmp_path / "run")
    far = Octahedron("Cu", 2)
    far.positions += 30.0
    ase.io.write(tmp_path / "far.xyz", far, format="extxyz")
    hand_in(tmp_path / "run", [tmp_path / "far.xyz"], max_atoms=300)
    summary = run(budgeted(tmp_path, 12, **settings), tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        (question,) = store.questions(kind=HANDED)
        assert question.state is TaskState.QUARANTINED
        assert {a.failure.kind for a in store.attempts(question.id)} == {FailureKind.CRASHED}
    assert (summary.failed_calls, summary.oracle_calls) == (3, 12)
    assert hand_in(tmp_path / "run", [tmp_path / "far.xyz"], max_atoms=300).set_aside == 1


# ---- what may not join --------------------------------------------------------------------------------


def refused(folder, atoms, tmp_path, **changes):
    ase.io.write(tmp_path / "new.xyz", atoms, format="extxyz")
    return hand_in(folder, [tmp_path / "new.xyz"], **{"max_atoms": 300, **changes})


def test_a_foreign_element_is_named(finished, tmp_path):
    with pytest.raises(InputError, match=r"new\.xyz: it contains Ag, but the run knows only Cu"):
        refused(finished[1], Octahedron("Ag", 2), tmp_path)


def test_too_many_atoms_are_to_be_carved(finished, tmp_path):
    with pytest.raises(InputError, match=r"6 atoms are more than the 5 .*thalweg carve"):
        refused(finished[1], Octahedron("Cu", 2), tmp_path, max_atoms=5)


def test_touching_cores_are_refused(finished, tmp_path):
    atoms = Octahedron("Cu", 2)
    atoms.positions[1] = atoms.positions[0] + [0.3, 0, 0]
    with pytest.raises(InputError, match=r"Cu0 and Cu1 are 0\.30 Å apart"):
        refused(finished[1], atoms, tmp_path)


def test_nothing_is_queued_unless_all_are_fit(finished, tmp_path):
    good = write(tmp_path, 1)
    ase.io.write(tmp_path / "silver.xyz", Octahedron("Ag", 2), format="extxyz")
    with pytest.raises(InputError):
        hand_in(finished[1], [good, tmp_path / "silver.xyz"], max_atoms=300)
    with SqliteStore.read(finished[1]) as store:
        assert store.handed_in() == []
    assert len(hand_in(finished[1], [good], max_atoms=300).queued) == 1


def test_a_periodicity_that_the_oracle_lacks_is_refused(tmp_path):
    atoms = bulk("Si", cubic=True)
    ase.io.write(tmp_path / "si.xyz", atoms, format="extxyz")
    config = make_config(tmp_path / "si.xyz", oracle={"name": "tblite", "method": "GFN1-xTB"})
    with SqliteStore.open(tmp_path / "run") as store:
        store.start_run(config.model_dump(mode="json"))
    atoms.pbc = (True, True, False)
    with pytest.raises(OracleError, match=r"new\.xyz: .*periodic"):
        refused(tmp_path / "run", atoms, tmp_path)
    atoms.pbc = True
    atoms.rattle(0.1)
    assert refused(tmp_path / "run", atoms, tmp_path).queued == ("handed in from new.xyz: asked for by hand",)


def test_while_a_run_writes_nothing_can_be_handed_in(finished, tmp_path):
    folder = finished[1]
    with SqliteStore.open(folder), pytest.raises(StoreError, match="in use by process"):
        hand_in(folder, [write(tmp_path, 1)], max_atoms=300)


def test_a_folder_without_a_run_is_said_to_be_none(tmp_path):
    with pytest.raises(StoreError, match="no run folder"):
        hand_in(tmp_path, [write(tmp_path, 1)], max_atoms=300)
    with SqliteStore.open(tmp_path / "new"):
        pass
    with pytest.raises(StoreError, match="no run has started"):
        hand_in(tmp_path / "new", [write(tmp_path, 1)], max_atoms=300)


def test_the_words_of_the_file_come_first(finished, tmp_path):
    path = write(tmp_path, 1, source="halted.extxyz", why="Cu812 uncertain, 0.41 eV/Å")
    assert hand_in(finished[1], [path], max_atoms=300).queued == (
        "handed in from halted.extxyz: Cu812 uncertain, 0.41 eV/Å",
    )


def test_a_charge_that_the_oracle_would_not_hear_of_is_no_label(tmp_path):
    config = budgeted(tmp_path, 12)
    run(config, tmp_path / "run")
    ion = bulk("Cu", cubic=True)
    ion.info["charge"] = 1
    ase.io.write(tmp_path / "ion.xyz", ion)
    hand_in(tmp_path / "run", [tmp_path / "ion.xyz"], max_atoms=100)
    run(override(config, {"budget.oracle_calls": 13}), tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        (question,) = store.questions(kind=HANDED)
        assert question.state is TaskState.QUARANTINED
        (attempt,) = store.attempts(question.id)
    assert attempt.failure.kind is FailureKind.REFUSED
    assert "has a charge" in attempt.failure.message


def test_a_structure_without_a_charge_is_not_taken_for_neutral_in_a_charged_run(tmp_path):
    water = ase.Atoms("OH3", [(0, 0, 0.1), (0, 0.95, -0.2), (0.82, -0.47, -0.2), (-0.82, -0.47, -0.2)])
    water.info["charge"] = 1
    ase.io.write(tmp_path / "ion.xyz", water)
    config = make_config(
        tmp_path / "ion.xyz",
        oracle={"name": "tblite"},
        budget={"oracle_calls": 6},
        explore={"timestep": 0.5, "time": 0.05},
    )
    run(config, tmp_path / "run")
    del water.info["charge"]
    del water[3]
    ase.io.write(tmp_path / "water.xyz", water)
    with pytest.raises(
        InputError, match=r"water\.xyz: it says no charge, and the run .* charge \+1; write charge="
    ):
        hand_in(tmp_path / "run", [tmp_path / "water.xyz"], max_atoms=100)
    water.info["charge"] = 0
    ase.io.write(tmp_path / "water.xyz", water)
    assert len(hand_in(tmp_path / "run", [tmp_path / "water.xyz"], max_atoms=100).queued) == 1
