"""An asker with everything it needs, on six copper atoms and EMT."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from ase.cluster import Octahedron
from blocks import LIMITS
from runs import EMT, cluster, make_config

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.explorers.base import Snapshot
from thalweg.explorers.walker import whereabouts
from thalweg.labelling.arrivals import Arrivals
from thalweg.labelling.labeller import Account
from thalweg.labelling.question import Reason
from thalweg.labelling.source import OracleSource
from thalweg.loop.asking.asker import Asker
from thalweg.loop.asking.first_labels import FirstLabels
from thalweg.loop.asking.opening import open_labeller
from thalweg.loop.deciding.policy_state import PolicyState
from thalweg.loop.setup import prepare
from thalweg.loop.state import LoopState
from thalweg.loop.telling.journal import Journal
from thalweg.loop.telling.reporter import NullReporter
from thalweg.loop.telling.stopwatch import Stopwatch
from thalweg.loop.telling.teller import Teller
from thalweg.loop.walking.exploration import Walk
from thalweg.loop.walking.gate import GateAnswer, Judgement
from thalweg.store import SqliteStore
from thalweg.structure import Structure


class Ear(NullReporter):
    """Keeps the lines it hears."""

    def __init__(self):
        self.lines = []

    def event(self, kind, text, data):
        self.lines.append((kind, text, dict(data)))


@contextmanager
def make_asker(folder, oracle=EMT, *, on=None, seeded=True, **changes):
    """Asker, learner, store and ear; unless told otherwise the seeds are already learned."""
    folder.mkdir(exist_ok=True)
    config = make_config(cluster(folder), oracle=oracle, **changes)
    source = OracleSource.of(config.oracle.model_dump())
    setup = prepare(config, source.oracle())
    state = LoopState(PolicyState(), np.random.default_rng(1), Calibration(CalibrationSpec(confidence=0.9)))
    with (
        SqliteStore.open(folder / "run") as store,
        open_labeller(
            store,
            Arrivals(store),
            source,
            config.executor,
            executor=on,
            account=Account(setup.rules.oracle_calls),
            set_aside=state.set_aside,
        ) as labeller,
    ):
        ear = Ear()
        tell = Teller(Journal(store, folder / "run", ear), labeller.oracle, setup.rules.target.force_error)
        stopwatch = Stopwatch(state.timing)
        asker = Asker(setup, state, labeller, tell, stopwatch)
        first = FirstLabels(setup, state, labeller, tell, stopwatch)
        learner = None
        if seeded:
            answered, learner = first.learn(store)
            state.policy = PolicyState(calls=answered.calls, n_labels=answered.labels, iteration=1)
            state.walkers = setup.walkers()
            ear.lines.clear()
        yield SimpleNamespace(
            asker=asker,
            first=first,
            learner=learner,
            store=store,
            ear=ear,
            setup=setup,
            state=state,
            labeller=labeller,
        )


def spoil(here, spec) -> None:
    """Let the oracle go wrong from here on; its labels are still of the same oracle."""
    here.labeller._ladder.source = OracleSource.of(spec)
    here.labeller._ladder.oracle = here.labeller._ladder.source.oracle()


def copper(seed: int = 0, size: float = 0.1) -> Structure:
    atoms = Octahedron("Cu", 2)
    atoms.rattle(size, seed=seed)
    return Structure.from_atoms(atoms)


def moment_of(structure: Structure, bound: float = 0.3, novelty: float = 1.0) -> Snapshot:
    n = len(structure)
    return Snapshot(structure, np.zeros((n, 3)), 5, 10.0, 300.0, -1.0, np.full(n, bound), np.full(n, novelty))


def walk_asking(*structures: Structure, cause: str = "uncertain", samples: tuple = ()) -> Walk:
    """A block in which each walker, one for each structure, has a question about it."""
    reason = Reason(cause, 1, "Cu", 0.3, LIMITS.label, "Cu1 uncertain")
    judgements = tuple(
        Judgement(k, GateAnswer.LABEL, reason, moment_of(structure)) for k, structure in enumerate(structures)
    ) or (Judgement(0, GateAnswer.TRUST),)
    moments = tuple(moment_of(structure) for structure in samples or structures)
    results = tuple(
        SimpleNamespace(state=standing(k), samples=moments) for k in range(max(1, len(structures)))
    )
    return Walk(results, judgements)


def standing(walker: int) -> SimpleNamespace:
    """As much of a walker as asking reads."""
    return SimpleNamespace(temperature=300.0, where=lambda moment: whereabouts(walker, moment.time_fs, 300.0))
