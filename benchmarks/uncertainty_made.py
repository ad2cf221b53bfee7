"""Pairs of `uncertainty.py` whose structures and labels are made by quick oracles, the same in every run.

al             aluminium by EMT: bulk and vacancy -> the same | fcc110 and fcc100 slabs, a cluster of 38 atoms
malonaldehyde  GFN2-xTB dynamics at 300 K -> 300 K | 500 K
sn2            Cl- + CH3Cl by GFN2-xTB at 400 K -> the same | the ion drawn beyond the cutoff
hcn            HCN and HNC by GFN2-xTB at 300 K -> the same | the proton between them

pd             palladium by EMT, bulk -> the same | vacancy, 1200 K, fcc111, a cluster of 38 atoms
cuau           Cu3Au by EMT, disordered -> the same | half gold, three quarters gold
methanol       GFN2-xTB dynamics at 300 K -> 300 K | 800 K

No signal and no member was chosen with the last three (or with `cu`) in view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ase.units
import numpy as np
from ase import Atoms
from ase.build import bulk, fcc100, fcc110, fcc111, molecule
from ase.cluster import Octahedron
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from oracle_md import OracleCalculator
from reference_sets import Labelled
from systems import label_all, malonaldehyde
from uncertainty_pairs import Pair, pair_of, shared_out

from thalweg.oracles import make_oracle
from thalweg.structure import Structure

EMT = {"name": "ase", "calculator": "ase.calculators.emt.EMT"}
GFN2 = {"name": "tblite", "method": "GFN2-xTB"}
CUTOFF = 5.0


def walked(
    start: Atoms,
    oracle: dict[str, str],
    kelvin: float,
    n: int,
    *,
    spacing: int = 20,
    step_fs: float = 1.0,
    seed: int = 0,
) -> Labelled:
    """n structures of a Langevin trajectory on the oracle, `spacing` steps apart, with their labels."""
    rng = np.random.default_rng(seed)
    atoms = start.copy()
    atoms.calc = OracleCalculator(oracle)
    MaxwellBoltzmannDistribution(atoms, temperature_K=2.0 * kelvin, rng=rng)
    friction = 0.02 / ase.units.fs
    moves = Langevin(
        atoms, step_fs * ase.units.fs, temperature_K=kelvin, friction=friction, fixcm=False, rng=rng
    )
    frames = []
    for _ in range(n):
        moves.run(spacing)
        frames.append(Structure.from_atoms(atoms))
    return label_all(make_oracle(oracle), frames)


def aluminium() -> Pair:
    """Aluminium, crystal and vacancy."""
    crystal = bulk("Al", a=3.994, cubic=True).repeat((2, 2, 2))
    vacancy = crystal.copy()
    del vacancy[0]
    slabs = {
        "fcc110": fcc110("Al", (2, 2, 5), a=3.994, vacuum=6.0, periodic=True),
        "fcc100": fcc100("Al", (2, 2, 5), a=3.994, vacuum=6.0, periodic=True),
        "cluster": Octahedron("Al", 4, 1, latticeconstant=3.994),
    }
    learned = [
        pair
        for start in (crystal, vacancy)
        for kelvin in (300.0, 700.0)
        for pair in walked(start, EMT, kelvin, 40, spacing=10, step_fs=4.0)
    ]
    train, same = shared_out(learned, 80, 80)
    others = {key: walked(start, EMT, 400.0, 25, spacing=10, step_fs=4.0) for key, start in slabs.items()}
    return pair_of("al", train, same, others)


def palladium() -> Pair:
    """Palladium, crystal only."""
    crystal = bulk("Pd", a=3.89, cubic=True).repeat((2, 2, 2))
    vacancy = crystal.copy()
    del vacancy[3]
    starts = {
        "vacancy": (vacancy, 500.0),
        "1200 K": (crystal, 1200.0),
        "fcc111": (fcc111("Pd", (2, 2, 5), a=3.89, vacuum=6.0, periodic=True), 400.0),
        "cluster": (Octahedron("Pd", 4, 1, latticeconstant=3.89), 400.0),
    }
    learned = [
        pair
        for kelvin in (300.0, 600.0)
        for pair in walked(crystal, EMT, kelvin, 70, spacing=10, step_fs=4.0)
    ]
    train, same = shared_out(learned, 70, 70)
    others = {
        key: walked(start, EMT, kelvin, 25, spacing=10, step_fs=4.0, seed=5)
        for key, (start, kelvin) in starts.items()
    }
    return pair_of("pd", train, same, others)


def copper_gold() -> Pair:
    """Copper with a quarter of gold, in any order."""
    learned = [
        pair
        for seed in range(4)
        for pair in walked(mixed(0.25, seed), EMT, 500.0, 30, spacing=10, step_fs=4.0)
    ]
    train, same = shared_out(learned, 60, 60)
    others = {
        f"{share:.0%} gold": walked(mixed(share, 9), EMT, 500.0, 25, spacing=10, step_fs=4.0)
        for share in (0.5, 0.75)
    }
    return pair_of("cuau", train, same, others)


def mixed(share: float, seed: int) -> Atoms:
    """32 atoms of copper, a share of which are gold."""
    atoms = bulk("Cu", a=3.8, cubic=True).repeat((2, 2, 2))
    gold = np.random.default_rng(seed).permutation(len(atoms))[: round(share * len(atoms))]
    atoms.numbers[gold] = 79
    return atoms


def methanol() -> Pair:
    """Methanol at 300 K."""
    start = molecule("CH3OH")
    train, same = shared_out(walked(start, GFN2, 300.0, 120, seed=1), 60, 60)
    return pair_of("methanol", train, same, {"800 K": walked(start, GFN2, 800.0, 50, seed=2)})


def malonaldehyde_pair() -> Pair:
    """Malonaldehyde at 300 K."""
    start = malonaldehyde().to_atoms()
    train, same = shared_out(walked(start, GFN2, 300.0, 130, seed=1), 80, 50)
    return pair_of("malonaldehyde", train, same, {"500 K": walked(start, GFN2, 500.0, 50, seed=2)})


def methyl_chloride(distance: float) -> Atoms:
    """CH3Cl with an ion `distance` Å from carbon, on the side away from its chlorine; charge -1."""
    angles = np.deg2rad([90.0, 210.0, 330.0])
    hydrogen = [(1.03 * np.cos(a), 1.03 * np.sin(a), -0.35) for a in angles]
    positions = [(0.0, 0.0, 0.0), *hydrogen, (0.0, 0.0, 1.8), (0.0, 0.0, -distance)]
    return Atoms("CH3Cl2", positions=positions, info={"charge": -1})


def sn2() -> Pair:
    """The complex of chloride and methyl chloride."""
    learned = walked(methyl_chloride(3.1), GFN2, 400.0, 140, seed=3)
    train, same = shared_out([pair for pair in learned if _reach(pair[0]) < CUTOFF], 90, 50)
    # The carbon keeps no chlorine within the cutoff but its own.
    apart = [
        drawn_apart(structure, extra) for (structure, _), extra in zip(same, _ramp(len(same)), strict=False)
    ]
    far = [structure for structure in apart if _reach(structure) > CUTOFF]
    return pair_of(
        "sn2", train, same, {"beyond the cutoff": label_all(make_oracle(GFN2), far)}, cutoff=CUTOFF
    )


def _reach(structure: Structure) -> float:
    """The longer distance of carbon and chlorine, Å."""
    return float(np.linalg.norm(structure.positions[4:] - structure.positions[0], axis=1).max())


def _ramp(n: int) -> Iterator[float]:
    """Extra distances, Å."""
    return iter(np.linspace(2.0, 5.0, n).tolist())


def drawn_apart(structure: Structure, extra: float) -> Structure:
    """The farther chlorine moved away from carbon by `extra` Å."""
    positions = structure.positions.copy()
    away = positions[4:] - positions[0]
    farther = int(np.argmax(np.linalg.norm(away, axis=1)))
    positions[4 + farther] += extra * away[farther] / np.linalg.norm(away[farther])
    return structure.with_positions(positions)


def hydrogen_cyanide() -> Pair:
    """HCN and HNC, and the proton between them."""
    ends = [Atoms("CNH", positions=[(0, 0, 0), (1.16, 0, 0), (x, 0, 0)]) for x in (-1.07, 2.16)]
    learned = [pair for k, end in enumerate(ends) for pair in walked(end, GFN2, 300.0, 70, seed=4 + k)]
    train, same = shared_out(learned, 90, 50)
    between = [between_ends(angle, seed) for seed, angle in enumerate(np.linspace(50.0, 130.0, 40))]
    return pair_of("hcn", train, same, {"between": label_all(make_oracle(GFN2), between)})


def between_ends(angle: float, seed: int) -> Structure:
    """The proton at an angle (degrees, 0 at nitrogen) about the middle of C-N, all slightly displaced."""
    bend = np.deg2rad(angle)
    centre, axes = 0.58, np.array([1.6, 1.15])
    proton = (centre + axes[0] * np.cos(bend), axes[1] * np.sin(bend), 0.0)
    atoms = Atoms("CNH", positions=[(0, 0, 0), (1.18, 0, 0), proton])
    atoms.rattle(0.03, seed=seed)
    return Structure.from_atoms(atoms)


MADE: dict[str, Callable[[], Pair]] = {
    "al": aluminium,
    "malonaldehyde": malonaldehyde_pair,
    "sn2": sn2,
    "hcn": hydrogen_cyanide,
    "pd": palladium,
    "cuau": copper_gold,
    "methanol": methanol,
}
"""Each pair that is made."""
