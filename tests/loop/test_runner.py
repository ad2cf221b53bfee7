"""Whole runs with a real oracle, from the first label to the verdict."""

import json

import numpy as np
import pytest
from ase.calculators import emt
from runs import EMT, cluster, crystal, make_config, same_model

from thalweg.errors import StoreError
from thalweg.label import FailureKind
from thalweg.loop.runner import run
from thalweg.potential import Potential
from thalweg.store import SqliteStore


class Listener:
    """Keeps what it hears."""

    def __init__(self):
        self.lines, self.standings = [], []

    def event(self, kind, text, data):
        self.lines.append((kind, text))

    def progress(self, progress):
        self.standings.append(progress)


ATOMS = 1
"""Isolated atoms: of copper."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run of the copper cluster, shared by the tests that only look at it."""
    folder = tmp_path_factory.mktemp("finished")
    listener = Listener()
    config = make_config(cluster(folder))
    return config, folder / "run", run(config, folder / "run", listener), listener


def test_a_run_certifies_its_target_and_stops_by_itself(finished):
    _, folder, summary, _ = finished
    assert summary.verdict.reason == "target"
    assert summary.oracle_calls <= 90
    assert summary.audit.n_structures == summary.audit_calls
    keys = json.loads((folder / "summary.json").read_text())
    assert keys["stop"]["reason"] == "target"
    assert keys["oracle_calls"] == summary.oracle_calls == keys["n_labels"] + keys["failed_calls"] + ATOMS


def test_the_report_has_a_row_for_every_call(finished):
    from thalweg.report.collect import collect

    _, folder, summary, _ = finished
    with SqliteStore.read(folder) as store:
        rows = collect(store, folder).questions
    assert [row.call for row in rows] == list(range(1, summary.oracle_calls + 1))
    assert [row.kind for row in rows[:2]] == ["reference", "seed"]
    assert sum(row.learned.startswith("learned as label") for row in rows) == summary.n_labels


def test_the_certificate_holds_on_fresh_trajectories(finished):
    from thalweg.explorers.base import CoreField
    from thalweg.explorers.md import Limits, MdSettings, WalkerState, advance

    config, folder, _, _ = finished
    potential = Potential.load(folder / "model")
    start = WalkerState.start(
        SqliteStore.read(folder).labels_in_order()[0].structure, temperature=300, seed=999, walker_id=7
    )
    field = CoreField(potential.elements, potential.force_field)
    result = advance(field, [start], 4000, MdSettings(timestep_fs=2.0, record_stride=200), Limits())[0]
    errors = []
    for moment in result.samples:
        atoms = moment.structure.to_atoms()
        atoms.calc = emt.EMT()
        errors += list(
            np.linalg.norm(potential.predict(moment.structure).forces - atoms.get_forces(), axis=1)
        )
    assert np.mean(np.array(errors) <= config.target.force_error) >= config.target.confidence


def test_the_conversation_names_who_asked_what_and_how_far_off_it_was(finished):
    *_, listener = finished
    queries = [text for kind, text in listener.lines if kind == "query"]
    assert queries
    for part in ("walker", "limit", "asked", "was off by", "learned in"):
        assert part in queries[0]
    assert any(kind == "audit" for kind, _ in listener.lines)
    assert listener.standings[-1].oracle_calls == finished[2].oracle_calls


def test_the_store_holds_predictions_made_before_learning(finished):
    _, folder, _, _ = finished
    with SqliteStore.read(folder) as store:
        labels = {record.structure.content_hash: record.label for record in store.labels_in_order()}
        asked = [q for q in store.questions() if q.kind in ("query", "audit") and q.state == "done"]
        errors = [np.abs(q.prediction["forces"] - labels[q.structure_hash].forces).max() for q in asked]
        learned = [
            np.abs(
                Potential.load(folder / "model").predict(store.structure(q.structure_hash)).forces
                - labels[q.structure_hash].forces
            ).max()
            for q in asked
        ]
    # The largest surprises are no surprises any more once they are learned.
    assert max(errors) > 2 * max(learned)


def test_running_a_finished_run_again_makes_no_call_and_says_the_same(finished):
    config, folder, summary, _ = finished
    again = run(config, folder)
    assert again.oracle_calls == summary.oracle_calls
    assert again.verdict == summary.verdict


def test_two_runs_of_one_seed_are_equal_and_of_another_seed_are_not(finished, tmp_path):
    config, folder, _, _ = finished
    run(config, tmp_path / "same")
    assert same_model(folder / "model", tmp_path / "same" / "model")
    other = make_config(cluster(tmp_path), seed=4)
    run(other, tmp_path / "other")
    assert not same_model(folder / "model", tmp_path / "other" / "model")


