"""The documentation is true where a machine can tell: links, commands, configurations, Python, references."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli.app import app
from thalweg.config import RunConfig, override, validate
from thalweg.config.messages import known_keys
from thalweg.config.yaml_source import read_yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip("a source distribution without docs", allow_module_level=True)

PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(DOCS.rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return [body for tag, body in FENCE.findall(page.read_text(encoding="utf-8")) if tag == language]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def dead_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "page.md").write_text(
        "# One: two!\n[a](#one-two) [b](#three) [c](none.md) [d](page.md#one-two)\n"
    )
    assert dead_links(tmp_path / "page.md") == ["#three", "none.md"]


# --- references -----------------------------------------------------------------------------------------


def generator():
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "reference" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration.md", "cli.md", "python.md"])
def test_reference_is_not_stale(name):
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == generator().render()[name], "run `python docs/reference/generate.py`"


def test_every_key_is_documented():
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    sections = {key.partition(".")[0] for key in known_keys(RunConfig) if "." in key}
    leaves = {key for key in known_keys(RunConfig) if key not in sections | {"oracle.noise"}}
    assert {"target.force_error", "explore.strain", "oracle.noise.forces"} <= leaves
    assert [key for key in sorted(leaves) if f"| `{key}` |" not in page] == []


def test_every_public_name_is_documented():
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert [name for name in thalweg.__all__ if f"## {name}\n" not in page] == ["__version__"]
    assert "thalweg.__version__" in page


# --- commands and configurations ------------------------------------------------------------------------


def commands():
    """Every `thalweg VERB …` in a block or between backticks, with the page it stands on."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"(?:^|`|&& )(thalweg [a-z]+[^`\n#]*)", text, re.MULTILINE):
            yield name_of(page), line.strip()


@pytest.mark.parametrize("verb", sorted({line.split()[1] for _, line in commands()}))
def test_every_verb_that_is_named_exists(verb):
    assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0


def test_every_option_that_is_named_exists():
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`(--?[a-z-]+)", reference)) | {"--help"}
    named = {(page, word) for page, line in commands() for word in re.findall(r"(?<=\s)--?[a-z-]+", line)}
    for page in PAGES:
        words = re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8"))
        named |= {(name_of(page), word) for word in words}
    assert {("docs/guide.md", "--json"), ("docs/guide.md", "--run")} <= named
    assert {(page, word) for page, word in named if word not in known} == set()


def configurations():
    return [
        pytest.param(body, id=f"{name_of(page)}-{number}")
        for page in PAGES
        for number, body in enumerate(blocks(page, "yaml"))
    ]


@pytest.mark.parametrize("text", configurations())
def test_every_configuration_is_accepted(text):
    given = read_yaml(text, "documentation").data
    assert validate({"system": "a.xyz", "oracle": "tblite", **given}) is not None


# --- Python ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the examples, and what a short run of the copper example leaves."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "examples", folder / "examples")
    config = thalweg.load_config(folder / "examples" / "copper.yaml")
    short = {
        "explore.time": 0.4,
        "model.r_cut": 4.5,
        "model.max_degree": [8, 6, 4],
        "budget.oracle_calls": 24,
    }
    thalweg.learn(override(config, short), folder / "runs" / "copper")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_blocks_run(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    # dataclasses look up the module that defines them
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("documented", loader=None))
    monkeypatch.setitem(sys.modules, "documented", module)
    for number, code in enumerate(blocks(page, "python"), start=1):
        exec(compile(code, f"{name_of(page)}, block {number}", "exec"), vars(module))


def test_the_pages_with_code_are_these():
    found = {name_of(page) for page in PAGES if blocks(page, "python")}
    adding = {
        f"docs/develop/add_{what}.md" for what in ("an_oracle", "an_executor", "a_model", "an_explorer")
    }
    assert found == {"README.md", "docs/guide.md", "docs/md.md"} | adding


def test_the_readme_has_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for mark, command in (
        ("run", "pip install . && thalweg run examples/malonaldehyde.yaml"),
        ("test", "pip install '.[test]' && pytest"),
    ):
        assert f"<!-- {mark}-command -->\n```\n{command}\n```\n" in text


def test_ci_finds_the_test_command():
    line = next(
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("test_command=")
    )
    found = subprocess.run(
        ["bash", "-c", f'{line}; echo "$test_command"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "pip install '.[test]' && pytest\n"
