"""What every explorer must keep to, as tests: subclass `ExplorerContract` in a test file and let pytest collect it.

    class TestMine(ExplorerContract):
        def explorer(self, n_threads): return Mine(n_threads=n_threads)
        def field(self): return CoreField(potential.elements, potential.force_field)
        def structures(self): return [...]
        def free(self): return Limits()
        def tight(self): return Limits(bound_break=0.1)

Nothing of pytest's is used: the laws are methods with plain assertions, whose messages say what was broken.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.explorers.base import NativeField, Walker
from thalweg.explorers.explorer import AnyExplorer
from thalweg.explorers.limits import Limits
from thalweg.explorers.visit import Visit
from thalweg.structure import Structure


class ExplorerContract:
    """The laws of `thalweg.explorers.Explorer`; the first five methods and two numbers are yours.

    Attributes
    ----------
    n_steps : int
        Of a block, at least 8; between them lie several samples and, with `tight`, a break of one walker or more.
    seed : int
    """

    n_steps = 40
    seed = 11

    def explorer(self, n_threads: int) -> AnyExplorer:
        """The explorer under test, on so many threads."""
        raise NotImplementedError

    def field(self) -> NativeField:
        """A field with a committee, on which `tight` is crossed."""
        raise NotImplementedError

    def structures(self) -> Sequence[Structure]:
        """Where walkers start, two or more."""
        raise NotImplementedError

    def free(self) -> Limits:
        """Limits that end no block."""
        raise NotImplementedError

    def tight(self) -> Limits:
        """Limits of which a walker crosses a break limit within a block, after its start."""
        raise NotImplementedError

    # --- help -------------------------------------------------------------------------------------------

    def states(self) -> list[Any]:
        """Walkers at their start, each at a temperature of its own."""
        structures = self.structures()
        temperatures = [300.0 + 50.0 * k for k in range(len(structures))]
        return list(self.explorer(1).start(structures, temperatures, self.seed))

    def block(self, states: Sequence[Any], n_steps: int | None = None, **how: Any) -> Sequence[Visit[Any]]:
        """A block of `n_steps`; `how` may name threads, limits and sample_every."""
        explorer, limits = self.explorer(how.pop("threads", 1)), how.pop("limits", None) or self.free()
        return explorer.advance(
            self.field(), states, self.n_steps if n_steps is None else n_steps, limits, **how
        )

    # --- laws -------------------------------------------------------------------------------------------

    def test_walkers_start_in_order_and_have_their_numbers(self) -> None:
        """One state per structure, numbered from 0, at its temperature."""
        states = self.states()
        assert [state.walker_id for state in states] == list(range(len(self.structures())))
        assert [state.temperature for state in states] == [300.0 + 50.0 * k for k in range(len(states))]
        assert all(state.step == 0 and state.time_fs == 0.0 for state in states)

    def test_the_same_bits_twice_and_on_any_number_of_threads(self) -> None:
        """And other bits from another start, lest nothing moves."""
        once = self.block(self.states())
        assert ends(once) == ends(self.block(self.states())), "two equal calls went different ways"
        assert ends(once) == ends(self.block(self.states(), threads=3)), "the way depends on threads"
        assert ends(once) != [json.dumps(state.to_dict()) for state in self.states()], "nothing moved"

    def test_a_walker_goes_the_same_way_in_any_company(self) -> None:
        """Alone, and among the others in another order, with results in the order of the states."""
        states = self.states()
        together = ends(self.block(states))
        alone = [ends(self.block([state]))[0] for state in states]
        assert together == alone, "the way of a walker depends on the others"
        assert ends(self.block(states[::-1])) == together[::-1], "results are not in the order of the states"
        assert len(self.block([])) == 0

    def test_a_block_in_two_is_the_block_in_one(self) -> None:
        """Cut at an odd place, with the same samples."""
        whole = self.block(self.states(), sample_every=2)
        first = self.block(self.states(), self.n_steps // 2 - 1, sample_every=2)
        rest = self.n_steps - (self.n_steps // 2 - 1)
        second = self.block([visit.state for visit in first], rest, sample_every=2)
        assert ends(whole) == ends(second), "the way depends on how it is cut into blocks"
        for one, a, b in zip(whole, first, second, strict=True):
            steps = [*a.samples.step, *b.samples.step]
            assert list(one.samples.step) == steps, "samples depend on how the way is cut into blocks"
            places = np.concatenate([a.samples.positions, b.samples.positions])
            assert np.array_equal(one.samples.positions, places)

    def test_states_survive_json_to_the_last_bit(self) -> None:
        """And go on as if nothing had happened."""
        visits = self.block(self.states())
        for visit in visits:
            text = json.dumps(visit.state.to_dict(), allow_nan=False)
            again = self.explorer(1).state_from_dict(json.loads(text))
            assert json.dumps(again.to_dict()) == text
            assert np.array_equal(again.structure.positions, visit.state.structure.positions)
            assert ends(self.block([again])) == ends(self.block([visit.state]))

    def test_samples_lie_within_the_block_at_even_distances(self) -> None:
        """None at the start, which belongs to the block before; 0 keeps none."""
        states = [visit.state for visit in self.block(self.states(), 3)]
        for state, visit in zip(states, self.block(states, sample_every=4), strict=True):
            steps = [int(step) for step in visit.samples.step]
            assert steps == [s for s in range(state.step + 1, visit.state.step + 1) if s % 4 == 0]
            assert len(steps) >= 1
            assert all(state.time_fs < moment.time_fs <= visit.state.time_fs for moment in visit.samples)
        for visit in self.block(states, sample_every=0):
            assert len(visit.samples) == 0

    def test_progress_is_monotone_and_counts_the_steps_done(self) -> None:
        """A block without steps stays where it is."""
        states, step_fs = self.states(), self.explorer(1).step_fs
        for _ in range(3):
            visits = self.block(states, 5)
            for state, visit in zip(states, visits, strict=True):
                assert visit.n_steps == visit.state.step - state.step == 5
                gained = visit.state.time_fs - state.time_fs
                assert abs(gained - 5 * step_fs) <= 1e-9 * step_fs * (visit.state.step + 1)
                assert visit.last.step == visit.state.step
                assert np.array_equal(visit.last.structure.positions, visit.state.structure.positions)
            states = [visit.state for visit in visits]
        for state, visit in zip(states, self.block(states, 0), strict=True):
            assert (visit.n_steps, visit.state.step, visit.state.time_fs) == (0, state.step, state.time_fs)

    def test_a_walker_stops_before_its_break_limit(self) -> None:
        """Sane where it stands, with what was met and how far it was over the limit."""
        visits = self.block(self.states(), limits=self.tight())
        stopped = [visit for visit in visits if _is_over(visit)]
        assert any(visit.n_steps for visit in stopped), "none broke after its start: choose another `tight`"
        for start, visit in zip(self.states(), visits, strict=True):
            if not _is_over(visit):
                assert visit.n_steps == self.n_steps
                continue
            assert visit.n_steps < self.n_steps
            assert visit.n_steps == visit.state.step - start.step
            if visit.event.is_break:
                assert visit.verdict.value > visit.verdict.limit
            if visit.n_steps:
                (again,) = self.block([visit.state], 0, limits=self.tight())
                assert not _is_over(again), "a walker stands beyond the limit"
        assert not any(_is_over(visit) for visit in self.block(self.states()))

    def test_a_label_limit_is_reported_and_does_not_stop_a_walker(self) -> None:
        """With the first moment beyond it, and the worst."""
        bound = self.tight().bound_break
        visits = self.block(self.states(), limits=_labelling(self.free(), bound))
        assert ends(visits) == ends(self.block(self.states())), "a label limit changed the way"
        crossed = [visit for visit in visits if visit.crossing is not None]
        assert crossed
        for visit in crossed:
            assert visit.crossing is not None
            assert visit.crossing.event.is_label
            assert visit.first_crossing is not None
            assert visit.worst is not None
            assert bound <= (visit.first_crossing.bound_max or 0.0) <= (visit.worst.bound_max or 0.0)

    def test_another_way_lies_ahead_after_a_restart(self) -> None:
        """Restarted, begun afresh or redirected walkers are walkers, which go on."""
        explorer, rng = self.explorer(1), np.random.default_rng(3)
        for start, visit in zip(self.states(), self.block(self.states(), 5), strict=True):
            state = visit.state
            others = (
                explorer.restart(state, start.structure, rng),
                explorer.restart(state, start.structure, rng, stuck=True),
                explorer.fresh(state, self.seed + 1, rng),
            )
            for other in others:
                assert other.walker_id == state.walker_id
                assert other.step >= state.step
                assert ends(self.block([other])) != ends(self.block([state]))
            same = explorer.redirect(state, start, rng)
            assert ends(self.block([same])) == ends(self.block([state])), "nothing was to change"

    def test_a_walker_steps_back_to_the_moment_it_is_told(self) -> None:
        """And says where it is."""
        explorer = self.explorer(1)
        for visit in self.block(self.states(), 8, sample_every=2):
            moment = visit.samples[1]
            back = explorer.step_back(visit.state, moment)
            assert np.array_equal(back.structure.positions, moment.structure.positions)
            assert back.time_fs == moment.time_fs
            assert str(visit.state.walker_id) in visit.state.where(moment)


def ends(visits: Sequence[Visit[Walker]]) -> list[str]:
    """Where walkers stand, to the last bit."""
    return [json.dumps(visit.state.to_dict()) for visit in visits]


def _is_over(visit: Visit[Any]) -> bool:
    """Whether something that must not be passed ended the block."""
    return visit.event.is_break or visit.event.is_insane


def _labelling(free: Limits, bound: float) -> Limits:
    return dataclasses.replace(free, bound_label=bound)
