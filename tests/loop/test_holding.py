"""A run whose labels do not hold together says so, takes out what is unlike all others, and survives a kill there."""

import json
from dataclasses import replace

import numpy as np
import pytest
from resuming import Interrupted, interrupt, learned
from runs import EMT, cluster, crystal, make_config, same_model

from thalweg.errors import OracleError
from thalweg.label import Label
from thalweg.loop.asking.holding import WHO
from thalweg.loop.runner import run
from thalweg.loop.telling.reporter import NullReporter
from thalweg.oracles import make_oracle
from thalweg.store import SqliteStore

FEW = {"budget": {"oracle_calls": 20}, "seeds": {"count": 8}}


class Wrong:
    """EMT whose labels of more than one atom are changed by a function of their number, structure and label."""

    gives_isolated_atoms, rungs, display_name = True, 1, "wrong EMT"

    def __init__(self, change):
        self.inner, self.change, self.calls = make_oracle(EMT), change, 0
        self.gives_stress = self.inner.gives_stress

    @property
    def fingerprint(self):
        return "wrong"

    def check_structure(self, structure):
        self.inner.check_structure(structure)

    def label(self, structure, attempt=0):
        label = self.inner.label(structure, attempt)
        if isinstance(label, Label):
            label = replace(label, oracle="wrong")
            if len(structure) > 1:
                label = self.change(self.calls, structure, label)
                self.calls += 1
        return label


class Ear(NullReporter):
    def __init__(self):
        self.lines = []

    def event(self, kind, text, data):
        self.lines.append(text)

    def said(self, words):
        return [line for line in self.lines if words in line]


def right(_, structure, label):
    return label


def gradients(_, structure, label):
    return replace(label, forces=-label.forces)


def run_with(path, folder, change, **changes):
    ear = Ear()
    summary = run(make_config(path, **{**FEW, **changes}), folder, ear, oracle=Wrong(change))
    return ear, summary


def test_right_labels_are_not_spoken_of(tmp_path):
    ear, summary = run_with(cluster(tmp_path), tmp_path / "run", right)
    assert ear.said("hold together") == ear.said("taken out") == []
    assert summary.findings == ()


def test_gradients_are_named_once_after_the_seeds_and_stand_in_summary_and_report(tmp_path):
    ear, summary = run_with(cluster(tmp_path), tmp_path / "run", gradients)
    (line,) = ear.said("hold together")
    assert "energies and forces contradict each other" in line
    assert "gradients" in line
    before = ear.lines[: ear.lines.index(line)]
    assert sum("seed" in said for said in before) >= 8
    assert not any("walker" in said for said in before)
    (finding,) = summary.findings
    assert finding["key"] == "energy+forces: sign"
    stored = json.loads((tmp_path / "run" / "summary.json").read_text())["findings"]
    assert [one["words"] for one in stored] == [finding["words"]]

    from thalweg.report.write import write_report

    assert "Labels do not hold together" in write_report(tmp_path / "run").read_text()


def test_stress_of_opposite_sign_is_named_in_a_crystal(tmp_path):
    def opposite(_, structure, label):
        return replace(label, stress=-label.stress)

    explore = {
        "temperature": [200, 600],
        "walkers": 2,
        "time": 1,
        "block": 100,
        "timestep": 2,
        "strain": 0.04,
    }
    ear, _ = run_with(crystal(tmp_path), tmp_path / "run", opposite, explore=explore)
    (line,) = ear.said("hold together")
    assert "stress has the opposite sign" in line


def test_what_was_said_is_kept_up_to_date_without_being_said_again(tmp_path):
    def same(_, structure, label):
        pull = np.where(np.arange(len(structure)) % 2, 0.1, -0.1)[:, None] * np.array([1.0, -2.0, 0.5])
        return replace(label, forces=pull - pull.mean(axis=0))

    ear, summary = run_with(cluster(tmp_path), tmp_path / "run", same)
    assert len(ear.said("forces are the same")) == 1
    (finding,) = [one for one in summary.findings if one["how"] == "identical"]
    assert len(finding["labels"]) > 8


@pytest.mark.parametrize("at", [1, 2, 4])
def test_findings_are_the_same_after_an_interruption(tmp_path, at):
    config = make_config(cluster(tmp_path), **FEW)
    calm = run(config, tmp_path / "calm", oracle=Wrong(gradients))
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at)
        with pytest.raises(Interrupted):
            run(config, tmp_path / "resumed", oracle=Wrong(gradients))
    resumed = run(config, tmp_path / "resumed", oracle=Wrong(gradients))
    assert calm.findings
    assert resumed.findings == calm.findings
    assert learned(tmp_path / "resumed") == learned(tmp_path / "calm")
    assert same_model(tmp_path / "calm" / "model", tmp_path / "resumed" / "model")


# --- labels unlike all others ---------------------------------------------------------------------------


def garbage(structure, label):
    rng = np.random.default_rng(int(structure.content_hash[:8], 16))
    forces = rng.normal(0.0, 2.0, label.forces.shape)
    return replace(label, energy=label.energy + 3.0, forces=label.forces + forces - forces.mean(axis=0))


