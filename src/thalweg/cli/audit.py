"""`thalweg audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def audit(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="Structures to check: oracle calls.")
    ] = 20,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Check the run's potential against the oracle on fresh random structures of its trajectories.

    Prints force errors (eV/Å) and the confidence interval of the share of atoms within the target.
    Exit code 3: the interval does not clear the target.

    Example: thalweg audit runs/malonaldehyde -n 40
    """
    from thalweg.cli.failures import OK, UNCERTIFIED, logging_defects
    from thalweg.cli.output import print_json, run_folder
    from thalweg.loop.auditing import audit as check

    with logging_defects(run_folder(folder)):
        outcome = check(folder, count)
    document: dict[str, Any] = outcome.to_json()
    if json_:
        print_json(document)
    else:
        _print(document)
    raise typer.Exit(OK if document["certified"] else UNCERTIFIED)


def _print(document: dict[str, Any]) -> None:
    target, summary = document["target"], document["audit"]
    low, high = summary["interval"]
    share = f"{target['confidence']:.0%}"
    typer.echo(f"{summary['n_structures']} structures, {summary['n_atoms']} atoms")
    typer.echo(f"force RMSE                   {summary['force_rmse']:.4f} eV/Å")
    typer.echo(f"{share} of atoms are below      {summary['force_error_quantile']:.4f} eV/Å")
    typer.echo(f"within {target['force_error']:g} eV/Å             {low:.1%} to {high:.1%} of atoms")
    typer.echo(f"within their predicted bound {summary['coverage']:.1%} of atoms")
    if document.get("broken_walks"):
        typer.echo(f"{document['broken_walks']} fresh walks met something unphysical: learn further there")
    typer.echo(f"target: {share} within {target['force_error']:g} eV/Å: ", nl=False)
    typer.echo("certified" if document["certified"] else "not certified")
