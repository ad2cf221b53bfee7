"""How the error of the total energy grows with the number of atoms.

Stillinger-Weber silicon is the oracle: a classical form that can be evaluated exactly at any size, which no quantum
oracle here can at 4,096 atoms. A potential is trained on cells of 8 to 64 atoms, then walks crystals of 64 to 4,096
atoms at the temperatures of its training; frames of these walks are labelled, and the error of the total energy,
E_model - E_oracle, is taken apart:

    mean      over frames, per atom. The same in every atom, so it grows with N. It cancels in energy differences.
    sd        over frames. Errors of atoms that hardly know of each other: grows with the root of N.
    rmse      both together, of the total energy.
    stated    the committee's standard deviation of the total energy, as `Prediction.energy_uncertainty` gives it.
    spread    the part of it that changes from frame to frame: sd over frames, rms over the members.

Exponents b of N^b come from straight lines through log-log points, each weighted by the sampling error of a standard
deviation, 1 / sqrt(2 (n - 1)) for n frames; ± is one standard deviation of the slope.

    python benchmarks/size.py [--frames 24] [--plot docs/images/size.png]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from common import parser, show, write
from explorer import plain_field
from systems import Labelled, label_all, learner, potential_of, rattled, silicon_basis

from thalweg.explorers import Limits, MdSettings, WalkerState, advance
from thalweg.label import Label
from thalweg.machine import available_cores
from thalweg.oracles import Oracle, make_oracle
from thalweg.potential import Potential
from thalweg.structure import Structure

TRAINING_CELLS = ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2))
"""Repeats of the cubic cell: 8, 16, 32 and 64 atoms."""
REPEATS = (2, 3, 4, 5, 6, 8)
"""64, 216, 512, 1,000, 1,728 and 4,096 atoms."""
TIMESTEP, FRICTION = 2.0, 0.02
"""fs, 1/fs: velocities forget in 50 fs, frames are 300 fs apart."""
APART_FS, FORGET_FS = 300.0, 1500.0
N_WALKERS = 4


def crystal(repeat: int | tuple[int, int, int]) -> Structure:
    """Diamond silicon at 0 K."""
    return Structure.from_atoms(bulk("Si", cubic=True).repeat(repeat))


def walk(
    potential: Potential, start: Structure, temperature: float, n_frames: int, seed: int
) -> list[Structure]:
    """Frames of walkers in the canonical ensemble, past their memory of the start, some walkers in turn."""
    n_elements = len(potential.elements)
    field = plain_field(potential)
    limits = Limits(temperature_max=math.inf, min_distance=np.zeros((n_elements, n_elements)))
    settings = MdSettings(timestep_fs=TIMESTEP, friction_per_fs=FRICTION, record_stride=0, history_stride=0)
    walkers = [
        WalkerState.start(start, temperature=temperature, seed=seed, walker_id=k) for k in range(N_WALKERS)
    ]
    frames: list[Structure] = []
    for look in range(-(-n_frames // N_WALKERS)):
        steps = round((APART_FS if look else FORGET_FS) / TIMESTEP)
        results = advance(field, walkers, steps, settings, limits, n_threads=available_cores())
        walkers = [result.state for result in results]
        frames += [walker.structure for walker in walkers]
    return frames[:n_frames]


def train(oracle: Oracle, temperatures: Sequence[float], per_cell: int) -> tuple[Potential, Labelled]:
    """From displaced cells, then twice from thermal frames of small cells walked on what was learned so far."""
    cells = [crystal(repeat) for repeat in TRAINING_CELLS]
    displaced = [frame for k, cell in enumerate(cells) for frame in rattled(cell, 8, size=0.1, seed=k)]
    labelled = label_all(oracle, displaced)
    for round_ in (1, 2):
        potential = potential_of(learner(silicon_basis(), labelled))
        for k, cell in enumerate(cells):
            for temperature in temperatures:
                frames = walk(potential, cell, temperature, per_cell, seed=100 * round_ + k)
                labelled += label_all(oracle, frames)
    return potential_of(learner(silicon_basis(), labelled)), labelled


def member_energies(potential: Potential, structure: Structure) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Total energy of each committee member less the mean model's, eV, shape (M,)."""
    totals = potential.features.phi([structure]).sum(axis=0)
    return np.asarray(potential.member_deltas[:, 0] @ totals)


