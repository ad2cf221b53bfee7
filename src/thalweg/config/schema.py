"""The one typed configuration of a run: every setting with its unit, default and meaning.

`thalweg init` writes these descriptions as comments and the documentation lists them, so that a setting is
explained in one place. Bare numbers are in the unit that the field's `InUnit` names.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_validator,
)

from thalweg.config.oracle import OracleConfig
from thalweg.config.system import SystemConfig
from thalweg.config.system import resolve as _resolve
from thalweg.settings.fields import InUnit, optional, quantities, quantity, whole, whole_list
from thalweg.vocabulary import Committee, Coupling, Dissociation, Ensemble

Strategy = Literal["information", "uncertainty", "random", "d-optimal", "farthest"]
ExecutorKind = Literal["process", "serial", "futures"]
BasisMode = Literal["automatic", "fixed"]

_DEGREES = whole_list("degrees, one per order", ">= 1", "<= 80")


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetConfig(Section):
    """What the user accepts: the one quality setting. Every threshold follows from it by calibration."""

    force_error: Annotated[float, quantity("eV/Å", "> 0", "<= 100"), InUnit("eV/Å")] = Field(
        default=0.15, description="Largest force error of an atom, |F_model - F_oracle|, that you accept."
    )
    stress_error: Annotated[float | None, optional(quantity("GPa", "> 0", "<= 1000")), InUnit("GPa")] = Field(
        default=None,
        description="Largest error of a component of the stress that you accept; null: the certificate states the "
        "errors of the stress without requiring anything of them.",
    )
    confidence: Annotated[float, quantity("", "> 0", "< 1")] = Field(
        default=0.95,
        description="Share of the atoms on the walkers' trajectories whose force error must be below force_error.",
    )
    level: Annotated[float, quantity("", "> 0.5", "< 1")] = Field(
        default=0.90, description="One-sided confidence of the certificate that the audits give."
    )


class ExploreConfig(Section):
    """How the walkers move on the model's forces."""

    ensemble: Ensemble = Field(
        default="nvt",
        description="nvt (Langevin thermostat), nve (constant energy), or for crystals and liquids npt (constant "
        "temperature and pressure).",
    )
    pressure: Annotated[float, quantity("GPa", ">= -1000", "<= 10000"), InUnit("GPa")] = Field(
        default=0.0, description="Pressure of npt."
    )
    coupling: Coupling | None = Field(
        default=None,
        description="How npt may change the cell: isotropic (its volume), axes (its lengths along x, y and z) or "
        "full (all six strains); null: full for crystals if the oracle gives stress, isotropic for liquids.",
    )
    temperature: Annotated[tuple[float, ...], quantities("K", "> 0", "<= 20000"), InUnit("K")] = Field(
        default=(300.0, 500.0),
        description="One number for all walkers; [lowest, highest]: a geometric ladder over the walkers; "
        "or a list of one temperature per walker.",
    )
    walkers: Annotated[int, whole(">= 1", "<= 4096")] = Field(
        default=4, description="How many trajectories run side by side, in one batch."
    )
    time: Annotated[float, quantity("ps", "> 0", "<= 1e6"), InUnit("ps")] = Field(
        default=50.0, description="How long each walker runs."
    )
    timestep: Annotated[float | None, optional(quantity("fs", ">= 0.001", "<= 20")), InUnit("fs")] = Field(
        default=None,
        description="Time step; null: from the lightest atom (0.5 with hydrogen, else 1 or 2).",
    )
    friction: Annotated[float, quantity("1/fs", "> 0", "<= 10"), InUnit("1/fs")] = Field(
        default=0.01, description="Friction of the Langevin thermostat."
    )
    block: Annotated[float, quantity("fs", "> 0", "<= 1e5"), InUnit("fs")] = Field(
        default=50.0, description="Time that walkers advance between two questions."
    )
    committee: Committee = Field(
        default="screened",
        description="How the error bound is computed at every step: screened (one signed sum of the members, a twelfth "
        "of the cost; the whole committee is used where a bound comes near its limit) or whole (all members).",
    )
    strain: Annotated[float | None, optional(quantity("", ">= 0", "<= 0.2"))] = Field(
        default=None,
        description="Crystals: the largest strain of the walkers' start cells and of the first structures, for example "
        "0.03, with shear angles of half as much if the oracle gives stress; null: 0.03 for the first structures "
        "alone, if the oracle gives stress.",
    )

    dissociation: Dissociation = Field(
        default="stop",
        description="A walker that falls apart into pieces that no longer touch: stop (back to its start; what lies "
        "beyond is neither asked about nor audited) or walk (it goes on).",
    )

    @model_validator(mode="after")
    def _ladder_fits(self) -> ExploreConfig:
        if len(self.temperature) not in {1, 2, self.walkers}:
            raise ValueError(
                f"temperature: expected one number, [lowest, highest] or {self.walkers} numbers "
                f"(one for each of {self.walkers} walkers), got {len(self.temperature)} numbers"
            )
        return self

    def temperatures(self) -> tuple[float, ...]:
        """The temperature of each walker, K: the list as given, or a geometric ladder over a range.

        In a geometric ladder neighbouring walkers overlap equally well in energy, whatever the range.
        """
        if len(self.temperature) == self.walkers:
            return self.temperature
        lowest, highest = self.temperature[0], self.temperature[-1]
        if self.walkers == 1:
            return (highest,)
        ratio = highest / lowest
        return tuple(lowest * ratio ** (k / (self.walkers - 1)) for k in range(self.walkers))


