import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from thalweg.errors import InputError
from thalweg.explorers.model_hessian import model_hessian
from thalweg.explorers.seeding import (
    closest_contact,
    harmonic_ensemble,
    seed_structures,
    wavenumber_to_omega,
)
from thalweg.structure import Structure
from thalweg.units import kB


def structure(name: str) -> Structure:
    return Structure.from_atoms(molecule(name))


def numerical_torsion_gradient(positions: np.ndarray) -> np.ndarray:
    def torsion(x: np.ndarray) -> float:
        b1, b2, b3 = x[1] - x[0], x[2] - x[1], x[3] - x[2]
        n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
        return float(np.arctan2(np.dot(np.cross(n1, n2), b2 / np.linalg.norm(b2)), n1 @ n2))

    gradient = np.zeros((4, 3))
    for a, c in itertools.product(range(4), range(3)):
        step = np.zeros((4, 3))
        step[a, c] = 1e-5
        gradient[a, c] = (torsion(positions + step) - torsion(positions - step)) / 2e-5
    return gradient


def test_torsion_gradients_agree_with_finite_differences() -> None:
    from thalweg.explorers import model_hessian as lindh

    s = structure("H2O2")
    s = s.with_positions(s.positions + 0.05 * np.random.default_rng(0).normal(size=(4, 3)))
    torsions = lindh._torsions(lindh._pairs(s))
    assert len(torsions.atoms) == 1
    expected = numerical_torsion_gradient(s.positions[torsions.atoms[0]])
    sign = np.sign((expected * torsions.gradients[0]).sum())
    assert sign * torsions.gradients[0] == pytest.approx(expected, abs=1e-7)


def test_bend_gradients_agree_with_finite_differences() -> None:
    from thalweg.explorers import model_hessian as lindh

    s = structure("H2O")
    bends = lindh._bends(lindh._pairs(s))
    assert len(bends.atoms) == 1
    i, j, k = bends.atoms[0]

    def angle(x: np.ndarray) -> float:
        u, v = x[i] - x[j], x[k] - x[j]
        return float(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))

    step = 1e-5 * np.random.default_rng(0).normal(size=(3, 3))
    change = angle(s.positions + step) - angle(s.positions - step)
    assert 2 * (bends.gradients[0] * step[[i, j, k]]).sum() == pytest.approx(change, rel=1e-5)


@pytest.mark.parametrize(("name", "n_rigid"), [("CH3CH2OH", 6), ("C2H2", 5), ("C6H6", 6)])
def test_hessian_knows_rigid_motions_and_nothing_else_is_free(name: str, n_rigid: int) -> None:
    s = structure(name)
    eigenvalues = np.linalg.eigvalsh(model_hessian(s))
    assert np.abs(eigenvalues[:n_rigid]).max() < 1e-8
    assert eigenvalues[n_rigid] > 1e-2
    assert len(harmonic_ensemble(s).omega) == 3 * len(s) - n_rigid


def test_crystal_hessian_is_that_of_its_larger_cell() -> None:
    one = bulk("Si", cubic=True)
    small, large = (
        np.linalg.eigvalsh(model_hessian(Structure.from_atoms(a))) for a in (one, one * (2, 1, 1))
    )
    # every wave vector of the small cell is one of the large cell
    assert np.abs(small[:, None] - large[None, :]).min(axis=1).max() < 1e-8
    assert small[3] > 0.1


@pytest.mark.parametrize(
    ("atoms", "highest"), [(bulk("Si", cubic=True), 520), (bulk("Al", cubic=True), 320)], ids=str
)
def test_highest_wavenumber_of_crystals_is_near_the_measured_one(atoms: Atoms, highest: float) -> None:
    omega = harmonic_ensemble(Structure.from_atoms(atoms)).omega
    assert 0.7 < omega.max() / wavenumber_to_omega(highest) < 1.4


