"""`thalweg run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from thalweg.config import RunConfig


def run(
    config: Annotated[Path, typer.Argument(help="Configuration (YAML); `thalweg init` writes one.")],
    folder: Annotated[
        Path | None, typer.Option("--run", "-r", help="The run folder. [default: runs/<name of CONFIG>]")
    ] = None,
    acquisition: Annotated[
        str | None,
        typer.Option("--acquisition", help="information, uncertainty, d-optimal, farthest, random."),
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option("--max-calls", "-n", help="Most oracle calls, audits included.")
    ] = None,
    relax: Annotated[
        bool,
        typer.Option("--relax", help="First relax the positions of each start structure with the oracle."),
    ] = False,
    relax_cell: Annotated[
        bool, typer.Option("--relax-cell", help="First relax positions and cell of each start structure.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing until the end.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print summary.json on stdout at the end; messages go to stderr.")
    ] = False,
) -> None:
    """Start a run, or continue it after any interruption, also with changed settings.

    The run stops by itself when an audit certifies the target force error (eV/Å), when more calls would
    gain little, or when the budget is spent. Interrupt it at any time (Ctrl-C): labels are on disk before
    anything depends on them, and the same command continues. Exit code 3: it stopped without certifying.

    Example: thalweg run malonaldehyde.yaml --max-calls 200
    """
    from thalweg.cli.console import ConsoleReporter
    from thalweg.cli.failures import INTERRUPTED, OK, UNCERTIFIED, logging_defects, sigterm_interrupts
    from thalweg.cli.output import print_json, stdout_kept_for_json

    wanted = "cell" if relax_cell else "positions" if relax else None
    settings = _settings(config, acquisition, max_calls, wanted)
    place = folder or Path(settings.output or Path("runs") / config.stem)
    with (
        sigterm_interrupts(),
        logging_defects(place),
        stdout_kept_for_json(json_),
        ConsoleReporter(quiet=quiet, to_stderr=json_) as reporter,
    ):
        from thalweg.loop.runner import run as run_loop

        try:
            summary = run_loop(settings, place, reporter).to_json()
        except KeyboardInterrupt:
            reporter.say(
                f"interrupted; everything is saved. Continue with: thalweg run {config} --run {place}"
            )
            raise typer.Exit(INTERRUPTED) from None
        reporter.finish(summary, place)
    if json_:
        print_json(summary)
    raise typer.Exit(OK if (summary["stop"] or {}).get("reason") == "target" else UNCERTIFIED)


def _settings(path: Path, acquisition: str | None, max_calls: int | None, relax: str | None) -> RunConfig:
    from thalweg.config import load_config, override

    changes = {"acquisition.strategy": acquisition, "budget.oracle_calls": max_calls, "system.relax": relax}
    given = {key: value for key, value in changes.items() if value is not None}
    config = load_config(path)
    return override(config, given) if given else config
