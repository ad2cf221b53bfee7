"""Molecular dynamics on a learned potential that knows where it ends.

A potential learned from silicon shaken as at room temperature walks at ever higher temperatures, then is
stretched. Its error bound and its novelty rise with the error; a walk ends where either passes its limit.
"""

import numpy as np
from ase.build import bulk

import thalweg

oracle = thalweg.make_oracle({"name": "stillinger-weber"})
rng = np.random.default_rng(1)
crystal = bulk("Si", cubic=True) * 2


def rattled(atoms, size):
    """The atoms displaced at random by `size` Å, as a Structure."""
    moved = atoms.copy()
    moved.rattle(size, rng=rng)
    return thalweg.Structure.from_atoms(moved)


train = [rattled(crystal, 0.08) for _ in range(25)]
potential = thalweg.fit([(structure, oracle.label(structure)) for structure in train]).potential

start = thalweg.Structure.from_atoms(crystal)
limits = {"bound_max": 0.1, "dynamics": thalweg.Dynamics(novelty_max=5.0)}


def largest_error(structure):
    """Largest force error of an atom, eV/Å."""
    difference = potential.predict(structure).forces - oracle.label(structure).forces
    return np.linalg.norm(difference, axis=1).max()


print("temperature   largest bound   largest error   novelty   ended")
for temperature in (150, 300, 600, 1200, 2400):
    (walk,) = thalweg.explore(potential, start, temperature=temperature, time_ps=1, **limits)
    bound = max(moment.bound_max for moment in walk.snapshots)
    novelty = max(moment.novelty_max for moment in walk.snapshots)
    error = max(largest_error(moment.structure) for moment in walk.snapshots[::5])
    print(f"{temperature:9} K   {bound:8.3f} eV/Å   {error:8.3f} eV/Å   {novelty:7.1f}", end="   ")
    print(f"after {walk.state.time_fs:.0f} fs: {walk.reason}")

print("\nstretched     largest bound   largest error   novelty")
for stretch in (0.0, 0.01, 0.02, 0.04, 0.08):
    atoms = crystal.copy()
    atoms.set_cell(atoms.cell * (1 + stretch), scale_atoms=True)
    structure = rattled(atoms, 0.08)
    prediction = potential.predict(structure)
    print(f"{stretch:9.0%}     {prediction.forces_bound.max():8.3f} eV/Å", end="   ")
    print(f"{largest_error(structure):8.3f} eV/Å   {prediction.novelty.max():7.1f}")
