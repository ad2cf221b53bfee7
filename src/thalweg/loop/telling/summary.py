"""`summary.json`: a run in numbers, rewritten atomically as it goes on, for scripts and for a quick look."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg.files import write_atomically
from thalweg.loop.deciding.audit_record import AuditSummary
from thalweg.loop.deciding.stopping import Target, Verdict
from thalweg.loop.timing import Timing

FILE_NAME = "summary.json"


@dataclass(frozen=True)
class Summary:
    """What a run cost and what it certifies; the keys of `summary.json` are these fields."""

    system: str
    oracle: str
    oracle_calls: int
    audit_calls: int
    failed_calls: int
    iterations: int
    n_labels: int
    n_features: int
    target: Target
    audit: AuditSummary | None
    calibration_factor: dict[str, float]
    calibration_coverage: float | None
    verdict: Verdict | None
    md_steps: int
    timing: Timing
    model_path: str
    properties: dict[str, Any]
    walked: tuple[dict[str, Any], ...] = ()
    findings: tuple[dict[str, Any], ...] = ()
    forecast: dict[str, Any] | None = None
    advice: tuple[dict[str, Any], ...] = ()
    basis: dict[str, Any] = field(default_factory=dict)
    basis_choices: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, in the documented keys."""
        stop = self.verdict
        return {
            "system": self.system,
            "oracle": self.oracle,
            "oracle_calls": self.oracle_calls,
            "audit_calls": self.audit_calls,
            "failed_calls": self.failed_calls,
            "iterations": self.iterations,
            "n_labels": self.n_labels,
            "n_features": self.n_features,
            "target": {"force_error": self.target.force_error, "confidence": self.target.confidence},
            "audit": None if self.audit is None else self.audit.to_json(),
            "calibration": {"factor": self.calibration_factor, "coverage": self.calibration_coverage},
            "stop": None
            if stop is None
            else {"reason": stop.reason, "message": stop.message, "certified": stop.certified},
            "md_steps": self.md_steps,
            "timing": self.timing.to_json(),
            "model_path": self.model_path,
            "properties": self.properties,
            "walked": list(self.walked),
            "findings": [dict(finding) for finding in self.findings],
            "forecast": self.forecast,
            "advice": list(self.advice),
            "basis": self.basis,
            "basis_choices": [dict(choice) for choice in self.basis_choices],
        }


def write_summary(folder: Path, summary: Summary) -> None:
    """Write `summary.json` into the run folder."""
    write_atomically(folder / FILE_NAME, json.dumps(summary.to_json(), indent=1, ensure_ascii=False) + "\n")