def test_a_stricter_target_takes_effect_on_a_finished_run_and_is_logged(tmp_path):
    easy = make_config(cluster(tmp_path), target={"force_error": 0.1})
    first = run(easy, tmp_path / "run")
    listener = Listener()
    strict = make_config(cluster(tmp_path), target={"force_error": 0.02}, budget={"oracle_calls": 90})
    second = run(strict, tmp_path / "run", listener)
    assert second.oracle_calls > first.oracle_calls
    assert any("target.force_error: 0.1 -> 0.02" in text for _, text in listener.lines)
    with SqliteStore.read(tmp_path / "run") as store:
        assert "target.force_error" in json.dumps(store.runs()[-1].changes)


def test_a_larger_budget_and_another_temperature_take_effect(tmp_path):
    small = make_config(cluster(tmp_path), budget={"oracle_calls": 8}, target={"force_error": 0.01})
    assert run(small, tmp_path / "run").verdict.reason == "budget"
    listener = Listener()
    more = make_config(
        cluster(tmp_path),
        budget={"oracle_calls": 14},
        target={"force_error": 0.01},
        explore={"temperature": [250, 500]},
    )
    assert run(more, tmp_path / "run", listener).oracle_calls == 14
    assert {round(w.temperature) for w in listener.standings[-1].walkers} == {250, 500}


def test_another_strain_takes_effect_on_walkers_that_were_under_way(tmp_path):
    def config(strain, calls):
        return make_config(
            crystal(tmp_path),
            explore={"strain": strain},
            budget={"oracle_calls": calls},
            target={"force_error": 0.001},
        )

    run(config(0.01, 7), tmp_path / "run")
    run(config(0.04, 10), tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        asked = [r.structure.cell[0, 0] / 3.6 for r in store.labels_in_order()[7:]]
    assert asked
    assert all(min(abs(cell - 0.96), abs(cell - 1.04)) < 1e-9 for cell in asked)


def test_the_random_arm_asks_without_regard_to_uncertainty(tmp_path):
    listener = Listener()
    config = make_config(cluster(tmp_path), acquisition={"strategy": "random"}, budget={"oracle_calls": 20})
    run(config, tmp_path / "run", listener)
    assert any("drawn at random" in text for kind, text in listener.lines if kind == "query")


def test_a_crystal_learns_stress_and_audits_it(tmp_path):
    config = make_config(
        crystal(tmp_path),
        explore={"strain": 0.03},
        budget={"oracle_calls": 60},
        properties={"equation_of_state": True},
    )
    summary = run(config, tmp_path / "run")
    eos = summary.properties["equation_of_state"]
    assert eos["potential"]["bulk_modulus_GPa"] == pytest.approx(eos["oracle"]["bulk_modulus_GPa"], rel=0.1)
    assert eos["potential"]["volume"] == pytest.approx(eos["oracle"]["volume"], rel=0.01)
    assert summary.audit.stress_rmse is not None
    assert 0 < summary.audit.stress_rmse < 0.01
    with SqliteStore.read(tmp_path / "run") as store:
        volumes = {round(record.structure.volume, 3) for record in store.labels_in_order()}
    assert len(volumes) > 2


def test_another_system_in_the_same_folder_is_refused(finished, tmp_path):
    _, folder, _, _ = finished
    other = make_config(crystal(tmp_path))
    with pytest.raises(StoreError, match="another start structure 1 of 1"):
        run(other, folder)


def test_an_oracle_that_fails_in_every_way_neither_stops_nor_poisons_a_run(tmp_path):
    rates = dict.fromkeys(("unconverged", "crash", "nan", "instant", "absurd"), 0.06) | {
        "exit": 0.03,
        "hang": 0.08,
    }
    faulty = {"name": "faulty", "inner": EMT, "rates": rates}
    config = make_config(
        cluster(tmp_path),
        oracle=faulty,
        budget={"oracle_calls": 90},
        executor={"kind": "process", "workers": 2, "timeout": 1.5},
    )
    summary = run(config, tmp_path / "run")
    assert summary.oracle_calls == summary.n_labels + summary.failed_calls + ATOMS
    with SqliteStore.read(tmp_path / "run") as store:
        kinds = {attempt.failure.kind for attempt in store.attempts()}
        wrong = []
        for record in store.labels_in_order():
            atoms = record.structure.to_atoms()
            atoms.calc = emt.EMT()
            wrong.append(np.abs(record.label.forces - atoms.get_forces()).max())
    assert kinds == set(FailureKind) - {FailureKind.REFUSED}
    assert max(wrong) < 1e-12
    assert summary.audit is not None
    assert summary.audit.force_rmse < 0.1


def test_a_run_cut_by_the_clock_at_any_time_goes_on_with_every_call_counted(tmp_path):
    summary, cuts = None, 0
    while summary is None or summary.verdict.message.startswith("wall time spent"):
        config = make_config(cluster(tmp_path), budget={"wall_time": "0.01 s" if cuts < 8 else None})
        summary = run(config, tmp_path / "run")
        cuts += 1
        with SqliteStore.read(tmp_path / "run") as store:
            atoms = ATOMS if summary.n_labels else 0
            assert summary.oracle_calls == summary.n_labels + atoms == len(store.labels_in_order()) + atoms
    assert cuts > 8
    assert summary.verdict.reason == "target"
