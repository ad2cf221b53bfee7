"""The one typed configuration: YAML in, frozen and checked settings out."""

from thalweg.config.changes import describe_changes
from thalweg.config.load import load_config, override, settings_from_words, validate
from thalweg.config.oracle import AseConfig, OracleConfig, OracleSettings, TbliteConfig
from thalweg.config.schema import (
    AcquisitionConfig,
    BudgetConfig,
    ExecutorConfig,
    ExploreConfig,
    ModelConfig,
    RunConfig,
    SeedsConfig,
    TargetConfig,
)
from thalweg.config.system import Starts, SystemConfig, automatic_timestep, read_starts, start_structures
from thalweg.config.template import render_config
from thalweg.settings.quantities import parse_quantity

__all__ = [
    "AcquisitionConfig",
    "AseConfig",
    "BudgetConfig",
    "ExecutorConfig",
    "ExploreConfig",
    "ModelConfig",
    "OracleConfig",
    "OracleSettings",
    "RunConfig",
    "SeedsConfig",
    "Starts",
    "SystemConfig",
    "TargetConfig",
    "TbliteConfig",
    "automatic_timestep",
    "describe_changes",
    "load_config",
    "override",
    "parse_quantity",
    "read_starts",
    "render_config",
    "settings_from_words",
    "start_structures",
    "validate",
]
