"""The laws of a store as tests: subclass `StoreContract`, say how a store is opened, and run pytest.

    class TestMyStore(StoreContract):
        def open_store(self, place):
            return MyStore(place)           # a context manager that gives the store

Nothing here imports pytest; `tmp_path` is its fixture. The laws stand in `thalweg.store.base`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from thalweg.label import Failure, FailureKind
from thalweg.store import HANDED, Store, TaskState
from thalweg.testing.toys import ORACLE, energies, learn, refusal, toy_label, toy_structure


class Damages(Protocol):
    """What damages a store for law 9: one bit of what lies on the disk is turned."""

    def label(self, store: Any, number: int) -> None:
        """In the numbers of a label."""
        ...

    def structure(self, store: Any, structure_hash: str) -> None:
        """In the positions of a structure."""
        ...

    def newest_checkpoint(self, store: Any) -> None:
        """In the state of the newest checkpoint."""
        ...


class StoreContract:
    """The tests. A subclass gives `open_store`, and `damages` if it can be damaged from outside."""

    durable = True
    """Whether what is written is there again when the same place is opened anew."""
    damages: Damages | None = None
    """How to damage it; None where nothing can."""

    def open_store(self, place: Path) -> AbstractContextManager[Store]:
        """The store kept at `place`, an existing folder: made if there is none."""
        raise NotImplementedError("a contract's subclass says how its store is opened")

    def test_law_1_one_writer(self, tmp_path: Path) -> None:
        """A second writer is refused while the first one writes, and let in afterwards."""
        if not self.durable:
            return
        with self.open_store(tmp_path):
            assert "in use" in refusal(lambda: self.open_store(tmp_path).__enter__())
        with self.open_store(tmp_path) as store:
            assert learn(store, 0) == 1

    def test_law_2_what_was_committed_is_there_again(self, tmp_path: Path) -> None:
        """Labels, questions and checkpoints come back when the store is opened anew."""
        if not self.durable:
            return
        with self.open_store(tmp_path) as store:
            learn(store, 0)
            store.save_checkpoint(3, {"a": 0.1 + 0.2}, {"x": np.arange(3)})
        with self.open_store(tmp_path) as store:
            checkpoint = store.last_checkpoint()
            assert energies(store) == [toy_label(0).energy]
            assert checkpoint is not None
            assert (checkpoint.iteration, checkpoint.state) == (3, {"a": 0.1 + 0.2})
            assert np.array_equal(checkpoint.arrays["x"], np.arange(3))

    def test_law_3_all_or_nothing(self, tmp_path: Path) -> None:
        """An error inside a transaction takes back all that was written in it, also by an inner one."""
        with self.open_store(tmp_path) as store:
            try:
                with store.transaction():
                    learn(store, 0)
                    with store.transaction():
                        store.append_event(0, "info", "text")
                    raise RuntimeError("in the middle")
            except RuntimeError:
                pass
            assert (store.questions(), store.events(), store.all_labels()) == ([], [], [])
            with store.transaction():
                learn(store, 0)
            assert len(store.all_labels()) == 1

    def test_law_4_a_label_is_stored_once(self, tmp_path: Path) -> None:
        """The same structure by the same oracle keeps its first label; another oracle's is another label."""
        with self.open_store(tmp_path) as store:
            structure = toy_structure(0)
            assert store.commit_label(structure, toy_label(0), kind="query", iteration=0) == 1
            assert store.commit_label(structure, toy_label(1), kind="audit", iteration=5) == 1
            found = store.find_label(structure.content_hash, ORACLE)
            assert found is not None
            assert found.energy == toy_label(0).energy
            assert store.find_label(structure.content_hash, "other") is None
            other = toy_label(0, oracle="other")
            assert store.commit_label(structure, other, kind="query", iteration=0) == 2

    def test_law_5_the_order_of_learning(self, tmp_path: Path) -> None:
        """Places are 1, 2, 3, ...; a rewind takes back those after the checkpoint, never a label."""
        with self.open_store(tmp_path) as store:
            store.keep_label(toy_structure(9), toy_label(9), kind="query", iteration=0)
            assert not store.is_learned(toy_structure(9).content_hash, ORACLE)
            assert [learn(store, seed) for seed in (3, 0)] == [1, 2]
            store.save_checkpoint(1, {}, {})
            assert [learn(store, seed) for seed in (2, 1)] == [3, 4]
            store.rewind()
            assert energies(store) == [toy_label(3).energy, toy_label(0).energy]
            assert len(store.all_labels()) == 5
            assert [learn(store, seed) for seed in (1, 9, 2)] == [3, 4, 5]

    def test_law_6_what_a_rewind_leaves(self, tmp_path: Path) -> None:
        """The story after the checkpoint goes; what cost a call or was handed in stays."""
        with self.open_store(tmp_path) as store:
            store.append_event(0, "info", "before")
            store.append_metrics(0, {"calls": 1})
            store.save_checkpoint(0, {}, {})
            learn(store, 0)
            failed = store.add_question(toy_structure(1), "query", iteration=1)
            store.record_failure(failed, 0, Failure(FailureKind.CRASHED, "boom"))
            store.add_question(toy_structure(2), "query", iteration=1)
            handed = store.add_question(toy_structure(3), HANDED, iteration=1)
            store.set_state(handed, TaskState.RUNNING)
            store.append_event(1, "info", "after")
            store.append_metrics(1, {"calls": 2})
            store.rewind()
            assert [event.text for event in store.events()] == ["before"]
            assert [entry.values for entry in store.metrics()] == [{"calls": 1}]
            hashes = [question.structure_hash for question in store.questions()]
            assert hashes == [toy_structure(seed).content_hash for seed in (0, 1, 3)]
            assert [question.id for question in store.handed_in()] == [handed]
            assert store.question(handed).state is TaskState.WAITING

    def test_law_7_the_same_question_has_one_id(self, tmp_path: Path) -> None:
        """Structure, kind and iteration name a question; it keeps its first prediction."""
        with self.open_store(tmp_path) as store:
            structure = toy_structure(0)
            number = store.add_question(structure, "query", iteration=4)
            for energy in (1.0, 2.0):
                said = {"energy": np.array(energy)}
                assert store.add_question(structure, "query", iteration=4, prediction=said) == number
                assert store.question(number).prediction["energy"] == 1.0
            assert store.add_question(structure, "audit", iteration=4) != number
            assert store.add_question(structure, "query", iteration=5) != number

    def test_law_8_numbers_come_back_to_the_last_bit(self, tmp_path: Path) -> None:
        """Of structures, labels, predictions and checkpoints."""
        structure, label = toy_structure(0, periodic=True), toy_label(0, stress=True)
        with self.open_store(tmp_path) as store:
            said = {"forces": label.forces / 3.0}
            number = store.add_question(structure, "query", iteration=0, prediction=said)
            store.commit_label(structure, label, kind="query", iteration=0, question_id=number)
            (record,) = store.labels_in_order()
            assert record.structure.content_hash == structure.content_hash
            assert store.structure(structure.content_hash).content_hash == structure.content_hash
            assert record.label.energy == label.energy
            assert np.array_equal(record.label.forces, label.forces)
            assert record.label.stress is not None
            assert label.stress is not None
            assert np.array_equal(record.label.stress, label.stress)
            assert (record.label.noise, record.label.wall_time) == (label.noise, label.wall_time)
            assert np.array_equal(store.question(number).prediction["forces"], said["forces"])

    def test_law_9_damage_is_never_read_as_if_it_were_whole(self, tmp_path: Path) -> None:
        """A damaged label or structure is an error that names it, and only it."""
        if self.damages is None:
            return
        with self.open_store(tmp_path) as store:
            for seed in (0, 1, 2):
                learn(store, seed)
            first, second, third = (record.number for record in store.all_labels())
            self.damages.label(store, second)
            assert f"label {second}" in refusal(store.labels_in_order)
            assert f"label {second}" in refusal(store.find_label, toy_structure(1).content_hash, ORACLE)
            sound, damaged = store.sound_labels()
            assert [record.number for record in sound] == [first, third]
            assert [one.number for one in damaged] == [second]
            name = toy_structure(2).content_hash
            self.damages.structure(store, name)
            assert name[:12] in refusal(store.structure, name)
            assert (
                store.structure(toy_structure(0).content_hash).content_hash == toy_structure(0).content_hash
            )

    def test_law_9_a_damaged_checkpoint_gives_way_to_the_one_before(self, tmp_path: Path) -> None:
        """With the places, questions and story of that one; a notice says so."""
        if self.damages is None:
            return
        with self.open_store(tmp_path) as store:
            for iteration in (1, 2):
                learn(store, iteration, iteration=iteration)
                store.append_event(iteration, "info", f"line {iteration}")
                store.save_checkpoint(iteration, {"k": iteration}, {})
            self.damages.newest_checkpoint(store)
            store.rewind()
            (notice,) = store.notices
            assert "checkpoint" in notice
            checkpoint = store.last_checkpoint()
            assert checkpoint is not None
            assert checkpoint.state == {"k": 1}
            assert energies(store) == [toy_label(1).energy]
            assert len(store.all_labels()) == 2
            assert [event.text for event in store.events()] == ["line 1"]
            self.damages.newest_checkpoint(store)
            assert "all its checkpoints are damaged" in refusal(store.rewind)

    def test_law_10_a_withdrawn_label_is_gone_and_on_record(self, tmp_path: Path) -> None:
        """Not found, not in the order, not stored again; what comes after it moves up."""
        with self.open_store(tmp_path) as store:
            for seed in (0, 1, 2):
                learn(store, seed)
            store.save_checkpoint(0, {}, {})
            assert store.withdrawn_since_checkpoint() == []
            number, name = store.all_labels()[1].number, toy_structure(1).content_hash
            record = store.withdraw_label(number, who="me", why="a jump")
            assert (record.label_number, record.sequence, record.who, record.why) == (
                number,
                2,
                "me",
                "a jump",
            )
            assert record.energy == toy_label(1).energy
            assert store.find_label(name, ORACLE) is None
            assert energies(store) == [toy_label(0).energy, toy_label(2).energy]
            assert [label.sequence for label in store.all_labels()] == [1, 2]
            assert store.withdrawn_structures() == {name}
            assert "withdrawn" in refusal(learn, store, 1)
            assert store.withdrawn_since_checkpoint() == [record] == store.withdrawals()
            store.rewind()
            assert [label.sequence for label in store.all_labels()] == [1, 2]
            assert learn(store, 3) == 3
            store.save_checkpoint(1, {}, {})
            assert store.withdrawn_since_checkpoint() == []
            assert number not in [label.number for label in store.all_labels()]

    def test_law_10_what_may_be_asked_again_waits(self, tmp_path: Path) -> None:
        """The structure of a label that may be asked again is a question that was handed in."""
        with self.open_store(tmp_path) as store:
            learn(store, 0)
            number = store.all_labels()[0].number
            store.withdraw_label(number, who="me", why="", ask_again=True)
            (question,) = store.handed_in()
            assert question.structure_hash == toy_structure(0).content_hash
            assert store.withdrawn_structures() == frozenset()
            assert learn(store, 0, HANDED) == 1
            assert store.all_labels()[0].number != number

    def test_law_10_a_waiting_question_can_be_withdrawn(self, tmp_path: Path) -> None:
        """It waits no longer and stays so after a rewind; one that has its label is not withdrawn so."""
        with self.open_store(tmp_path) as store:
            store.save_checkpoint(0, {}, {})
            number = store.add_question(toy_structure(0), HANDED, iteration=0)
            learn(store, 1)
            store.withdraw_question(number, who="me", why="far away")
            store.rewind()
            assert store.handed_in() == []
            assert store.question(number).state is TaskState.WITHDRAWN
            assert store.withdrawn_structures() == {toy_structure(0).content_hash}
            (answered,) = store.questions(kind="query")
            assert "done" in refusal(store.withdraw_question, answered.id, who="me", why="")
            assert "no label 99" in refusal(store.withdraw_label, 99, who="me", why="")

    def test_law_11_texts_are_bounded(self, tmp_path: Path) -> None:
        """Whatever the oracle said: 50 MB, NUL, half a character."""
        with self.open_store(tmp_path) as store:
            number = store.add_question(toy_structure(0), "query", iteration=0, reason={"text": "\ud800"})
            awful = "first\0\udcff" + "x" * 1_000_000 + "last"
            store.record_failure(number, 0, Failure(FailureKind.CRASHED, awful, awful))
            store.append_event(0, "info", awful, {"deep": [{"text": awful}]})
            (attempt,), (event,) = store.attempts(), store.events()
            for text in (
                attempt.failure.message,
                attempt.failure.log,
                event.text,
                event.data["deep"][0]["text"],
            ):
                assert len(text) <= 20_100
                assert text.startswith("first")
                assert text.endswith("last")
                assert b"\0" not in text.encode()

    def test_what_is_not_there_is_said(self, tmp_path: Path) -> None:
        """Unknown structures and questions."""
        with self.open_store(tmp_path) as store:
            assert "no structure abc" in refusal(store.structure, "abc")
            assert "no question 99" in refusal(store.set_state, 99, TaskState.DONE)
            assert "no question 99" in refusal(store.question, 99)
            assert store.last_checkpoint() is None

    def test_failures_can_be_forgotten(self, tmp_path: Path) -> None:
        """Their questions wait again; those that have their label do not."""
        with self.open_store(tmp_path) as store:
            learn(store, 0)
            lost = store.add_question(toy_structure(1), "query", iteration=0)
            for attempt in range(2):
                store.record_failure(lost, attempt, Failure(FailureKind.CRASHED, "boom", oracle=ORACLE))
            store.set_state(lost, TaskState.QUARANTINED)
            assert store.forget_failures() == 2
            assert store.attempts() == []
            states = {question.id: question.state for question in store.questions()}
            assert states.pop(lost) is TaskState.WAITING
            assert list(states.values()) == [TaskState.DONE]
            assert store.find_question(lost) is not None
            assert store.find_question(99) is None

    def test_starts_and_values_under_a_name(self, tmp_path: Path) -> None:
        """The settings of each start, what it started from, and plain values."""
        with self.open_store(tmp_path) as store:
            assert store.start_structures() is None
            assert store.start_run({"seed": 1}) == 1
            starts = [toy_structure(0), toy_structure(1)]
            assert store.start_run({"seed": 2}, {"seed": [1, 2]}, structures=starts) == 2
            assert [run.changes for run in store.runs()] == [{}, {"seed": [1, 2]}]
            found = store.start_structures()
            assert found is not None
            assert [one.content_hash for one in found] == [one.content_hash for one in starts]
            assert store.meta("oracle") is None
            for value in ({"name": "toy"}, 3):
                store.set_meta("oracle", value)
                assert store.meta("oracle") == value
            assert store.counts()["labels"] == 0
