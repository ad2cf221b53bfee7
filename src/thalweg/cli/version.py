"""`thalweg version`."""

from __future__ import annotations

from typing import Annotated

import typer


def version(
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Print the version.

    Example: thalweg version
    """
    from importlib.metadata import PackageNotFoundError, version

    from thalweg.cli.output import print_json

    try:
        number = version("thalweg")
    except PackageNotFoundError:
        number = "unknown (not installed: running from source)"
    if json_:
        print_json({"thalweg": number})
    else:
        typer.echo(f"thalweg {number}")
