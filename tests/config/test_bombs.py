"""Files that are small and would become large, and values that YAML reads as something else than they look like."""

import os

import pytest

from thalweg.config import ModelConfig, load_config, settings_from_words, validate
from thalweg.config.load import check_text
from thalweg.config.yaml_source import LARGEST_FILE
from thalweg.errors import InputError

SHORT = "system: water.xyz\noracle: tblite\n"


def bomb(indent, depth=9, width=9):
    rows = [f"a0: &a0 [{'x,' * width}]"]
    rows += [f"a{k}: &a{k} [{f'*a{k - 1},' * width}]" for k in range(1, depth)]
    return "".join(f"{indent}{row}\n" for row in rows)


def merges(n=60):
    rows = ["  m0: &m0 {k0: 1}\n"]
    rows += [f"  m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k{i}: 1}}\n" for i in range(1, n)]
    return "".join(rows)


CASES = {
    "bomb in options": (
        f"system: a\noracle:\n  name: ase\n  calculator: a.B\n  options:\n{bomb('    ')}",
        "with its aliases",
    ),
    "bomb in paths": (f"x:\n{bomb('  ')}system: {{paths: *a8}}\noracle: tblite\n", "with its aliases"),
    "merge keys": (f"x:\n{merges()}{SHORT}", "with its aliases"),
    "cycle": (f"{SHORT}target: &t {{a: &u [*t, *u]}}\n", "an anchor (&) contains its own alias"),
    "cycle in options": (
        "system: a\noracle: {name: ase, calculator: a.B, options: &o {x: *o}}\n",
        "an anchor (&) contains its own alias",
    ),
    "many values": (SHORT + "".join(f"k{i}: 1\n" for i in range(20_000)), "more than 10,000 values"),
    "many paths": (f"system: [{'a,' * 2000}]\noracle: tblite\n", "2,000 paths, the limit is 1000"),
    "deep lists": (f"{SHORT}target: {'[' * 20_000}", "config.yaml:3: nested more than 50 deep"),
    "deep mappings": (f"{SHORT}target: {'{a: ' * 5_000}", "nested more than 50 deep"),
    "long text": (f"{SHORT}output: {'x' * 200_000}\n", "config.yaml:3: a text of 200,000 characters"),
    "huge file": (SHORT + "#" * LARGEST_FILE, "the limit is 1,000,000"),
    "long number": (f"{SHORT}seed: {'9' * 4000}\n", "config.yaml:3: a number of 4,000 digits"),
    "longer number": (f"{SHORT}seed: {'9' * 5000}\n", "a number of 5,000 digits"),
    "NUL": (f"{SHORT}seed: \0\n", "config.yaml:3: a character that is no text (code 0)"),
    "escaped NUL": (SHORT + 'output: "a\\0b"\n', "holds a NUL character"),
    "control": (f"{SHORT}seed: \a\n", "config.yaml:3: a character that is no text (code 7)"),
    "surrogate": (SHORT + 'output: "\\ud800"\n', "is not valid UTF-8"),
    "date": (f"{SHORT}output: 2024-01-01\n", "config.yaml:3: 2024-01-01 is a date for YAML"),
    "set": (f"{SHORT}target: !!set {{a, b}}\n", "a value of the kind !!set"),
    "set in options": (
        "system: a\noracle: {name: ase, calculator: a.B, options: {x: !!set {a}}}\n",
        "a value of the kind !!set",
    ),
    "binary": (f"{SHORT}output: !!binary aGVsbG8=\n", "is no text for YAML"),
    "octal": (f"{SHORT}seed: 010\n", "YAML reads 010 in another base than 10"),
    "base 60": (f"{SHORT}budget: {{wall_time: 1:30:00}}\n", "in base 60; write a number with its unit"),
    "true as key": (f"{SHORT}no: 1\n", "the key no is true or false for YAML"),
    "infinity": (f"{SHORT}explore: {{time: .inf}}\n", ".inf is not a valid number for any setting"),
    "NaN": (f"{SHORT}explore: {{time: .nan}}\n", ".nan is not a valid number"),
    "no bool": (f"{SHORT}properties: !!bool x\n", "this is not YAML"),
    "nobody's home": ("system: ~nobody-of-this-name/a\noracle: tblite\n", "leads nowhere"),
    "workers": (
        f"{SHORT}executor: {{kind: process, workers: 1000000}}\n",
        "executor.workers: expected a whole number",
    ),
    "hot": (f"{SHORT}explore: {{temperature: 1e9}}\n", "> 0 and <= 20000 K"),
    "calls": (f"{SHORT}budget: {{oracle_calls: 1000000000000}}\n", "<= 1000000, got 1000000000000"),
    "repeats": ("system: {paths: a, repeat: [99999, 1, 1]}\noracle: tblite\n", "<= 1000, got 99999"),
}


