"""Per-atom energies and stresses against what the features' Jacobian gives, and against ML-PACE.

Notation
    g_ij     dE_i/dD_ij, E_i the energy of the environment of atom i, D_ij from atom i to neighbour j
    virial   position times force: minus D_ij times g_ij; shared between i and j, or all of it j's
"""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from plugin_runs import BAR, evaluate, find_installation
from plugin_structures import CASES, boxed_ethanol, salt, skewed_silicon

from small_potentials import random_potential
from thalweg.export.yace import write_yace
from thalweg.features.evaluate import Features

ASK = """\
compute half all stress/atom NULL virial
compute heat all centroid/stress/atom NULL virial
dump stress all custom 1 {file} id c_half[*] c_heat[*]
dump_modify stress sort id format float %.17g
run 0"""

PACE = """\
units metal
boundary p p p
box tilt large
read_data box.data
pair_style pace
pair_coeff * * p.yace Si
neighbor 0.8 bin
compute half all stress/atom NULL virial
dump stress all custom 1 pace.dump id c_half[*]
dump_modify stress sort id format float %.17g
run 0
"""

HEAT = """\
compute kinetic all ke/atom
compute heat all centroid/stress/atom NULL virial
compute flux all heat/flux kinetic own heat
variable jx equal c_flux[1]
variable jy equal c_flux[2]
variable jz equal c_flux[3]
fix flux all ave/time 1 1 1 v_jx v_jy v_jz file flux.txt format " %.17g"
dump heat all custom 1 heat.dump id x y z c_own c_kinetic
dump_modify heat sort id format float %.17g
velocity all create 1000 7
fix nve all nve
timestep 1e-6
run 2"""

XX_YY_ZZ_XY_XZ_YZ_YX_ZX_ZY = ([0, 1, 2, 0, 0, 1, 1, 2, 2], [0, 1, 2, 1, 2, 2, 0, 0, 1])


@pytest.fixture(scope="module")
def lammps():
    return find_installation()


def read_dump(path):
    """Rows of the last step without ids, eV (stress times volume)."""
    rows = path.read_text().split("ITEM: ATOMS")[-1].splitlines()[1:]
    return BAR * np.array([row.split() for row in rows], dtype=float)[:, 1:]


def shares(potential, structure):
    """Energies (n,) and virials dE/dstrain (n, 3, 3), position first: half and half, and all with the neighbour."""
    features = Features(potential.basis)
    species = np.array([potential.elements.index(s) for s in structure.to_atoms().symbols])
    energies = np.einsum("ip,ip->i", features.phi([structure]), potential.weights[species])
    i, j, jacobian = features.jacobian(structure)
    gradient = np.einsum("kpa,kp->ka", jacobian, potential.weights[species[i]])
    step = structure.positions[j] - structure.positions[i]
    if any(structure.pbc):  # of images, the nearest: the box is longer than two cutoffs
        from ase.geometry import find_mic

        step = find_mic(step, structure.cell)[0]
    assert np.linalg.norm(step, axis=1).max() < potential.basis.r_cut
    products = step[:, :, None] * gradient[:, None, :]
    as_centre, as_neighbor = np.zeros((2, len(structure), 3, 3))
    np.add.at(as_centre, i, products)
    np.add.at(as_neighbor, j, products)
    return energies + potential.reference_energies[species], 0.5 * (as_centre + as_neighbor), as_neighbor


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["crystal", "molecule"])
def test_every_atom_has_the_jacobians_share(lammps, name, ranks, tmp_path):
    elements, build = CASES[name]
    structure = build()
    potential = replace(random_potential(*elements, train=[structure]), zbl=None)
    found = evaluate(lammps, tmp_path, potential, structure, ranks=ranks, run=ASK.format(file="stress.dump"))
    table = read_dump(tmp_path / "stress.dump")
    energies, half, heat = shares(potential, structure)
    scale = np.abs(half).max()
    assert scale > 0.1
    np.testing.assert_allclose(found.atom_energies, energies, rtol=1e-9)
    rows, columns = XX_YY_ZZ_XY_XZ_YZ_YX_ZX_ZY
    np.testing.assert_allclose(table[:, :6], half[:, rows[:6], columns[:6]], rtol=0, atol=1e-8 * scale)
    np.testing.assert_allclose(table[:, 6:], heat[:, rows, columns], rtol=0, atol=1e-8 * scale)
    # The two are not the same, and neither is symmetric: components are in their places.
    assert np.abs(half - heat).max() > 1e-2 * scale
    assert np.abs(heat - heat.transpose(0, 2, 1)).max() > 1e-2 * scale


