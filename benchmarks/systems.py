"""The systems that are timed, and potentials fitted to them in a moment.

What a potential costs does not depend on what it has learned, so a few dozen labels of a cheap oracle do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.build import bulk
from common import EXAMPLES
from oracle_md import MdPlan, OracleFrames, oracle_frames

from thalweg.explorers.seeding import seed_structures
from thalweg.features import AceBasis
from thalweg.features.defaults import default_basis
from thalweg.features.zbl import ZblBaseline
from thalweg.label import Label
from thalweg.loop.learning.learner import Learner
from thalweg.models.training import Baseline, estimate_reference_energies
from thalweg.oracles import Oracle, make_oracle
from thalweg.potential import ErrorBounds, Potential
from thalweg.store import read_structures
from thalweg.structure import Structure

SILICON_REPEATS = {8: (1, 1, 1), 64: (2, 2, 2), 512: (4, 4, 4), 4096: (8, 8, 8)}

Labelled = list[tuple[Structure, Label]]


def malonaldehyde() -> Structure:
    """The molecule of the examples, at its minimum."""
    return read_structures(EXAMPLES / "malonaldehyde.xyz")[0]


def silicon(n_atoms: int, *, rattle: float = 0.05, seed: int = 0) -> Structure:
    """Diamond silicon of 8, 64, 512 or 4,096 atoms, moved by normal displacements of `rattle` Å."""
    atoms = bulk("Si", cubic=True).repeat(SILICON_REPEATS[n_atoms])
    atoms.rattle(rattle, seed=seed)
    return Structure.from_atoms(atoms)


def rattled(structure: Structure, n: int, *, size: float = 0.06, seed: int = 0) -> list[Structure]:
    """Copies with normal displacements of `size` Å."""
    rng = np.random.default_rng(seed)
    return [
        structure.with_positions(structure.positions + size * rng.standard_normal((len(structure), 3)))
        for _ in range(n)
    ]


def label_all(oracle: Oracle, structures: Sequence[Structure]) -> Labelled:
    """Labels of all that the oracle can do; raises when none comes out."""
    outcomes = [(structure, oracle.label(structure)) for structure in structures]
    labelled = [(structure, label) for structure, label in outcomes if isinstance(label, Label)]
    if not labelled:
        raise RuntimeError(f"{oracle.display_name} gave no label: {outcomes[0][1]}")
    return labelled


def learner(basis: AceBasis, labelled: Labelled, *, n_members: int = 8) -> Learner:
    """A learner that has taken in the labels at once."""
    made = Learner(basis, baseline_of(basis, labelled), n_members=n_members, seed=0)
    made.learn_first(labelled)
    return made


def baseline_of(basis: AceBasis, labelled: Labelled) -> Baseline:
    """Core repulsion, and reference energies fitted to the labels."""
    structures, energies = [s for s, _ in labelled], [label.energy for _, label in labelled]
    references = estimate_reference_energies(structures, energies, basis.elements)
    return Baseline(basis.elements, references, ZblBaseline(basis.elements))


def potential_of(made: Learner) -> Potential:
    """The learner's potential, its bounds bare deviations."""
    return made.potential(ErrorBounds.bare(len(made.basis.elements)))


def malonaldehyde_potential(n_labels: int = 80) -> Potential:
    """Default basis; GFN2-xTB labels of harmonic displacements, good enough to stay together at 300 K."""
    basis = default_basis(("H", "C", "O"), False)
    oracle = make_oracle({"name": "tblite", "method": "GFN2-xTB"})
    rng = np.random.default_rng(1)
    structures = seed_structures([malonaldehyde()], n_labels, [200.0, 400.0], rng)
    return potential_of(learner(basis, label_all(oracle, structures)))


def silicon_basis() -> AceBasis:
    """264 features of order up to 3 within 5 Å: 28 neighbours an atom."""
    return AceBasis(("Si",), r_cut=5.0, correlation_order=3, max_degree=(12, 10, 8))


def silicon_potential(n_labels: int = 20) -> Potential:
    """Stillinger-Weber silicon on rattled 8-atom cells."""
    oracle = make_oracle({"name": "stillinger-weber"})
    structures = rattled(silicon(8, rattle=0.0), n_labels, size=0.1)
    return potential_of(learner(silicon_basis(), label_all(oracle, structures)))


MALONALDEHYDE_ORACLE = {"name": "tblite", "method": "GFN2-xTB"}
MALONALDEHYDE_PLANS = (MdPlan(300.0, seed=9300), MdPlan(500.0, seed=9500))


def malonaldehyde_frames() -> dict[float, OracleFrames]:
    """200 structures each of GFN2-xTB trajectories at 300 and 500 K, 50 fs apart, by temperature."""
    frames = oracle_frames(malonaldehyde(), MALONALDEHYDE_ORACLE, MALONALDEHYDE_PLANS, "malonaldehyde")
    return {plan.temperature: one for plan, one in zip(MALONALDEHYDE_PLANS, frames, strict=True)}
