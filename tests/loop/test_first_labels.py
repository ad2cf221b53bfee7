"""Isolated atoms, start structures and seeds: counted, within the budget, and stopped where it is hopeless."""

import ase.io
import pytest
from ase.calculators import emt
from ase.cluster import Octahedron
from askers import Ear, make_asker
from runs import EMT, cluster, crystal, make_config

from thalweg.errors import OracleError
from thalweg.loop.runner import run
from thalweg.store import SqliteStore


def faulty(**rates):
    return {"name": "faulty", "inner": EMT, "rates": rates}


def test_seeds_are_labelled_learned_together_and_counted(tmp_path):
    with make_asker(tmp_path, seeded=False) as here:
        event, learner = here.first.learn(here.store)
        assert (event.calls, event.failed, event.labels) == (5, 0, 4)
        assert here.labeller.account.calls == 5
        assert learner.n_labels == here.state.n_first == 4
        assert event.force_scale == learner.force_scale > 0
        assert [t.n_labels for t in here.state.tunings] == [4]
        assert [kind for kind, *_ in here.ear.lines] == ["seed"] * 5 + ["warning", "calibrate"]
        assert here.ear.lines[0][1].startswith("isolated atoms: asked EMT: Cu ")


def test_the_isolated_atoms_energy_is_the_oracles_and_is_not_learned(tmp_path):
    from ase import Atoms

    atom = Atoms("Cu", calculator=emt.EMT())
    with make_asker(tmp_path) as here:
        assert list(here.learner.baseline.reference_energies) == [atom.get_potential_energy()]
        (question,) = here.store.questions(kind="reference")
        assert not here.store.is_learned(question.structure_hash, here.labeller.fingerprint)


def test_forces_and_pressure_of_the_starts_are_said(tmp_path):
    from ase.build import bulk
    from ase.units import GPa

    squeezed, rest = bulk("Cu", cubic=True, a=3.45), bulk("Cu", cubic=True, a=3.59)
    ase.io.write(tmp_path / "starts.xyz", [squeezed, rest])
    for atoms in (squeezed, rest):
        atoms.calc = emt.EMT()
    pressures = [-atoms.get_stress()[:3].mean() / GPa for atoms in (squeezed, rest)]
    assert pressures[0] > 10
    assert abs(pressures[1]) < 2
    said = []

    class Ear:
        def event(self, kind, text, data):
            said.append((kind, text, data))

        def progress(self, progress):
            pass

    run(make_config(tmp_path / "starts.xyz", budget={"oracle_calls": 7}), tmp_path / "run", Ear())
    starts = [(kind, text, data) for kind, text, data in said if text.startswith("start ")]
    assert [kind for kind, *_ in starts] == ["warning", "info"]
    assert [data["pressure_GPa"] for *_, data in starts] == pytest.approx(pressures)
    assert starts[0][1].endswith(
        "far from rest: unless it is meant so, relax it first: --relax-cell in a new run"
    )
    assert starts[1][1].startswith("start 2 of 2, Cu4: largest force ")


def test_without_isolated_atoms_reference_energies_are_fitted(tmp_path):
    with make_asker(tmp_path, {**EMT, "isolated_atoms": False}) as here:
        assert here.store.questions(kind="reference") == []
        assert here.learner.baseline.reference_energies[0] != 0.0
        assert here.labeller.account.calls == 4


def test_an_oracle_that_answers_no_seed_ends_the_run_with_its_reason(tmp_path):
    with (
        make_asker(tmp_path, faulty(unconverged=1.0), seeded=False) as here,
        pytest.raises(
            OracleError, match=r"no label for any of the 3 first structures \(unconverged: SCF not converged"
        ),
    ):
        here.first.learn(here.store)


def test_failed_seeds_are_counted_in_the_calls_they_name(tmp_path):
    with make_asker(tmp_path, faulty(unconverged=1.0) | {"heals": True}, seeded=False) as here:
        event, _ = here.first.learn(here.store)
        assert (event.calls, event.failed, event.labels) == (10, 5, 4)
        failures = [text for kind, text, _ in here.ear.lines if kind == "failure"]
        calls = (3, 5, 7, 9)
        assert [f"(call {n})" in text for n, text in zip(calls, failures, strict=True)] == [True] * 4
        assert "unconverged: SCF not converged (on purpose); trying again" in failures[0]


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 5, 6, 7])
def test_seeds_and_their_retries_never_exceed_the_budget(tmp_path, budget):
    oracle = faulty(unconverged=1.0) | {"heals": True}
    with make_asker(tmp_path, oracle, seeded=False, budget={"oracle_calls": budget}) as here:
        try:
            here.first.learn(here.store)
        except OracleError:
            assert budget < 4  # two for the isolated atom, two for a seed
        made = len(here.store.attempts()) + len(here.store.all_labels())
        assert made == here.labeller.account.calls <= budget


def test_an_element_that_the_oracle_lacks_ends_the_run_at_the_start_structure(tmp_path):
    path = tmp_path / "mixed.xyz"
    ase.io.write(path, [Octahedron("Cu", 2), Octahedron("Fe", 2, latticeconstant=3.6)])
    with pytest.raises(OracleError, match=r"start structure 2 of 2.*: EMT cannot treat Fe6: .*Fe"):
        run(make_config(path), tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        assert len(store.questions(kind="seed")) == 2


def test_an_oracle_that_never_answers_in_time_costs_one_structure(tmp_path):
    hanging = {"name": "faulty", "inner": EMT, "rates": {"hang": 1.0}, "hang_time": 60}
    config = make_config(
        cluster(tmp_path), oracle=hanging, executor={"kind": "process", "timeout": 1.0}, seeds={"count": 8}
    )
    with pytest.raises(OracleError, match=r"start structure 1 of 1.*time limit.*raise executor\.timeout"):
        run(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        assert len(store.questions(kind="seed")) == 1


class Cured(emt.EMT):
    """EMT that works once a file is there."""

    def __init__(self, cure, **options):
        super().__init__(**options)
        self.cure = cure

    def calculate(self, *args, **kwargs):
        """Fail without the file."""
        from pathlib import Path

        if not Path(self.cure).exists():
            raise RuntimeError("the licence server does not answer")
        super().calculate(*args, **kwargs)


def test_what_ailed_the_oracle_at_the_first_start_may_be_cured_and_its_calls_count(tmp_path):
    cure = tmp_path / "licence"
    options = {"cure": str(cure)}
    config = make_config(
        cluster(tmp_path), oracle={"name": "ase", "calculator": f"{__name__}.Cured", "options": options}
    )
    with pytest.raises(OracleError, match="licence server"):
        run(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        spent = len(store.attempts())
    cure.touch()
    summary = run(config, tmp_path / "run")
    assert summary.n_labels > 4
    assert summary.oracle_calls == summary.n_labels + 1 + spent
    assert summary.failed_calls == spent > 0


@pytest.mark.parametrize(
    ("explore", "words"),
    [
        ({"ensemble": "npt"}, ["shape and volume of the cell (coupling: full)"]),
        ({"ensemble": "npt", "coupling": "isotropic"}, []),
        ({}, []),
    ],
)
def test_what_npt_may_change_is_said_where_nobody_has_chosen_it(tmp_path, explore, words):
    ear = Ear()
    run(make_config(crystal(tmp_path), explore=explore, budget={"oracle_calls": 6}), tmp_path / "run", ear)
    lines = [text for _, text, _ in ear.lines if text.startswith("npt changes")]
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))
