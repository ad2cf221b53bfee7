import json
from itertools import pairwise

import pytest

from thalweg.config import (
    ModelConfig,
    describe_changes,
    load_config,
    override,
    settings_from_words,
    validate,
)
from thalweg.errors import InputError

SHORT = "system: water.xyz\noracle: tblite\n"


def load(tmp_path, text, name="config.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def problem(tmp_path, text):
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_two_keys_are_enough(tmp_path):
    config = load(tmp_path, SHORT)
    assert config.system.paths == (str(tmp_path / "water.xyz"),)
    assert (config.oracle.name, config.oracle.method) == ("tblite", "GFN2-xTB")
    assert (config.target.force_error, config.target.confidence) == (0.15, 0.95)
    assert (config.budget.oracle_calls, config.seed) == (300, 1)


def test_design_example(tmp_path):
    config = load(
        tmp_path,
        """
system: malonaldehyde.xyz
oracle: {name: ase, calculator: ase.calculators.emt.EMT, options: {asap_cutoff: true}}
target: {force_error: 150 meV/Å, confidence: 0.95}
explore: {ensemble: nve, temperature: [300, 500 K], walkers: 4, time: 500 fs}
budget: {oracle_calls: 120, wall_time: 2 h}
seed: 3
""",
    )
    assert config.target.force_error == 0.15
    assert config.explore.time == 0.5
    assert config.explore.temperature == (300.0, 500.0)
    assert config.budget.wall_time == 7200.0
    assert config.oracle.options == {"asap_cutoff": True}


def test_paths_start_from_the_file(tmp_path):
    text = "system: [a.xyz, sub/b.cif]\noracle: tblite\noutput: ../out\n"
    (tmp_path / "inner").mkdir()
    config = load(tmp_path / "inner", text)
    assert config.system.paths == (str(tmp_path / "inner/a.xyz"), str(tmp_path / "inner/sub/b.cif"))
    assert config.output == str(tmp_path / "out")


def test_json_round_trip(tmp_path):
    config = load(tmp_path, SHORT + "explore: {temperature: 400, strain: 3 %}\nmodel: {max_degree: [8, 6]}\n")
    again = validate(json.loads(config.to_json()))
    assert again == config
    assert again.to_json() == config.to_json()
    assert again != override(config, {"seed": 2})


def test_configuration_is_frozen(tmp_path):
    config = load(tmp_path, SHORT)
    with pytest.raises(ValueError, match="frozen"):
        config.target.force_error = 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "target:\n  force_eror: 0.15\n",
            "config.yaml:4: target.force_eror: unknown key; did you mean target.force_error?",
        ),
        ("force_error: 0.1\n", "config.yaml:3: force_error: unknown key; did you mean target.force_error?"),
        ("walker: 3\n", "config.yaml:3: walker: unknown key; did you mean explore.walkers?"),
        ("explore: {temp: 3}\n", "explore.temp: unknown key; did you mean explore.temperature?"),
        ("seeds: {zzz: 3}\n", "config.yaml:3: seeds.zzz: unknown key; expected one of count"),
        (
            "explore: {walkers: four}\n",
            'explore.walkers: expected a whole number >= 1 and <= 4096, got "four"',
        ),
        ("explore: {walkers: 0}\n", "explore.walkers: expected a whole number >= 1 and <= 4096, got 0"),
        ("explore: {walkers: 2.5}\n", "explore.walkers: expected a whole number >= 1 and <= 4096, got 2.5"),
        ("explore: {walkers: true}\n", "explore.walkers: expected a whole number >= 1 and <= 4096, got true"),
        ("explore: {walkers: }\n", "explore.walkers: expected a whole number >= 1 and <= 4096, got nothing"),
        (
            "explore: {time: 3 K}\n",
            'explore.time: expected a time (fs, ps, s, min, h); a bare number is in ps, got "3 K"',
        ),
        ("explore: {time: -3}\n", "explore.time: expected a number > 0 and <= 1e+06 ps, got -3"),
        (
            "explore: {ensemble: nvt_}\n",
            "explore.ensemble: expected 'nvt', 'nve' or 'npt', got \"nvt_\"; did you mean nvt?",
        ),
        (
            "explore: {temperature: [300, 400, 500]}\n",
            "explore.temperature: expected one number, [lowest, highest] or 4",
        ),
        (
            "explore: {temperature: []}\n",
            "explore.temperature: expected a number or a list of numbers, got an empty list",
        ),
        ("explore: {temperature: [300, hot]}\n", "explore.temperature: expected a temperature (K)"),
        ("target: {confidence: 1.2}\n", "target.confidence: expected a number > 0 and < 1, got 1.2"),
        ("budget: 300\n", "budget: expected a mapping with keys such as oracle_calls, wall_time, got 300"),
        ("model: {max_degree: 8}\n", "model.max_degree: expected a list of degrees, one per order, got 8"),
        ("model: {max_degree: [8], correlation_order: 2}\n", "model.max_degree: expected 2 degrees"),
        ("model: {radial_weight: 2}\n", "model.radial_weight: set max_degree, too"),
        ("model: {max_degree: [8], radial_weight: 0}\n", "model.radial_weight: expected a whole number >= 1"),
        ("acquisition: {strategy: randon}\n", "did you mean random?"),
        (
            "executor: {kind: serial, workers: 3}\n",
            "executor.workers: expected 1 with kind: serial, got 3; set kind: process",
        ),
        (
            "executor: {kind: serial, timeout: 30}\n",
            "executor.timeout: a call inside this process cannot be stopped",
        ),
        ("output: 3\n", "config.yaml:3: output: expected text, got 3"),
        ("seed: 1\nseed: 2\n", "config.yaml:4: seed: given twice (first on line 3); keep one"),
        ("target: {level: 0.9, level: 0.8}\n", "config.yaml:3: target.level: given twice"),
        ("target: [unclosed\n", "this is not YAML"),
        ("3: 4\n", "config.yaml:3: the key 3 is a number for YAML; keys are text: put quotes around it"),
        ("target: &t {level: 0.9}\nexplore: *t\n", "explore.level: unknown key; did you mean target.level?"),
        ("target: &t [*t]\n", "config.yaml:3: an anchor (&) contains its own alias"),
        ("[a, b]: 3\n", "config.yaml:3: a key must be a word"),
        ("seed: !!python/object/apply:os.getcwd []\n", "config.yaml:3: this is not YAML"),
    ],
)
def test_problem_in_the_users_words(tmp_path, text, message):
    assert message in problem(tmp_path, SHORT + text)


