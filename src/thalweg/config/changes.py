"""What changed between two configurations, in words for the log of a resumed run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from thalweg.config.messages import nested_models
from thalweg.config.schema import RunConfig
from thalweg.settings.fields import InUnit

FORMER_DEFAULTS = {"explore.committee": "whole"}
"""What older versions took where nothing was said. To take today's default instead is no change of the user's."""


def describe_changes(old: RunConfig, new: RunConfig) -> list[str]:
    """One line for each setting that differs, for example `target.force_error: 0.15 -> 0.1 eV/Å`."""
    before, after = dict(_flat(old.model_dump(mode="json"))), dict(_flat(new.model_dump(mode="json")))
    lines = []
    for key in (*after, *(key for key in before if key not in after)):
        if before.get(key) != after.get(key) and not _former_default(key, before.get(key), new):
            change = f"{key}: {_shown(before.get(key))} -> {_shown(after.get(key))} {unit_of(key)}"
            lines.append(change.rstrip())
    return lines


def _former_default(key: str, before: Any, new: RunConfig) -> bool:
    section, _, name = key.partition(".")
    said = name in getattr(new, section).model_fields_set if key in FORMER_DEFAULTS else True
    return not said and before == FORMER_DEFAULTS[key]


def unit_of(key: str) -> str:
    """The unit of a dotted key's bare numbers; empty for a setting without one."""
    models: list[type[BaseModel]] = [RunConfig]
    unit = ""
    for part in key.split("."):
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        unit = next((m.unit for f in fields for m in f.metadata if isinstance(m, InUnit)), "")
        models = [model for field in fields for model in nested_models(field.annotation)]
    return unit


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
