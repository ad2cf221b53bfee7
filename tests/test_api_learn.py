"""`learn` from Python: any form of configuration, the run's folder, the conversation, and going on."""

import json

import pytest
from ase.build import bulk

from thalweg import api
from thalweg.config import RunConfig, load_config
from thalweg.errors import InputError
from thalweg.potential import Potential

CONFIG = {
    "system": "copper.xyz",
    "oracle": {"name": "morse"},
    "explore": {"temperature": 300, "walkers": 1, "time": "0.2 ps"},
    "model": {"r_cut": 4.5, "max_degree": [5, 4]},
    "budget": {"oracle_calls": 6},
    "seeds": {"count": 4},
}


class Listener:
    def __init__(self):
        self.lines = []

    def event(self, kind, text, data):
        self.lines.append(text)

    def progress(self, progress):
        pass


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bulk("Cu", cubic=True).write(tmp_path / "copper.xyz")
    (tmp_path / "run.yaml").write_text(json.dumps(CONFIG))  # JSON is YAML
    return tmp_path


def test_learn_from_a_dict_and_go_on(place):
    listener = Listener()
    summary = api.learn(CONFIG, place / "here", listener)
    assert 4 <= summary.oracle_calls <= 6
    assert summary.verdict is not None
    assert any("seed 4 of 4" in line for line in listener.lines)
    assert Potential.load(place / "here" / "model").elements == ("Cu",)
    again = api.learn(CONFIG, place / "here")
    assert again.oracle_calls == summary.oracle_calls


def test_every_form_of_a_configuration_gives_the_same_run(place):
    config = load_config("run.yaml")
    assert isinstance(config, RunConfig)
    calls = [api.learn(form, f"run{k}").to_json() for k, form in enumerate([CONFIG, "run.yaml", config])]
    for key in ("oracle_calls", "n_labels", "md_steps", "audit"):
        assert calls[0][key] == calls[1][key] == calls[2][key]


def test_the_folder_has_a_name_without_being_given_one(place):
    api.learn(CONFIG)
    assert (place / "runs" / "copper" / "summary.json").is_file()
    api.learn("run.yaml")
    assert (place / "runs" / "run" / "summary.json").is_file()
    api.learn({**CONFIG, "output": "chosen"})
    assert (place / "chosen" / "summary.json").is_file()


def test_a_misspelt_key_is_an_input_error(place):
    with pytest.raises(InputError, match="budget"):
        api.learn({**CONFIG, "budgett": {"oracle_calls": 5}})
    with pytest.raises(InputError, match="no such file"):
        api.learn("absent.yaml")
