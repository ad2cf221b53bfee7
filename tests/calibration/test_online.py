import dataclasses
import json

import numpy as np
import pytest

from thalweg.calibration import BoundMap, Calibration, CalibrationSpec, Compared, Stream
from thalweg.calibration.fit import fit_bounds
from thalweg.calibration.groups import query_share
from thalweg.errors import InputError

NUMBERS = np.array([6, 6, 6, 8, 8, 1, 1, 1, 1])


def answer(
    rng: np.random.Generator, ratio: float = 1.0, stream: Stream = Stream.QUERY, floor: float = 0.0
) -> Compared:
    deviation = 0.1 * rng.gamma(4, 0.25, 9)
    error = np.linalg.norm(rng.normal(size=(9, 3)), axis=1) * np.hypot(ratio * deviation, floor)
    return Compared(stream, NUMBERS, deviation, error)


def run(n: int, seed: int, **kwargs: float) -> Calibration:
    rng, state = np.random.default_rng(seed), Calibration()
    for k in range(n):
        state = state.record(answer(rng, stream=Stream.AUDIT if k % 8 == 0 else Stream.QUERY, **kwargs))
    return state


def test_before_any_answer_the_prior_speaks() -> None:
    spec = CalibrationSpec(prior_factor=3.0, prior_floor=0.02)
    bound = Calibration(spec).bounds.bound(np.array([1, 6]), np.array([0.1, 0.0]))
    assert bound == pytest.approx([0.32, 0.02])


@pytest.mark.parametrize(("ratio", "floor"), [(1.0, 0.0), (4.0, 0.0), (0.3, 0.05)])
def test_bounds_cover_at_the_stated_rate_and_are_sharp(ratio: float, floor: float) -> None:
    fractions = [run(120, seed, ratio=ratio, floor=floor).coverage(last=60).fraction for seed in range(4)]
    assert 0.92 < np.mean(fractions) < 0.985
    state, rng = run(120, 0, ratio=ratio, floor=floor), np.random.default_rng(99)
    fresh = [answer(rng, ratio, floor=floor) for _ in range(100)]
    error = np.concatenate([a.error for a in fresh])
    mean_bound = np.concatenate([state.bounds.bound(a.numbers, a.deviation) for a in fresh]).mean()
    assert mean_bound < 1.5 * np.quantile(error, 0.95)


@pytest.mark.parametrize(("small", "large"), [(0.1, 1.0), (1.0, 0.1)])
def test_bounds_speak_of_atoms_whatever_the_sizes_of_answers(small: float, large: float) -> None:
    rng = np.random.default_rng(5)

    def answers(n: int) -> list[Compared]:
        out = []
        for size, ratio in [(4, small), (60, large)] * n:
            deviation = 0.1 * rng.gamma(4, 0.25, size)
            error = ratio * deviation * np.linalg.norm(rng.normal(size=(size, 3)), axis=1)
            out.append(Compared(Stream.AUDIT, np.full(size, 14), deviation, error))
        return out

    spec = CalibrationSpec(half_life=1e9)
    bounds = fit_bounds(answers(100), spec, alpha=0.05, n_answers=10**12)

    def covered(some: list[Compared]) -> float:
        hits = [a.error <= bounds.bound(a.numbers, a.deviation) for a in some]
        return float(np.mean(np.concatenate(hits)))

    fresh = answers(100)
    assert 0.94 < covered(fresh) < 0.965
    by_size = [covered(fresh[k::2]) for k in (0, 1)]
    assert abs(by_size[0] - by_size[1]) > 0.04, "the sizes must differ, or any weighting would do"


def test_a_committee_that_became_overconfident_gets_wider_bounds() -> None:
    state, rng = run(80, 0), np.random.default_rng(7)
    before, alpha = state.bounds.line(6)[0], state.alpha
    for _ in range(15):
        state = state.record(answer(rng, ratio=3.0))
    assert state.alpha < alpha
    assert state.bounds.line(6)[0] > 1.8 * before
    for _ in range(60):
        state = state.record(answer(rng, ratio=3.0))
    assert state.coverage(last=30).fraction > 0.9


def test_a_rare_element_borrows_and_a_common_one_speaks_for_itself() -> None:
    rng, state = np.random.default_rng(3), Calibration()
    for k in range(60):
        a = answer(rng)
        error = np.where(NUMBERS == 8, 3.0, 1.0) * a.error
        state = state.record(Compared(Stream.QUERY, NUMBERS, a.deviation, error))
        if k == 0:
            first = state.bounds
    assert first.line(8)[0] == pytest.approx(first.line(1)[0])
    assert state.bounds.line(8)[0] > 2 * state.bounds.line(6)[0]
    assert state.bounds.line(92) == state.bounds.default


