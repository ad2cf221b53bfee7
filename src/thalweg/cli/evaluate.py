"""`thalweg evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run folder or a saved potential.")],
    test: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ or anything ASE reads.")],
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Structures with split=NAME only.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="NAME",
            help="Which labels of the file: a prefix such as REF or DFT, or bare.",
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Errors and calibration of a saved potential on labelled structures.

    Energies in eV/atom, forces in eV/Å over components, stress in GPa; "bounds held" is the share of atoms
    whose force error is below the bound that the potential states. ENCE (0 at best) measures how far bounds and
    errors differ in size; the rank correlation (1 at best) whether large bounds go with large errors.
    "within 2 sd" is the share of energies, and of components of the stress, whose error is at most two stated standard
    deviations (95 % at best); "RMSE / stated" is above 1 where they are too small.

    Labels whose energies, forces and stress do not hold together are named.

    Example: thalweg evaluate runs/malonaldehyde test.xyz
    """
    from thalweg.api import evaluate as evaluate_labels
    from thalweg.cli.errortable import error_table
    from thalweg.cli.labelled import document_with, tell_taken
    from thalweg.cli.output import model_folder, print_json, terminal
    from thalweg.potential import Potential
    from thalweg.store import place_of, read_labelled_file

    potential = Potential.load(model_folder(model))
    files = {"test": read_labelled_file(test, split, labels=labels)}
    if not json_:
        tell_taken(files)
    for number, (structure, _) in zip(files["test"].numbers, files["test"], strict=True):
        potential.check_elements(structure, place_of(test, number))
    document = evaluate_labels(potential, files["test"])
    if json_:
        print_json(document_with(document, files))
    else:
        for finding in document["findings"]:
            typer.echo(f"warning: {finding['words']}")
        terminal().print(error_table(document))
