"""Oracles that do what they must not, and a labeller to ask them through."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from thalweg.label import Label, Outcome
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.executors.serial import SerialExecutor
from thalweg.labelling.labeller import Account, Labeller
from thalweg.labelling.ladder import Ladder
from thalweg.labelling.question import Question, QuestionKind
from thalweg.labelling.scratch import Scratch
from thalweg.labelling.source import OracleSource
from thalweg.oracles.analytic import LennardJonesOracle
from thalweg.store import SqliteStore
from thalweg.structure import Structure


def argon(seed: int = 0) -> Structure:
    """Four argon atoms, shaken."""
    positions = 4.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    positions += 0.1 * np.random.default_rng(seed).standard_normal((4, 3))
    return Structure(np.full(4, 18), positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def asked(seed: int = 0) -> Question:
    return Question(QuestionKind.QUERY, argon(seed), 1)


INNER = LennardJonesOracle()


@dataclass(frozen=True)
class Rogue:
    """Lennard-Jones, and what `does` says besides."""

    does: str = ""
    place: str = ""

    fingerprint = INNER.fingerprint
    display_name = "Rogue"
    gives_stress = True
    rungs = 1
    gives_isolated_atoms = True

    def check_structure(self, structure: Structure) -> None:
        """Everything will do."""

    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Label it, after doing something else."""
        label = INNER.label(structure, attempt)
        assert isinstance(label, Label)
        return getattr(self, f"_{self.does}")(structure, label) if self.does else label

    def _exits(self, structure, label):
        sys.exit(0)

    def _dies(self, structure, label):
        os._exit(0)

    def _segfaults(self, structure, label):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(10)

    def _raises(self, structure, label):
        raise ValueError("\ud800 a lone surrogate and a \0 NUL, " + 100_000 * "x")

    def _hangs(self, structure, label):
        time.sleep(60)

    def _returns_nothing(self, structure, label):
        return None

    def _returns_a_tuple(self, structure, label):
        return (label.energy, label.forces)

    def _returns_flat_forces(self, structure, label):
        return replace(label, forces=label.forces.ravel())

    def _returns_transposed_forces(self, structure, label):
        return replace(label, forces=label.forces.T)

    def _returns_too_few_forces(self, structure, label):
        return replace(label, forces=label.forces[:2])

    def _returns_nan(self, structure, label):
        return replace(label, energy=float("nan"))

    def _returns_another_oracles_label(self, structure, label):
        return replace(label, oracle="another")

    def _moves_the_atoms(self, structure, label):
        structure.positions.flags.writeable = True
        structure.positions[0] += 1.0
        return label

    def _litters(self, structure, label):
        """Leaves files in its current folder, prints, moves on, and draws random numbers."""
        Path("wavefunction").write_bytes(b"x" * 1000)
        print("total energy", label.energy)
        os.write(1, b"below Python\n")
        os.chdir("/")
        np.random.seed(1)
        random.seed(1)
        os.environ["OMP_NUM_THREADS"] = "77"
        np.seterr(all="raise")
        return label

    def _reads_what_was_left(self, structure, label):
        """As programs do that take the output of the call before for their own."""
        if Path("job.out").exists():
            return replace(label, energy=float(Path("job.out").read_text()))
        Path("job.out").write_text(str(label.energy))
        return label

    def _adds_global_noise(self, structure, label):
        return replace(label, energy=label.energy + np.random.random() + random.random())

    def _counts_itself(self, structure, label):
        with Path(self.place).open("a") as file:
            file.write("1")
        return label


@contextmanager
def labeller_on(
    folder: Path, oracle, executor: Executor | None = None, *, keep: float = 0.0, time_limit=None
):
    """A labeller in `folder`, and its store."""
    source = OracleSource.of(oracle)
    with SqliteStore.open(folder / "run") as store, Arrivals(store) as arrivals:
        ladder = Ladder(
            source,
            SerialExecutor() if executor is None else executor,
            arrivals.arrived,
            inbox=arrivals.inbox,
            scratch=Scratch(store.folder, keep=keep),
            time_limit=time_limit,
        )
        with Labeller(store, arrivals, ladder, account=Account()) as labeller:
            yield labeller, store
