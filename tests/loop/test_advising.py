"""Runs that cannot meet their target: what they say of it, and what that costs."""

import json

import numpy as np
import pytest
from ase.calculators import emt
from resuming import learned, run_interrupted
from runs import cluster, make_config, same_model

from thalweg.loop.runner import run
from thalweg.report.write import write_report
from thalweg.store import SqliteStore

NOISE = 0.05
"""eV/Å, of each force component."""


class Rough(emt.EMT):
    """EMT whose forces jump from structure to structure, always the same at one structure."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        """Compute, then add noise that the positions decide."""
        super().calculate(atoms, properties, system_changes)
        seed = np.frombuffer(self.atoms.positions.astype("<f8").tobytes(), dtype=np.uint32)
        forces = self.results["forces"]
        forces = forces + NOISE * np.random.default_rng(seed).standard_normal(forces.shape)
        self.results["forces"] = forces - forces.mean(axis=0)


def advised(folder):
    return json.loads((folder / "summary.json").read_text())["advice"]


def lines(folder, kind="advice"):
    with SqliteStore.read(folder) as store:
        return [event.text for event in store.events() if event.kind == kind]


def probes(folder):
    with SqliteStore.read(folder) as store:
        return store.questions(kind="probe")


SHORT = {"target": {"force_error": 0.05, "confidence": 0.9}, "acquisition": {"audit_fraction": 0.3}}


def rough(folder, **changes):
    oracle = {"name": "ase", "calculator": f"{__name__}.Rough"}
    return make_config(cluster(folder), oracle=oracle, budget={"oracle_calls": 60}, **SHORT, **changes)


@pytest.fixture(scope="module")
def rough_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rough")
    config = rough(folder)
    return config, run(config, folder / "run"), folder / "run"


def test_an_oracle_that_is_not_smooth_is_found_out_with_a_few_calls(rough_run):
    _, summary, folder = rough_run
    (one,) = advised(folder)
    assert one["about"] == "oracle"
    assert 0.5 * NOISE < one["data"]["oracle_scatter"] < 1.5 * NOISE
    asked = probes(folder)
    assert 2 <= len(asked) <= 4
    with SqliteStore.read(folder) as store:
        calls = len([record for record in store.all_labels() if record.kind != "reference"])
        reference = len([record for record in store.all_labels() if record.kind == "reference"])
        assert summary.oracle_calls in (calls, calls + reference), "each probe counts as a call"
        assert not {q.structure_hash for q in asked} & {
            r.structure.content_hash for r in store.labels_in_order()
        }


def test_an_advice_is_said_once(rough_run):
    _, _, folder = rough_run
    given = [
        text
        for text in lines(folder)
        if text.startswith("advice: EMT is not smooth") or "is not smooth" in text
    ]
    assert len([text for text in given if text.startswith("advice:")]) == 1


def test_the_report_shows_it(rough_run):
    _, _, folder = rough_run
    page = write_report(folder).read_text()
    assert "Advice:" in page
    assert "is not smooth" in page
    assert "tests of smoothness" in page


def test_an_interrupted_run_asks_and_says_the_same(rough_run, tmp_path):
    _, whole, folder = rough_run
    again = run_interrupted(rough(tmp_path), tmp_path / "run", at=3)
    assert learned(tmp_path / "run") == learned(folder)
    assert again.oracle_calls == whole.oracle_calls
    assert advised(tmp_path / "run") == advised(folder)
    assert lines(tmp_path / "run") == lines(folder)
    assert same_model(tmp_path / "run" / "model", folder / "model")


def test_a_basis_too_small_is_said_with_its_setting(tmp_path):
    config = make_config(
        cluster(tmp_path),
        model={"r_cut": 4.5, "max_degree": [7]},
        budget={"oracle_calls": 60},
        target={"force_error": 0.02, "confidence": 0.9},
        acquisition={"audit_fraction": 0.3},
    )
    summary = run(config, tmp_path / "run")
    (one,) = advised(tmp_path / "run")
    assert one["about"] == "basis"
    assert "model.max_degree" in one["text"]
    assert one["data"]["oracle_scatter"] < 1e-3
    assert summary.forecast is not None
    assert summary.forecast["calls_needed"] is None
    assert "more calls alone would not reach the target" in summary.forecast["words"]


def test_a_run_that_meets_its_target_is_not_bothered(tmp_path):
    run(make_config(cluster(tmp_path)), tmp_path / "run")
    assert advised(tmp_path / "run") == []
    assert probes(tmp_path / "run") == []
    assert lines(tmp_path / "run") == []
