"""`thalweg init`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def init(
    system: Annotated[Path, typer.Argument(help="Structure file that ASE reads: .xyz, .cif, POSCAR, ...")],
    oracle: Annotated[
        str,
        typer.Option("--oracle", help="The oracle: tblite, pyscf, ase (any ASE calculator), ..."),
    ] = "tblite",
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("config.yaml"),
    charge: Annotated[
        int | None, typer.Option("--charge", help="Total charge of a molecule, unless its file says it.")
    ] = None,
    multiplicity: Annotated[
        int | None,
        typer.Option("--multiplicity", min=1, help="Spin multiplicity 2S + 1, unless the file says it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration for a structure.

    The structure is inspected: crystals get GFN1-xTB, molecules GFN2-xTB, and the automatic time step is
    named. The file lists every setting with its unit and its default. A molecule with an odd number of electrons
    needs its charge or its multiplicity: you are asked for them where the file does not say them.

    Example: thalweg init malonaldehyde.xyz --oracle tblite --output malonaldehyde.yaml
    """
    from thalweg.cli.output import check_output
    from thalweg.config import render_config
    from thalweg.config.load import check_text
    from thalweg.structure import UnsaidElectronsError

    check_output(output, force)

    def render(charge: int | None, multiplicity: int | None) -> str:
        return render_config(
            system, oracle, output.parent, output.name, charge=charge, multiplicity=multiplicity
        )

    try:
        text = render(charge, multiplicity)
    except UnsaidElectronsError as error:
        if not sys.stdin.isatty():
            raise
        typer.echo(str(error))
        charge = typer.prompt("charge", default=0 if charge is None else charge, type=int)
        multiplicity = typer.prompt("multiplicity (2S + 1)", default=1 if charge else 2, type=int)
        text = render(charge, multiplicity)
    check_text(text, output)
    output.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {output}; check it, then: thalweg run {output}")