def test_a_committee_in_full_agreement_still_gets_a_bound() -> None:
    state, rng = Calibration(), np.random.default_rng(1)
    for _ in range(20):
        state = state.record(Compared(Stream.QUERY, NUMBERS, np.zeros(9), 0.1 * rng.random(9)))
    assert 0.05 < state.bounds.bound(NUMBERS, np.zeros(9)).min() < 0.2


def test_checkpoint_comes_back_bit_for_bit() -> None:
    state, rng = run(30, 11), np.random.default_rng(4)
    again = Calibration.from_json(json.loads(json.dumps(state.to_json())))
    assert again.bounds == state.bounds
    following = answer(rng)
    assert again.record(following).to_json() == state.record(following).to_json()
    assert BoundMap.from_json(json.loads(json.dumps(state.bounds.to_json()))) == state.bounds


def test_window_is_finite_and_old_answers_are_forgotten() -> None:
    rng, state = np.random.default_rng(0), Calibration(CalibrationSpec(half_life=5.0))
    for k in range(100):
        state = state.record(answer(rng, ratio=10.0 if k < 50 else 1.0))
    assert len(state.window) == 30
    assert state.n_answers == 100
    assert state.bounds.line(6)[0] < 5.0


def test_coverage_of_one_stream() -> None:
    state = run(40, 2)
    audits = state.coverage(Stream.AUDIT)
    assert (audits.n_answers, audits.n_atoms) == (5, 45)
    assert audits.interval[0] <= audits.fraction <= audits.interval[1]
    assert state.coverage(last=0).n_atoms == 0
    assert np.isnan(state.coverage(Stream.SEED).fraction)


def test_non_finite_records_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        Compared(Stream.QUERY, np.array([1]), np.array([np.nan]), np.array([0.1]))
    with pytest.raises(InputError, match="shape"):
        Compared(Stream.QUERY, np.array([1, 1]), np.array([0.1]), np.array([0.1]))


# ---- forces that vanish by symmetry -------------------------------------------------------------------


def symmetric(n: int = 4, error: float = 1e-15) -> Compared:
    return Compared(Stream.AUDIT, np.full(n, 29), np.full(n, 1e-15), np.full(n, error))


def test_forces_that_vanish_by_symmetry_teach_nothing() -> None:
    state = Calibration()
    for _ in range(50):
        state = state.record(symmetric())
    assert state == Calibration()
    assert fit_bounds([symmetric()] * 5, CalibrationSpec(), alpha=0.05, n_answers=5).default == (1.7, 0.02)
    rng = np.random.default_rng(0)
    assert Calibration().record(answer(rng)) != Calibration()


def test_among_others_they_are_left_out() -> None:
    rng = np.random.default_rng(0)
    plain = answer(rng)
    zeros = np.zeros(3)
    mixed = Compared(
        plain.stream,
        np.append(plain.numbers, [6, 8, 1]),
        np.append(plain.deviation, zeros),
        np.append(plain.error, zeros),
    )
    assert Calibration().record(mixed).to_json() == Calibration().record(plain).to_json()


def test_an_atom_that_no_other_is_near_counts_once_the_oracle_feels_a_force() -> None:
    alone = Compared(Stream.AUDIT, np.array([17, 6]), np.array([0.0, 0.1]), np.array([0.2, 0.1]))
    assert alone.evidence() is alone
    quiet = Compared(Stream.AUDIT, np.array([17, 6]), np.array([0.0, 0.1]), np.array([1e-3, 0.1]))
    assert quiet.evidence().numbers.tolist() == [6]


def test_no_bound_lies_below_the_noise_of_an_oracle() -> None:
    rng = np.random.default_rng(1)
    tiny = [
        Compared(Stream.AUDIT, NUMBERS, 1e-4 * rng.gamma(4, 0.25, 9), 1e-5 * rng.random(9)) for _ in range(60)
    ]
    bounds = fit_bounds(tiny, CalibrationSpec(), alpha=0.05, n_answers=60)
    assert min(bounds.bound(NUMBERS, np.zeros(9))) >= 1e-3


def mixed(n: int, hot_ratio: float, seed: int = 0) -> Calibration:
    """Walkers of 300 and 900 K, every sixth answer hot: its errors are `hot_ratio` times as large over deviation."""
    rng, state = np.random.default_rng(seed), Calibration()
    for k in range(n):
        hot = k % 6 == 1
        found = answer(rng, ratio=hot_ratio if hot else 1.0, stream=Stream.AUDIT)
        state = state.record(dataclasses.replace(found, temperature=900.0 if hot else 300.0))
    return state


