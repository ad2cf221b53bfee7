"""What is said of properties: the difference to the oracle is the error, the committee's spread is none."""

import json
from dataclasses import replace

import numpy as np
import pytest

from thalweg.properties.eos import EquationOfState
from thalweg.properties.results import EquationOfStateResult, PropertyResults

ORACLE = EquationOfState(
    n_atoms=4,
    volume=46.4,
    energy=-1.0,
    bulk_modulus_GPa=134.1,
    bulk_modulus_derivative=4.2,
    residual=0.001,
    volumes=np.linspace(40, 52, 5),
    energies=np.linspace(0, 1, 5) ** 2,
)
LEARNED = replace(ORACLE, volume=46.0, bulk_modulus_GPa=133.6, bulk_modulus_uncertainty_GPa=0.04)
RESULT = EquationOfStateResult(9, LEARNED, ORACLE)


def test_the_difference_is_told_and_the_spread_is_no_error_bar():
    words = RESULT.describe()
    assert "V0 11.500 Å³/atom, B 133.6 GPa; oracle V0 11.600 Å³/atom, B 134.1 GPa (9 calls)" in words
    assert "off by -0.100 Å³/atom and -0.5 GPa (committee's spread 0.0 GPa, which is no error bar)" in words
    assert "±" not in words
    silent = EquationOfStateResult(9, replace(LEARNED, bulk_modulus_uncertainty_GPa=None), ORACLE)
    assert silent.describe().endswith("and -0.5 GPa")


def test_a_calibrated_uncertainty_is_stated_and_an_unknown_one_is_said():
    calibrated = replace(LEARNED, calibrated=True, bulk_modulus_uncertainty_GPa=1.3)
    words = EquationOfStateResult(9, calibrated, ORACLE).describe()
    assert "B 133.6 ± 1.3 GPa; oracle" in words
    assert "no error bar" not in words
    unknown = replace(calibrated, bulk_modulus_uncertainty_GPa=None)
    assert EquationOfStateResult(9, unknown, ORACLE).describe().endswith("its uncertainty is not known)")


def test_a_record_of_an_earlier_version_is_not_passed_off_as_calibrated():
    data = json.loads(json.dumps(LEARNED.to_json()))
    del data["calibrated"]
    assert not EquationOfState.from_json(data).calibrated


def test_it_comes_back_from_json_with_its_difference():
    data = json.loads(json.dumps(PropertyResults(RESULT).to_json()))
    difference = data["equation_of_state"]["difference"]
    assert difference == {"volume_per_atom": pytest.approx(-0.1), "bulk_modulus_GPa": pytest.approx(-0.5)}
    back = PropertyResults.from_json(data)
    assert back.describe() == PropertyResults(RESULT).describe()


def test_what_failed_has_no_difference():
    failed = EquationOfStateResult(3, failed="no minimum")
    assert failed.difference is None
    assert "difference" not in failed.to_json()
    assert failed.describe() == "equation of state: no minimum"


@pytest.mark.parametrize(
    "keys", [None, {}, {"equation_of_state": 3}, {"equation_of_state": {"oracle": {}}}, [1]]
)
def test_strange_summaries_hold_no_property(keys):
    assert PropertyResults.from_summary(keys).describe() == []
