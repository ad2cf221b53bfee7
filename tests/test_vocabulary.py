"""Words that files keep, spelled once."""

import re
from pathlib import Path
from typing import get_args

import thalweg
from thalweg import vocabulary
from thalweg.cli.choices import choice, word

SOURCE = Path(thalweg.__file__).parent


def test_what_runs_have_written_is_still_read():
    # on the disk since the first version: these may grow, and never change
    kinds = ["reference", "seed", "query", "audit", "handed", "property", "check", "relax", "probe"]
    assert [str(kind) for kind in vocabulary.QuestionKind] == kinds
    assert set(get_args(vocabulary.Ensemble)) >= {"nve", "nvt", "npt"}


def test_no_list_of_these_words_is_spelled_a_second_time():
    lists = [
        re.compile(rf'Literal\[[^\]]*"{get_args(words)[0]}"')
        for words in (vocabulary.Ensemble, vocabulary.Coupling, vocabulary.Committee, vocabulary.Precision)
    ]
    files = [
        path for path in SOURCE.rglob("*.py") if any(one.search(path.read_text("utf-8")) for one in lists)
    ]
    assert [path.name for path in files] == ["vocabulary.py"]


def test_a_choice_has_the_words_and_gives_them_plain():
    chosen = choice("Ensemble", vocabulary.Ensemble)("npt")
    assert type(word(chosen)) is str
    assert word(chosen) == word("npt") == "npt"
