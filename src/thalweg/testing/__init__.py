"""Contract suites: what an oracle, an executor or an explorer of your own can be held against, as Thalweg's are."""

from __future__ import annotations

from thalweg.testing.executors import ExecutorContract
from thalweg.testing.explorers import ExplorerContract
from thalweg.testing.oracle_answers import OracleContractError, Tolerances
from thalweg.testing.oracles import OracleContract, check_oracle

__all__ = [
    "ExecutorContract",
    "ExplorerContract",
    "OracleContract",
    "OracleContractError",
    "Tolerances",
    "check_oracle",
]