def test_equipartition() -> None:
    s = structure("CH3CH2OH")
    ensemble, rng, temperature = harmonic_ensemble(s, softest_mode=1.0), np.random.default_rng(0), 400.0
    H = model_hessian(s)
    energies = [
        0.5 * x @ H @ x for x in (ensemble.displacement(temperature, rng).ravel() for _ in range(2000))
    ]
    per_mode = np.mean(energies) / (0.5 * kB * temperature * len(ensemble.omega))
    assert per_mode == pytest.approx(0.965, abs=0.02)  # cutting draws at 2.5 s.d. takes 3.5 % of the variance


def test_stretches_of_hydrogen_are_where_spectroscopy_has_them() -> None:
    wavenumbers = harmonic_ensemble(structure("CH3CH2OH")).omega / wavenumber_to_omega(1.0)
    assert ((wavenumbers > 2800) & (wavenumbers < 4600)).sum() == 6
    assert wavenumbers.min() >= 100.0 - 1e-9


def test_seeds_at_500_kelvin_have_thermal_energies_for_gfn2() -> None:
    tblite = pytest.importorskip("tblite.ase")
    s = structure("CH3CH2OH")

    def energy(frame: Structure) -> float:
        atoms = frame.to_atoms()
        atoms.calc = tblite.TBLite(method="GFN2-xTB", verbosity=0)
        return float(atoms.get_potential_energy())

    ensemble, rng = harmonic_ensemble(s), np.random.default_rng(0)
    frames = [s.with_positions(s.positions + ensemble.displacement(500.0, rng)) for _ in range(20)]
    equipartition = 0.5 * kB * 500.0 * len(ensemble.omega)
    ratio = (np.mean([energy(f) for f in frames]) - energy(s)) / equipartition
    assert 0.5 < ratio < 2.0


def test_seeds_start_with_the_starts_and_follow_the_generator_alone() -> None:
    starts = [structure("CH3CH2OH"), structure("CH3OCH3")]
    first = seed_structures(starts, 8, [300.0, 500.0], np.random.default_rng(3))
    again = seed_structures(starts, 8, [300.0, 500.0], np.random.default_rng(3))
    other = seed_structures(starts, 8, [300.0, 500.0], np.random.default_rng(4))
    assert [s.content_hash for s in first] == [s.content_hash for s in again]
    assert [s.content_hash for s in first[:2]] == [s.content_hash for s in starts]
    assert {s.content_hash for s in first[2:]}.isdisjoint(s.content_hash for s in other[2:])
    assert len({s.content_hash for s in first}) == 8
    assert min(closest_contact(s) for s in first) >= 0.7
    assert len(seed_structures(starts, 1, [300.0], np.random.default_rng(0))) == 1


def test_hotter_seeds_move_further() -> None:
    s, spread = structure("CH3CH2OH"), []
    for temperature in (100.0, 900.0):
        frames = seed_structures([s], 20, [temperature], np.random.default_rng(0))[1:]
        spread.append(np.mean([np.abs(f.positions - s.positions).mean() for f in frames]))
    assert spread[1] == pytest.approx(3 * spread[0], rel=0.15)


def test_strain_reaches_crystals_only() -> None:
    copper = Structure.from_atoms(bulk("Cu", cubic=True))
    seeds = seed_structures([copper], 9, [300.0, 600.0], np.random.default_rng(0), strain=0.03)
    ratios = np.array([s.volume / copper.volume for s in seeds])
    assert (np.abs(ratios - 1) > 1e-6).sum() == 4
    assert np.abs(ratios - 1).max() < 0.12
    ethanol = seed_structures([structure("CH3CH2OH")], 3, [300.0], np.random.default_rng(0), strain=0.03)
    assert all((s.cell == 0).all() for s in ethanol)


def test_single_atom_has_nothing_to_move() -> None:
    argon = Structure([18], [[0.0, 0.0, 0.0]], np.zeros((3, 3)), [False] * 3)
    assert seed_structures([argon], 1, [300.0], np.random.default_rng(0))[0] is argon


def test_senseless_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="above 0 K"):
        seed_structures([structure("H2O")], 3, [0.0], np.random.default_rng(0))