def test_a_label_unlike_all_others_is_asked_again_and_replaced(tmp_path):
    def once(call, structure, label):
        return garbage(structure, label) if call == 5 else label

    changes = {"seeds": {"count": 12}, "budget": {"oracle_calls": 30}}
    ear, summary = run_with(cluster(tmp_path), tmp_path / "run", once, **changes)
    (line,) = ear.said("taken out")
    assert "asked once more" in line
    assert ear.said("relearned the other 11")
    with SqliteStore.read(tmp_path / "run") as store:
        (gone,) = store.withdrawals()
        assert gone.who == WHO
        truth = make_oracle(EMT)
        records = store.labels_in_order()
        assert gone.structure_hash in {record.structure.content_hash for record in records}
        for record in records:
            assert record.label.energy == pytest.approx(truth.label(record.structure).energy, abs=1e-9)
    assert summary.oracle_calls <= 30


def always(_, structure, label):
    """Garbage for one structure in eleven, whenever it is asked about."""
    return garbage(structure, label) if int(structure.content_hash[:6], 16) % 11 == 0 else label


def spoiled(tmp_path):
    return make_config(cluster(tmp_path), seeds={"count": 14}, budget={"oracle_calls": 40})


def test_what_comes_back_the_same_is_set_aside(tmp_path):
    ear = Ear()
    run(spoiled(tmp_path), tmp_path / "run", ear, oracle=Wrong(always))
    again, aside = ear.said("asked once more"), ear.said("set aside")
    assert len(again) >= 1
    assert len(aside) >= 1
    with SqliteStore.read(tmp_path / "run") as store:
        hashes = [int(record.structure.content_hash[:6], 16) % 11 for record in store.labels_in_order()]
    assert 0 not in hashes[:14]


@pytest.mark.parametrize("where", ["begun.save_state", "after withdrawing", "checkpoint"])
def test_killed_while_labels_are_taken_out_a_run_comes_to_the_same_end(tmp_path, where):
    from thalweg.loop import runner
    from thalweg.loop.invocation import Invocation

    calm = run(spoiled(tmp_path), tmp_path / "calm", oracle=Wrong(always))
    with SqliteStore.read(tmp_path / "calm") as store:
        assert store.withdrawals()

    def killed(*_):
        raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        if where == "after withdrawing":
            patch.setattr(Invocation, "without_withdrawn", killed)
        elif where == "begun.save_state":
            patch.setattr(runner, "learn_anew", killed)
        else:
            interrupt(patch, at=2)
        with pytest.raises(Interrupted):
            run(spoiled(tmp_path), tmp_path / "resumed", oracle=Wrong(always))
    resumed = run(spoiled(tmp_path), tmp_path / "resumed", oracle=Wrong(always))
    assert learned(tmp_path / "resumed") == learned(tmp_path / "calm")
    assert resumed.oracle_calls == calm.oracle_calls
    assert same_model(tmp_path / "calm" / "model", tmp_path / "resumed" / "model")


# --- identical answers ----------------------------------------------------------------------------------


def test_identical_answers_for_different_structures_end_the_run_at_once(tmp_path):
    first = []

    def stale(call, structure, label):
        first.append(label)
        return first[0] if call >= 3 else label

    oracle = Wrong(stale)
    with pytest.raises(OracleError, match=r"same energy .* as for another structure \(seed 1\)"):
        run(make_config(cluster(tmp_path), **FEW), tmp_path / "run", oracle=oracle)
    assert oracle.calls == 4
    with SqliteStore.read(tmp_path / "run") as store:
        assert sum(record.kind == "seed" for record in store.all_labels()) == 4
    # the same again does not go on, either
    with pytest.raises(OracleError, match="same energy"):
        run(make_config(cluster(tmp_path), **FEW), tmp_path / "run", oracle=Wrong(stale))


# --- isolated atoms -------------------------------------------------------------------------------------


class Foreign(Wrong):
    """Whose isolated atoms are all-electron ones."""

    def label(self, structure, attempt=0):
        label = super().label(structure, attempt)
        return replace(label, energy=-2041.8) if len(structure) == 1 else label


def test_an_isolated_atom_of_another_method_is_named_and_set_aside(tmp_path):
    ear = Ear()
    summary = run(make_config(cluster(tmp_path), **FEW), tmp_path / "run", ear, oracle=Foreign(right))
    (line,) = ear.said("does not go with the first labels")
    assert "isolated Cu (-2041.8 eV)" in line
    assert summary.findings == ()
    other = Ear()
    run(make_config(cluster(tmp_path), **FEW), tmp_path / "right", other, oracle=Wrong(right))
    assert other.said("does not go with") == []


def test_errors_of_energies_stand_beside_those_of_forces(tmp_path):
    ear, _ = run_with(cluster(tmp_path), tmp_path / "run", right)
    answers = ear.said("was off by") + ear.said("audit (call")
    assert answers
    assert all("meV/atom" in line for line in answers)
    assert not any("GPa" in line for line in answers)  # a cluster has no stress
    explore = {
        "temperature": [200, 900],
        "walkers": 2,
        "time": 2,
        "block": 100,
        "timestep": 2,
        "strain": 0.04,
    }
    changes = {"explore": explore, "budget": {"oracle_calls": 30}}
    crystals, _ = run_with(crystal(tmp_path), tmp_path / "crystal", right, **changes)
    answers = crystals.said("was off by") + crystals.said("audit (call")
    assert answers
    assert all("meV/atom, stress" in line for line in answers)
