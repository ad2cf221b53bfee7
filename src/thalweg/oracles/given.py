"""What a run remembers of an oracle that was handed in as an object: it cannot be made from a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from thalweg.errors import InputError
from thalweg.oracles.base import Oracle
from thalweg.oracles.entry import OracleEntry, OracleSettings


class GivenSettings(OracleSettings):
    """Stands for an object in a saved configuration."""

    name: Literal["given"]
    fingerprint: str = Field(description="The object's fingerprint.")


def _absent(**settings: Any) -> Oracle:
    raise InputError(
        "oracle: this run's oracle is a Python object; pass it again: thalweg.learn(config, folder, oracle=...)"
    )


GIVEN = OracleEntry("given", _absent, GivenSettings, "an object handed to thalweg.learn")


def section_of(oracle: Oracle) -> GivenSettings:
    """The `oracle` section of a configuration whose oracle is this object."""
    return GivenSettings(name="given", fingerprint=oracle.fingerprint)
