"""What `fit` and `evaluate` took of their files of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from thalweg.errors import InputError
from thalweg.store import LabelledFile, place_of


def tell_taken(files: Mapping[str, LabelledFile]) -> None:
    """Print for each file which labels were taken, what was left out, and what to know of them."""
    for name, file in files.items():
        taken = file.taken
        typer.echo(f"{name}, {file.path}: {taken.words}")
        for line in taken.omissions:
            typer.echo(f"  {line}")
        for line in taken.warnings:
            typer.echo(f"warning: {file.path}: {line}")


def check_known(files: Mapping[str, LabelledFile]) -> None:
    """Raise InputError, before the fit, where a test structure has an element that no training structure has."""
    known = {int(z) for structure, _ in files["train"] for z in structure.numbers}
    test = files.get("test")
    if test is None:
        return
    for number, (structure, _) in zip(test.numbers, test, strict=True):
        strange = [k for k, z in enumerate(structure.numbers) if int(z) not in known]
        if strange:
            symbol = structure.to_atoms().symbols[strange[0]]
            raise InputError(
                f"{place_of(test.path, number)}: it contains {symbol} (atom {strange[0]}, counted from 0), which no "
                "training structure does; train with this element, or leave the structure out"
            )


def document_with(document: dict[str, Any], files: Mapping[str, LabelledFile]) -> dict[str, Any]:
    """The document with a key `labels` in the block of each file."""
    return {
        **document,
        **{name: {**document[name], "labels": file.taken.to_json()} for name, file in files.items()},
    }
