"""`thalweg init`."""

from __future__ import annotations

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
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration for a structure.

    The structure is inspected: crystals get GFN1-xTB, molecules GFN2-xTB, and the automatic time step is
    named. The file lists every setting with its unit and its default.

    Example: thalweg init malonaldehyde.xyz --oracle tblite --output malonaldehyde.yaml
    """
    from thalweg.cli.output import check_output
    from thalweg.config import render_config
    from thalweg.config.load import check_text

    check_output(output, force)
    text = render_config(system, oracle, output.parent, output.name)
    check_text(text, output)
    output.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {output}; check it, then: thalweg run {output}")