def row(
    potential: Potential, oracle: Oracle, frames: Sequence[Structure], temperature: float
) -> dict[str, Any]:
    """One size at one temperature; energies in meV, of the total energy unless said otherwise."""
    errors, stated, members = [], [], []
    for frame in frames:
        label = oracle.label(frame)
        if not isinstance(label, Label):
            raise RuntimeError(
                f"{oracle.display_name} failed on a frame of {len(frame)} atoms: {label.message}"
            )
        prediction = potential.predict(frame)
        errors.append(1000.0 * (prediction.energy - label.energy))
        stated.append(1000.0 * prediction.energy_uncertainty)
        members.append(1000.0 * member_energies(potential, frame))
    error, n = np.array(errors), len(frames[0])
    sd = float(error.std(ddof=1))
    return {
        "K": temperature,
        "atoms": n,
        "frames": len(frames),
        "mean/atom": float(error.mean()) / n,
        "± ": sd / n / math.sqrt(len(error)),
        "sd": sd,
        "sd/√N": sd / math.sqrt(n),
        "rmse": float(np.sqrt((error**2).mean())),
        "stated": float(np.mean(stated)),
        "spread": float(np.sqrt(np.var(members, axis=0, ddof=1).mean())),
    }


def exponent(rows: Sequence[dict[str, Any]], column: str) -> tuple[float, float]:
    """b of column ∝ N^b and its standard deviation."""
    x, y = (np.log([float(one[key]) for one in rows]) for key in ("atoms", column))
    weight = np.array([2.0 * (one["frames"] - 1) for one in rows])
    x0, y0 = (np.average(v, weights=weight) for v in (x, y))
    spread = float((weight * (x - x0) ** 2).sum())
    return float((weight * (x - x0) * (y - y0)).sum()) / spread, 1.0 / math.sqrt(spread)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Standard deviation, mean and stated uncertainty against N, with lines of the slopes 1/2 and 1."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    temperatures = sorted({one["K"] for one in rows})
    for temperature, colour in zip(temperatures, ("#1f5fa8", "#b5482a", "#3a7d44"), strict=False):
        mine = [one for one in rows if one["K"] == temperature]
        n = np.array([one["atoms"] for one in mine])
        sd = np.array([one["sd"] for one in mine])
        axes.errorbar(
            n,
            sd,
            sd / np.sqrt(2 * np.array([one["frames"] - 1 for one in mine])),
            fmt="o",
            color=colour,
            label=f"{temperature:g} K: standard deviation over frames",
        )
        axes.plot(
            n,
            [abs(one["mean/atom"]) * one["atoms"] for one in mine],
            "s",
            mfc="none",
            color=colour,
            label=f"{temperature:g} K: |mean|",
        )
        axes.plot(n, np.exp(np.mean(np.log(sd / np.sqrt(n)))) * np.sqrt(n), "-", lw=1, color=colour)
    axes.set(xscale="log", yscale="log", xlabel="atoms N", ylabel="error of the total energy, meV")
    axes.set_title("lines: slope 1/2", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--temperatures", type=float, nargs="+", default=[300.0, 600.0], help="K")
    made.add_argument("--frames", type=int, default=24, help="frames of each size and temperature")
    made.add_argument(
        "--training", type=int, default=8, help="thermal frames of each small cell and temperature"
    )
    made.add_argument("--repeats", type=int, nargs="+", default=list(REPEATS), help="sizes: 8 n³ atoms")
    made.add_argument("--plot", type=Path, help="figure to write")
    options = made.parse_args()
    oracle = make_oracle({"name": "stillinger-weber"})
    potential, labelled = train(oracle, options.temperatures, options.training)
    rows = []
    for temperature in options.temperatures:
        for repeat in options.repeats:
            frames = walk(potential, crystal(repeat), temperature, options.frames, seed=9000 + repeat)
            rows.append(row(potential, oracle, frames, temperature))
            print(f"{temperature:g} K, {rows[-1]['atoms']} atoms: sd {rows[-1]['sd']:.3g} meV", flush=True)
    show("Error of the total energy, meV", rows)
    fits = []
    for temperature in options.temperatures:
        mine = [one for one in rows if one["K"] == temperature]
        for column in ("sd", "spread", "rmse", "stated"):
            b, uncertainty = exponent(mine, column)
            fits.append({"K": temperature, "what": column, "b of N^b": b, "±": uncertainty})
    show("Growth with the number of atoms", fits)
    training = {"n_labels": len(labelled), "atoms": sorted({len(structure) for structure, _ in labelled})}
    document = {"oracle": oracle.fingerprint, "training": training, "rows": rows, "exponents": fits}
    write("size", document, options.output)
    if options.plot is not None:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
