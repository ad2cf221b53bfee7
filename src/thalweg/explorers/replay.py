"""Walking along trajectories that are there already: the frames of ab initio dynamics, or of another program's.

The model leads nobody here. Every frame is judged as a step of molecular dynamics is, by the core; where the model is
unsure, the frame itself is asked about. A break limit stops a walker before the frame, which the gate then asks about
and from which the walker goes on: a frame is a real structure, however little the model knows of it. What cannot be
learned is passed over. At the end of a trajectory it begins again, since the model has learned meanwhile.

The certificate of such a run speaks of the trajectories' frames, and of nothing else.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.border import check_cell
from thalweg.errors import InputError, check
from thalweg.explorers.base import NativeField, Snapshot
from thalweg.explorers.block import BlockResult
from thalweg.explorers.limits import Finding, Limits, WalkEvent
from thalweg.explorers.md import MdSettings, advance
from thalweg.explorers.visit import Frames, Visit
from thalweg.explorers.walker import WalkerState
from thalweg.reducing import reduce_atoms
from thalweg.sites import check_sites
from thalweg.structure import Structure, check_joins

if TYPE_CHECKING:
    import ase

NAME = "replay"
CHUNK = 128
"""Frames judged at once: enough for every thread, few to have judged in vain where a walker stops."""


@dataclass(frozen=True, eq=False)
class Track:
    """A trajectory: its name in the conversation, and its frames, all of the same atoms in the same order."""

    source: str
    frames: tuple[Structure, ...]

    def __post_init__(self) -> None:
        check(len(self.frames) > 0, f"replay: {self.source} has no frames; expected at least one")
        first = self.frames[0]
        for k, frame in enumerate(self.frames):
            if not (np.array_equal(frame.numbers, first.numbers) and np.array_equal(frame.pbc, first.pbc)):
                raise InputError(
                    f"replay: frame {k} of {self.source} has other atoms or another periodicity than frame 0; make a "
                    "Track of each"
                )
            if (frame.charge, frame.multiplicity) != (first.charge, first.multiplicity):
                raise InputError(
                    f"replay: frame {k} of {self.source} has another charge or multiplicity than frame 0; the "
                    "potential sees neither: each needs a run of its own"
                )

    @classmethod
    def of(cls, source: str, frames: Iterable[ase.Atoms]) -> Track:
        """From ASE's structures, for example `Track.of("aimd.traj", ase.io.iread("aimd.traj"))`.

        Very skewed cells become the shortest vectors of their lattice.

        Raises
        ------
        InputError
            A frame that is no structure, or whose cell is no crystal's; the message names it.
        """
        return cls(source, tuple(_frame(atoms, source, k) for k, atoms in enumerate(frames)))


def _frame(atoms: ase.Atoms, source: str, number: int) -> Structure:
    where = f"replay: frame {number} of {source}"
    check_sites(atoms, where)
    atoms = atoms.copy()
    reduce_atoms(atoms)
    try:
        structure = Structure.from_atoms(atoms)
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix('structure: ')}") from error
    check_cell(structure, where)
    return structure


@dataclass(frozen=True, eq=False)
class ReplayState:
    """A walker on a track; see `Walker`. `first` is the frame at which step 0 stood, of `n_frames`."""

    walker_id: int
    temperature: float
    structure: Structure
    source: str
    track: int
    first: int
    n_frames: int
    step: int = 0
    time_fs: float = 0.0
    reference_energy: float | None = None

    def frame(self, step: int) -> int:
        """The frame at a step; a track begins again at its end."""
        return (self.first + step) % self.n_frames

    def where(self, moment: Snapshot) -> str:
        """Walker, frame and file, in words."""
        return f"walker {self.walker_id}, frame {self.frame(moment.step)} of {self.source}"

    def to_dict(self) -> dict[str, Any]:
        """The place on the track, and the frame's hash instead of its atoms."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"explorer": NAME, **data, "structure": self.structure.content_hash}


