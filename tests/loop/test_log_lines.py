"""What is said is bounded and can be written, whatever an oracle said."""

import pytest

from thalweg.loop.telling import conversation
from thalweg.loop.telling.journal import LOG_NAME, Journal
from thalweg.loop.telling.reporter import EventKind, NullReporter
from thalweg.store import MemoryStore


def test_a_line_of_the_log_is_bounded_and_text(tmp_path):
    with MemoryStore() as store:
        journal = Journal(store, tmp_path, NullReporter())
        journal.say(0, EventKind.INFO, "failed: \udcff\0" + "x" * 1_000_000, {"log": "y" * 1_000_000})
        journal.write()
        (event,) = store.events()
    log = (tmp_path / LOG_NAME).read_text(encoding="utf-8")
    assert "failed: ??" in log
    assert len(log) < 21_000
    assert len(event.text) + len(event.data["log"]) < 42_000


@pytest.mark.parametrize(
    ("force", "may_relax", "words"),
    [
        (0.1, True, "relax it first: --relax-cell in a new run"),
        (0.1, False, "its cell cannot be relaxed (held atoms, or vacuum)"),
        (0.9, False, "relax it first: --relax in a new run"),
    ],
)
def test_only_what_can_be_relaxed_is_offered(force, may_relax, words):
    facts = conversation.StartFacts("Cu4", force, 5.0, "Cu4", 1, 1, may_relax)
    assert conversation.start_structure(1, 1, facts).endswith(words)
