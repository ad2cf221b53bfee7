"""Rows of `uncertainty.py`: one for each set and signal, and what they come to over all pairs.

L is pooled as a geometric mean, since it is a ratio; coverage and the rest as plain means over sets, so that a pair of
many atoms counts no more than another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from uncertainty_answers import SetAnswers
from uncertainty_gate import Asked
from uncertainty_scores import (
    WRONG,
    Calibrated,
    auroc,
    coverage,
    pinball_ratio,
    rank_correlation,
    recall,
    silent_share,
)

Row = dict[str, Any]

WELL_COVERED = 0.9
KINDS = ("energy", "difference", "stress")
_LEAST_RATIO = 1e-3


def force_row(pair: str, test: str, ood: bool, answers: SetAnswers, target: float) -> Row:
    """Figures of merit of the bounds on one set; target in eV/Å."""
    error, bound, signal = answers.error, answers.bound, answers.deviation
    return {
        "pair": pair,
        "set": test,
        "ood": ood,
        "atoms": len(error),
        "rms error": float(np.sqrt(np.mean(error**2))),
        "coverage": coverage(bound, error),
        "L": pinball_ratio(bound, error),
        "Spearman": rank_correlation(signal, error),
        "AUROC": auroc(signal, error > target),
        "silent": silent_share(bound, error, target),
        "novelty": novelty_recall(answers, target),
    }


def novelty_recall(answers: SetAnswers, target: float) -> float | None:
    """Share of the silent atoms whose novelty is above 1; None where none is silent."""
    if answers.novelty is None:
        return None
    silent = (answers.error > WRONG * target) & (answers.bound <= WRONG * target)
    return recall(answers.novelty > 1.0, silent)


def pooled_forces(signal: str, rows: Sequence[Row]) -> Row:
    """One signal over all sets."""
    parts = {part: [row for row in rows if row["ood"] is ood] for part, ood in (("ID", False), ("OOD", True))}
    out: Row = {"signal": signal}
    for part, own in parts.items():
        out[f"{part} coverage"] = mean(row["coverage"] for row in own)
        out[f"{part} L"] = geometric_mean(row["L"] for row in own)
        out[f"{part} Spearman"] = mean(row["Spearman"] for row in own)
        out[f"{part} AUROC"] = mean(row["AUROC"] for row in own)
    ood = parts["OOD"]
    out["OOD sets >= 90 %"] = mean(float(row["coverage"] >= WELL_COVERED) for row in ood)
    worst = min(ood, key=lambda row: row["coverage"], default=None)
    out["worst OOD"] = worst and f"{worst['pair']} {worst['set']} {worst['coverage']:.2f}"
    out["silent"] = mean(row["silent"] for row in ood)
    return out


def calibrated_row(pair: str, test: str, ood: bool, kind: str, found: Calibrated | None) -> Row | None:
    """How what is stated of energies, differences or stress meets the errors of one set."""
    if found is None or not np.isfinite(found.ratio):
        return None
    what = {"kind": kind, "n": found.n, "rms error/stated": found.ratio, "within 2 sd": found.within}
    return {"pair": pair, "set": test, "ood": ood, **what}


def pooled_calibrated(rows: Sequence[Row]) -> list[Row]:
    """Medians and worst of the ratio, means of the share within 2 sd."""
    out = []
    for kind in KINDS:
        for part, ood in (("ID", False), ("OOD", True)):
            own = [row for row in rows if row["kind"] == kind and row["ood"] is ood]
            if not own:
                continue
            worst = max(own, key=lambda row: row["rms error/stated"])
            out.append(
                {
                    "kind": kind,
                    "part": part,
                    "sets": len(own),
                    "median rms error/stated": float(np.median([row["rms error/stated"] for row in own])),
                    "worst": f"{worst['pair']} {worst['set']} {worst['rms error/stated']:.3g}",
                    "within 2 sd": mean(row["within 2 sd"] for row in own),
                }
            )
    return out


def pooled_gate(gate: str, pairs: Mapping[str, Mapping[str, Asked]]) -> Row:
    """One gate over all pairs: wrong structures not asked about, and what it costs in distribution."""
    counted = {pair: list(sets.values()) for pair, sets in pairs.items()}
    wrong = {pair: sum(one.wrong for one in own) for pair, own in counted.items()}
    missed = {pair: sum(one.missed for one in own) for pair, own in counted.items()}
    shares = {pair: missed[pair] / wrong[pair] for pair in counted if wrong[pair] > 0}
    worst = max(shares, key=lambda pair: shares[pair], default=None)
    return {
        "gate": gate,
        "wrong": sum(wrong.values()),
        "not asked": sum(missed.values()) / max(sum(wrong.values()), 1e-9),
        "mean of pairs": mean(shares.values()),
        "worst pair": worst and f"{worst} {shares[worst]:.2f}",
        "ID asked": mean(sets["same"].asked / sets["same"].n for sets in pairs.values()),
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there; None without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def geometric_mean(values: Iterable[float]) -> float | None:
    """None without any; a ratio of nearly nothing counts as a thousandth."""
    known = np.maximum(list(values), _LEAST_RATIO)
    return float(np.exp(np.mean(np.log(known)))) if len(known) else None
