"""Options that take one of a few words: as Enums for typer, from the lists of `thalweg.vocabulary`."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, TypeVar, get_args

T = TypeVar("T")


def choice(name: str, words: object) -> Any:
    """An Enum of the words that a Literal lists."""
    members: Any = {word.upper(): word for word in get_args(words)}
    return StrEnum(name, members)


def word(chosen: T) -> T:
    """The plain word that was chosen."""
    return chosen.value if isinstance(chosen, Enum) else chosen