@pytest.mark.parametrize(("text", "words"), CASES.values(), ids=CASES.keys())
def test_small_files_that_would_become_large_are_refused_in_words(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        check_text(text, tmp_path / "config.yaml")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 12_000


def test_ordinary_aliases_and_merges_are_taken(tmp_path):
    text = f"{SHORT}explore: &e {{walkers: 3}}\nseeds: {{count: 5}}\nbudget: {{<<: {{oracle_calls: 7}}}}\n"
    config = check_text(text, tmp_path / "config.yaml")
    assert (config.explore.walkers, config.budget.oracle_calls) == (3, 7)
    shared = "system: a\noracle: {name: ase, calculator: a.B, options: {x: &x [1, 2], y: *x, z: *x}}\n"
    assert check_text(shared, tmp_path / "config.yaml").oracle.options["z"] == [1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 10**5000}, "a whole number of"),
        (
            {"oracle": {"name": "ase", "calculator": "a.B", "options": {"x": float("inf")}}},
            "inf is not a valid number",
        ),
        ({"explore": {"time": float("nan")}}, "nan is not a valid number"),
        ({"output": "a\0"}, "NUL"),
    ],
)
def test_plain_data_is_held_to_the_same(change, words):
    with pytest.raises(InputError, match=words):
        validate({"system": "a", "oracle": "tblite", **change})


def test_plain_data_that_hold_themselves():
    ring = []
    ring.append(ring)
    with pytest.raises(InputError, match="nested more than 50 deep"):
        validate({"system": "a", "oracle": {"name": "ase", "calculator": "a.B", "options": {"x": ring}}})


@pytest.mark.parametrize(
    "word", ["r_cut=" + "9" * 5000, "max_degree=&a [*a]", "max_degree=" + "[" * 500, "r_cut=\0"]
)
def test_words_of_the_command_line_are_held_to_the_same(word):
    with pytest.raises(InputError, match="command line"):
        settings_from_words(ModelConfig, [word])


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        load_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("system: caf\xe9.xyz\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"as UTF-8 text \(byte 11\)"):
        load_config(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(InputError, match="more than 1,000,000 bytes"):
        load_config(tmp_path / "large.yaml")
    with pytest.raises(InputError, match="more than 1,000,000 bytes"):
        load_config("/dev/zero")


def test_a_folder_whose_name_is_not_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(InputError, match=r"the folder of the configuration: .* is not valid UTF-8"):
        check_text(SHORT, folder / "config.yaml")


def test_a_start_that_no_oracle_labels_is_refused_before_it_is_repeated(tmp_path):
    from ase.build import bulk

    from thalweg.config import start_structures

    bulk("Cu", cubic=True).write(tmp_path / "cu.xyz")
    config = validate(
        {"system": {"paths": ["cu.xyz"], "repeat": [900, 900, 900]}, "oracle": "tblite"}, folder=tmp_path
    )
    with pytest.raises(InputError, match="repeated: 2,916,000,000 atoms, the limit is 10,000"):
        start_structures(config.system)
