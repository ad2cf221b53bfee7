"""A small run with a real quantum oracle, from the first label to the certificate."""

import json

import ase.io
from ase.build import molecule

from thalweg.config import validate
from thalweg.loop.runner import run


def test_water_is_learned_from_xtb_and_certified(tmp_path):
    path = tmp_path / "water.xyz"
    ase.io.write(path, molecule("H2O"))
    config = validate(
        {
            "system": str(path),
            "oracle": {"name": "tblite", "method": "GFN2-xTB"},
            "target": {"force_error": 0.1, "confidence": 0.9},
            "explore": {"temperature": [300, 400], "walkers": 2, "time": 1.5, "timestep": 0.5},
            "budget": {"oracle_calls": 150},
            "seed": 1,
        }
    )
    summary = run(config, tmp_path / "run")
    assert summary.verdict.reason == "target"
    assert summary.verdict.certified["lower_bound"] >= 0.9
    assert summary.oracle_calls < 150
    assert summary.audit.force_rmse < 0.1
    keys = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert keys["oracle"] == "GFN2-xTB"
    assert keys["md_steps"] >= 2 * 3000
