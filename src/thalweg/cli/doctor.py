"""`thalweg doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer


def doctor(json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Check what works on this machine, and say how to fix what does not.

    Checks the kernel against finite differences, calls every oracle on a small system, starts the programs that it
    finds, and checks cores, disk and permissions. What was found but not called is marked as such. Exit code 0:
    everything that a run needs works; 4: it does not.

    Example: thalweg doctor
    """
    from rich.table import Table
    from rich.text import Text

    from thalweg.cli.diagnosis import State, diagnose, healthy
    from thalweg.cli.failures import OK, SETUP
    from thalweg.cli.output import print_json, terminal

    findings = list(diagnose())
    works = healthy(findings)
    if json_:
        print_json({"works": works, "checks": [asdict(finding) for finding in findings]})
        raise typer.Exit(OK if works else SETUP)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "part", "state", "what was seen; cure"):
        table.add_column(heading, overflow="fold")
    colours = {State.OK: "green", State.FOUND: "cyan", State.ABSENT: "yellow", State.BROKEN: "red"}
    group = ""
    for finding in findings:
        seen = Text(finding.detail)
        if finding.cure:
            seen.append(f"\ncure: {finding.cure}", style="dim")
        shown = "" if finding.group == group else finding.group
        table.add_row(shown, finding.name, Text(finding.state, colours[finding.state]), seen)
        group = finding.group
    console = terminal()
    console.print(table)
    verdict = "everything a run needs works" if works else "something that every run needs does not work"
    console.print(f"\n[bold {'green' if works else 'red'}]{verdict}[/]")
    raise typer.Exit(OK if works else SETUP)
