"""A restart file that anybody may have written: every fact is checked, and a wrong one is told in words."""

import copy
from dataclasses import replace

import pytest
from trajectories import PLAN, run

from thalweg.errors import InputError, StoreError
from thalweg.models.archive import read_archive, write_archive

SHORT = replace(PLAN, n_steps=40, format="traj")
GONE = object()
ODD = [None, -1, 10**30, "x", [], {"a": 1}, 1.5, GONE]


@pytest.fixture(scope="module")
def written(copper_potential, cell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("restart")
    run(copper_potential, cell, SHORT, folder)
    return folder, *read_archive(folder / "restart", "md", 2)


def places(facts, above=()):
    for key, value in facts.items():
        yield (*above, key)
        if isinstance(value, dict) and key != "plan":
            yield from places(value, (*above, key))


def changed(facts, place, value):
    facts = copy.deepcopy(facts)
    inner = facts
    for key in place[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return facts


def test_facts_as_they_were_go_on(written, copper_potential, cell):
    folder, arrays, facts = written
    write_archive(folder / "restart", "md", 2, arrays, facts)
    assert run(copper_potential, cell, SHORT, folder).state == "finished"


def test_no_fact_out_of_range_is_a_defect(written, copper_potential, cell):
    folder, arrays, facts = written
    told = []
    for place in places(facts):
        for odd in ODD:
            write_archive(folder / "restart", "md", 2, arrays, changed(facts, place, odd))
            try:
                run(copper_potential, cell, SHORT, folder)
            except (StoreError, InputError) as error:
                told.append(str(error))
    assert len(told) > 150
    assert all(str(folder) in message and "\n" not in message for message in told)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("walker", "step"), 10**30, "walker.step: input should be less than"),
        (("walker", "temperature"), -3.0, "walker.temperature"),
        (("frames", "bytes"), -1, "frames.bytes"),
        (("frames", "header"), "zz", "frames.header"),
        (("log",), 1.5, "log: "),
        (("n_atoms",), 0, "n_atoms"),
        (("averages", "sums"), {}, "do not belong together"),
        (("averages", "time_sums"), [1.0], "averages.time_sums"),
    ],
)
def test_what_is_wrong_is_named(written, copper_potential, cell, place, value, words):
    folder, arrays, facts = written
    write_archive(folder / "restart", "md", 2, arrays, changed(facts, place, value))
    with pytest.raises(StoreError, match=words):
        run(copper_potential, cell, SHORT, folder)
