"""`summary.json` as the report reads it: any key may be missing, since a young run lacks most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from thalweg.errors import StoreError
from thalweg.properties.results import PropertyResults
from thalweg.report.data import AuditNumbers, ForecastNumbers, RunNumbers, WalkedRow


def read_summary(folder: Path) -> tuple[dict[str, Any], RunNumbers]:
    """The file's keys as they are, and typed; empty where there is no file yet. StoreError if damaged."""
    path = folder / "summary.json"
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, RunNumbers()
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}. Delete it; the run writes it again when it continues"
        ) from error
    if not isinstance(keys, dict):
        raise StoreError(
            f"{path}: expected a JSON object, got {type(keys).__name__}. Delete it and continue the run"
        )
    # the folder may have been copied or moved since the run wrote where its model lies
    keys["model_path"] = str(folder / "model") if keys.get("model_path") else ""
    return keys, parse_summary(keys)


def parse_summary(keys: dict[str, Any]) -> RunNumbers:
    """The keys of `summary.json`, typed."""
    target, stop = keys.get("target") or {}, keys.get("stop") or {}
    calibration = keys.get("calibration") or {}
    counts = ("oracle_calls", "audit_calls", "failed_calls", "iterations", "n_labels", "md_steps")
    return RunNumbers(
        **{name: int(keys.get(name) or 0) for name in counts},
        n_features=keys.get("n_features"),
        force_error=target.get("force_error"),
        confidence=target.get("confidence"),
        audit=_audit(keys.get("audit")),
        calibration_factor=_factors(calibration.get("factor")),
        calibration_coverage=calibration.get("coverage"),
        stop_reason=str(stop.get("reason") or ""),
        stop_message=str(stop.get("message") or ""),
        certificate=stop.get("certified") or {},
        timing={k: float(v) for k, v in (keys.get("timing") or {}).items()},
        model_path=str(keys.get("model_path") or ""),
        properties=PropertyResults.from_summary(keys.get("properties")),
        walked=tuple(_walked(row) for row in keys.get("walked") or ()),
        forecast=_forecast(keys.get("forecast")),
        advice=tuple(str(one.get("text")) for one in keys.get("advice") or () if isinstance(one, dict)),
        findings=_words(keys.get("findings")),
        basis_choices=_words(keys.get("basis_choices")),
    )


def _words(rows: Any) -> tuple[str, ...]:
    return tuple(str(one.get("words")) for one in rows or () if isinstance(one, dict))


def _forecast(keys: dict[str, Any] | None) -> ForecastNumbers | None:
    if not keys or not keys.get("ahead"):
        return None
    ahead = tuple(
        (int(one["calls"]), float(one["error"]), float(one["low"]), float(one["high"]))
        for one in keys["ahead"]
    )
    return ForecastNumbers(str(keys.get("words") or ""), float(keys["error"]), ahead)


def _walked(row: dict[str, Any]) -> WalkedRow:
    known = WalkedRow.__dataclass_fields__
    return WalkedRow(**{name: value for name, value in row.items() if name in known})


def _factors(factor: Any) -> dict[str, float]:
    if isinstance(factor, dict):
        return {str(element): float(v) for element, v in factor.items() if v is not None}
    return {} if factor is None else {"all": float(factor)}


def _audit(keys: dict[str, Any] | None) -> AuditNumbers | None:
    if not keys or not keys.get("n_structures"):
        return None
    interval = keys.get("interval")
    return AuditNumbers(
        n_structures=int(keys["n_structures"]),
        force_rmse=keys.get("force_rmse"),
        force_error_quantile=keys.get("force_error_quantile"),
        fraction_within=keys.get("fraction_within"),
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        lower_bound=keys.get("lower_bound"),
        coverage=keys.get("coverage"),
        **{name: keys.get(name) for name in ("energy_rmse", "energy_within", "energy_ratio")},
    )
