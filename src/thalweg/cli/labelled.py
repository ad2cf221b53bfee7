"""What `fit` and `evaluate` took of their files of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from thalweg.store import LabelledFile


def tell_taken(files: Mapping[str, LabelledFile]) -> None:
    """Print for each file which labels were taken, what was left out, and what to know of them."""
    for name, file in files.items():
        taken = file.taken
        typer.echo(f"{name}, {file.path}: {taken.words}")
        for line in taken.omissions:
            typer.echo(f"  {line}")
        for line in taken.warnings:
            typer.echo(f"warning: {file.path}: {line}")


def document_with(document: dict[str, Any], files: Mapping[str, LabelledFile]) -> dict[str, Any]:
    """The document with a key `labels` in the block of each file."""
    return {
        **document,
        **{name: {**document[name], "labels": file.taken.to_json()} for name, file in files.items()},
    }
