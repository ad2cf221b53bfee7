"""Learn in small cells, run thousands of atoms in LAMMPS, and let the large run say what must still be learned.

    THALWEG_LMP=/path/to/lmp THALWEG_LAMMPS_PLUGIN=/path/to/thalwegplugin.so python learn_from_large.py [FOLDER]

Every round
    thalweg run      learns (at first from cells of eight atoms, later what was handed in)
    thalweg export   writes the potential for the plug-in
    lmp              runs 4,092 atoms on 2 ranks and halts where an error bound crosses the limit
    thalweg carve    cuts what is uncertain out of that moment, as cells that the oracle can afford
    thalweg queue    hands them to the run
until the large run goes all the way. The oracle here is a closed form, so that its forces on the large structure can be
had as well: the true error stands beside the bound.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np

import thalweg

HERE = Path(__file__).parent
LIMIT, STEPS, RANKS, ROUNDS = 0.5, 1000, 2, 12  # eV/Å, fs


def run(*command: object, folder: Path) -> str:
    """What a command prints; ends the script where it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def large_run(folder: Path) -> bool:
    """Runs the large structure; whether it halted."""
    (folder / "halted.dump").unlink(missing_ok=True)
    lmp = os.environ.get("THALWEG_LMP") or shutil.which("lmp") or sys.exit("no LAMMPS: set THALWEG_LMP")
    beside = Path(lmp).with_name("mpiexec")
    mpiexec = beside if beside.is_file() else "mpiexec"
    variables = ("-var", "potential", "si.thalweg", "-var", "limit", LIMIT, "-var", "steps", STEPS)
    run(mpiexec, "-n", RANKS, lmp, "-in", HERE / "large.in", *variables, folder=folder)
    return (folder / "halted.dump").is_file()


def true_error(folder: Path) -> str:
    """Bound and true error of the forces on the structure that the large run left."""
    structure = thalweg.Structure.from_atoms(ase.io.read(folder / "halted.dump"))
    prediction = thalweg.Potential.load(folder / "run" / "model").predict(structure)
    label = thalweg.make_oracle({"name": "stillinger-weber"}).label(structure)
    error = np.linalg.norm(prediction.forces - label.forces, axis=1)
    worst = prediction.forces_bound.argmax()
    held = (error <= prediction.forces_bound).mean()
    return (
        f"largest bound {prediction.forces_bound[worst]:.2f} eV/Å, true error there {error[worst]:.2f}, "
        f"largest true error {error.max():.2f}; bounds held for {held:.1%} of {len(structure)} atoms"
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "large").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if "THALWEG_LAMMPS_PLUGIN" in os.environ:
        os.environ["LAMMPS_PLUGIN_PATH"] = str(Path(os.environ["THALWEG_LAMMPS_PLUGIN"]).resolve().parent)
    program = (sys.executable, "-m", "thalweg.cli")
    for round_ in range(1, ROUNDS + 1):
        said = run(*program, "run", HERE / "silicon.yaml", "--run", "run", folder=folder)
        print(
            f"round {round_}: "
            + next(line.strip("│ ") for line in said.splitlines() if "oracle     " in line)
        )
        run(*program, "export", "run", "--format", "plugin", "-o", "si.thalweg", "--force", folder=folder)
        if not large_run(folder):
            print(f"  {STEPS} steps of the large structure without a bound above {LIMIT} eV/Å")
            return
        step = (folder / "halted.dump").read_text().split("\n", 2)[1]
        print(f"  halted at step {step}: {true_error(folder)}")
        limits = ("--max-atoms", 64, "--cells", 2)
        said = run(
            *program,
            "carve",
            "halted.dump",
            "-m",
            "run/model",
            *limits,
            "-o",
            "cell.extxyz",
            "--force",
            folder=folder,
        )
        print("  " + said.strip().replace("\n", "\n  "))
        run(*program, "queue", "run", "cell.extxyz", folder=folder)
    sys.exit(f"the bound was still crossed after {ROUNDS} rounds; more calls or a larger limit are needed")


if __name__ == "__main__":
    main()
