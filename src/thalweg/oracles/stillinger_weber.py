"""Stillinger-Weber silicon: a closed form with three-body terms, for tests and demonstrations on a crystal.

Notation (all lengths in σ, energies in ε)
    v2      A (B r^-4 - 1) exp(1 / (r - a))
    h       λ (cos θ_jik + 1/3)² exp(γ / (r_ij - a) + γ / (r_ik - a))
    E       ε (1/2 Σ_ij v2 + Σ_i Σ_{j<k} h)

References
    Stillinger, Weber, Phys. Rev. B 31, 5262 (1985), eqs. 2.3-2.6 and table of parameters
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from thalweg.errors import OracleError, check
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.neighbours import pairs_within
from thalweg.oracles.analytic import forces_and_stress
from thalweg.oracles.base import canonical_json, check_no_electrons, examine
from thalweg.oracles.entry import OracleEntry, OracleSettings
from thalweg.oracles.failing import never_raises
from thalweg.oracles.probing import label_small
from thalweg.settings.fields import InUnit, quantity
from thalweg.structure import FloatArray, IntArray, Structure

A, B, CUTOFF, LAMBDA, GAMMA = 7.049556277, 0.6022245584, 1.80, 21.0, 1.20
SILICON = 14


def _two_body(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """v2 and dv2/dr of r in σ, shape (n_pairs,) each."""
    e = np.exp(1.0 / (r - CUTOFF))
    u = B * r**-4 - 1.0
    return A * u * e, A * e * (-4.0 * B * r**-5 - u / (r - CUTOFF) ** 2)


def _triplets(i: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the pairs (i j) and (i k), j before k, that share their first atom; `i` is sorted."""
    count = np.searchsorted(i, i, side="right") - np.arange(len(i)) - 1
    left = np.repeat(np.arange(len(i)), count)
    start = np.repeat(np.cumsum(count) - count, count)
    right = left + 1 + (np.arange(len(left)) - start)
    return left, right


def _three_body(D: FloatArray, r: FloatArray, i: IntArray) -> tuple[float, FloatArray]:
    """Σ h and its gradient with respect to every pair vector, shape (n_pairs, 3); D and r in σ."""
    p, q = _triplets(i)
    e = np.exp(GAMMA / (r[p] - CUTOFF) + GAMMA / (r[q] - CUTOFF))
    cosine = np.einsum("tc,tc->t", D[p], D[q]) / (r[p] * r[q])
    c = cosine + 1.0 / 3.0
    h = LAMBDA * c**2 * e
    dh_dcos = 2.0 * LAMBDA * c * e
    g = np.zeros_like(D)
    for a, b in ((p, q), (q, p)):
        dcos = D[b] / (r[a] * r[b])[:, None] - (cosine / r[a] ** 2)[:, None] * D[a]
        radial = -GAMMA * h / (r[a] - CUTOFF) ** 2 / r[a]
        np.add.at(g, a, dh_dcos[:, None] * dcos + radial[:, None] * D[a])
    return float(h.sum()), g


@dataclass(frozen=True)
class StillingerWeberOracle:
    """Silicon by Stillinger and Weber. `epsilon` in eV, `sigma` in Å."""

    display_name: ClassVar[str] = "stillinger-weber"
    gives_stress: ClassVar[bool] = True
    gives_isolated_atoms: ClassVar[bool] = True
    rungs: ClassVar[int] = 1
    epsilon: float = 2.1683
    sigma: float = 2.0951

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            check(value > 0.0, f"oracle {self.display_name}: {key} must be positive, got {value!r}")

    @property
    def fingerprint(self) -> str:
        """Name and parameters."""
        return canonical_json({"name": self.display_name, **asdict(self)})

    def check_structure(self, structure: Structure) -> None:
        """Raise OracleError for anything but silicon without a word on electrons."""
        others = sorted({int(z) for z in structure.numbers} - {SILICON})
        if others:
            raise OracleError(f"stillinger-weber covers silicon only; the structure has Z = {others}")
        check_no_electrons(structure, "stillinger-weber")

    @never_raises
    def label(self, structure: Structure, attempt: int = 0) -> Outcome:
        """Energy, forces and, where periodic in three directions, stress."""
        start = time.perf_counter()
        self.check_structure(structure)
        i, j, D, d = pairs_within(structure, CUTOFF * self.sigma * (1.0 - 1e-9))
        D, r = D / self.sigma, d / self.sigma
        if len(r) and r.min() < 1e-3:
            return Failure(
                FailureKind.CRASHED, "two atoms coincide", "", self.fingerprint, time.perf_counter() - start
            )
        v2, dv2 = _two_body(r)
        h, g = _three_body(D, r, i)
        g += (0.5 * dv2 / r)[:, None] * D
        forces, stress = forces_and_stress(structure, i, j, D * self.sigma, g * (self.epsilon / self.sigma))
        energy = self.epsilon * (0.5 * float(v2.sum()) + h)
        label = Label(energy, forces, stress, oracle=self.fingerprint, wall_time=time.perf_counter() - start)
        return examine(structure, label)


class StillingerWeberSettings(OracleSettings):
    """Silicon by Stillinger and Weber, with three-body terms: for tests and demonstrations."""

    name: Literal["stillinger-weber"]
    epsilon: Annotated[float, quantity("eV", "> 0"), InUnit("eV")] = Field(
        default=2.1683, description="Unit of energy."
    )
    sigma: Annotated[float, quantity("Å", "> 0"), InUnit("Å")] = Field(
        default=2.0951, description="Unit of length."
    )


STILLINGER_WEBER = OracleEntry(
    name="stillinger-weber",
    oracle=StillingerWeberOracle,
    settings=StillingerWeberSettings,
    summary="silicon in closed form",
    probe=lambda: label_small(StillingerWeberOracle(), "Si"),
    core=True,
)
