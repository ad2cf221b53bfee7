"""Oracles and executors as objects: handed to `learn`, from a module, from a script, on pools of one's own."""

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.cluster import Octahedron

import thalweg
from thalweg.errors import InputError
from thalweg.label import Label
from thalweg.oracles.analytic import MorseOracle

SHORT = {
    "explore": {"temperature": [200, 400], "walkers": 2, "time": 0.5, "timestep": 2},
    "target": {"force_error": 0.1, "confidence": 0.8},
    "model": {"r_cut": 4.5, "max_degree": [8, 6, 5]},
    "budget": {"oracle_calls": 20},
    "seeds": {"count": 4},
}


@pytest.fixture
def config(tmp_path):
    Octahedron("Cu", 2).write(tmp_path / "cu.xyz")
    return {"system": str(tmp_path / "cu.xyz"), **SHORT}


def same(one, other):
    a, b = thalweg.Potential.load(one / "model"), thalweg.Potential.load(other / "model")
    return np.array_equal(a.weights, b.weights)


def test_an_ase_calculator_is_an_oracle_and_gives_what_its_name_gives(tmp_path, config):
    by_name = {**config, "oracle": {"name": "ase", "calculator": "ase.calculators.emt.EMT"}}
    first = thalweg.learn(by_name, tmp_path / "name")
    second = thalweg.learn(config, tmp_path / "object", oracle=EMT())
    assert first.oracle == second.oracle == "EMT"
    assert first.n_labels == second.n_labels
    assert same(tmp_path / "name", tmp_path / "object")


def test_an_oracle_object_needs_no_section_and_goes_on_only_with_its_like(tmp_path, config):
    first = thalweg.learn(config, tmp_path / "run", oracle=MorseOracle())
    assert thalweg.learn(config, tmp_path / "run", oracle=MorseOracle()).oracle_calls == first.oracle_calls
    with pytest.raises(thalweg.ThalwegError, match="oracle"):
        thalweg.learn(config, tmp_path / "run", oracle=EMT())
    # The folder alone cannot make it, and says so.
    saved = json.loads(thalweg_runs(tmp_path / "run"))
    with pytest.raises(InputError, match="is a Python object"):
        thalweg.learn(saved, tmp_path / "run")


def thalweg_runs(folder):
    from thalweg.store import SqliteStore

    with SqliteStore.read(folder) as store:
        return json.dumps(store.runs()[-1].config)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ThreadPoolExecutor(2),
        lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    ],
)
def test_calls_run_on_an_executor_of_ones_own_which_is_left_open(tmp_path, config, make):
    config = {**config, "executor": {"workers": 2}}
    with make() as pool:
        summary = thalweg.learn(config, tmp_path / "run", oracle=EMT(), executor=pool)
        assert pool.submit(len, "ab").result() == 2
    ours = thalweg.learn(config, tmp_path / "ours", oracle=EMT())
    assert summary.n_labels == ours.n_labels
    assert same(tmp_path / "run", tmp_path / "ours")


@pytest.mark.parametrize("thing", [EMT, 3, "emt", molecule("H2O")])
def test_what_is_no_oracle_is_refused_before_anything_is_done(tmp_path, config, thing):
    with pytest.raises(InputError, match="oracle"):
        thalweg.learn(config, tmp_path / "run", oracle=thing)
    assert not (tmp_path / "run").exists()


SCRIPT = """
import sys, thalweg
from thalweg.oracles.analytic import MorseOracle

class Mine:
    inner = MorseOracle()
    fingerprint = "mine"
    display_name = "Mine"
    gives_stress = False
    rungs = 1
    gives_isolated_atoms = True
    def check_structure(self, structure): pass
    def label(self, structure, attempt=0):
        print("from the oracle")
        import dataclasses
        return dataclasses.replace(self.inner.label(structure), oracle="mine")

config = {config}
config["executor"] = {executor}
class Ear:
    def event(self, kind, text, data):
        if kind == "warning": print("warning:", text)
    def progress(self, progress): pass
print(thalweg.learn(config, sys.argv[1], Ear(), oracle=Mine()).n_labels, "labels")
"""


def script(tmp_path, config, executor):
    text = SCRIPT.replace("{config}", repr(config)).replace("{executor}", repr(executor))
    command = [sys.executable, "-c", text, str(tmp_path / "run")]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def test_an_oracle_that_a_script_defines_runs_in_its_process_and_that_is_said(tmp_path, config):
    done = script(tmp_path, config, {})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("warning: the oracle runs inside this process")
    assert lines[-1].endswith(" labels")
    assert "from the oracle" not in done.stdout  # isolated all the same


def test_such_an_oracle_on_several_workers_is_refused_with_the_cure(tmp_path, config):
    done = script(tmp_path, config, {"workers": 2})
    assert done.returncode != 0
    assert "put that into a module" in done.stderr
    assert "executor: {kind: serial}" in done.stderr


def test_an_oracle_whose_labels_are_not_its_own_is_found_out(tmp_path, config):
    class Liar(MorseOracle):
        def label(self, structure, attempt=0):
            label = super().label(structure, attempt)
            assert isinstance(label, Label)
            return type(label)(label.energy, label.forces, None, oracle="another", wall_time=1.0)

    with pytest.raises(thalweg.ThalwegError, match="another oracle"):
        thalweg.learn({**config, "executor": {"kind": "serial"}}, tmp_path / "run", oracle=Liar())
