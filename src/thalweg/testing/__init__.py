"""Contract suites: what an oracle or an executor of your own can be held against, as Thalweg's are."""

from __future__ import annotations

from thalweg.testing.executors import ExecutorContract
from thalweg.testing.oracle_laws import OracleContractError, Tolerances
from thalweg.testing.oracles import OracleContract, check_oracle

__all__ = ["ExecutorContract", "OracleContract", "OracleContractError", "Tolerances", "check_oracle"]
