"""How true the error bars of energy differences are: barriers, a vacancy, surfaces, conformers.

Each case labels frames of the oracle's own molecular dynamics about its start structures, fits the default basis to
them (as a run has it), and compares differences of energies with the oracle at the oracle's geometries. Of each
difference the table says the error, the standard deviation that `Potential.energy_combination` states, and what the
posterior draws alone would have said. "fresh" differences are between pairs of frames of further dynamics.

Run from the repository's root:  python benchmarks/energy_differences.py [aluminium sn2 malonaldehyde butane]
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk, fcc100, fcc111, molecule
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from common import Row, parser, write_as_they_come

from thalweg.features.defaults import default_basis
from thalweg.fitting import fit_labels
from thalweg.label import Label
from thalweg.potential import Potential
from thalweg.structure import Structure

FRAMES, FRESH, STRIDE = 60, 40, 10
Terms = list[tuple[float, Atoms]]


@dataclass(frozen=True, eq=False)
class Case:
    """Start structures with a calculator each, temperatures (K) of the dynamics, and named combinations."""

    name: str
    starts: list[Atoms]
    temperatures: tuple[float, ...]
    quantities: dict[str, Terms]


def relaxed(atoms: Atoms, calculator: Any, fmax: float = 0.005) -> Atoms:
    """At the oracle's stationary point."""
    atoms.calc = calculator
    BFGS(atoms, logfile=None).run(fmax=fmax, steps=300)
    return atoms


def aluminium() -> Case:
    """Bulk, vacancy and fcc100 are learned, fcc111 is not."""
    from ase.calculators.emt import EMT

    crystal = relaxed(bulk("Al", cubic=True, a=4.0).repeat((2, 2, 2)), EMT())
    vacancy = crystal.copy()
    del vacancy[0]
    slabs = {"fcc100": fcc100("Al", (2, 2, 4), a=4.0), "fcc111": fcc111("Al", (2, 2, 4), a=4.0)}
    for slab in slabs.values():
        slab.center(vacuum=6.0, axis=2)
        slab.pbc = True
    made = [relaxed(one, EMT()) for one in (vacancy, *slabs.values())]
    per_atom = 1.0 / len(crystal)
    quantities: dict[str, Terms] = {"vacancy": [(1.0, made[0]), (-len(made[0]) * per_atom, crystal)]}
    for name, slab in zip(slabs, made[1:], strict=True):
        quantities[f"{name} surface"] = [(0.5, slab), (-0.5 * len(slab) * per_atom, crystal)]
    return Case("aluminium", [crystal, made[0], made[1]], (300.0, 700.0), quantities)


def sn2() -> Case:
    """Cl- + CH3Cl: complex and transition state."""
    angles = np.array([0.0, 2.0, 4.0]) * np.pi / 3.0

    def of(bond: float, other: float, height: float) -> Atoms:
        ring = np.sqrt(1.08**2 - height**2)
        hydrogens = np.column_stack([ring * np.cos(angles), ring * np.sin(angles), np.full(3, height)])
        return Atoms("CH3Cl2", np.vstack([[0, 0, 0], hydrogens, [0, 0, -bond], [0, 0, other]]))

    complex_ = relaxed(of(1.80, 3.1, 0.33), _xtb(charge=-1))
    saddle = relaxed(of(2.3, 2.3, 0.0), _xtb(charge=-1))
    barrier: Terms = [(1.0, saddle), (-1.0, complex_)]
    return Case("sn2", [complex_, saddle], (300.0, 500.0), {"barrier": barrier})


def malonaldehyde() -> Case:
    """Proton transfer: the minimum, and the proton half way between the two oxygens, all else relaxed; not learned."""
    from ase.constraints import FixInternals
    from systems import malonaldehyde as of_the_examples

    minimum = relaxed(of_the_examples().to_atoms(), _xtb())
    half_way, (proton, donor, acceptor) = minimum.copy(), _bridge(minimum)
    middle = half_way.positions[[donor, acceptor]].mean(axis=0)
    half_way.positions[proton] = middle
    combination = [[proton, donor, 1.0], [proton, acceptor, -1.0]]
    half_way.set_constraint(FixInternals(bondcombos=[[0.0, combination]]))
    half_way = relaxed(half_way, _xtb())
    half_way.set_constraint()
    barrier: Terms = [(1.0, half_way), (-1.0, minimum)]
    return Case("malonaldehyde", [minimum], (300.0, 500.0), {"barrier": barrier})


def _bridge(atoms: Atoms) -> tuple[int, int, int]:
    """The proton between the oxygens, the one it is bound to, and the other."""
    oxygens = [k for k, symbol in enumerate(atoms.symbols) if symbol == "O"]
    hydrogens = [k for k, symbol in enumerate(atoms.symbols) if symbol == "H"]
    proton = min(hydrogens, key=lambda k: sum(atoms.get_distance(k, o) for o in oxygens))
    donor, acceptor = sorted(oxygens, key=lambda o: float(atoms.get_distance(proton, o)))
    return proton, donor, acceptor


def butane() -> Case:
    """Trans and gauche, a conformer each."""
    trans = relaxed(molecule("trans-butane"), _xtb())
    gauche = molecule("trans-butane")
    carbons = [k for k, symbol in enumerate(gauche.symbols) if symbol == "C"]
    chain = _chain(gauche, carbons)
    gauche.set_dihedral(*chain, 65.0, indices=_beyond(gauche, chain))
    gauche = relaxed(gauche, _xtb())
    return Case("butane", [trans, gauche], (300.0, 500.0), {"gauche - trans": [(1.0, gauche), (-1.0, trans)]})


