"""How a process that makes a call gets the run's oracle: from its configuration, or as an object."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

from thalweg.oracles.base import Oracle, as_oracle, canonical_json
from thalweg.oracles.registry import make_oracle

_held: dict[str, OracleSource] = {}
"""Sources that this process was given ahead of its calls, by key."""


@dataclass(frozen=True, eq=False)
class OracleSource:
    """Where an oracle comes from.

    Attributes
    ----------
    key : str
        Tells sources apart within a process.
    spec : str
        JSON of the configuration's section, as for `make_oracle`; "" where the oracle is an object.
    given : Oracle or None
        The object that was handed in.
    """

    key: str
    spec: str = ""
    given: Oracle | None = None

    @classmethod
    def of(cls, oracle: Oracle | Mapping[str, Any]) -> OracleSource:
        """From an object, or from the section of a configuration."""
        if isinstance(oracle, Mapping):
            spec = canonical_json(dict(oracle))
            return cls(hashlib.sha256(spec.encode()).hexdigest(), spec=spec)
        given = as_oracle(oracle)
        return cls(f"object {id(given)}", given=given)

    def oracle(self) -> Oracle:
        """The oracle, built once in each process. Raises what `make_oracle` does."""
        source = self if self.spec or self.given is not None else _held[self.key]
        return source.given if source.given is not None else _built(source.spec)

    def why_not_sent(self) -> str | None:
        """Why worker processes cannot have it, in words; None where they can."""
        if self.given is None:
            return None
        try:
            content = bytes(ForkingPickler.dumps(self.given))
        except Exception as error:  # whatever the object's own pickling raises
            return f"{type(self.given).__name__} cannot be sent to another process ({error})"
        if b"__main__" in content:
            return f"{type(self.given).__name__} is made of what the script itself defines; put that into a module"
        return None

    def reference(self) -> OracleSource:
        """The key alone, for processes that `hold` the source: what is sent with every call."""
        return replace(self, spec="", given=None)


def hold(source: OracleSource) -> None:
    """Keep a source in this process; calls may then name it by its key."""
    _held[source.key] = source


@lru_cache(maxsize=8)
def _built(spec: str) -> Oracle:
    return make_oracle(json.loads(spec))
