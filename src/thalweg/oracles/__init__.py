"""Trusted methods: structure in, typed outcome out."""

from __future__ import annotations

from thalweg.oracles.base import Oracle, examine
from thalweg.oracles.registry import make_oracle, oracle_names

__all__ = ["Oracle", "examine", "make_oracle", "oracle_names"]