@dataclass(frozen=True, eq=False)
class ReplayVisit(Visit[ReplayState]):
    """A block of frames; `met` is the frame before which the walker stopped, with its scores."""

    met: Snapshot | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether it was the walker's own frame that ended the block."""
        return self.met is not None and self.met.step == self.state.step

    def last_sane(self, bound: float, novelty: float = math.inf) -> Snapshot | None:
        """The frame that was met: it comes from outside, and no model led there."""
        return self.met if self.met is not None else super().last_sane(bound, novelty)


@dataclass(frozen=True, eq=False)
class Replay:
    """The Explorer of given trajectories.

    Attributes
    ----------
    tracks : at least one; walkers take them in turn, and those on the same one begin at even distances along it
    step_fs : fs
        What a frame counts on the run's clock, `explore.time`.
    sample_every : frames
    n_threads : frames are judged on so many
    """

    tracks: Sequence[Track]
    step_fs: float = 1.0
    sample_every: int = 1
    n_threads: int = 1

    def __post_init__(self) -> None:
        check(len(self.tracks) > 0, "replay: no trajectory given; expected at least one Track")
        check(0 < self.step_fs < math.inf, f"replay: step_fs must be above 0 fs, got {self.step_fs}")
        check(self.sample_every >= 1, f"replay: sample_every must be at least 1, got {self.sample_every}")

    def start(
        self, structures: Sequence[Structure], temperatures: Sequence[float], seed: int
    ) -> list[ReplayState]:
        """On the tracks, wherever `structures` are.

        Raises InputError where a track has an element that these lack, or another charge or spin.
        """
        known = {int(z) for structure in structures for z in structure.numbers}
        for track in self.tracks:
            if not {int(z) for z in track.frames[0].numbers} <= known:
                raise InputError(
                    f"replay: {track.source} has elements that no start structure has; name one of its frames "
                    "among the structures of `system`"
                )
            check_joins(track.frames[0], structures, f"replay: {track.source}")
        return [self._starting(k, warm, len(temperatures)) for k, warm in enumerate(temperatures)]

    def _starting(self, k: int, temperature: float, n_walkers: int) -> ReplayState:
        n = len(self.tracks)
        track = self.tracks[k % n]
        n_frames, sharing = len(track.frames), (n_walkers - k % n + n - 1) // n
        first = (k // n) * n_frames // sharing
        return ReplayState(k, temperature, track.frames[first], track.source, k % n, first, n_frames)

    # --- walking ----------------------------------------------------------------------------------------

    def advance(
        self,
        field: NativeField,
        states: Sequence[ReplayState],
        n_steps: int,
        limits: Limits | Sequence[Limits],
        *,
        sample_every: int | None = None,
    ) -> list[ReplayVisit]:
        """The next `n_steps` frames of every walker; raises what molecular dynamics raises."""
        check(n_steps >= 0, f"replay: expected n_steps >= 0, got {n_steps}")
        each = [limits] * len(states) if isinstance(limits, Limits) else list(limits)
        check(len(each) == len(states), f"replay: {len(each)} limits for {len(states)} walkers")
        every = self.sample_every if sample_every is None else sample_every
        return [
            self._visit(field, state, n_steps, one, every) for state, one in zip(states, each, strict=True)
        ]

    def _visit(
        self, field: NativeField, state: ReplayState, n_steps: int, limits: Limits, every: int
    ) -> ReplayVisit:
        passed: list[BlockResult] = []
        stopped: BlockResult | None = None
        for result in self._judged(field, state, n_steps, limits):
            if result.event.is_break or result.event.is_insane:
                stopped = result
                break
            passed.append(result)
        here = passed[-1] if passed else stopped
        assert here is not None  # the state given is always judged
        moments = [result.last for result in passed]
        crossed = next((result for result in passed if result.crossing is not None), None)
        samples = [m for m in moments[1:] if every and m.step % every == 0]
        return ReplayVisit(
            state=dataclasses.replace(
                self._at(state, here.last.step),
                time_fs=here.last.time_fs,
                reference_energy=here.state.reference_energy if passed else state.reference_energy,
            ),
            last=here.last,
            verdict=Finding(WalkEvent.BLOCK_END) if stopped is None else stopped.verdict,
            crossing=None if crossed is None else crossed.crossing,
            first_crossing=None if crossed is None else crossed.last,
            worst=max(moments, key=_unsureness, default=None),
            history=Frames.of(state.structure, moments[-1:] if every else []),
            samples=Frames.of(state.structure, samples),
            n_steps=max(len(passed) - 1, 0),
            mean_temperature=math.nan,
            met=None if stopped is None else stopped.last,
        )

    def _judged(
        self, field: NativeField, state: ReplayState, n_steps: int, limits: Limits
    ) -> Iterator[BlockResult]:
        """Every frame from the walker's own on, as the core judges it at rest."""
        settings = MdSettings(record_stride=0, history_stride=0)
        reference, begin, end = state.reference_energy, state.step, state.step + n_steps + 1
        while begin < end:
            # The first energy is what the others' spikes are measured from.
            stop = begin + 1 if reference is None else min(begin + CHUNK, end)
            frames = [self._still(state, step, reference) for step in range(begin, stop)]
            results = advance(field, frames, 0, settings, limits, n_threads=self.n_threads)
            yield from results
            reference, begin = results[-1].state.reference_energy, stop

    def _still(self, state: ReplayState, step: int, reference: float | None) -> WalkerState:
        structure = self._frame(state, step)
        return WalkerState(
            structure=structure,
            velocities=np.zeros((len(structure), 3)),
            masses=structure.amu,
            temperature=0.0,
            seed=0,
            walker_id=state.walker_id,
            step=step,
            time_fs=state.time_fs + (step - state.step) * self.step_fs,
            reference_energy=reference,
        )

    def _frame(self, state: ReplayState, step: int) -> Structure:
        return self.tracks[state.track].frames[state.frame(step)]

    def _at(self, state: ReplayState, step: int) -> ReplayState:
        return dataclasses.replace(state, step=step, structure=self._frame(state, step))

    # --- elsewhere --------------------------------------------------------------------------------------

    def step_back(self, state: ReplayState, moment: Snapshot) -> ReplayState:
        """At the moment's frame."""
        return dataclasses.replace(self._at(state, moment.step), time_fs=moment.time_fs)

    def restart(
        self, state: ReplayState, structure: Structure, rng: np.random.Generator, *, stuck: bool = False
    ) -> ReplayState:
        """At the frame after the one that it cannot pass; energy spikes are measured anew."""
        after = dataclasses.replace(self._at(state, state.step + 1), reference_energy=None)
        return dataclasses.replace(after, time_fs=state.time_fs + self.step_fs)

    def fresh(self, state: ReplayState, seed: int, rng: np.random.Generator) -> ReplayState:
        """At a frame of its track that is drawn by chance."""
        return self._at(state, state.step + int(rng.integers(state.n_frames)))

    def redirect(self, state: ReplayState, wanted: ReplayState, rng: np.random.Generator) -> ReplayState:
        """At the same frame, with the other's temperature."""
        return dataclasses.replace(state, temperature=wanted.temperature)

    def state_from_dict(self, data: dict[str, Any]) -> ReplayState:
        """A state whose frame is still the one that was saved."""
        data = dict(data)
        if data.pop("explorer", None) != NAME:
            raise InputError("replay: these are walkers of another explorer; go on with the one of the run")
        try:
            saved, track = data.pop("structure"), self.tracks[int(data["track"])]
            state = ReplayState(structure=track.frames[0], **data)
            state = self._at(state, state.step)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"replay: this is no saved walker of these trajectories ({error})") from error
        if state.structure.content_hash != saved or len(track.frames) != state.n_frames:
            raise InputError(
                f"replay: {track.source} has changed since the run stood at frame {state.frame(state.step)}; give the "
                "trajectory as it was, or begin another run"
            )
        return state


def _unsureness(moment: Snapshot) -> float:
    """The bound, and novelty where there is no committee."""
    score = moment.novelty_max if moment.bound_max is None else moment.bound_max
    return 0.0 if score is None else score
