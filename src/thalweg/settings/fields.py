"""The value types of the configuration: each says what it expects, in words, when it gets something else.

Pydantic's own messages name its internals; these validators therefore check type and range themselves, and
`Documented` carries what `thalweg init` and the documentation print.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BeforeValidator

from thalweg.errors import InputError
from thalweg.settings.quantities import parse_quantity

_T = TypeVar("_T")

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True)
class InUnit:
    """Metadata of a field: the unit of its bare numbers."""

    unit: str


def quantity(unit: str = "", *bounds: str) -> BeforeValidator:
    """A number in `unit`, or a string that carries a unit, within bounds such as `> 0`."""
    limits = [_bound(text) for text in bounds]

    def parse(value: Any) -> float:
        return _checked(lambda: _within(parse_quantity(value, unit), value, limits, unit))

    return BeforeValidator(parse)


def quantities(unit: str, *bounds: str) -> BeforeValidator:
    """One quantity or a list of them, as a tuple."""
    limits = [_bound(text) for text in bounds]

    def parse(value: Any) -> tuple[float, ...]:
        values = value if isinstance(value, list | tuple) else (value,)
        if not values:
            raise ValueError("expected a number or a list of numbers, got an empty list")
        return _checked(lambda: tuple(_within(parse_quantity(v, unit), v, limits, unit) for v in values))

    return BeforeValidator(parse)


def whole(*bounds: str) -> BeforeValidator:
    """A whole number within bounds such as `>= 1`."""
    limits = [_bound(text) for text in bounds]
    wanted = " and ".join(["a whole number " + bounds[0], *bounds[1:]]) if bounds else "a whole number"

    def parse(value: Any) -> int:
        number = _whole_or_none(value)
        if number is None or not all(_RELATIONS[sign](number, limit) for sign, limit in limits):
            raise ValueError(f"expected {wanted}, got {shown(value)}")
        return number

    return BeforeValidator(parse)


def whole_list(count: str, *bounds: str) -> BeforeValidator:
    """A list of whole numbers; `count` says in words how many."""
    one = whole(*bounds).func

    def parse(value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"expected a list of {count}, got {shown(value)}")
        return tuple(one(item) for item in value)  # type: ignore[call-arg]

    return BeforeValidator(parse)


def optional(validator: BeforeValidator) -> BeforeValidator:
    """The same, but null (nothing) passes."""

    def parse(value: Any) -> Any:
        return None if value is None else validator.func(value)  # type: ignore[call-arg]

    return BeforeValidator(parse)


def shown(value: object) -> str:
    """A value as the user wrote it, for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping (key: value)"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _whole_or_none(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return int(value) if isinstance(value, int) else int(number) if number.is_integer() else None


def _bound(text: str) -> tuple[str, float]:
    sign, number = text.split()
    return sign, float(number)


def _within(number: float, value: Any, limits: list[tuple[str, float]], unit: str) -> float:
    for sign, limit in limits:
        if not _RELATIONS[sign](number, limit):
            wanted = " and ".join(f"{s} {x:g}" for s, x in limits)
            raise InputError(f"expected a number {wanted}{' ' + unit if unit else ''}, got {shown(value)}")
    return number


def _checked(parse: Callable[[], _T]) -> _T:
    """Pydantic collects ValueErrors; an InputError would end the validation at the first problem."""
    try:
        return parse()
    except InputError as error:
        raise ValueError(str(error)) from None
