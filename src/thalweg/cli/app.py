"""The `thalweg` command and its verbs.

Nothing heavy is imported here: each verb imports what it needs when it runs; `--help` answers at once.
"""

from __future__ import annotations

import io
import sys

import typer

from thalweg.cli.audit import audit
from thalweg.cli.carve import carve
from thalweg.cli.doctor import doctor
from thalweg.cli.evaluate import evaluate
from thalweg.cli.export import export
from thalweg.cli.failures import EXIT_CODES, GuardedGroup, explain
from thalweg.cli.fit import fit
from thalweg.cli.init import init
from thalweg.cli.labels import labels
from thalweg.cli.md import md
from thalweg.cli.queue import queue
from thalweg.cli.report import report
from thalweg.cli.run import run
from thalweg.cli.status import status
from thalweg.cli.version import version

app = typer.Typer(
    name="thalweg",
    cls=GuardedGroup,
    help="Learn a potential energy surface on the fly, with a statement of how far it can be trusted.\n\n"
    "First time: thalweg doctor; thalweg init molecule.xyz; thalweg run config.yaml",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

for verb in (
    init,
    run,
    status,
    report,
    audit,
    carve,
    queue,
    labels,
    fit,
    evaluate,
    md,
    export,
    doctor,
    version,
):
    app.command(verb.__name__)(verb)


def main() -> None:
    """Console entry point: runs the verb in sys.argv and exits with its code."""
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # a folder's name need not be text in the terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except (OSError, KeyboardInterrupt) as error:  # before a verb runs, for example while help is printed
        sys.exit(explain(error))
