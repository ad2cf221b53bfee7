"""The `oracle` section: one model for each oracle whose settings are known, an open one for the others."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag

from thalweg.settings.fields import InUnit, quantity, shown, whole


def _import_path(value: Any) -> Any:
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"expected an import path such as ase.calculators.emt.EMT, got {shown(value)}")
    return value


def _registered(value: Any) -> Any:
    from thalweg.oracles.registry import oracle_names

    names = oracle_names()
    if value not in names:
        near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"expected one of {', '.join(names)}, got {shown(value)}{hint}")
    return value


class TbliteConfig(BaseModel):
    """Extended tight binding, part of the installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["tblite"]
    method: Literal["GFN2-xTB", "GFN1-xTB", "IPEA1-xTB"] = Field(
        default="GFN2-xTB", description="GFN2-xTB (molecules), GFN1-xTB (also crystals) or IPEA1-xTB."
    )
    charge: Annotated[float, quantity("", ">= -100", "<= 100")] = Field(
        default=0.0, description="Total charge, in units of e."
    )
    multiplicity: Annotated[int, whole(">= 1")] = Field(
        default=1, description="Spin multiplicity 2S + 1; 1: the lowest that the number of electrons allows."
    )
    accuracy: Annotated[float, quantity("", ">= 1e-4", "<= 1e3")] = Field(
        default=1.0, description="Numerical accuracy of tblite; smaller is tighter."
    )
    electronic_temperature: Annotated[float, quantity("K", "> 0"), InUnit("K")] = Field(
        default=300.0, description="Temperature of the electrons' Fermi distribution."
    )
    max_iterations: Annotated[int, whole(">= 1")] = Field(
        default=250,
        description="Most self-consistency cycles; a call that needs more is unconverged: no label.",
    )


class AseNoise(BaseModel):
    """Standard deviations of the calculator's answers; they enter the fit as weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: Annotated[float, quantity("eV", ">= 0"), InUnit("eV")] = Field(
        default=0.0, description="Of the total energy."
    )
    forces: Annotated[float, quantity("eV/Å", ">= 0"), InUnit("eV/Å")] = Field(
        default=0.0, description="Of each force component."
    )
    stress: Annotated[float, quantity("eV/Å^3", ">= 0"), InUnit("eV/Å^3")] = Field(
        default=0.0, description="Of each stress component."
    )


class AseConfig(BaseModel):
    """Any ASE calculator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["ase"]
    calculator: Annotated[str, BeforeValidator(_import_path)] = Field(
        description="Import path of the calculator's class or factory, such as ase.calculators.emt.EMT."
    )
    options: dict[str, Any] = Field(default={}, description="Keyword arguments of the calculator.")

    reuse: StrictBool = Field(
        default=False,
        description="Keep one calculator for all calls; what it remembers may then move its answers.",
    )
    noise: AseNoise = Field(default=AseNoise(), description="Known convergence errors of the calculator.")


class OtherOracleConfig(BaseModel):
    """An oracle whose settings are checked by the oracle itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Annotated[str, BeforeValidator(_registered)] = Field(description="Registered name of the oracle.")


def _kind(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return name if name in {"tblite", "ase"} else "other"


OracleConfig = Annotated[
    Annotated[TbliteConfig, Tag("tblite")]
    | Annotated[AseConfig, Tag("ase")]
    | Annotated[OtherOracleConfig, Tag("other")],
    Discriminator(_kind),
]
