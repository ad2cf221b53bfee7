"""Short trajectories of eight copper atoms, and what they leave."""

from dataclasses import replace

import numpy as np

from thalweg.production import Plan, prepare_start, produce
from thalweg.production.thermo import COLUMNS

PLAN = Plan(
    n_steps=300,
    timestep_fs=2.0,
    temperature=400.0,
    every=20,
    log_every=10,
    uncertainty_every=5,
    halt=None,
    seed=3,
)
NPT = replace(PLAN, ensemble="npt", coupling="full", pressure_gpa=1.0, barostat_fs=100.0)


class Listener:
    """Hears everything, and asks to stop at the n-th look."""

    def __init__(self, stop_after=10**9):
        self.heard, self.looks, self.stop_after = [], 0, stop_after

    def progress(self, progress):
        self.heard.append(progress)

    def say(self, text):
        self.heard.append(text)

    def stop(self):
        self.looks += 1
        return self.looks > self.stop_after


def run(potential, cell, plan, folder, stop_after=10**9, **options):
    listener = Listener(stop_after)
    start = options.pop("start", prepare_start(cell))
    return produce(potential, start, plan, folder, observer=listener, stop=listener.stop, **options)


def log_of(folder):
    """Every column but the wall time."""
    lines = (folder / "log.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    return [line.rpartition(",")[0] for line in lines]


def column(folder, name):
    lines = (folder / "log.csv").read_text().splitlines()[1:]
    return np.array([float(line.split(",")[COLUMNS.index(name)]) for line in lines])
