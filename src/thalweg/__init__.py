"""Thalweg learns a potential energy surface on the fly and says how far the map can be trusted.

Names are imported when they are first used, so that `import thalweg` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.api import Dynamics, evaluate, explore, fit, learn
    from thalweg.calculator import ThalwegCalculator
    from thalweg.config import ModelConfig, RunConfig, load_config
    from thalweg.errors import InputError, ModelError, OracleError, SetupError, StoreError, ThalwegError
    from thalweg.explorers import Snapshot
    from thalweg.features import set_num_threads
    from thalweg.label import Label
    from thalweg.oracles import make_oracle
    from thalweg.potential import Potential, Prediction
    from thalweg.store import read_labelled, read_structures
    from thalweg.structure import Structure

    __version__: str

_HOMES = {
    "Dynamics": "thalweg.api",
    "InputError": "thalweg.errors",
    "Label": "thalweg.label",
    "ModelConfig": "thalweg.config",
    "ModelError": "thalweg.errors",
    "OracleError": "thalweg.errors",
    "Potential": "thalweg.potential",
    "Prediction": "thalweg.potential",
    "RunConfig": "thalweg.config",
    "SetupError": "thalweg.errors",
    "Snapshot": "thalweg.explorers",
    "StoreError": "thalweg.errors",
    "Structure": "thalweg.structure",
    "ThalwegCalculator": "thalweg.calculator",
    "ThalwegError": "thalweg.errors",
    "evaluate": "thalweg.api",
    "explore": "thalweg.api",
    "fit": "thalweg.api",
    "learn": "thalweg.api",
    "load_config": "thalweg.config",
    "make_oracle": "thalweg.oracles",
    "read_labelled": "thalweg.store",
    "read_structures": "thalweg.store",
    "set_num_threads": "thalweg.features",
}

__all__ = [
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


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("thalweg")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'thalweg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
