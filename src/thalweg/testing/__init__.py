"""Contract suites: what an oracle of your own can be held against, as Thalweg's are."""

from __future__ import annotations

from thalweg.testing.oracle_laws import OracleContractError, Tolerances
from thalweg.testing.oracles import OracleContract, check_oracle

__all__ = ["OracleContract", "OracleContractError", "Tolerances", "check_oracle"]
