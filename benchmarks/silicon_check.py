"""Independent check of a learned silicon run (examples/silicon.yaml).

(a) Equation of state of the learned potential, with its committee's uncertainty, beside the oracle's own
    (nine cells of the diamond lattice each).
(b) Errors of energy, forces and stress on random frames: fresh walks on the potential at several temperatures
    and strains, with seeds that the run did not use, labelled by the oracle.

The oracle (GFN1-xTB on 8 atoms) takes 0.3 to 0.7 s a call.

    python benchmarks/silicon_check.py runs/silicon [--frames 24]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from against_oracle import accuracy
from common import parser, show, write
from learned_run import LearnedRun
from systems import label_all

from thalweg.explorers import CoreField, Limits, MdSettings, WalkerState, advance
from thalweg.label import Label
from thalweg.oracles import Oracle, make_oracle
from thalweg.potential import Potential
from thalweg.properties import EquationOfState, equation_of_state, potential_equation_of_state
from thalweg.structure import Structure
from thalweg.units import GPa


def oracle_energy(oracle: Oracle, structure: Structure) -> float:
    """Energy in eV; a failed call ends the check."""
    outcome = oracle.label(structure)
    if not isinstance(outcome, Label):
        raise RuntimeError(
            f"{oracle.display_name} failed on a cell of {structure.volume:.1f} Å³: {outcome.message}"
        )
    return outcome.energy


def eos_row(name: str, eos: EquationOfState) -> dict[str, Any]:
    """One line of the table, per atom."""
    n, spread = eos.n_atoms, eos.bulk_modulus_uncertainty_GPa
    return {
        "by": name,
        "volume Å³/atom": eos.volume / n,
        "± ": None if eos.volume_uncertainty is None else eos.volume_uncertainty / n,
        "energy eV/atom": eos.energy / n,
        "bulk modulus GPa": eos.bulk_modulus_GPa,
        "±": spread,
        "dB/dP": eos.bulk_modulus_derivative,
        "residual meV/atom": 1000 * eos.residual / n,
    }


def curve_rows(learned: EquationOfState, true: EquationOfState) -> list[dict[str, Any]]:
    """Both curves, each at its own volumes; energies in meV per atom above the minimum."""
    rows = []
    for mine, theirs in zip(_above_minimum(learned), _above_minimum(true), strict=True):
        rows.append(
            {
                "learned Å³/atom": mine[0],
                "learned meV/atom": mine[1],
                "oracle Å³/atom": theirs[0],
                "oracle meV/atom": theirs[1],
            }
        )
    return rows


def _above_minimum(eos: EquationOfState) -> list[tuple[float, float]]:
    return [
        (float(v) / eos.n_atoms, 1000 * (float(e) - eos.energy) / eos.n_atoms)
        for v, e in zip(eos.volumes, eos.energies, strict=True)
    ]


def random_frames(
    run: LearnedRun, potential: Potential, start: Structure, n_frames: int, seed: int
) -> list[Structure]:
    """The ends of as many fresh walks of 2 ps, over the run's temperatures and strains."""
    config, rng = run.setup.config.explore, np.random.default_rng(seed)
    kelvin = run.setup.temperatures
    states = []
    for k in range(n_frames):
        factor = 1.0 + rng.uniform(-1, 1) * config.strain
        cell = Structure(start.numbers, start.positions * factor, start.cell * factor, start.pbc)
        states.append(WalkerState.start(cell, temperature=kelvin[k % len(kelvin)], seed=seed, walker_id=k))
    settings = MdSettings(timestep_fs=run.setup.explorer.step_fs, record_stride=0, history_stride=0)
    n_elements = len(potential.elements)
    limits = Limits(temperature_max=math.inf, min_distance=np.zeros((n_elements, n_elements)))
    field = CoreField(potential.elements, potential.force_field)
    n_steps = round(2000.0 / settings.timestep_fs)
    return [
        result.state.structure for result in advance(field, states, n_steps, settings, limits, n_threads=2)
    ]


def stress_errors(potential: Potential, labelled: Sequence[tuple[Structure, Label]]) -> dict[str, float]:
    """RMSE over the six components and largest error, GPa."""
    differences = []
    for structure, label in labelled:
        stress = potential.predict(structure).stress
        if stress is not None and label.stress is not None:
            differences.append((stress - label.stress) / GPa)
    errors = np.array(differences)
    return {
        "stress_rmse_GPa": float(np.sqrt(np.mean(errors**2))),
        "stress_max_GPa": float(np.abs(errors).max()),
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("run", type=Path, help="run folder")
    made.add_argument("--frames", type=int, default=24, help="random frames to label")
    made.add_argument("--strain", type=float, default=0.04, help="largest linear strain of the cells")
    made.add_argument("--points", type=int, default=9)
    made.add_argument("--seed", type=int, default=880_001, help="never that of the run")
    options = made.parse_args()
    run = LearnedRun.read(options.run)
    if options.seed == run.setup.config.seed:
        made.error(f"--seed {options.seed} is the seed of the run: choose another")
    start, potential = run.setup.structures[0], run.potential
    oracle = make_oracle(run.setup.config.oracle.model_dump())
    size = {"max_strain": options.strain, "n_points": options.points}
    learned = potential_equation_of_state(start, potential, **size)
    true = equation_of_state(start, lambda cell: oracle_energy(oracle, cell), **size)
    curve = curve_rows(learned, true)
    table = [eos_row("learned", learned), eos_row(oracle.display_name, true)]
    frames = random_frames(run, potential, start, options.frames, options.seed)
    labelled = label_all(oracle, frames)
    target = run.setup.config.target.force_error
    errors = accuracy(potential, labelled, force_error=target).row("fresh walks")
    errors |= stress_errors(potential, labelled)
    show("Energy against volume", curve)
    show("Birch-Murnaghan", table)
    show("Errors on fresh frames; eV/Å, eV/atom, GPa", [errors])
    summary = {key: run.summary[key] for key in ("oracle_calls", "audit_calls", "n_labels", "stop", "timing")}
    document = {"run": summary, "learned": learned.to_json(), "oracle": true.to_json(), "errors": errors}
    write("silicon_check", document, options.output)


if __name__ == "__main__":
    main()
