"""The file of `thalweg export --format plugin`: read back by the core it gives the potential, bit for bit."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from small_potentials import ethanol, random_potential, silicon
from thalweg import _native
from thalweg.errors import SetupError
from thalweg.export.plugin import export_plugin, plugin_file
from thalweg.features.batch import pack

CASES = {
    "crystal": (("Si",), silicon),
    "molecule": (("H", "C", "O"), ethanol),
}


def results(field, structure, elements, *, novelty=True):
    return field.compute(*pack([structure], elements).arrays, deviation=True, novelty=novelty)


@pytest.mark.parametrize("case", CASES)
def test_what_the_core_reads_is_the_potential(case):
    elements, build = CASES[case]
    potential = random_potential(*elements, train=[build(seed) for seed in range(3)])
    field, read, confidence, factors, floors, provenance = _native.parse_potential(plugin_file(potential))
    assert tuple(read) == elements
    assert confidence == potential.bounds.confidence
    np.testing.assert_array_equal(factors, potential.bounds.factors)
    np.testing.assert_array_equal(floors, potential.bounds.floors)
    assert json.loads(provenance) == potential.provenance
    ours = results(potential.force_field, build(7), elements)
    theirs = results(field, build(7), elements)
    for mine, other in zip(ours, theirs, strict=True):
        assert np.abs(mine).max() > 1e-3
        np.testing.assert_array_equal(mine, other)


def test_a_potential_without_repulsion_and_novelty():
    potential = replace(random_potential("Si", train=[silicon()]), zbl=None, novelty=None)
    field = _native.parse_potential(plugin_file(potential))[0]
    assert not field.has_novelty
    assert field.r_cut == potential.basis.r_cut
    ours = results(potential.force_field, silicon(3), ("Si",), novelty=False)
    theirs = results(field, silicon(3), ("Si",), novelty=False)
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_the_repulsion_is_in_the_file():
    # The control of the test above: without the repulsion close atoms have other forces.
    potential = random_potential("Si", train=[silicon()])
    close = silicon(3, size=0.6)
    with_zbl = results(_native.parse_potential(plugin_file(potential))[0], close, ("Si",))
    without = results(_native.parse_potential(plugin_file(replace(potential, zbl=None)))[0], close, ("Si",))
    assert np.abs(with_zbl[1] - without[1]).max() > 0.1


def test_text_that_is_not_a_potential_is_refused():
    whole = plugin_file(random_potential("Si", train=[silicon()]))
    damaged = whole.replace(b"confidence real 1\n0.95", b"confidence real 1\n0.99")
    assert damaged != whole
    for text, reason in ((b"", "first line"), (whole[:-30], "last line"), (damaged, "checksum")):
        with pytest.raises(ValueError, match=reason):
            _native.parse_potential(text)


def test_the_file_is_written_whole(tmp_path):
    potential = random_potential("Si", train=[silicon()])
    path = tmp_path / "deep" / "si.thalweg"
    export_plugin(potential, path)
    assert path.read_bytes() == plugin_file(potential)
    assert [file.name for file in path.parent.iterdir()] == ["si.thalweg"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="cannot write"):
        export_plugin(random_potential("Si", train=[silicon()]), tmp_path / "file" / "si.thalweg")


CRAFTED = """
import random, re, sys, zlib
from pathlib import Path
from thalweg import _native

whole = Path(sys.argv[1]).read_bytes()
body = whole[: whole.rindex(b"end crc32")]


def outcome(text):
    try:
        _native.parse_potential(text + b"end crc32 %08x\\n" % zlib.crc32(text))
    except ValueError:
        return 0
    return 1


NUMBERS = [b"0", b"1", b"-1", b"2", b"7", b"100", b"1000000", b"2147483647", b"-2147483648", b"1e300", b"nan", b"1e999"]
rng = random.Random(1)
numbers = [match.span() for match in re.finditer(rb"(?<=[ \\n])-?[0-9][0-9.e+-]*(?=[ \\n])", body)]
taken = [outcome(body)]
for name in re.findall(rb"(?m)^[a-z_]+(?= (?:int|real))", body):  # every entry's first numbers, shape and values
    start = body.index(b"\\n" + name + b" ")
    for begin, end in [span for span in numbers if span[0] > start][:6]:
        taken += [outcome(body[:begin] + value + body[end:]) for value in NUMBERS]
for _ in range(1000):
    at, kind = rng.randrange(len(body)), rng.randrange(3)
    changed = [body[:at], body[:at] + rng.randbytes(1) + body[at + 1 :], body[:at] + body[at + rng.randrange(30) :]]
    taken.append(outcome(changed[kind]))
print(len(taken), sum(taken))
"""


def test_crafted_files_are_read_or_refused(tmp_path):
    """In a process of its own: what would go wrong here is a signal, which no test survives."""
    path = tmp_path / "si.thalweg"
    export_plugin(random_potential("Si", train=[silicon()]), path)
    ran = subprocess.run([sys.executable, "-c", CRAFTED, path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    n, taken = map(int, ran.stdout.split())
    assert n > 2000
    assert 20 < taken < 0.6 * n
