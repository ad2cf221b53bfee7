"""Which oracles run code that a configuration names, and what can be known of them without running it.

A run folder may come from somebody else. Its `oracle` section can name any function of the machine as a calculator;
only a user who says so in the command at hand may have it called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from thalweg.errors import InputError
from thalweg.oracles.base import canonical_json
from thalweg.oracles.registry import built_in_names, make_oracle

WRAPPER = "faulty"
"""Has another oracle's section under `inner`."""


def runs_named_code(section: Mapping[str, Any]) -> bool:
    """Whether making this oracle may call code that the section names: a calculator, a plug-in, or one inside."""
    return section.get("name") not in built_in_names()


def fingerprint_of(section: Mapping[str, Any]) -> str | None:
    """The fingerprint of the oracle that `section` describes, found without running code that it names.

    None where only the code itself knows it: an oracle of another package.

    Raises
    ------
    InputError
        The section is none that such an oracle takes.
    """
    if not runs_named_code(section):
        return make_oracle(section).fingerprint
    if section.get("name") == "ase":
        calculator, options = section.get("calculator"), section.get("options", {})
        if not (isinstance(calculator, str) and isinstance(options, Mapping)):
            raise InputError("oracle ase: expected calculator: an import path, and options: a mapping")
        plain = json.loads(json.dumps(dict(options), default=repr))
        return canonical_json({"name": "ase", "calculator": calculator, "options": plain})
    inner = section.get("inner")
    return fingerprint_of(inner) if section.get("name") == WRAPPER and isinstance(inner, Mapping) else None
