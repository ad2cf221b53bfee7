"""`thalweg fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fit(
    train: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ or anything ASE reads.")],
    test: Annotated[Path | None, typer.Option("--test", "-t", help="Labelled structures held out.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the potential.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="KEY=VALUE", help="A setting of the model section; repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the committee's draws.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Fit a potential to given labels, without the loop, and print its errors.

    Energies in eV, forces in eV/Å and stress in eV/Å³ (ASE's conventions) are fitted together. Errors are
    per atom for energies, per component for forces, in GPa for stress. Model settings are those of a
    configuration: r_cut (Å), correlation_order, max_degree, committee.

    Example: thalweg fit train.xyz --test test.xyz --output model --model r_cut=5 --model max_degree=[10,8]
    """
    from thalweg.api import fit as fit_labels
    from thalweg.cli.errortable import error_table
    from thalweg.cli.output import print_json, terminal
    from thalweg.config import ModelConfig, settings_from_words
    from thalweg.store import read_labelled

    options = settings_from_words(ModelConfig, settings or [])
    held_out = read_labelled(test) if test is not None else None
    result = fit_labels(read_labelled(train), held_out, options=options, seed=seed)
    if output is not None:
        result.potential.save(output)
    if json_:
        print_json(result.to_json())
        return
    terminal().print(error_table(result.to_json()))
    if output is not None:
        typer.echo(f"\npotential saved in {output}")
