"""kill -9 at random moments of the real loop: nothing is lost, nothing is computed twice, the result is the same.

The oracle writes a line to a file, with full sync, before it gives an answer. A line whose label is not in the store is
an answer that was on its way when the process died; a label in the store must never be asked for again.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase.calculators import emt, morse
from long_ranged import FAR
from runs import MORSE, cluster, make_config, same_model, tight_cluster

from thalweg.features.zbl import shortest_distances
from thalweg.loop import invocation
from thalweg.loop.beginning import fresh_state
from thalweg.loop.learning.basing import Basing
from thalweg.loop.runner import run
from thalweg.potential import Potential
from thalweg.store import SqliteStore
from thalweg.structure import Structure


class Counted:
    """A calculator that leaves a line in a ledger for every answer."""

    def __init__(self, ledger: str, **options: float) -> None:
        super().__init__(**options)
        self.ledger = Path(ledger)

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        """Compute, then write the positions' bytes down, durably."""
        super().calculate(atoms, properties, system_changes)
        line = self.atoms.positions.astype("<f8").tobytes().hex() + "\n"
        handle = os.open(self.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.fsync(handle)
        os.close(handle)


class CountedEMT(Counted, emt.EMT):
    """EMT."""


class CountedMorse(Counted, morse.MorsePotential):
    """Morse atoms."""


def counted(path: Path, seed: int, name: str, options: dict[str, float], **changes):
    ledger = {"ledger": str(path.parent / "ledger.txt")}
    oracle = {"name": "ase", "calculator": f"{__name__}.{name}", "options": {**options, **ledger}}
    return make_config(path, oracle=oracle, seed=seed, **changes)


def usual(folder: Path, seed: int):
    return counted(cluster(folder), seed, "CountedEMT", {})


def tight(folder: Path, seed: int):
    """Labels that come nearer and nearer, so that the core repulsion is drawn in again and again."""
    return counted(tight_cluster(folder), seed, "CountedMorse", MORSE)


def parallel(folder: Path, seed: int):
    """Three workers, so that questions are under way while walkers go on."""
    three = {"executor": {"kind": "process", "workers": 3}, "explore": {"walkers": 4}}
    return counted(cluster(folder), seed, "CountedEMT", {}, **three)


def asked(folder: Path) -> Counter[str]:
    """Answers by structure."""
    path = folder / "ledger.txt"
    return Counter(path.read_text().split() if path.exists() else [])


def known(folder: Path) -> set[str]:
    """Structures whose label is durable."""
    if not (folder / "run" / "thalweg.db").exists():
        return set()
    with sqlite3.connect(folder / "run" / "thalweg.db") as database:
        if database.execute("PRAGMA user_version").fetchone() == (0,):
            return set()  # killed between making the file and its first table
    with SqliteStore.read(folder / "run") as store:
        return {record.structure.positions.astype("<f8").tobytes().hex() for record in store.all_labels()}


def attempt(config, folder: Path, seconds: float | None) -> bool:
    """Run in a child; kill it after `seconds`. Returns whether it came to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(config, folder / "run")
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert seconds is not None or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def killed_run(config, folder: Path, rng: np.random.Generator, kills: int, longest: float) -> int:
    """Kill up to `kills` times, then let it end; returns how often it was killed. Checks the ledger on the way."""
    done = 0
    for _ in range(kills):
        durable, before = known(folder), asked(folder)
        finished = attempt(config, folder, float(rng.uniform(0.02, longest)))
        done += not finished
        again = {structure for structure in durable if asked(folder)[structure] > before[structure]}
        assert not again
        assert durable <= known(folder)
        assert is_sound(folder / "run" / "thalweg.db")
        if finished:
            break
    attempt(config, folder, None)
    return done


def is_sound(path: Path) -> bool:
    """Whether the database is whole; one that is not there yet is."""
    if not path.exists():
        return True
    with sqlite3.connect(path) as database:
        return bool(database.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def labels_in_order(folder: Path) -> list[tuple[str, float]]:
    with SqliteStore.read(folder / "run") as store:
        return [(record.structure.content_hash, record.label.energy) for record in store.labels_in_order()]


def shortest(structure: Structure) -> float:
    return float(shortest_distances([structure], ("Cu",), 3.0)[0, 0])


def torture(tmp_path: Path, at_least: int, configure=usual, longest: float = 0.3) -> None:
    """Kill runs within `longest` seconds of their start, again and again."""
    rng = np.random.default_rng(11)
    total = 0
    for seed in range(1, 400):
        calm, killed = tmp_path / f"calm{seed}", tmp_path / f"killed{seed}"
        for folder in (calm, killed):
            folder.mkdir()
        attempt(configure(calm, seed), calm, None)
        total += killed_run(configure(killed, seed), killed, rng, 30, longest)
        assert labels_in_order(killed) == labels_in_order(calm)
        assert same_model(calm / "run" / "model", killed / "run" / "model")
        with SqliteStore.read(calm / "run") as one, SqliteStore.read(killed / "run") as two:
            heard = [
                [e.text.split("; learned")[0] for e in s.events() if e.kind == "query"] for s in (one, two)
            ]
        assert heard[0] == heard[1]
        if total >= at_least:
            return
    pytest.fail(f"only {total} of {at_least} kills hit a running process")


def test_fifty_kills_lose_nothing_compute_nothing_twice_and_change_nothing(tmp_path):
    torture(tmp_path, 50)


def test_nor_do_kills_while_labels_draw_the_repulsion_in(tmp_path):
    torture(tmp_path, 10, tight)
    outer = Potential.load(tmp_path / "killed1" / "run" / "model").zbl.outer[0, 0]
    with SqliteStore.read(tmp_path / "killed1" / "run") as store:
        nearest = [shortest(record.structure) for record in store.labels_in_order()]
    assert outer == pytest.approx(min(nearest), rel=1e-10)
    assert min(nearest) < min(nearest[:4])  # a label nearer than all seeds


def choosing(folder: Path, seed: int):
    """Labels that ask for a longer cutoff, looked for at 8 labels and again at 16, 32, ..."""
    far = {"target": {"force_error": 0.004}, "model": {"r_cut": None}, "budget": {"oracle_calls": 40}}
    return counted(cluster(folder), seed, "CountedMorse", FAR, **far)


def early(config, store):
    """The state of a run that looks for a better basis at 8 labels already."""
    state = fresh_state(config, store)
    state.basing = Basing(next_at=8)
    return state


def test_nor_do_kills_while_it_chooses_its_basis(tmp_path, monkeypatch):
    monkeypatch.setattr(invocation, "fresh_state", early)
    torture(tmp_path, 10, choosing)
    with SqliteStore.read(tmp_path / "killed1" / "run") as store:
        basing = store.last_checkpoint().state["basing"]
    assert basing["basis"] is not None
    assert len(basing["choices"]) > 1


@pytest.mark.endurance
def test_sixty_kills_while_questions_are_under_way(tmp_path):
    torture(tmp_path, 60, parallel, longest=4.0)


@pytest.mark.endurance
def test_three_hundred_kills(tmp_path):
    torture(tmp_path, 300)
