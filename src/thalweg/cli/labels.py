"""`thalweg labels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def labels(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="Only labels of this kind: seed, query, audit, handed.")
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option("--worst", min=1, help="Only the labels least like the others, worst first."),
    ] = None,
    withdraw: Annotated[
        str | None,
        typer.Option(
            "--withdraw",
            metavar="N[,M,...]",
            help="Withdraw these: label numbers, or questions as q12.",
        ),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="With --withdraw: the reason, kept on record.")] = "",
    ask_again: Annotated[
        bool, typer.Option("--ask-again", help="With --withdraw: let the run ask the oracle again.")
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Machine-readable, with everything withdrawn.")
    ] = False,
) -> None:
    """List a run's labels, and withdraw those that are wrong.

    Columns: number, structure, kind, iteration, energy (eV/atom), largest force (eV/Å), largest error of a force
    as predicted before the label was learned (eV/Å), place in the order of learning (- where not learned), oracle.
    `--worst` ranks by how far, in robust standard deviations, energy per atom, force, stress or error is from the
    median of labels of the same composition. Questions that wait are listed below, as q12.

    A withdrawn label is not learned, exported or asked about again, and stays on record with who withdrew it, when
    and why. The next `thalweg run` relearns the model without it. With `--ask-again` its structure waits to be
    labelled again, for one call. If the run is in progress, interrupt it first (Ctrl-C; nothing is lost).

    Example: thalweg labels runs/silicon --worst 5
    """
    from thalweg.cli.labeltable import show, take_out
    from thalweg.cli.output import run_folder
    from thalweg.errors import InputError

    run = run_folder(folder)
    if withdraw is None:
        if why or ask_again:
            raise InputError(
                "--why and --ask-again need --withdraw N, the label or question that they are about"
            )
        raise typer.Exit(show(run, kind=kind, worst=worst, as_json=json_))
    if kind is not None or worst is not None:
        raise InputError("--kind and --worst choose what is listed; --withdraw takes numbers from the list")
    take_out(run, withdraw, why=why, ask_again=ask_again, as_json=json_)
