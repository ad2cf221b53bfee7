"""Fit a potential to labels that are all there, see how good it is, keep it, use it through ASE.

The labels come from the oracle contract here; files do as well: `thalweg.read_labelled("train.xyz")`.
"""

import tempfile
from pathlib import Path

import numpy as np
from ase.build import bulk

import thalweg

oracle = thalweg.make_oracle({"name": "ase", "calculator": "ase.calculators.emt.EMT"})
rng = np.random.default_rng(1)


def labelled_copper(n):
    """n rattled and strained 32-atom cells of copper, labelled."""
    pairs = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True) * 2
        atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + rng.normal(0, 0.015, (3, 3))), scale_atoms=True)
        atoms.rattle(0.12, rng=rng)
        structure = thalweg.Structure.from_atoms(atoms)
        pairs.append((structure, oracle.label(structure)))
    return pairs


result = thalweg.fit(labelled_copper(30), labelled_copper(10))
test = result.to_json()["test"]
energy, forces, stress = (test[f"{name}_rmse"] for name in ("energy", "forces", "stress"))
print(f"test RMSE: energy {1000 * energy:.2f} meV/atom, forces {forces:.4f} eV/Å, stress {stress:.3f} GPa")
print(f"error bounds held for {test['coverage']:.1%} of the atoms; {test['confidence']:.0%} were promised")

with tempfile.TemporaryDirectory() as folder:
    result.potential.save(Path(folder) / "model")
    potential = thalweg.Potential.load(Path(folder) / "model")

fresh = thalweg.evaluate(potential, labelled_copper(10))["test"]
print(f"loaded again, on ten fresh structures: forces {fresh['forces_rmse']:.4f} eV/Å")

atoms = bulk("Cu", cubic=True) * 2
atoms.rattle(0.1, seed=2)
atoms.calc = thalweg.ThalwegCalculator(potential)
print(f"ASE: {atoms.get_potential_energy():.4f} ± {atoms.calc.results['energy_uncertainty']:.4f} eV")
print(f"largest force error bound: {atoms.calc.results['forces_bound'].max():.3f} eV/Å")
atoms.positions[0] += 0.8  # where the training set has never been
atoms.get_forces()
print(f"with one atom 1.4 Å out of place: {atoms.calc.results['forces_bound'].max():.3f} eV/Å")
