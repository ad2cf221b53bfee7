"""What is advised, from evidence made by hand: beyond chance, said once, withdrawn when it is gone."""

import dataclasses
import json

import numpy as np
import pytest

from thalweg.loop.deciding.advice import (
    About,
    Counsel,
    Evidence,
    Settings,
    Smoothness,
    advise,
    floor_of,
    misfit_suspected,
    new,
    withdrawn,
)
from thalweg.loop.deciding.audit_record import AuditRecord, Target

TARGET = Target(0.1)
SETTINGS = Settings(5.0, (12, 9, 6), oracle="EMT")


def residuals(size: float, n: int = 12, atoms: int = 9, seed: int = 0) -> tuple[tuple[float, ...], ...]:
    """Force errors of atoms whose components have this deviation."""
    vectors = size * np.random.default_rng(seed).standard_normal((n, atoms, 3))
    return tuple(map(tuple, np.linalg.norm(vectors, axis=2)))


def audits(temperature: float, size: float, n: int = 8, n_labels: int = 100) -> tuple[AuditRecord, ...]:
    return tuple(
        AuditRecord(n_labels, errors, [1.0] * len(errors), temperature=temperature)
        for errors in residuals(size, n, seed=int(temperature))
    )


def misfit(size: float = 0.06, **changes) -> Evidence:
    evidence = Evidence(TARGET, SETTINGS, n_labels=100, residuals=residuals(size))
    return dataclasses.replace(evidence, **changes)


def about(evidence: Evidence, given=()) -> list[About]:
    return [one.about for one in advise(evidence, given)]


def test_the_floor_is_the_residual_of_a_component():
    assert floor_of(residuals(0.06, 100)) == pytest.approx(0.06, rel=0.05)
    assert floor_of(()) == 0.0


def test_a_basis_whose_residuals_stay_is_said_with_the_setting():
    (one,) = advise(misfit())
    assert one.about is About.BASIS
    assert "model.r_cut" in one.text
    assert "5 Å" in one.text
    assert one.data["reachable"] > TARGET.force_error
    assert about(misfit(0.02)) == [], "the control: small residuals are no reason"


def test_a_basis_that_the_user_fixed_is_said_to_be_fixed():
    (one,) = advise(misfit(settings=dataclasses.replace(SETTINGS, fixed=("model.r_cut",))))
    assert "leave out model.r_cut" in one.text


def test_few_residuals_and_chance_give_no_advice():
    assert about(misfit(residuals=residuals(0.06, 3))) == []
    by_chance = [*residuals(0.01, 11), (0.2, *[0.01] * 8)]  # one atom of 108 beyond
    assert not misfit_suspected(misfit(residuals=tuple(by_chance)))


def test_an_oracle_that_scatters_is_blamed_and_the_basis_is_not():
    rough = misfit(smoothness=Smoothness(0.058, 0.004, 2))
    (one,) = advise(rough)
    assert one.about is About.ORACLE
    assert one.setting == "oracle"
    assert "EMT is not smooth" in one.text
    assert "`accuracy`" in one.text
    (one,) = advise(misfit(smoothness=Smoothness(1e-4, 1e-5, 2)))
    assert one.about is About.BASIS
    assert "the oracle is smooth" in one.text


def test_advice_stays_until_its_evidence_is_gone():
    border = misfit(residuals=(*residuals(0.01, 10), (*[0.2] * 6, *[0.01] * 3)))  # 94.1 % of 99 atoms
    assert about(border) == []
    given = advise(misfit())
    assert about(border, given) == [About.BASIS]
    assert about(misfit(0.02), given) == []
    assert withdrawn(given, advise(misfit(0.02), given)) == given
    assert new(given, advise(misfit(), given)) == ()
    assert new((), given) == given


def test_the_hottest_walkers_are_named_where_they_alone_miss():
    evidence = misfit(0.01, audits=(*audits(300.0, 0.02), *audits(450.0, 0.02), *audits(600.0, 0.07)))
    (one,) = advise(evidence)
    assert one.about is About.HOTTEST
    assert one.setting == "explore.temperature"
    assert "at 600 K" in one.text
    assert "to 450 K" in one.text
    assert one.data["reachable"] == pytest.approx(0.196, rel=0.2)


@pytest.mark.parametrize(
    "found",
    [
        (*audits(300.0, 0.07), *audits(600.0, 0.07)),  # all miss
        (*audits(300.0, 0.02), *audits(600.0, 0.02)),  # all meet
        (*audits(300.0, 0.07), *audits(600.0, 0.02)),  # the coldest misses
        (*audits(300.0, 0.02), *audits(600.0, 0.07, n=3)),  # too few
        (*audits(300.0, 0.02), *audits(600.0, 0.07, n_labels=20)),  # of models long gone
        audits(600.0, 0.07),  # nothing to compare with
    ],
)
def test_the_hottest_walkers_are_not_blamed_otherwise(found):
    assert about(misfit(0.01, audits=found)) == []


def test_counsel_survives_json_and_older_checkpoints_have_none():
    counsel = Counsel(
        42, 0.06, advise(misfit(smoothness=Smoothness(0.06, 0.01, 2))), Smoothness(0.06, 0.01, 2)
    )
    assert Counsel.from_json(json.loads(json.dumps(counsel.to_json()))) == counsel
    assert Counsel.from_json({}) == Counsel()
