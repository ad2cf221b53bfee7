"""Trusted methods: structure in, typed outcome out."""

from __future__ import annotations

from thalweg.oracles.base import Oracle, check_no_electrons, examine, isolated_atom
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.oracles.failing import never_raises
from thalweg.oracles.registry import make_oracle, oracle_names

__all__ = [
    "Oracle",
    "OracleEntry",
    "OracleSettings",
    "check_no_electrons",
    "examine",
    "isolated_atom",
    "make_oracle",
    "never_raises",
    "oracle_names",
]
