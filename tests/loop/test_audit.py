"""Audits asked for by hand."""

import pytest
from runs import cluster, make_config, same_model

from thalweg.errors import InputError, StoreError
from thalweg.explorers.md import Limits
from thalweg.labelling.source import OracleSource
from thalweg.loop.auditing import audit
from thalweg.loop.runner import run
from thalweg.store import SqliteStore


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audited")
    config = make_config(cluster(folder))
    return config, folder / "run", run(config, folder / "run")


def test_an_audit_checks_as_many_fresh_structures_as_asked(learned):
    config, folder, _ = learned
    with SqliteStore.read(folder) as store:
        before = {record.structure.content_hash for record in store.all_labels()}
    result = audit(folder, 9, config)
    with SqliteStore.read(folder) as store:
        after = {record.structure.content_hash for record in store.all_labels()}
    assert result.audit.n_structures == 9
    assert len(after - before) == 9
    assert result.audit.fraction_within > 0.8
    assert result.audit.interval[0] <= result.audit.fraction_within <= result.audit.interval[1]


def test_two_audits_look_at_different_structures(learned):
    config, folder, _ = learned
    assert audit(folder, 4, config).audit != audit(folder, 4, config).audit


def test_an_audit_leaves_the_run_as_it_was(learned, tmp_path):
    config, folder, summary = learned
    audit(folder, 3, config)
    again = run(config, folder)
    assert again.oracle_calls == summary.oracle_calls
    run(config, tmp_path / "untouched")
    assert same_model(folder / "model", tmp_path / "untouched" / "model")


def test_walks_that_end_unphysically_are_counted_and_certify_nothing(learned, monkeypatch):
    config, folder, _ = learned
    calm = audit(folder, 4, config)
    assert calm.broken_walks == 0
    # So cold a limit that every walk meets it at once stands in for a potential with a hole.
    monkeypatch.setattr("thalweg.loop.drawing.Limits", lambda: Limits(temperature_max=1.0))
    broken = audit(folder, 4, config)
    assert broken.broken_walks == 4
    assert not broken.certified
    assert broken.to_json()["broken_walks"] == 4


def test_nothing_to_audit_and_nothing_asked_are_said_so(tmp_path, learned):
    _, folder, _ = learned
    with pytest.raises(InputError, match="at least 1"):
        audit(folder, 0)
    with pytest.raises(StoreError):
        audit(tmp_path / "nowhere", 3)


def test_a_folder_runs_no_code_on_its_own_word(learned, tmp_path):
    config, folder, _ = learned
    with pytest.raises(InputError, match="--config"):
        audit(folder, 2)
    other = make_config(cluster(tmp_path), oracle={"name": "lennard-jones"})
    with pytest.raises(InputError, match="not the run's"):
        audit(folder, 2, other)
    # Named by the caller it is asked, as an object, too.
    result = audit(folder, 2, oracle=OracleSource.of(config.oracle.model_dump()).oracle())
    assert result.oracle_calls == result.audit.n_structures == 2