class BudgetConfig(Section):
    """When to stop at the latest."""

    oracle_calls: Annotated[int, whole(">= 1", "<= 1000000")] = Field(
        default=300, description="Most calls of the oracle, audits and failed calls included."
    )
    wall_time: Annotated[float | None, optional(quantity("s", "> 0", "<= 1e9")), InUnit("s")] = Field(
        default=None, description="Longest wall time of one invocation, for example 2 h; null: no limit."
    )


class ModelConfig(Section):
    """The potential. Null settings are chosen from the structures, and again from the labels as they come."""

    r_cut: Annotated[float | None, optional(quantity("Å", "> 0.5", "<= 20")), InUnit("Å")] = Field(
        default=None, description="Cutoff radius; null: from the elements, then from the labels."
    )
    correlation_order: Annotated[int | None, optional(whole(">= 1", "<= 4"))] = Field(
        default=None,
        description="Correlation order of the ACE basis (body order - 1), 1 to 4; null: automatic.",
    )
    max_degree: Annotated[tuple[int, ...] | None, optional(_DEGREES)] = Field(
        default=None,
        description="Highest degree of the basis for each correlation order, a list; null: automatic.",
    )
    radial_weight: Annotated[int | None, optional(whole(">= 1", "<= 8"))] = Field(
        default=None,
        description="Weight of the radial index in max_degree; the angular index has weight 1; null: 1.",
    )
    committee: Annotated[int, whole(">= 2", "<= 64")] = Field(
        default=8,
        description="Members of the committee: posterior draws whose disagreement is the uncertainty.",
    )
    basis: BasisMode = Field(
        default="automatic",
        description="automatic: at 20, 40, 80, ... labels the run looks for a better basis and adopts it if labels "
        "left out are predicted better; what is set above is kept; fixed: the basis stays what it is at the start.",
    )

    @model_validator(mode="after")
    def _one_degree_per_order(self) -> ModelConfig:
        degrees, order = self.max_degree, self.correlation_order
        if degrees is not None and not 1 <= len(degrees) <= 4:
            raise ValueError(f"max_degree: expected 1 to 4 degrees, one per order, got {len(degrees)}")
        if degrees is not None and order is not None and len(degrees) != order:
            raise ValueError(
                f"max_degree: expected {order} degrees (correlation_order: {order}), got {len(degrees)}"
            )
        if self.radial_weight is not None and degrees is None:
            raise ValueError("radial_weight: set max_degree, too, whose degrees it weights")
        return self


class AcquisitionConfig(Section):
    """Which structures the oracle is asked about."""

    strategy: Strategy = Field(
        default="information",
        description="information, uncertainty, d-optimal, farthest; random: the control arm of comparisons.",
    )
    audit_fraction: Annotated[float, quantity("", "> 0", "<= 0.5")] = Field(
        default=0.08,
        description="Share of the calls spent on random audits, which certify the target.",
    )
    batch: Annotated[int, whole(">= 1", "<= 1024")] = Field(
        default=1, description="Most structures labelled between two updates."
    )


