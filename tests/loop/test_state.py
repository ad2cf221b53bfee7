"""A checkpoint holds the state to the last bit."""

import json

import numpy as np
from blocks import dimer

from thalweg.calibration import Calibration, CalibrationSpec, Compared, Stream
from thalweg.explorers.dynamics import MolecularDynamics
from thalweg.explorers.walker import WalkerState
from thalweg.loop.deciding.certification import Certificate, Certification
from thalweg.loop.deciding.policy_state import Phase, PolicyState
from thalweg.loop.deciding.stopping import AuditRecord, StopReason, Verdict
from thalweg.loop.learning.learner import Tuning
from thalweg.loop.state import LoopState
from thalweg.loop.timing import Timing
from thalweg.uncertainty.reach import NoveltyRecord

THIRD = 1.0 / 3.0


def full_state():
    rng = np.random.default_rng(3)
    rng.random(5)
    answer = Compared(
        Stream.AUDIT, np.array([29, 29]), np.array([0.1, THIRD]), np.array([0.2, 0.3]), np.array([0.4, 0.5])
    )
    walker = WalkerState.start(dimer(), temperature=300 + THIRD, seed=2**63 + 1, walker_id=1)
    certificate = Certificate(
        **{name: (3 if kind == "int" else THIRD) for name, kind in Certificate.__annotations__.items()}
    )
    return LoopState(
        policy=PolicyState(
            phase=Phase.PATROL,
            calls=12,
            walked_fs=(THIRD, 2.0),
            under_way=2,
            held=(1, 3),
            audits=(AuditRecord(8, (THIRD,), (0.2,), energy_error=-THIRD, volume=11 + THIRD),),
            certification=Certification(certificate=certificate),
            verdict=Verdict(True, StopReason.TARGET, "target reached", {"lower_bound": THIRD}),
        ),
        rng=rng,
        calibration=Calibration(CalibrationSpec(confidence=0.9)).record(answer),
        walkers=[walker],
        homes=[walker],
        tunings=[Tuning(8, (THIRD, -1e-300))],
        novelty=NoveltyRecord().after(np.array([THIRD, 1e-300, 7.0])),
        n_first=8,
        set_aside={"b", "a"},
        under_way=[7, 5],
        md_steps=123456,
        timing=Timing(THIRD, 2.0, 3.0, 40.0),
    )


def test_a_state_survives_json_exactly():
    state = full_state()
    text = json.dumps(state.to_json())
    again = LoopState.from_json(json.loads(text), MolecularDynamics())
    assert json.dumps(again.to_json()) == text
    assert again.policy == state.policy
    assert again.novelty == state.novelty != NoveltyRecord()
    older = json.loads(text)
    older.pop("novelty")
    assert LoopState.from_json(older, MolecularDynamics()).novelty == NoveltyRecord()
    assert again.tunings == state.tunings
    assert again.timing == state.timing
    assert again.set_aside == {"a", "b"}
    assert again.under_way == [7, 5]
    assert again.walkers[0].velocities.tobytes() == state.walkers[0].velocities.tobytes()
    assert again.calibration.bounds.lines((29,))[0] == state.calibration.bounds.lines((29,))[0]


def test_the_generator_goes_on_where_it_was():
    state = full_state()
    again = LoopState.from_json(json.loads(json.dumps(state.to_json())), MolecularDynamics())
    assert again.rng.random() == state.rng.random()
    assert again.rng.random() != np.random.default_rng(3).random()


def test_a_fresh_state_survives_too():
    state = LoopState(PolicyState(), np.random.default_rng(0), Calibration(CalibrationSpec()))
    again = LoopState.from_json(json.loads(json.dumps(state.to_json())), MolecularDynamics())
    assert again.policy == state.policy
    assert again.walkers == again.homes == again.tunings == []
