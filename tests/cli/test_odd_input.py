"""Every verb on what is no structure, no run, no model and no number: one clear message, never a defect."""

import json
import lzma
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ase.build import molecule
from cli_documents import CONFIG
from typer.testing import CliRunner

from odd_files import TWO, cif, disordered, lammps_data, lammps_dump
from small_potentials import random_potential
from thalweg.cli.app import app
from thalweg.store import SqliteStore
from thalweg.structure import Structure

HEAD = "2\n{lattice}Properties=species:S:1:pos:R:3 {extra}\n"


def frame(*rows, lattice="", extra="energy=1"):
    lattice = f'Lattice="{lattice}" pbc="T T T" ' if lattice else ""
    return (
        HEAD.format(lattice=lattice, extra=extra).replace("2\n", f"{len(rows)}\n", 1) + "\n".join(rows) + "\n"
    )


FILES = {
    "empty.xyz": b"",
    "binary.xyz": bytes(range(256)) * 20,
    "plain": b"hello world",
    "latin.xyz": "1\nÅ\nH 0 0 0\n".encode("latin-1"),
    "cut.xyz.xz": lzma.compress(frame("O 0 0 0").encode())[:-5],
    "bomb.xyz.xz": lzma.compress(b"0" * 40_000_000),
    "count.xyz": b"99999999999\n\nH 0 0 0\n",
    "x.xyz": frame("X 0 0 0").encode(),
    "unknown.xyz": frame("Qq 0 0 0").encode(),
    "far.xyz": frame("O 0 0 0", "H 0 0 1e12").encode(),
    "fardigits.xyz": frame("O 0 0 0", "H 0 0 1e8").encode(),
    "nan.xyz": frame("O 0 0 nan").encode(),
    "same.xyz": frame("O 0 0 0", "H 0 0 0").encode(),
    "image.xyz": frame("O 0 0 0", "H 0 0 5", lattice="5 0 0 0 5 0 0 0 5").encode(),
    "long.xyz": frame("O 0 0 0", lattice="1e12 0 0 0 5 0 0 0 5").encode(),
    "longer.xyz": frame("O 0 0 0", lattice="1e6 0 0 0 1e6 0 0 0 1e6").encode(),
    "flat.xyz": frame("O 0 0 0", lattice="0.005 0 0 0 5 0 0 0 5").encode(),
    "skewed.xyz": frame("O 0 0 0", lattice="5 0 0 5e12 5 0 0 0 5").encode(),
    "partial.cif": cif("O1 O 0 0 0 0.75").encode(),
    "disorder.cif": disordered("1", "2").encode(),
    "types.data": lammps_data(*TWO).encode(),
    "types.dump": lammps_dump("id type x y z", "1 1 0 0 0").encode(),
    "dummy.xyz": frame("O 0 0 0", "Xx 0 0 2").encode(),
    "huge.xyz": frame("O 0 0 0", "H 0 0 1e30").encode(),
    "nocell.xyz": frame("O 0 0 0", lattice="0 0 0 0 0 0 0 0 0").encode(),
    "dense.xyz": frame("O 0 0 0", lattice="0.3 0 0 0 0.3 0 0 0 0.3").encode(),
    "singular.xyz": frame("O 0 0 0", lattice="5 0 0 5 0 0 0 0 5").encode(),
    "words.xyz": frame("O 0 0 0", lattice="a b c d e f g h i").encode(),
    "x.traj": b"xxxx",
    "x.cif": b"data_x\n_cell_length_a abc\n",
    "POSCAR": b"Cu\nnan\n1 0 0\n0 1 0\n0 0 1\nCu\n-1\nDirect\n0 0 0\n",
    "x.py": b"raise SystemExit('run')\n",
}
VERBS = {
    "init": "init {file} -o new.yaml",
    "fit": "fit {file}",
    "evaluate": "evaluate model {file}",
    "md": "md model {file} -n 2 -o out",
    "carve": "carve {file} --model model -o cell.xyz",
    "queue": "queue run {file}",
    "run": "run {file}.yaml --run fresh",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, a run that has only begun, and files of all kinds."""
    folder = tmp_path_factory.mktemp("border")
    water = molecule("H2O")
    water.write(folder / "water.xyz")
    random_potential("H", "O", train=[Structure.from_atoms(water)]).save(folder / "model")
    with SqliteStore.open(folder / "run") as store:
        store.start_run({**CONFIG, "system": {"paths": [str(folder / "water.xyz")]}})
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        (folder / f"{name}.yaml").write_text(f"system: {name}\noracle: tblite\n")
    return folder


@pytest.fixture
def invoke(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.delenv("THALWEG_TRACEBACK", raising=False)

    def call(line, **words):
        return CliRunner().invoke(app, [part.format(**words) for part in line.split()])

    return call


def is_one_message(result, code=2):
    assert result.exit_code == code, result.output
    assert "a defect" not in result.output
    assert "Traceback" not in result.output
    assert len(result.stderr) < 2000
    return result.stderr


@pytest.mark.parametrize(
    "name", [*FILES, "absent.xyz", ".", "n" * 300 + ".xyz", "water.xyz/inner.xyz", "pipe.xyz"]
)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_what_is_no_structure(invoke, place, verb, name):
    if name == "pipe.xyz" and not (place / name).exists():
        os.mkfifo(place / name)
    if verb == "run" and name not in FILES:
        (place / "other.yaml").write_text(json.dumps({"system": name, "oracle": "tblite"}))
        message = is_one_message(invoke("run other.yaml --run fresh"))
    else:
        message = is_one_message(invoke(VERBS[verb], file=name))
    assert name.strip("./")[:100] in message


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_reduces_a_very_skewed_cell_and_says_so(invoke, place, tmp_path, verb):
    """Water in a crystal's cell; one label is too little for a fit, and the run's time step too long."""
    text = frame("O 0 0 0", "H 0 0.8 0.6", "H 0 -0.8 0.6", lattice="6 0 0 300 6 0 0 0 6")
    (place / "tilted.xyz").write_text(text)
    settings = {"system": "tilted.xyz", "oracle": "tblite", "explore": {"timestep": 10}}
    (place / "tilted.xyz.yaml").write_text(json.dumps(settings))
    line = VERBS[verb].replace("-o ", f"-o {tmp_path}/").replace("fresh", f"{tmp_path}/fresh")
    result = invoke(line, file="tilted.xyz")
    assert "tilted.xyz: very skewed cells (structure 1)" in result.stderr, result.output
    assert "a defect" not in result.output
    assert result.exit_code in (0, 3) or verb in ("fit", "run")


@pytest.mark.parametrize("verb", ["evaluate", "md", "carve", "queue"])
def test_elements_that_a_model_or_run_does_not_know_are_named_with_their_place(invoke, place, tmp_path, verb):
    (place / "two.xyz").write_text(
        frame("O 0 0 0", "H 0 0 1", "H 0.9 0 -0.3") + frame("O 0 0 0", "S 0 0 1.6")
    )
    message = is_one_message(invoke(VERBS[verb].replace("-o ", f"-o {tmp_path}/"), file="two.xyz"))
    assert "two.xyz" in message
    assert "contains S" in message
    assert "structure 2" in message or verb in ("md", "carve")  # these take the last structure
    assert "(atom 1, counted from 0)" in message or verb == "queue"


def test_a_test_structure_with_an_element_of_its_own_is_named_before_the_fit(invoke, place):
    (place / "own.xyz").write_text(frame("O 0 0 0", "H 0 0 1") * 2 + frame("O 0 0 0", "S 0 0 1.6"))
    (place / "train.xyz").write_text(frame("O 0 0 0", "H 0 0 1"))
    message = is_one_message(invoke("fit train.xyz --test own.xyz"))
    assert "own.xyz, structure 3: it contains S (atom 1, counted from 0), which no training" in message


def test_every_verb_takes_what_is_one(invoke, place):
    """The control: the same commands on a water molecule."""
    for verb in ("init", "carve", "queue"):
        assert invoke(VERBS[verb], file="water.xyz").exit_code == 0
    assert invoke(VERBS["md"], file="water.xyz").exit_code == 3  # this potential's bounds are large
    (place / "new.yaml").unlink()
    (place / "cell.xyz").unlink()
    shutil.rmtree(place / "out")


ON_FOLDERS = (
    "status {it}", "report {it}", "audit {it} -n 1", "queue {it} water.xyz", "export {it}", "export {it} -f plugin",
    "export {it} -f lammps", "evaluate {it} water.xyz", "md {it} water.xyz -n 1",
    "carve water.xyz --model {it} -o c.xyz",
)  # fmt: skip


@pytest.mark.parametrize("line", ON_FOLDERS)
@pytest.mark.parametrize("kind", ["empty", "absent", "water.xyz", "water.xyz/inner", "n" * 300, "garbage"])
def test_every_verb_refuses_what_is_no_run_and_no_model(invoke, place, line, kind):
    if kind in ("empty", "garbage"):
        (place / kind).mkdir(exist_ok=True)
    if kind == "garbage":
        (place / kind / "thalweg.db").write_bytes(b"\xff\0garbage" * 600)
        (place / kind / "summary.json").write_text("{")
    result = invoke(line, it=kind)
    assert result.exit_code in (2, 5)
    is_one_message(result, result.exit_code)


def spoilt(place, name, change):
    folder = place / f"model-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place / "model", folder)
    data = json.loads((folder / "potential.json").read_text())
    change(data)
    (folder / "potential.json").write_text(json.dumps(data))
    return folder.name


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("version", lambda d: d.update(version=99)),
        ("facts", lambda d: d.pop("facts")),
        ("list", lambda d: d.update(facts=[])),
        ("cutoff", lambda d: d["facts"]["basis"].update(r_cut=200.0)),
        ("degree", lambda d: d["facts"]["basis"].update(max_degree=[80, 80, 80])),
        ("elements", lambda d: d["facts"]["basis"].update(elements=["H", "Q"])),
        ("numbers", lambda d: d["facts"]["basis"].update(elements=[1, 8])),
    ],
)
@pytest.mark.parametrize("line", ON_FOLDERS[5:])
def test_every_verb_refuses_a_spoilt_model(invoke, place, name, change, line):
    is_one_message(invoke(line, it=spoilt(place, name, change)))


ODD = ["nan", "inf", "-1", "1e400", "9" * 30, "abc", "1 m".replace(" ", "_")]
OPTIONS = {
    "md model water.xyz -o out -q -n 2": (
        "--temperature", "--pressure", "--timestep", "--every", "--log-every", "--halt", "--uncertainty-every",
        "--friction", "--barostat-time", "--bulk-modulus", "--seed", "--threads",
    ),
    "md model water.xyz -o out -q": ("--steps", "--time"),
    "carve water.xyz --model model -o c.xyz --force": ("--above", "--atom", "--cells", "--max-atoms"),
    "queue run water.xyz": ("--max-atoms",),
    "audit run": ("--count",),
    "run water.yaml": ("--max-calls",),
    "fit water.xyz": ("--effort", "--seed"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "option"), [(line, one) for line, many in OPTIONS.items() for one in many])
def test_odd_numbers_of_every_option_are_a_message_or_mean_something(invoke, place, line, option):
    (place / "water.yaml").write_text("system: water.xyz\noracle: tblite\n")
    refused = 0
    for odd in ODD:
        shutil.rmtree(place / "out", ignore_errors=True)
        result = invoke(f"{line} {option} {odd}")
        assert result.exit_code in (0, 2, 3, 5), (odd, result.output)
        assert "a defect" not in result.output
        refused += result.exit_code == 2
    assert refused >= 4  # nan, inf, 1e400 and words are no number of anything


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "md model water.xyz -n 1 --repeat 1000 1000 1000",
            "repeat: 3,000,000,000 atoms, the limit is 1,000,000",
        ),
        ("md model water.xyz -n 1 --timestep 5", "steps of 5 fs cannot follow the vibrations of H"),
        ("md model water.xyz -n 1 --temperature 1e6", "temperature: expected 0 to 20000 K"),
        ("md model box.extxyz -n 1 --ensemble npt", "without an atom: at constant pressure"),
        ("md model water.xyz -n 1 -o water.xyz", "expected a folder, but this is a file"),
        (
            "md model water.xyz -n 1 -o water.xyz/out",
            "water.xyz is a file, so nothing can be written inside it",
        ),
        ("fit water.xyz -o water.xyz", "expected a folder, but this is a file"),
        (
            "carve water.xyz --model model -o water.xyz/c.xyz",
            "is a file, so nothing can be written inside it",
        ),
        ("init water.xyz -o water.xyz/c.yaml", "is a file, so nothing can be written inside it"),
        ("evaluate run water.xyz", "this run has no potential yet"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_cure(invoke, place, line, words):
    atoms = molecule("H2O")
    atoms.center(vacuum=10.0)
    atoms.pbc = True
    atoms.write(place / "box.extxyz")
    assert words in is_one_message(invoke(line)).replace("\n", " ")


def test_evaluate_takes_the_folder_of_a_run(invoke, place):
    (place / "finished").mkdir(exist_ok=True)
    shutil.copytree(place / "model", place / "finished" / "model", dirs_exist_ok=True)
    (place / "finished" / "summary.json").write_text("{}")
    forces = np.zeros((3, 3))
    atoms = molecule("H2O")
    atoms.arrays["REF_forces"] = forces
    atoms.info["REF_energy"] = -20.0
    atoms.write(place / "labelled.xyz")
    by_run, by_model = (
        invoke("evaluate {it} labelled.xyz --json", it=it) for it in ("finished", "finished/model")
    )
    assert by_run.exit_code == 0, by_run.output
    assert json.loads(by_run.output)["test"] == json.loads(by_model.output)["test"]


@pytest.mark.parametrize("verb", ["init", "run", "md", "carve", "evaluate", "fit", "queue", "audit"])
def test_names_that_are_no_text_are_taken_or_refused_in_words(place, tmp_path, verb):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    shutil.copytree(os.fsencode(place / "model"), folder + b"/model")
    shutil.copytree(os.fsencode(place / "run"), folder + b"/run")
    shutil.copy(os.fsencode(place / "water.xyz"), folder + b"/water.xyz")
    (tmp_path / "c.yaml").write_text(
        f"system: {place / 'water.xyz'}\noracle: tblite\nbudget: {{oracle_calls: 1}}\n"
    )
    file, model, run = (folder + name for name in (b"/water.xyz", b"/model", b"/run"))
    words = {
        "init": [file, "-o", folder + b"/new.yaml"],
        "run": [tmp_path / "c.yaml", "--run", folder + b"/fresh", "-q"],
        "md": [model, file, "-n", "1", "-o", folder + b"/out", "--json"],
        "carve": [file, "--model", model, "-o", folder + b"/cell.xyz", "--json"],
        "evaluate": [model, file],
        "fit": [file],
        "queue": [run, file],
        "audit": [run],
    }[verb]
    command = [sys.executable, "-m", "thalweg.cli", verb, *words]
    found = subprocess.run(command, capture_output=True, check=False, timeout=900)
    assert found.returncode in (0, 2, 3, 5), found.stderr
    assert b"a defect" not in found.stderr
    assert b"Traceback" not in found.stderr