class SeedsConfig(Section):
    """The first labels, before the first model."""

    count: Annotated[int | None, optional(whole(">= 1", "<= 10000"))] = Field(
        default=None, description="How many structures are labelled before the first fit; null: automatic."
    )


class ExecutorConfig(Section):
    """Where the oracle's calls run."""

    workers: Annotated[int, whole(">= 1", "<= 1024")] = Field(
        default=1, description="Oracle calls that run at the same time."
    )
    kind: ExecutorKind = Field(
        default="process",
        description="process (worker processes), serial (inside the run's process: for trusted oracles that take "
        "milliseconds) or futures (your own executor, made by `factory`).",
    )
    timeout: Annotated[float | None, optional(quantity("s", "> 0", "<= 1e9")), InUnit("s")] = Field(
        default=None, description="Longest time of one oracle call, for example 30 min; null: no limit."
    )
    keep_failed: Annotated[float, quantity("", ">= 0", "<= 1e6"), InUnit("MB")] = Field(
        default=50.0,
        description="Most disk space for the files of failed calls, kept in the folder `failed` of the run folder.",
    )
    scratch: str | None = Field(
        default=None,
        description="Local folder for the scratch folders of calls; null: the system's temporary folder.",
    )
    factory: str | None = Field(
        default=None,
        description="futures: import path of a function that returns a concurrent.futures.Executor.",
    )
    options: dict[str, Any] = Field(default={}, description="futures: keyword arguments of that function.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ExecutorConfig:
        if self.kind == "serial" and self.workers > 1:
            raise ValueError(f"workers: expected 1 with kind: serial, got {self.workers}; set kind: process")
        if self.kind == "serial" and self.timeout is not None:
            raise ValueError("timeout: a call inside this process cannot be stopped; set kind: process")
        if (self.kind == "futures") != (self.factory is not None):
            raise ValueError("factory: required with kind: futures, not allowed otherwise")
        return self


class PropertiesConfig(Section):
    """What is computed with the finished potential, beside the oracle's own answer."""

    equation_of_state: StrictBool = Field(
        default=False,
        description="Crystals: volume and bulk modulus of the first start structure, for about 9 further oracle calls.",
    )


class RunConfig(Section):
    """The whole configuration of a run."""

    system: SystemConfig = Field(
        description="Structures to start from: any file that ASE reads, or a list, relative to this file."
    )
    oracle: OracleConfig = Field(description="The trusted method that labels structures.")
    target: TargetConfig = Field(default=TargetConfig(), description="The accuracy you want.")
    explore: ExploreConfig = Field(default=ExploreConfig(), description="How configurations are explored.")
    budget: BudgetConfig = Field(default=BudgetConfig(), description="When to stop at the latest.")
    model: ModelConfig = Field(default=ModelConfig(), description="The potential that is learned.")
    acquisition: AcquisitionConfig = Field(
        default=AcquisitionConfig(), description="Which structures the oracle labels."
    )
    seeds: SeedsConfig = Field(default=SeedsConfig(), description="The first labels.")
    executor: ExecutorConfig = Field(default=ExecutorConfig(), description="Where the oracle's calls run.")
    properties: PropertiesConfig = Field(PropertiesConfig(), description="What is computed at the end.")
    seed: Annotated[int, whole(">= 0", "<= 9007199254740991")] = Field(
        default=1, description="Seed of every random draw: same seed, same run."
    )
    output: Annotated[str | None, AfterValidator(_resolve)] = Field(
        default=None,
        description="The run folder, relative to this file; null: runs/<this file's name> in the current folder.",
    )

    @field_validator("oracle", "system", mode="before")
    @classmethod
    def _short_form(cls, value: Any, info: ValidationInfo) -> Any:
        """`oracle: tblite`, `system: water.xyz` and `system: [a.xyz, b.xyz]` are short forms."""
        if info.field_name == "oracle":
            return {"name": value} if isinstance(value, str) else value
        return value if isinstance(value, dict | SystemConfig) else {"paths": value}

    def to_json(self) -> str:
        """Canonical JSON: what the store keeps."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