@pytest.mark.parametrize("style", ["thalweg", "thalweg precision mixed", "hybrid/overlay thalweg zero 4.0"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_add_up_to_the_whole(lammps, style, ranks, tmp_path):
    # With core repulsion, and bounds asked for in the same step.
    structure = salt()
    potential = random_potential("Si", "C", train=[structure])
    hybrid = style.startswith("hybrid")
    found = evaluate(
        lammps,
        tmp_path,
        potential,
        structure,
        ranks=ranks,
        style=style,
        substyle="thalweg" if hybrid else "",
        more="pair_coeff * * zero" if hybrid else "",
        run=ASK.format(file="stress.dump"),
    )
    prediction = potential.predict(structure)
    assert prediction.stress is not None
    whole = prediction.stress * structure.volume
    tolerance = (1e-4 if "mixed" in style else 1e-8) * np.abs(whole).max()
    half, heat = np.split(read_dump(tmp_path / "stress.dump").sum(axis=0), [6])
    np.testing.assert_allclose(half[[0, 1, 2, 5, 4, 3]], whole, rtol=0, atol=tolerance)
    np.testing.assert_allclose(heat[[0, 1, 2, 5, 4, 3]], whole, rtol=0, atol=tolerance)
    np.testing.assert_allclose(heat[[8, 7, 6]], whole[3:], rtol=0, atol=tolerance)
    assert found.atom_energies.sum() == pytest.approx(prediction.energy, rel=1e-4)


def test_stress_is_shared_as_ml_pace_shares_it(lammps, tmp_path):
    styles = subprocess.run([lammps.lmp, "-h"], capture_output=True, text=True, check=False).stdout
    if " pace " not in styles:
        pytest.skip("this LAMMPS has no ML-PACE")
    structure = skewed_silicon()
    potential = replace(random_potential("Si", train=[structure]), zbl=None)
    evaluate(lammps, tmp_path, potential, structure, run=ASK.format(file="stress.dump"))
    write_yace(potential, tmp_path / "p.yace")
    done = lammps.start(tmp_path, PACE, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = read_dump(tmp_path / "stress.dump")[:, :6], read_dump(tmp_path / "pace.dump")
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("ranks", [1, 2])
def test_heat_flux_is_how_fast_energy_moves(lammps, ranks, tmp_path):
    # J = d/dt sum_i r_i e_i, without images for whose crossings there would be more to say.
    structure = boxed_ethanol()
    potential = random_potential("H", "C", "O", train=[structure])
    evaluate(lammps, tmp_path, potential, structure, ranks=ranks, run=HEAT)
    frames = [
        np.array([row.split() for row in frame.splitlines()[1 : 1 + len(structure)]], dtype=float)
        for frame in (tmp_path / "heat.dump").read_text().split("ITEM: ATOMS")[1:]
    ]
    moments = [(f[:, 1:4] * f[:, 4:].sum(axis=1, keepdims=True)).sum(axis=0) for f in frames]
    flux = np.loadtxt(tmp_path / "flux.txt")[1, 1:]
    assert np.abs(flux).max() > 1.0
    np.testing.assert_allclose(flux, (moments[2] - moments[0]) / 2e-6, rtol=0, atol=1e-5 * np.abs(flux).max())
