"""The public surface: what `thalweg` offers, that all of it is there, and that importing it is cheap."""

import subprocess
import sys

import pytest

import thalweg

PUBLIC = [
    "Dynamics",
    "InputError",
    "Label",
    "ModelConfig",
    "ModelError",
    "OracleError",
    "Potential",
    "Prediction",
    "RunConfig",
    "SetupError",
    "Snapshot",
    "StoreError",
    "Structure",
    "ThalwegCalculator",
    "ThalwegError",
    "__version__",
    "evaluate",
    "explore",
    "fit",
    "learn",
    "load_config",
    "make_oracle",
    "read_labelled",
    "read_structures",
    "set_num_threads",
]


def test_the_public_names_are_these():
    assert thalweg.__all__ == PUBLIC
    assert len(PUBLIC) <= 25
    assert set(PUBLIC) <= set(dir(thalweg))


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_every_name_is_there_and_documented(name):
    assert getattr(thalweg, name).__doc__


def test_the_version_is_the_installed_one(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 1.2.3")
    assert thalweg.__version__ == "thalweg 1.2.3"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'fti'"):
        _ = thalweg.fti


def test_importing_the_package_imports_nothing_heavy():
    words = "import sys, thalweg; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    assert "thalweg" in loaded
    assert not loaded & {"numpy", "scipy", "ase", "pydantic", "matplotlib", "thalweg._native", "thalweg.api"}