def covered_at(bounds: BoundMap, temperature: float, ratio: float) -> float:
    rng = np.random.default_rng(77)
    fresh = [answer(rng, ratio=ratio) for _ in range(200)]
    hits = [a.error <= bounds.bound(a.numbers, a.deviation, temperature) for a in fresh]
    return float(np.mean(np.concatenate(hits)))


def test_bounds_hold_for_the_hottest_walker_by_itself() -> None:
    bounds = mixed(120, hot_ratio=2.0).bounds
    assert covered_at(bounds, 900.0, 2.0) > 0.92
    for_all = dataclasses.replace(bounds, scales=())
    assert covered_at(for_all, 900.0, 2.0) < 0.88, "the control: one map for all must fall short"
    assert 0.92 < covered_at(bounds, 300.0, 1.0) < covered_at(for_all, 300.0, 1.0)
    assert bounds.scale(300.0) < 1.0 < bounds.scale(900.0)


def test_what_no_walker_met_gets_the_cautious_map() -> None:
    bounds = mixed(60, hot_ratio=3.0).bounds
    assert bounds.scale(None) == bounds.scale(450.0) == bounds.scale(900.0) > 1.05
    assert bounds.line(6)[0] == bounds.line(6, 900.0)[0] > bounds.line(6, 300.0)[0]


def test_queries_chosen_by_a_noisy_deviation_do_not_narrow_bounds() -> None:
    """A deviation that is large by chance: audits tell how far queries' errors are to be trusted."""
    rng, state = np.random.default_rng(2), Calibration()
    for k in range(160):
        stream = Stream.AUDIT if k % 6 == 0 else Stream.QUERY
        found = answer(rng, stream=stream)
        chosen = 1.5 if stream is Stream.QUERY else 1.0
        state = state.record(
            dataclasses.replace(found, deviation=chosen * found.deviation, temperature=300.0)
        )
    assert 0.6 < query_share(state.window) < 0.8
    assert 0.93 < covered_at(state.bounds, 300.0, 1.0) < 0.985
    blind = [dataclasses.replace(a, stream=Stream.AUDIT) for a in state.window]
    assert covered_at(fit_bounds(blind, state.spec, alpha=0.05, n_answers=160), 300.0, 1.0) < 0.93


def test_queries_count_as_they_are_without_audits() -> None:
    assert query_share(run(40, 0).window) > 0.85
    queries = [answer(np.random.default_rng(k)) for k in range(30)]
    assert query_share(queries) == pytest.approx(1.0)
    assert query_share(queries[:5]) == 1.0


def test_each_temperature_has_its_own_working_level() -> None:
    state, rng = Calibration(), np.random.default_rng(4)
    for _ in range(30):
        state = state.record(dataclasses.replace(answer(rng, ratio=0.01), temperature=300.0))
        state = state.record(dataclasses.replace(answer(rng, ratio=20.0), temperature=900.0))
    alphas = dict(state.alphas)
    assert alphas[900.0] < alphas[300.0]
    assert state.alpha == pytest.approx(0.05)


def test_scales_do_not_take_a_bound_below_the_least_floor() -> None:
    bounds = BoundMap(0.95, (1.0, 0.001), ((6, 2.0, 0.01), (8, 2.0, 0.0)), ((300.0, 0.5), (900.0, 1.0)))
    assert bounds.line(1, 300.0) == (0.5, 0.001)
    assert bounds.line(6, 300.0) == (1.0, 0.005)
    assert bounds.line(8, 300.0) == (1.0, 0.0)


def test_temperatures_and_scales_survive_json_and_old_files_have_none() -> None:
    state = mixed(30, hot_ratio=2.0)
    again = Calibration.from_json(json.loads(json.dumps(state.to_json())))
    assert again.bounds == state.bounds
    assert again.alphas == state.alphas
    assert BoundMap.from_json(json.loads(json.dumps(state.bounds.to_json()))) == state.bounds
    old = state.to_json()
    del old["alphas"]
    for one in old["window"]:
        del one["temperature"]
    assert Calibration.from_json(old).bounds.scales == ()
    older = state.bounds.to_json()
    del older["scales"]
    assert BoundMap.from_json(older).scale(900.0) == 1.0


def test_scales_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="above 0 at 900"):
        BoundMap(0.95, (1.0, 0.0), (), ((900.0, 0.0),))
