"""The file of `thalweg export --format plugin`: read back by the core it gives the potential, bit for bit."""

import json
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
