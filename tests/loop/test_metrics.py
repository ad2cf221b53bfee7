"""The numbers of an iteration, in the keys that the report reads."""

import dataclasses
import json

import numpy as np
from blocks import block, moment, walk_of

from thalweg.calibration import Calibration, CalibrationSpec
from thalweg.explorers.limits import WalkEvent
from thalweg.loop.deciding.policy_state import PolicyState
from thalweg.loop.state import LoopState
from thalweg.loop.telling.metrics import IterationMetrics
from thalweg.loop.timing import Timing


def test_each_walkers_block_becomes_a_point_of_its_curve():
    stood = dataclasses.replace(
        block([moment(0, 0.3)], event=WalkEvent.BREAK_UNCERTAIN),
        n_steps=0,
        worst=None,
        mean_temperature=float("nan"),
    )
    state = LoopState(
        PolicyState(calls=7, n_labels=5), np.random.default_rng(0), Calibration(CalibrationSpec())
    )
    walk = walk_of(block([moment(1, 0.1), moment(2, 0.31, 2.0)]), stood)
    kept = IterationMetrics.of(state, Timing(oracle=2.0, wall=3.0), walk).to_json()
    assert (kept["oracle_calls"], kept["n_labels"], kept["timing"]["other"]) == (7, 5, 1.0)
    rows = kept["walkers"]
    assert rows[0] == {
        "index": 0,
        "temperature": 300.0,
        "time": 0.004,
        "bound": 0.31,
        "novelty": 2.0,
        "kinetic_temperature": 300.0,
        "steps": 2,
    }
    assert (rows[1]["bound"], rows[1]["kinetic_temperature"], rows[1]["steps"]) == (None, None, 0)
    json.dumps(kept, allow_nan=False)
