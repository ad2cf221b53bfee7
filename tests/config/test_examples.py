from pathlib import Path

import pytest

from thalweg.config import load_config, start_structures

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_usable(path):
    config = load_config(path)
    assert start_structures(config.system)


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
