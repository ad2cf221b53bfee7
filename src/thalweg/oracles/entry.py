"""What Thalweg knows of an oracle by its name: one record feeds configuration, documentation, doctor and extras."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from thalweg.errors import InputError, ThalwegError, check
from thalweg.oracles.base import Oracle, as_oracle
from thalweg.settings.fields import optional, whole
from thalweg.structure import Structure

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


Charge = Annotated[
    int | None,
    optional(whole(">= -100", "<= 100")),
    Field(description="Total charge, in units of e; null: charge=... of the structure file, else 0."),
]
Multiplicity = Annotated[
    int | None,
    optional(whole(">= 1", "<= 100")),
    Field(description="Spin multiplicity 2S + 1; null: multiplicity=... of the structure file, else 1."),
]
"""Settings of oracles for molecules, with `= None` for what the structure itself says."""


class OracleSettings(BaseModel):
    """Base of the settings of an oracle: frozen, and closed to unknown keys.

    A subclass declares `name: Literal["trap"]`, and beside it one field for each argument of the oracle, with its
    description; `thalweg.settings.fields` has numbers with units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str


def _no_advice(structures: Sequence[Structure]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class OracleEntry:
    """An oracle that can be named in `oracle:`.

    Attributes
    ----------
    name : str
        Its name in the configuration: lower-case letters, digits, hyphens.
    oracle : callable
        Class or function that takes the settings, `name` apart, as keyword arguments and returns an Oracle.
    settings : type of OracleSettings
    summary : str
        One sentence for documentation and `thalweg doctor`.
    probe : callable or None
        Makes one small call and describes the outcome in a few words; raises if that fails. None: never tried.
    extra : str
        What `pip install` is to be given where a package that it needs is absent.
    core : bool
        Whether it comes with every installation.
    advise : callable
        From the start structures to the settings that `thalweg init` writes in place of the defaults.

    Raises
    ------
    InputError
        The name is not usable, or the settings do not declare it.
    """

    name: str
    oracle: Callable[..., Any]
    settings: type[BaseModel]
    summary: str
    probe: Callable[[], str] | None = None
    extra: str = ""
    core: bool = False
    advise: Callable[[Sequence[Structure]], Mapping[str, Any]] = _no_advice

    def __post_init__(self) -> None:
        check(
            isinstance(self.name, str) and _NAME.fullmatch(self.name),
            f"oracle entry: a name has lower-case letters, digits, - and _, got {self.name!r}",
        )
        check(callable(self.oracle), f"oracle entry {self.name}: `oracle` must be a class or a function")
        check(
            isinstance(self.settings, type) and issubclass(self.settings, BaseModel),
            f"oracle entry {self.name}: `settings` must be a class derived from OracleSettings",
        )
        field = self.settings.model_fields.get("name")
        check(
            field is not None and get_args(field.annotation) == (self.name,),
            f"oracle entry {self.name}: {self.settings.__name__} must declare `name: Literal[{self.name!r}]`",
        )

    @property
    def cure(self) -> str:
        """The line that installs it."""
        return f"pip install '{self.extra}'" if self.extra else ""

    def make(self, settings: BaseModel) -> Oracle:
        """The oracle of these settings.

        Raises
        ------
        InputError
            A value that the oracle does not take, or what comes back is no oracle.
        SetupError
            What it needs is not installed.
        """
        dumped = settings.model_dump()
        try:
            oracle = self.oracle(**{key: value for key, value in dumped.items() if key != "name"})
        except ThalwegError:
            raise
        except Exception as error:
            raise InputError(
                f"oracle {self.name!r} cannot be built with {dumped!r}: {type(error).__name__}: {error}"
            ) from error
        return as_oracle(oracle)
