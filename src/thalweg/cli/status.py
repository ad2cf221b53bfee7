"""`thalweg status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def status(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Refresh every 2 s until the run ends.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="The state and summary.json.")] = False,
) -> None:
    """Show where a run stands: running, finished or interrupted, its cost and its quality so far.

    Only reads, so it works during a run. Errors are in eV/Å, times in s, min and h.

    Example: thalweg status runs/malonaldehyde --watch
    """

    from thalweg.cli.output import print_json, run_folder, terminal
    from thalweg.cli.runstate import read_state, state_panel

    state = read_state(run_folder(folder))
    if json_:
        print_json(state.to_json())
        return
    console = terminal()
    if not watch:
        console.print(state_panel(state))
        return
    import time

    from rich.live import Live

    with Live(state_panel(state), console=console, auto_refresh=False) as live:
        while state.is_running:
            time.sleep(2.0)
            state = read_state(folder)
            live.update(state_panel(state), refresh=True)
