"""Work counted beforehand: what a basis costs, in floating-point operations, before anything of it is made.

Notation
    P, m     pairs of neighbours (each from both ends) and rows of the labels
    p, n     features of one element, columns
    K        folds

    design   DERIVATIVE 3 P p           each atom's features by its neighbours' places
    sums     m n²                       rows times rows
    step     K (n³ / 3 + PASSES n²) + 8 m n        held-out errors and their slope, once
             m² n + K (m³ / 3 + 12 m n)            where rows are few (thalweg.models.fold_rows), without sums

Some 2e10 of these take a second on one core. Decisions are made by this count and never by a clock, so that the same
labels give the same basis on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.features import AceBasis
from thalweg.fitting.data import Labelled
from thalweg.models.fold_rows import are_few
from thalweg.neighbours import pairs_within

N_FOLDS = 5
DERIVATIVE = 120.0
"""Operations whose time one derivative of one feature takes."""
PASSES = 60.0
"""Operations whose time the passes over a matrix take for each of its entries, beside a factorisation."""
_LOOKED_AT = 50
"""Labels whose neighbours are counted; those of the others are taken to be as many."""


@dataclass(frozen=True)
class Extent:
    """How much labels hold.

    n_labels, n_atoms, n_rows : of all
    n_pairs : pairs within the cutoff, estimated
    """

    n_labels: int
    n_atoms: int
    n_rows: int
    n_pairs: float

    @classmethod
    def of(cls, labelled: Labelled, r_cut: float) -> Extent:
        """That of labels, with neighbours within r_cut (Å)."""
        n_atoms = sum(len(structure) for structure, _ in labelled)
        n_rows = sum(
            1 + (3 * len(structure) if label.has_forces else 0) + (6 if label.stress is not None else 0)
            for structure, label in labelled
        )
        some = [structure for structure, _ in labelled[:: max(len(labelled) // _LOOKED_AT, 1)]]
        pairs = sum(len(pairs_within(structure, r_cut).i) for structure in some)
        return cls(
            len(labelled), n_atoms, n_rows, pairs * n_atoms / sum(len(structure) for structure in some)
        )

    def assembly(self, basis: AceBasis) -> float:
        """Of making the rows of a basis and adding them up."""
        n, m = float(basis.n_columns), float(self.n_rows)
        return DERIVATIVE * 3.0 * self.n_pairs * basis.n_features + m * (n if are_few(m, n) else n**2)

    def step(self, basis: AceBasis) -> float:
        """Of one evaluation of held-out errors."""
        n, m, folds = float(basis.n_columns), float(self.n_rows), min(N_FOLDS, self.n_labels)
        if are_few(m, n):
            return m**2 * n + folds * (m**3 / 3.0 + 12.0 * m * n)
        return folds * (n**3 / 3.0 + PASSES * n**2) + 8.0 * m * n

    def fit(self, basis: AceBasis, steps: int) -> float:
        """Of fitting a basis with so many evaluations of held-out errors."""
        return self.assembly(basis) + steps * self.step(basis)


def work_of(labelled: Labelled, basis: AceBasis, steps: int) -> float:
    """Work of fitting a basis to labels with so many evaluations of held-out errors, in operations."""
    return Extent.of(labelled, basis.r_cut).fit(basis, steps)
