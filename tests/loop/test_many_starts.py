"""More starts than walkers: all are walked and audited, and interruptions change nothing."""

import ase.io
import pytest
from ase.cluster import Octahedron
from resuming import learned, run_interrupted, told
from runs import make_config, same_model

from thalweg.loop.auditing import audit
from thalweg.loop.runner import run
from thalweg.store import SqliteStore


def config_of(folder, **changes):
    """Five starts, of six and of five atoms, for two walkers."""
    starts = [Octahedron("Cu", 2, latticeconstant=a) for a in (3.55, 3.6, 3.65, 3.7)]
    small = Octahedron("Cu", 2)
    del small[0]
    ase.io.write(folder / "starts.xyz", [*starts, small])
    return make_config(
        folder / "starts.xyz",
        explore={"temperature": [200, 400], "walkers": 2, "time": 6, "block": 50},
        target={"force_error": 0.1, "confidence": 0.8},
        budget={"oracle_calls": 80},
        seeds={"count": 6},
        **changes,
    )


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    config = config_of(folder)
    return config, folder / "run", run(config, folder / "run")


def test_every_start_is_walked_at_every_temperature(calm):
    _, _, summary = calm
    assert {(row["start"], row["temperature"]) for row in summary.walked} == {
        (start, temperature) for start in range(1, 6) for temperature in (200.0, 400.0)
    }
    assert all(row["walked_ps"] > 0.5 for row in summary.walked)
    assert {row["formula"] for row in summary.walked} == {"Cu6", "Cu5"}


def test_questions_say_from_which_start_they_come(calm):
    _, folder, summary = calm
    with SqliteStore.read(folder) as store:
        asked = [q for q in store.questions() if q.kind in ("query", "audit")]
        starts = store.start_structures()
        sizes = {
            (len(starts[q.reason.get("start", 0)]), len(store.structure(q.structure_hash))) for q in asked
        }
        audits = sum(q.kind == "audit" for q in asked)
    assert sizes == {(5, 5), (6, 6)}
    assert sum(row["audits"] + row["blind_audits"] for row in summary.walked) == audits


def test_the_verdict_names_what_was_not_audited(calm):
    _, _, summary = calm
    silent = [row for row in summary.walked if not row["audits"]]
    for row in silent:
        assert f"start {row['start']}" in summary.verdict.message
    assert ("nothing is claimed of it" in summary.verdict.message) >= bool(silent)


def test_interrupted_it_goes_the_way_of_one_that_was_not(calm, tmp_path):
    config, folder, summary = calm
    resumed = run_interrupted(config, tmp_path / "resumed", at=4)
    assert resumed.walked == summary.walked
    assert resumed.verdict == summary.verdict
    assert told(tmp_path / "resumed") == told(folder)
    assert learned(tmp_path / "resumed") == learned(folder)
    assert same_model(tmp_path / "resumed" / "model", folder / "model")


def test_an_audit_by_hand_takes_the_starts_in_turn(calm):
    config, folder, _ = calm
    result = audit(folder, 10, config)
    assert {row["start"] for row in result.walked} == {1, 2, 3, 4, 5}
    assert sum(row["audits"] for row in result.walked) == 10


def test_with_other_temperatures_the_table_begins_anew(calm):
    config, folder, _ = calm
    hotter = config.model_copy(
        update={"explore": config.explore.model_copy(update={"temperature": (500.0,)})}
    )
    again = run(hotter, folder)
    assert {row["temperature"] for row in again.walked} == {500.0}
    assert {row["start"] for row in again.walked} == {1, 2, 3, 4, 5}
