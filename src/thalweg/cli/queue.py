"""`thalweg queue`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from thalweg.loop.asking.handing import Receipt


def queue(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Structures: extended XYZ or anything ASE reads.")
    ],
    max_atoms: Annotated[
        int, typer.Option("--max-atoms", min=1, help="Refuse structures with more atoms than this.")
    ] = 300,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Hand structures to a run: the next `thalweg run` labels and learns them first.

    They wait in the run's store, without duplicates, and are labelled from the run's
    budget, one oracle call each, before its walkers continue. A run that has stopped continues with them. If
    the run is in progress, interrupt it (Ctrl-C; nothing is lost), queue, and repeat its command.

    Example: thalweg queue runs/silicon cell.extxyz
    """
    from thalweg.cli.output import print_json, run_folder
    from thalweg.loop.asking.handing import hand_in

    receipt = hand_in(run_folder(folder), files, max_atoms=max_atoms)
    if json_:
        print_json(receipt.to_json())
        return
    for line in _lines(receipt, folder):
        typer.echo(line)


def _lines(receipt: Receipt, folder: Path) -> list[str]:
    """What was done, and what comes next."""
    lines = [f"queued: {text}" for text in receipt.queued]
    others = (
        (receipt.waiting, "already waiting"),
        (receipt.learned, "already learned"),
        (receipt.set_aside, "set aside: the oracle has failed on it before"),
        (
            receipt.withdrawn,
            "withdrawn before; to ask again: `thalweg labels RUN --withdraw N --ask-again`",
        ),
    )
    lines += [f"not queued: {count} {what}" for count, what in others if count]
    calls = f"{receipt.calls} of {receipt.budget} calls used"
    if receipt.left_over:
        lines.append(f"{receipt.left_over} of them must wait: {calls}; raise budget.oracle_calls")
    elif receipt.n_waiting:
        lines.append(f"{receipt.n_waiting} to be labelled first ({calls}): thalweg run CONFIG --run {folder}")
    return lines
