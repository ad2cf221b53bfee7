"""`thalweg fit`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def fit(
    train: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ or anything ASE reads.")],
    test: Annotated[
        Path | None, typer.Option("--test", "-t", help="Labelled structures for testing.")
    ] = None,
    train_split: Annotated[
        str | None,
        typer.Option("--train-split", metavar="NAME", help="Train on structures with split=NAME only."),
    ] = None,
    test_split: Annotated[
        str | None,
        typer.Option(
            "--test-split", metavar="NAME", help="Test on structures with split=NAME, from TEST or TRAIN."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="NAME",
            help="Which labels of the files: a prefix such as REF or DFT, or bare.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the potential.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="KEY=VALUE", help="A setting of the model section; repeatable."
        ),
    ] = None,
    effort: Annotated[
        float,
        typer.Option(
            "--effort",
            min=1e-6,
            max=1e6,
            help="Limit on the work; 1: minutes, longer for 100,000 atoms. More also tries bases for smaller gains.",
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the committee's draws.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Fit a potential to given labels, without the loop, and print its errors.

    Energies in eV, forces in eV/Å and stress in eV/Å³ (ASE's conventions) are fitted together. Errors are
    per atom for energies, per component for forces, in GPa for stress.

    Cutoff and size of the basis are chosen by cross-validation over the training set, and what was compared is
    printed; progress goes to standard error. To fix them instead, give model settings: r_cut (Å),
    correlation_order, max_degree, committee, as in a configuration. Structures of one file are selected by
    split=NAME in their comment lines; separate several names by commas. --test-split alone trains on all
    the others.

    The labels taken are printed with their names: REF_energy and REF_forces, DFT_..., or bare energy and forces.
    A reference family takes precedence over bare names. If a file is ambiguous, --labels decides.

    Energies, forces and stress are held against each other. A warning says which is wrong and how (sign, unit, per
    atom, order of components, ...), and names labels that are unlike all others; both get little weight.

    Example: thalweg fit train.xyz --test test.xyz --output model --model r_cut=5 --model max_degree=[10,8]
    """
    from thalweg.api import fit as fit_labels
    from thalweg.cli.errortable import error_table
    from thalweg.cli.labelled import check_known, document_with, tell_taken
    from thalweg.cli.output import check_output_folder, print_json, terminal
    from thalweg.config import ModelConfig, settings_from_words
    from thalweg.store import read_labelled_file

    if output is not None:
        check_output_folder(output)
    options = settings_from_words(ModelConfig, settings or [])
    alone = test_split if test is None and train_split is None else None
    files = {"train": read_labelled_file(train, train_split, without=alone, labels=labels)}
    if test is not None or test_split is not None:
        files["test"] = read_labelled_file(test or train, test_split, labels=labels)
    if not json_:
        tell_taken(files)
    check_known(files)
    start = time.monotonic()

    def tell(line: str) -> None:
        typer.echo(f"[{time.monotonic() - start:5.0f} s] {line}", err=True)

    result = fit_labels(
        files["train"], files.get("test"), options=options, seed=seed, effort=effort, tell=tell
    )
    if output is not None:
        result.potential.save(output)
    if json_:
        print_json(document_with(result.to_json(), files))
        return
    for line in result.story():
        typer.echo(line)
    terminal().print(error_table(result.to_json()))
    if output is not None:
        typer.echo(f"\npotential saved in {output}")