@pytest.mark.parametrize(
    ("oracle", "message"),
    [
        ("tblit", "oracle: expected one of tblite, ase,"),
        ("{name: tblit}", "oracle.name: expected one of tblite, ase"),
        ("{name: tblit}", "did you mean tblite?"),
        ("{method: GFN2-xTB}", "oracle.name: this key is required but missing"),
        ("{name: tblite, metod: GFN2-xTB}", "oracle.metod: unknown key; did you mean oracle.method?"),
        ("{name: tblite, method: GFN3-xTB}", "oracle.method: expected 'GFN2-xTB', 'GFN1-xTB' or 'IPEA1-xTB'"),
        ("{name: tblite, accuracy: plenty}", "oracle.accuracy: expected a number without a unit"),
        (
            "{name: tblite, electronic_temperature: 1 eV}",
            "oracle.electronic_temperature: expected a temperature",
        ),
        ("{name: ase}", "oracle.calculator: this key is required"),
        ("{name: ase, calculator: EMT}", "oracle.calculator: expected an import path"),
        (
            "{name: ase, calculator: a.B, options: 3}",
            "oracle.options: expected a mapping (key: value), got 3",
        ),
        ("{name: ase, calculator: a.B, reuse: 3}", "oracle.reuse: expected true or false, got 3"),
        ("{name: ase, calculator: a.B, noise: {force: 1}}", "did you mean oracle.noise.forces?"),
        ("[tblite]", "oracle: expected a mapping with keys such as name"),
    ],
)
def test_problem_of_the_oracle(tmp_path, oracle, message):
    assert message in problem(tmp_path, f"system: water.xyz\noracle: {oracle}\n")


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("3", "system: expected the path of a structure file, or a list of paths, got 3"),
        ("[]", "system: expected the path of a structure file"),
        ("{paths: a.xyz, repeat: [2, 2]}", "system.repeat: expected 3 whole numbers >= 1, got 2"),
        ("{path: a.xyz}", "system.path: unknown key; did you mean system.paths?"),
    ],
)
def test_problem_of_the_system(tmp_path, system, message):
    assert message in problem(tmp_path, f"system: {system}\noracle: tblite\n")


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path):
    text = SHORT + "seed: -1\nexplore:\n  walkers: 0\nbudget:\n  oracle_cals: 3\n"
    lines = problem(tmp_path, text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["3", "5", "7"]


def test_no_pydantic_in_messages(tmp_path):
    text = problem(tmp_path, "systm: 3\n")
    assert "did you mean system?" in text
    assert "system: this key is required but missing" in text
    assert "pydantic" not in text
    assert "type=" not in text


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such file; `thalweg init"):
        load_config(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "binary.yaml")
    assert "got an empty file" in problem(tmp_path, "")
    assert "got a list" in problem(tmp_path, "- a\n- b\n")


def test_ladder_over_walkers(tmp_path):
    explore = load(tmp_path, SHORT).explore
    ladder = explore.temperatures()
    assert ladder[0] == 300.0
    assert ladder[-1] == pytest.approx(500.0)
    ratios = [b / a for a, b in pairwise(ladder)]
    assert ratios == pytest.approx([ratios[0]] * 3)
    assert ratios[0] > 1
    listed = load(tmp_path, SHORT + "explore: {walkers: 3, temperature: [300, 310, 900]}\n").explore
    assert listed.temperatures() == (300.0, 310.0, 900.0)
    single = load(tmp_path, SHORT + "explore: {walkers: 3, temperature: 400}\n").explore
    assert single.temperatures() == (400.0, 400.0, 400.0)


def test_changes_in_words(tmp_path):
    old = load(tmp_path, SHORT)
    new = override(
        old, {"target.force_error": "100 meV/Å", "budget.wall_time": "2 h", "explore.temperature": [300, 600]}
    )
    assert describe_changes(old, new) == [
        "target.force_error: 0.15 -> 0.1 eV/Å",
        "explore.temperature: [300, 500] -> [300, 600] K",
        "budget.wall_time: (none) -> 7200 s",
    ]
    assert describe_changes(old, old) == []


def test_a_default_that_has_changed_is_no_change_of_the_users(tmp_path):
    before = load(tmp_path, SHORT + "explore: {committee: whole}\n")  # as an older Thalweg wrote it down
    plain = load(tmp_path, SHORT)
    assert plain.explore.committee == "screened"
    assert describe_changes(before, plain) == []
    wanted = load(tmp_path, SHORT + "explore: {committee: screened}\n")
    assert describe_changes(before, wanted) == ["explore.committee: whole -> screened"]
    assert describe_changes(wanted, before) == ["explore.committee: screened -> whole"]


def test_change_of_oracle_names_every_setting(tmp_path):
    old = load(tmp_path, SHORT)
    new = load(tmp_path, "system: water.xyz\noracle: {name: ase, calculator: a.B}\n")
    changes = describe_changes(old, new)
    assert "oracle.name: tblite -> ase" in changes
    assert "oracle.method: GFN2-xTB -> (none)" in changes


def test_override_is_checked(tmp_path):
    config = load(tmp_path, SHORT)
    with pytest.raises(
        InputError,
        match=r"command line: budget.oracle_calls: expected a whole number >= 1 and <= 1000000, got 0",
    ):
        override(config, {"budget.oracle_calls": 0})


def test_settings_from_words():
    assert settings_from_words(ModelConfig, ["r_cut=5 Å", "max_degree=[8,6]"]).max_degree == (8, 6)
    with pytest.raises(InputError, match=r"expected KEY=VALUE, got \"r_cut\"; keys: .*r_cut, "):
        settings_from_words(ModelConfig, ["r_cut"])
    with pytest.raises(InputError, match="rcut: unknown key; did you mean r_cut"):
        settings_from_words(ModelConfig, ["rcut=5"])


def test_saved_configuration_of_another_version():
    text = json.dumps({"system": {"paths": ["a.xyz"]}, "oracle": {"name": "tblite"}, "flavour": 3})
    with pytest.raises(InputError, match="saved configuration: flavour: unknown key"):
        validate(json.loads(text), source="saved configuration")


def test_plain_data_keeps_relative_paths():
    assert validate({"system": "a.xyz", "oracle": "tblite"}).system.paths == ("a.xyz",)
