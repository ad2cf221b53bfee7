"""A trajectory that falls apart says so, once, however it is cut into blocks."""

from dataclasses import replace

import numpy as np
from trajectories import NPT, PLAN, Listener, run

from thalweg.production import prepare_start, produce
from thalweg.production.summary import summarise
from thalweg.structure import Structure

NVE = replace(PLAN, ensemble="nve")


def dimer(speed):
    """Two copper atoms 4.5 Å apart, each leaving the other with `speed` (Å per ASE time unit)."""
    structure = Structure([29, 29], [[0, 0, 0], [0, 0, 4.5]], np.zeros((3, 3)), [False] * 3)
    return prepare_start(structure, np.array([[0, 0, -speed], [0, 0, speed]]))


def fly(potential, folder, speed, stop_after=10**9):
    listener = Listener(stop_after)
    outcome = produce(potential, dimer(speed), NVE, folder, observer=listener, stop=listener.stop)
    return outcome, [line for line in listener.heard if isinstance(line, str)]


def test_it_is_said_once_and_stands_in_the_summary(copper_potential, tmp_path):
    outcome, lines = fly(copper_potential, tmp_path, 0.08)
    assert len(lines) == 1
    assert "Cu has left" in lines[0]
    parted = summarise(outcome, NVE, tmp_path, 1)["parted"]
    assert parted["how"] == "dissociated"
    assert 0 < parted["step"] < NVE.n_steps
    assert parted["step"] % NVE.every == 0


def test_interrupted_it_is_said_of_the_same_step(copper_potential, tmp_path, monkeypatch):
    whole, _ = fly(copper_potential, tmp_path / "whole", 0.08)
    monkeypatch.setattr("thalweg.production.runner._block_steps", lambda run: 7)
    said = []
    for _ in range(4):
        outcome, lines = fly(copper_potential, tmp_path / "cut", 0.08, stop_after=12)
        said += lines
        if outcome.state == "finished":
            break
    outcome, lines = fly(copper_potential, tmp_path / "cut", 0.08)
    assert outcome.parted == whole.parted
    assert len(said + lines) == 1


def test_what_holds_together_is_told_nothing_of(copper_potential, cell, tmp_path):
    outcome = run(copper_potential, cell, NPT, tmp_path)
    assert outcome.parted == {}
    assert summarise(outcome, NPT, tmp_path, 1)["parted"] is None
