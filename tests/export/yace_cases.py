"""Potentials of every kind with structures to compare on, and a fitted one."""

from __future__ import annotations

from functools import cache

import numpy as np
from ase.build import bulk, molecule

from small_potentials import ethanol, silicon
from thalweg.export.check.structures import trial_structures
from thalweg.features import AceBasis
from thalweg.features.zbl import ZblCutoffs
from thalweg.fitting import FitSettings, fit_labels
from thalweg.label import Label
from thalweg.oracles import make_oracle
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import Structure

BASES = {
    "molecule, order 3": AceBasis(("C", "H", "O"), 4.0, correlation_order=3, max_degree=(6, 5, 4)),
    "molecule, order 4": AceBasis(("O", "H", "C"), 4.5, correlation_order=4, max_degree=(6, 4, 3, 3)),
    "crystal, order 4, l to 5": AceBasis(
        ("Si",), 4.2, correlation_order=4, max_degree=(10, 10, 9, 10), radial_exponent=4
    ),
    "alloy": AceBasis(("Cu", "Au"), 4.5, correlation_order=3, max_degree=(6, 6, 5), l_max=2),
    "evenly resolved molecule": AceBasis(
        ("C", "H", "O"), 4.0, correlation_order=3, max_degree=(6, 5, 4), radial_exponent=2
    ),
    "evenly resolved crystal": AceBasis(
        ("Si",), 4.5, correlation_order=4, max_degree=(8, 7, 5, 4), radial_exponent=1
    ),
    "crystal of many angles": AceBasis(
        ("Si",), 4.5, correlation_order=3, max_degree=(9, 8, 6), radial_exponent=1, radial_weight=3
    ),
    "pairs alone": AceBasis(("Si",), 4.5, correlation_order=1, max_degree=(5,)),
}


def with_random_weights(basis: AceBasis) -> Potential:
    rng = np.random.default_rng(3)
    n, p = len(basis.elements), basis.n_features
    table = basis.feature_table()
    return Potential(
        basis=basis,
        weights=rng.standard_normal((n, p)) / (1 + table.degree) ** 2 / 5**table.nu,
        member_deltas=np.zeros((1, n, p)),
        reference_energies=-1000.0 * rng.random(n),
        zbl=ZblCutoffs.from_covalent_radii(basis.elements),
        novelty=None,
        bounds=ErrorBounds.bare(n),
    )


def structures_for(elements: tuple[str, ...]) -> list[Structure]:
    if "C" in elements:
        return [ethanol(4), Structure.from_atoms(molecule("CO2")), *trial_structures(elements)]
    if "Si" in elements:
        slab = bulk("Si") * (1, 1, 3)
        slab.rattle(0.1, seed=2)
        slab.center(vacuum=4.0, axis=2)
        slab.pbc = (True, True, False)
        skew = bulk("Si")
        skew.rattle(0.1, seed=1)
        return [silicon(4), Structure.from_atoms(skew), Structure.from_atoms(slab)]
    return [alloy(1), *trial_structures(elements)]


def alloy(seed: int) -> Structure:
    atoms = bulk("Cu", "fcc", a=3.85, cubic=True)
    atoms.symbols[[0, 3]] = "Au"
    atoms.rattle(0.12, seed=seed)
    return Structure.from_atoms(atoms)


@cache
def fitted_alloy() -> tuple[Potential, list[tuple[Structure, Label]]]:
    """Copper and gold labelled by effective medium theory: a real fit, with stress."""
    oracle = make_oracle({"name": "ase", "calculator": "ase.calculators.emt.EMT"})
    labelled = []
    for seed in range(12):
        structure = alloy(seed)
        label = oracle.label(structure)
        assert isinstance(label, Label)
        labelled.append((structure, label))
    basis = AceBasis(("Cu", "Au"), 5.0, correlation_order=3, max_degree=(8, 6, 5))
    return fit_labels(labelled, basis, FitSettings()).potential, labelled
