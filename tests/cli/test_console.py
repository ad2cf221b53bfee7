import io
import time

import pytest
from rich.console import Console

from thalweg.cli.console import ConsoleReporter, progress_line
from thalweg.cli.live import PatientConsole
from thalweg.cli.output import duration
from thalweg.cli.panel import gauge, progress_panel
from thalweg.loop.telling.reporter import NullReporter, Progress, Reporter, WalkerProgress


def progress(**changes):
    walkers = tuple(
        WalkerProgress(index=k, temperature=300.0 + k, time=1.5, time_total=50.0, bound=0.1 * k)
        for k in range(20)
    )
    values = {
        "iteration": 3,
        "oracle_calls": 42,
        "budget": 300,
        "n_labels": 40,
        "md_ps": 6.0,
        "walkers": walkers,
        "target": 0.15,
        "confidence": 0.95,
        "bound": 1.9,
        "audited": 6,
        "within_target": (0.91, 0.98),
        "forecast": "50 more calls would take 8 % off the error",
        "steps_per_second": 12345.0,
    }
    return Progress(**{**values, **changes})


def drawn(renderable, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_panel_tells_calls_certificate_walkers_and_clock():
    text = drawn(progress_panel(progress(), wall=75.0))
    for part in (
        "42 of 300",
        "91.0% to 98.0%",
        "wanted 95%",
        "6 audits",
        "8 % off",
        "12,345 MD steps/s",
        "1 min 15 s",
    ):
        assert part in text


def test_panel_shows_the_worst_of_many_walkers():
    text = drawn(progress_panel(progress(), wall=1.0))
    assert "1.90" in text
    assert " 301 " not in text


def test_panel_before_anything_is_known():
    assert "starting" in drawn(progress_panel(None, wall=0.0))
    assert "no audit yet" in drawn(progress_panel(progress(within_target=None), wall=0.0))


@pytest.mark.parametrize(
    ("low", "high", "style"), [(0.96, 0.99, "green"), (0.90, 0.97, "yellow"), (0.7, 0.9, "red")]
)
def test_gauge_colour_is_the_verdict(low, high, style):
    assert style in {str(span.style) for span in gauge(low, high, 0.95).spans}


def test_gauge_marks_the_wanted_share_right_of_a_failing_interval():
    text = gauge(0.87, 0.9, 0.95).plain
    assert text.index("┃") > text.rindex("█")
    text = gauge(0.97, 0.99, 0.95).plain
    assert text.index("┃") < text.index("█")


def test_lines_scroll_above_the_live_panel():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=40)
    with ConsoleReporter(console=console) as reporter:
        reporter.progress(progress())
        reporter.event("query", "learned [something] in 0.08 s", {})
    assert "learned [something] in 0.08 s" in file.getvalue()


def test_no_panel_without_a_terminal():
    file = io.StringIO()
    with ConsoleReporter(console=Console(file=file, width=100)) as reporter:
        reporter.progress(progress())
        reporter.event("query", "a line", {})
    assert file.getvalue() == "a line\n"


def test_without_a_terminal_a_progress_line_comes_now_and_then(monkeypatch):
    lines = {}
    for quiet in (False, True):
        file = io.StringIO()
        with ConsoleReporter(quiet=quiet, console=Console(file=file, width=200)) as reporter:
            reporter.progress(progress())
            monkeypatch.setattr("time.monotonic", lambda clock=time.monotonic: clock() + 31.0)
            reporter.progress(progress())
            reporter.progress(progress())
            monkeypatch.undo()
        lines[quiet] = file.getvalue()
    assert lines == {False: progress_line(progress()) + "\n", True: ""}


def test_a_reader_that_goes_away_does_not_stop_the_run():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    with ConsoleReporter(console=PatientConsole(file=Closed())) as reporter:
        reporter.event("query", "nobody reads this", {})
        reporter.event("query", "nor this", {})


def test_progress_in_one_line():
    assert progress_line(progress()) == (
        "iteration 3 | 42/300 calls | 40 labels | 6.0 ps | worst bound 1.90 eV/Å | "
        "audit: 91.0% to 98.0% of atoms within 0.15 eV/Å"
    )


@pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (185, "3 min 05 s"), (7830, "2 h 10 min")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_both_are_reporters():
    null: Reporter = NullReporter()
    null.event("query", "unheard", {})
    null.progress(progress())
