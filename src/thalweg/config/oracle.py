"""The `oracle` section: the settings of the oracle that it names, as the registry of oracles has them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, PlainSerializer, PlainValidator, SerializationInfo, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from thalweg.errors import InputError
from thalweg.oracles.ase import AseConfig
from thalweg.oracles.entry import OracleSettings
from thalweg.oracles.registry import BUILT_IN, find_entry
from thalweg.oracles.tblite import TbliteConfig

__all__ = ["AseConfig", "OracleConfig", "OracleSettings", "TbliteConfig", "settings_of"]


def settings_of(name: object) -> type[BaseModel]:
    """The model of an oracle's settings.

    Raises
    ------
    InputError
        No oracle has this name.
    SetupError
        The package that has it cannot be imported, or two packages claim the name.
    """
    return find_entry(name).settings


def _parse(value: Any) -> BaseModel:
    """The settings of the oracle that `value` names; each problem keeps its place."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if not isinstance(value, dict):
        raise _problem(InitErrorDetails(type="dict_type", input=value))
    if "name" not in value:
        raise _problem(InitErrorDetails(type="missing", loc=("name",), input=value))
    name = value["name"]
    try:
        model = settings_of(name)
    except InputError as error:
        said = PydanticCustomError("value_error", "{said}", {"said": str(error)})
        raise _problem(InitErrorDetails(type=said, loc=("name",), input=name)) from None
    return model.model_validate(value)


def _problem(details: InitErrorDetails) -> ValidationError:
    return ValidationError.from_exception_data("oracle", [details])


def _dump(settings: BaseModel, info: SerializationInfo) -> dict[str, Any]:
    return settings.model_dump(mode=info.mode)


if TYPE_CHECKING:
    OracleConfig = OracleSettings
else:
    # the union is what documentation and messages read; which member it is the registry says
    OracleConfig = Annotated[
        reduce(or_, (entry.settings for entry in BUILT_IN.values())),
        PlainValidator(_parse),
        PlainSerializer(_dump),
    ]
