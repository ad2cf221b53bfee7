"""Start structures relaxed with the oracle before a run: counted, learned, within the budget, and resumed."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.cluster import Octahedron
from askers import Ear
from resuming import Interrupted, learned, told
from runs import EMT, FAILING, make_config, same_model

from thalweg.errors import InputError
from thalweg.labelling.labeller import Labeller
from thalweg.loop.asking.relaxing import FMAX, SHARE
from thalweg.loop.auditing import audit
from thalweg.loop.runner import run
from thalweg.store import SqliteStore
from thalweg.units import GPa


def strained(folder):
    """Copper clusters that are far from rest."""
    starts = [Octahedron("Cu", 2, latticeconstant=a) for a in (4.1, 3.9)]
    ase.io.write(folder / "starts.xyz", starts)
    return folder / "starts.xyz"


def squeezed(folder):
    atoms = bulk("Cu", "fcc", a=3.4, cubic=True)
    atoms.positions[0] += 0.1
    ase.io.write(folder / "squeezed.xyz", atoms)
    return folder / "squeezed.xyz"


def config_of(path, relax="positions", **changes):
    return make_config(path, system={"paths": [str(path)], "relax": relax}, **changes)


def labels_of(folder, kind):
    with SqliteStore.read(folder) as store:
        return [record for record in store.labels_in_order() if record.kind == kind]


def lines_of(ear, words):
    return [text for _, text, _ in ear.lines if words in text]


def test_starts_come_to_rest_and_their_steps_count_and_are_learned(tmp_path):
    ear = Ear()
    summary = run(config_of(strained(tmp_path)), tmp_path / "run", ear)
    steps = labels_of(tmp_path / "run", "relax")
    first, second = lines_of(ear, ": relaxed in ")
    assert first.startswith("start 1 of 2, Cu6: relaxed in ")
    assert len(steps) == sum(int(line.split("relaxed in ")[1].split()[0]) for line in (first, second))
    at_rest = lines_of(ear, ", Cu6: largest force 0.0")
    assert len(at_rest) == 2
    assert not any("far from rest" in line for line in at_rest)
    with SqliteStore.read(tmp_path / "run") as store:
        forces = {r.structure.content_hash: np.linalg.norm(r.label.forces, axis=1).max() for r in steps}
        relaxed = store.meta("relaxed")
        counted = len(store.all_labels()) + len(store.attempts())
    assert all(forces[name] <= FMAX for name in relaxed)
    assert max(forces.values()) > 1.0
    assert summary.oracle_calls == counted
    assert len(learned(tmp_path / "run")) == summary.n_labels


def test_without_it_nothing_is_relaxed_and_the_offer_stands(tmp_path):
    ear = Ear()
    run(config_of(strained(tmp_path), "none", budget={"oracle_calls": 12}), tmp_path / "run", ear)
    assert labels_of(tmp_path / "run", "relax") == []
    assert all("relax it first: --relax in a new run" in line for line in lines_of(ear, "largest force"))


def test_the_cell_comes_to_rest_too_at_the_pressure_asked_for(tmp_path):
    path = squeezed(tmp_path)
    for pressure, explore in ((0.0, {}), (5.0, {"ensemble": "npt", "pressure": 5.0})):
        folder = tmp_path / f"at {pressure}"
        run(config_of(path, "cell", explore=explore, budget={"oracle_calls": 90}), folder)
        with SqliteStore.read(folder) as store:
            (name,) = store.meta("relaxed")
            label = next(r.label for r in store.labels_in_order() if r.structure.content_hash == name)
        assert -label.stress[:3].mean() / GPa == pytest.approx(pressure, abs=0.5)


def test_what_cannot_be_relaxed_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"system\.relax: only cells that are periodic"):
        run(config_of(strained(tmp_path), "cell"), tmp_path / "run")
    slab = fcc111("Cu", (1, 1, 3), vacuum=8.0, periodic=True)
    slab.info.clear()
    ase.io.write(tmp_path / "slab.xyz", slab)
    with pytest.raises(InputError, match=r"system\.relax: along cell vector 3"):
        run(config_of(tmp_path / "slab.xyz", "cell"), tmp_path / "run")


def test_relaxing_takes_no_more_than_its_share_of_the_budget(tmp_path):
    ear = Ear()
    summary = run(config_of(strained(tmp_path), budget={"oracle_calls": 18}), tmp_path / "run", ear)
    assert 2 <= len(labels_of(tmp_path / "run", "relax")) <= SHARE * 18
    assert summary.oracle_calls <= 18
    assert any("not at rest" in line for line in lines_of(ear, ": relaxed in "))


def test_an_oracle_that_fails_on_the_way_leaves_the_best_step(tmp_path):
    summary = run(config_of(strained(tmp_path), oracle=FAILING), tmp_path / "run")
    assert summary.n_labels > 4
    with SqliteStore.read(tmp_path / "run") as store:
        assert len(store.meta("relaxed")) == 2


@pytest.mark.parametrize("at", [1, 4, 14])
def test_killed_on_the_way_no_step_is_asked_twice(tmp_path, monkeypatch, at):
    config = config_of(strained(tmp_path), budget={"oracle_calls": 30})
    calm = run(config, tmp_path / "calm")
    replies, receive = [], Labeller.receive

    def received(labeller):
        replies.append(receive(labeller))
        if len(replies) == at:
            raise Interrupted
        return replies[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Labeller, "receive", received)
        with pytest.raises(Interrupted):
            run(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        before = len(store.all_labels())
    resumed = run(config, tmp_path / "run")
    assert before == at
    assert resumed.oracle_calls == calm.oracle_calls
    assert told(tmp_path / "run") == told(tmp_path / "calm")
    assert same_model(tmp_path / "run" / "model", tmp_path / "calm" / "model")


def test_a_run_goes_on_from_its_relaxed_starts_without_the_option(tmp_path):
    path = strained(tmp_path)
    first = run(config_of(path, budget={"oracle_calls": 40}), tmp_path / "run")
    longer = run(config_of(path, "none", budget={"oracle_calls": 60}), tmp_path / "run")
    assert longer.oracle_calls >= first.oracle_calls
    result = audit(tmp_path / "run", 4, config_of(path, "none"))
    assert result.audit.n_structures == 4
    with SqliteStore.read(tmp_path / "run") as store:
        assert len(store.meta("relaxed")) == 2


def test_asked_for_too_late_it_is_said(tmp_path):
    path = strained(tmp_path)
    run(config_of(path, "none", budget={"oracle_calls": 12}), tmp_path / "run")
    ear = Ear()
    run(config_of(path, budget={"oracle_calls": 16}), tmp_path / "run", ear)
    assert lines_of(ear, "the start structures are not relaxed")
    assert labels_of(tmp_path / "run", "relax") == []


def test_each_start_is_told_of_by_its_own_label(tmp_path):
    """A start that is given twice is one seed; the third start is still told of as itself."""
    near, far = Octahedron("Cu", 2, latticeconstant=3.6), Octahedron("Cu", 2, latticeconstant=4.1)
    ase.io.write(tmp_path / "three.xyz", [near, near, far])
    ear = Ear()
    run(make_config(tmp_path / "three.xyz", oracle=EMT, budget={"oracle_calls": 12}), tmp_path / "run", ear)
    lines = lines_of(ear, "largest force")
    assert [line.split(",")[0] for line in lines] == [f"start {k} of 3" for k in (1, 2, 3)]
    assert lines[0][8:] == lines[1][8:] != lines[2][8:]