def _chain(atoms: Atoms, carbons: list[int]) -> list[int]:
    """The four carbons in the order of their bonds."""
    bonded = {k: [j for j in carbons if j != k and atoms.get_distance(k, j) < 1.7] for k in carbons}
    first = next(k for k in carbons if len(bonded[k]) == 1)
    chain = [first]
    while len(chain) < len(carbons):
        chain.append(next(j for j in bonded[chain[-1]] if j not in chain))
    return chain


def _beyond(atoms: Atoms, chain: list[int]) -> list[int]:
    """The last carbon, and the hydrogens of the last two."""
    hydrogens = [k for k, symbol in enumerate(atoms.symbols) if symbol == "H"]
    ends = [chain[2], chain[3]]
    return [chain[3], *(k for k in hydrogens if min(atoms.get_distance(k, end) for end in ends) < 1.2)]


def _xtb(charge: int = 0) -> Any:
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", charge=charge, verbosity=0)


def frames(start: Atoms, temperature: float, n: int, seed: int) -> Iterator[tuple[Structure, Label]]:
    """n labelled frames of Langevin dynamics by the start's own calculator."""
    atoms, rng = start.copy(), np.random.default_rng(seed)
    atoms.calc = start.calc
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    walk = Langevin(atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng)
    for _ in range(n):
        walk.run(STRIDE)
        stress = atoms.get_stress() if atoms.pbc.all() else None
        yield Structure.from_atoms(atoms), Label(atoms.get_potential_energy(), atoms.get_forces(), stress)


def labels(case: Case, n: int, seed: int) -> list[tuple[Structure, Label]]:
    """Frames from every start at every temperature, n in all."""
    walks = list(itertools.product(case.starts, case.temperatures))
    each = -(-n // len(walks))
    return [
        one
        for k, (start, temperature) in enumerate(walks)
        for one in frames(start, temperature, each, seed + k)
    ]


def learned(case: Case) -> Potential:
    """The default basis fitted to the starts and to frames about them."""
    known = [
        (Structure.from_atoms(start), Label(start.get_potential_energy(), start.get_forces(), _stress(start)))
        for start in case.starts
    ]
    symbols = {symbol for start in case.starts for symbol in start.symbols}
    basis = default_basis(symbols, any(start.pbc.any() for start in case.starts))
    return fit_labels(known + labels(case, FRAMES, seed=1), basis).potential


def _stress(atoms: Atoms) -> np.ndarray | None:
    return np.asarray(atoms.get_stress()) if atoms.pbc.all() else None


def row(case: str, name: str, true: float, potential: Potential, terms: list[tuple[float, Structure]]) -> Row:
    """One difference, meV."""
    estimate = potential.energy_combination(terms)
    bare = potential.stating(potential.all_draws).energy_combination(terms)
    error = 1000.0 * float(estimate.value - true)
    return {
        "case": case,
        "difference": name,
        "oracle_meV": 1000.0 * float(true),
        "error_meV": error,
        "stated_meV": 1000.0 * estimate.uncertainty,
        "draws_meV": 1000.0 * bare.uncertainty,
        "error_over_stated": abs(error) / (1000.0 * estimate.uncertainty),
    }


def fresh_row(case: Case, potential: Potential) -> Row:
    """Differences between neighbouring frames of further dynamics, pooled."""
    walk = labels(case, FRESH, seed=101)
    pairs = [(a, b) for a, b in itertools.pairwise(walk) if len(a[0]) == len(b[0])]
    rows = [
        row(case.name, "", x.energy - y.energy, potential, [(1.0, a), (-1.0, b)]) for (a, x), (b, y) in pairs
    ]
    error, stated, draws = (
        np.array([one[key] for one in rows]) for key in ("error_meV", "stated_meV", "draws_meV")
    )
    rms = [float(np.sqrt(np.mean(values**2))) for values in (error, stated, draws)]
    within = [float(np.mean(np.abs(error) <= 2.0 * values)) for values in (stated, draws)]
    return {
        "case": case.name,
        "difference": f"{len(rows)} fresh pairs: {within[0]:.0%} within 2 sd (draws alone: {within[1]:.0%})",
        "oracle_meV": None,
        "error_meV": rms[0],
        "stated_meV": rms[1],
        "draws_meV": rms[2],
        "error_over_stated": rms[0] / rms[1],
    }


def rows_of(case: Case) -> Iterator[Row]:
    """All differences of a case."""
    potential = learned(case)
    for name, terms in case.quantities.items():
        true = sum(c * atoms.get_potential_energy() for c, atoms in terms)
        yield row(case.name, name, true, potential, [(c, Structure.from_atoms(atoms)) for c, atoms in terms])
    yield fresh_row(case, potential)


CASES: dict[str, Callable[[], Case]] = {
    "aluminium": aluminium,
    "sn2": sn2,
    "malonaldehyde": malonaldehyde,
    "butane": butane,
}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("cases", nargs="*", default=list(CASES), help=f"among {', '.join(CASES)}")
    arguments = made.parse_args()
    rows = itertools.chain.from_iterable(rows_of(CASES[name]()) for name in arguments.cases)
    about = {"frames": FRAMES, "fresh": FRESH}
    write_as_they_come("energy_differences", "differences of energies", rows, about, arguments.output)


if __name__ == "__main__":
    main()
