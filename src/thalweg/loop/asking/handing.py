"""`thalweg queue`: structures handed in by the user become questions that a run answers before it continues to explore.

Such a question is durable when `hand_in` returns, exists once per structure however often that is handed
in, and survives the rewind to a checkpoint. The next `thalweg run` finds it, reopens a run that has stopped, and pays
for its label from the run's budget (`loop/deciding/policy.py`: before anything else, while calls are left).

The store has one writer: nothing can be handed in during a run, and the error says who holds the folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from thalweg.border import check_connected
from thalweg.config import start_structures
from thalweg.errors import InputError, OracleError, StoreError
from thalweg.explorers.limits import SHORTEST_FRACTION
from thalweg.labelling.question import Reason
from thalweg.loop.beginning import FINGERPRINT, last_config
from thalweg.neighbours import pairs_within
from thalweg.oracles import make_oracle
from thalweg.oracles.base import Oracle
from thalweg.oracles.trust import fingerprint_of, runs_named_code
from thalweg.store import HANDED, Scored, SqliteStore, Store, TaskState, place_of, read_scored
from thalweg.structure import Structure, check_joins


@dataclass(frozen=True)
class Receipt:
    """What became of the structures of one hand-in.

    Attributes
    ----------
    queued : tuple of str
        Why each new question is asked, in words.
    waiting, learned : int
        Structures that wait already, or whose label the run has learned.
    set_aside : int
        Structures on which every attempt of the oracle has failed before.
    withdrawn : int
        Structures whose label was withdrawn, and that are not to be asked again.
    calls, budget : int
        Calls that the run has made, and may make.
    n_waiting : int
        All questions that wait now.
    """

    queued: tuple[str, ...]
    waiting: int
    learned: int
    set_aside: int
    withdrawn: int
    calls: int
    budget: int
    n_waiting: int

    @property
    def left_over(self) -> int:
        """Questions for which the budget has no call."""
        return max(0, self.n_waiting - max(0, self.budget - self.calls))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("waiting", "learned", "set_aside", "withdrawn", "calls", "budget", "n_waiting", "left_over")
        return {"queued": list(self.queued), **{name: getattr(self, name) for name in names}}


def hand_in(folder: Path, files: Sequence[Path], *, max_atoms: int) -> Receipt:
    """Put every structure in `files` into the queue of the run in `folder`.

    Nothing is queued unless all are fit. A structure that waits already, or is learned, is left as it is. The folder
    may be anybody's: a calculator that it names is neither imported nor built.

    Raises
    ------
    InputError
        An unreadable file, an element that the run does not know, more than `max_atoms` atoms, atoms that touch, or
        parts that do not feel each other.
    OracleError
        A periodicity that the run's oracle cannot treat.
    StoreError
        No run, or one that another process is writing to.
    """
    read = [(path, read_scored(path)) for path in files]
    offers = [(path, one) for path, structures in read for one in structures]
    with SqliteStore.open(folder, create=False) as store:
        config = last_config(store)
        if config is None:
            raise StoreError(
                f"{folder}: no run has started here; start it with `thalweg run CONFIG --run {folder}`"
            )
        section = config.oracle.model_dump()
        oracle = None if runs_named_code(section) else make_oracle(section)
        starts = store.start_structures() or start_structures(config.system)
        numbers = frozenset(int(z) for s in starts for z in s.numbers)
        for path, structures in read:
            for n, one in enumerate(structures, start=1):
                where = place_of(path, n) if len(structures) > 1 else str(path)
                _check(one.structure, where, path, oracle, numbers, max_atoms)
                check_joins(one.structure, starts, where)
        fingerprint = store.meta(FINGERPRINT) or fingerprint_of(section)
        if not isinstance(fingerprint, str):
            raise StoreError(
                f"{folder}: the store does not record the run's oracle; repeat its `thalweg run` command"
            )
        with store.transaction():
            return _queue(store, offers, fingerprint, config.budget.oracle_calls)


def _queue(store: Store, offers: Iterable[tuple[Path, Scored]], fingerprint: str, budget: int) -> Receipt:
    checkpoint = store.last_checkpoint()
    iteration = 0 if checkpoint is None else checkpoint.iteration
    calls = 0 if checkpoint is None else int(checkpoint.state["policy"]["calls"])
    handed = {question.structure_hash for question in store.questions(kind=HANDED)}
    lost = {question.structure_hash for question in store.questions(state=TaskState.QUARANTINED)}
    withdrawn = store.withdrawn_structures()
    queued: list[str] = []
    n_waiting = n_learned = n_lost = n_withdrawn = 0
    for path, one in offers:
        name = one.structure.content_hash
        if store.is_learned(name, fingerprint):
            n_learned += 1
        elif name in withdrawn:
            n_withdrawn += 1
        elif name in lost:
            n_lost += 1
        elif name in handed:
            n_waiting += 1
        else:
            reason = reason_of(one, path)
            store.add_question(one.structure, HANDED, iteration=iteration, reason=reason)
            handed.add(name)
            queued.append(reason["text"])
    waiting = len(store.handed_in())
    return Receipt(tuple(queued), n_waiting, n_learned, n_lost, n_withdrawn, calls, budget, waiting)


def reason_of(one: Scored, path: Path) -> dict[str, Any]:
    """Why it is asked: in the words that the file holds, else by the largest bound that it holds.

    Keys as those of `Reason`, and `source`, the file that it came from, `why`, the words without it.
    """
    source = str(one.info.get("source") or path.name)
    why = str(one.info.get("why") or "")
    atom, element, value = -1, "", 0.0
    if one.bound is not None:
        atom = int(np.argmax(one.bound)) if one.atom is None else one.atom
        element = chemical_symbols[int(one.structure.numbers[atom])]
        value = float(one.bound[atom])
        why = why or f"{element}{atom} uncertain, {value:.2f} eV/Å"
    why = why or "asked for by hand"
    text = f"handed in from {source}: {why}"
    return Reason("handed", atom, element, value, np.inf, text, source=source, why=why).to_json()


# ---- what may not join the queue ----------------------------------------------------------------------


def _check(
    structure: Structure,
    where: str,
    path: Path,
    oracle: Oracle | None,
    numbers: frozenset[int],
    max_atoms: int,
) -> None:
    strange = sorted({int(z) for z in structure.numbers} - numbers)
    if strange:
        known = ", ".join(chemical_symbols[z] for z in sorted(numbers))
        raise InputError(
            f"{where}: it contains {', '.join(chemical_symbols[z] for z in strange)}, but the run knows only {known}; "
            "start a run whose system contains all elements"
        )
    if len(structure) > max_atoms:
        raise InputError(
            f"{where}: {len(structure)} atoms are more than the {max_atoms} that a question may have; cut out what is "
            f"uncertain (`thalweg carve {path} --model MODEL`), or raise --max-atoms"
        )
    _check_distances(structure, where)
    check_connected(structure, where)
    if oracle is None:
        return  # what a calculator can treat is known only by trying, which is the call that is to be made
    try:
        oracle.check_structure(structure)
    except OracleError as error:
        raise OracleError(f"{where}: {error}") from error


def _check_distances(structure: Structure, where: str) -> None:
    radii = SHORTEST_FRACTION * covalent_radii[structure.numbers]
    i, j, _, d = pairs_within(structure, max(0.1, 2.0 * float(radii.max())))
    touching = np.flatnonzero(d < radii[i] + radii[j])
    if len(touching):
        pair = touching[np.argmin(d[touching])]
        a, b = (f"{chemical_symbols[int(structure.numbers[k])]}{k}" for k in (i[pair], j[pair]))
        raise InputError(
            f"{where}: {a} and {b} are {d[pair]:.2f} Å apart; an oracle gives no sensible answer for cores that touch. "
            "Use a structure from before that happened"
        )
