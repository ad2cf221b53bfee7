"""Small potentials with random coefficients, and structures to try them on."""

from __future__ import annotations

import numpy as np
from ase.build import bulk, molecule

from thalweg.features.basis import AceBasis
from thalweg.features.evaluate import Features
from thalweg.features.zbl import ZblCutoffs
from thalweg.potential import ErrorBounds, Potential
from thalweg.structure import Structure
from thalweg.uncertainty import NoveltyFit


def ethanol(seed: int = 0, size: float = 0.05) -> Structure:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(size, seed=seed)
    return Structure.from_atoms(atoms)


def silicon(seed: int = 0, size: float = 0.1) -> Structure:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(size, seed=seed)
    return Structure.from_atoms(atoms)


def basis_of(*elements: str) -> AceBasis:
    degrees = (6, 5, 4) if len(elements) == 1 else (4, 3, 1)
    return AceBasis(elements, r_cut=4.0, correlation_order=3, max_degree=degrees)


def random_potential(*elements: str, train: list[Structure], seed: int = 0, n_members: int = 4) -> Potential:
    """Coefficients such that forces are some eV/Å, committee deviations some tenths."""
    rng = np.random.default_rng(seed)
    basis = basis_of(*elements)
    n, p = len(elements), basis.n_features
    fit = NoveltyFit(n, p, n_directions=6)
    features = Features(basis)
    for structure in train:
        fit.add(
            features.phi([structure]), np.array([elements.index(s) for s in structure.to_atoms().symbols])
        )
    spread = features.phi(train).std(axis=0) + 1e-3
    return Potential(
        basis=basis,
        weights=rng.standard_normal((n, p)) * 0.3 / spread,
        member_deltas=rng.standard_normal((n_members, n, p)) * 0.03 / spread,
        reference_energies=-10.0 * rng.random(n),
        zbl=ZblCutoffs.from_covalent_radii(elements),
        novelty=fit.model(),
        bounds=ErrorBounds(0.95, np.linspace(1.5, 2.5, n), np.linspace(0.01, 0.03, n)),
        provenance={"oracle": "none", "n_labels": 0},
    )
