"""`thalweg md`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.choices import choice, word
from thalweg.vocabulary import Committee, Coupling, Ensemble, Precision, TrajectoryFormat

if TYPE_CHECKING:
    from thalweg.potential import Potential
    from thalweg.production import Plan, Start

    EnsembleName = Ensemble
    CouplingName = Coupling
    CommitteeName = Committee
    FrameFormat = TrajectoryFormat
    PrecisionName = Precision
else:  # typer wants an Enum
    EnsembleName = choice("EnsembleName", Ensemble)
    CouplingName = choice("CouplingName", Coupling)
    CommitteeName = choice("CommitteeName", Committee)
    FrameFormat = choice("FrameFormat", TrajectoryFormat)
    PrecisionName = choice("PrecisionName", Precision)

MOST_THREADS = 1024


def md(
    model: Annotated[Path, typer.Argument(help="A run folder or a saved potential.")],
    structure: Annotated[
        Path,
        typer.Argument(help="Any file that ASE reads; its last structure and velocities are used."),
    ],
    ensemble: Annotated[
        EnsembleName, typer.Option("--ensemble", "-e", help="What is held constant.")
    ] = "nvt",
    temperature: Annotated[float, typer.Option("--temperature", "-T", min=0, help="K.")] = 300.0,
    pressure: Annotated[
        str, typer.Option("--pressure", "-p", help="For npt; a bare number is in GPa.")
    ] = "0",
    timestep: Annotated[
        str | None, typer.Option("--timestep", help="fs. [default: 0.5, 1 or 2, by the lightest atom]")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", "-n", min=1, help="Steps from the start.")] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", "-t", help="Instead of --steps: 10ps, 1 ns; a bare number is in ps."),
    ] = None,
    equilibrate: Annotated[
        str,
        typer.Option(
            "--equilibrate",
            help="Time at the beginning that averages leave out: 5ps; a bare number is in ps.",
        ),
    ] = "0",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder. [default: md/<name of STRUCTURE>]")
    ] = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Steps between frames.")] = 1000,
    log_every: Annotated[
        int, typer.Option("--log-every", min=1, help="Steps between rows of the log.")
    ] = 100,
    format_: Annotated[
        FrameFormat, typer.Option("--format", "-f", help="extxyz, or ASE's binary traj.")
    ] = "extxyz",
    velocities: Annotated[bool, typer.Option("--velocities", help="Write velocities in frames.")] = False,
    repeat: Annotated[
        tuple[int, int, int], typer.Option("--repeat", metavar="A B C", help="Supercell of the structure.")
    ] = (1, 1, 1),
    halt: Annotated[
        str, typer.Option("--halt", help="Halt before an atom's error bound passes this, eV/Å; or off.")
    ] = "0.5",
    uncertainty_every: Annotated[
        int,
        typer.Option("--uncertainty-every", min=0, help="Steps between evaluations of the bound; 0: never."),
    ] = 10,
    committee: Annotated[
        CommitteeName,
        typer.Option(
            "--committee", help="screened: an estimate at a twelfth of the cost, confirmed near --halt."
        ),
    ] = "whole",
    friction: Annotated[str, typer.Option("--friction", help="Friction of the thermostat, 1/fs.")] = "0.01",
    coupling: Annotated[
        CouplingName,
        typer.Option("--coupling", help="npt: volume, lengths along x, y and z, or all strains."),
    ] = "isotropic",
    barostat_time: Annotated[
        str, typer.Option("--barostat-time", help="Time in fs in which the volume follows the pressure.")
    ] = "1000",
    bulk_modulus: Annotated[
        float,
        typer.Option(
            "--bulk-modulus", help="GPa, a rough value: sets the barostat's speed, not the averages."
        ),
    ] = 100.0,
    precision: Annotated[
        PrecisionName,
        typer.Option("--precision", help="Precision of the forces; mixed takes about half the time."),
    ] = "double",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trajectory.")] = 1,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="[default: all cores]")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing until the end.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print summary.json at the end; messages go to stderr.")
    ] = False,
) -> None:
    """Molecular dynamics on a finished potential, up to 100,000 atoms, that halts where it should not be trusted.

    Writes trajectory, log.csv, last.extxyz and summary.json into the output folder. Interrupt or kill it when
    you like: the same command continues, bit for bit as if nothing had happened; more --steps go further. If
    an atom's error bound passes --halt, or something unphysical happens, it stops before that moment and writes
    the offending structure to halted.extxyz. Exit code 3: halted.

    Example: thalweg md runs/silicon silicon.xyz --repeat 4 4 4 --ensemble npt --temperature 600 --time 100ps
    """
    from thalweg.cli.failures import sigterm_interrupts
    from thalweg.cli.output import check_output_folder, model_folder
    from thalweg.machine import available_cores
    from thalweg.potential import Potential
    from thalweg.production import Plan, prepare_start
    from thalweg.store import read_moving

    folder = output or Path("md") / structure.name.split(".")[0]
    check_output_folder(folder)
    potential = Potential.load(model_folder(model))
    start = prepare_start(*read_moving(structure), repeat)
    step_fs = _timestep(timestep, start)
    plan = Plan(
        n_steps=_n_steps(steps, time, step_fs),
        timestep_fs=step_fs,
        ensemble=word(ensemble),
        temperature=temperature,
        pressure_gpa=_number("--pressure", pressure, "GPa"),
        coupling=word(coupling),
        barostat_fs=_number("--barostat-time", barostat_time, "fs"),
        bulk_modulus_gpa=bulk_modulus,
        friction_per_fs=_number("--friction", friction, "1/fs"),
        equilibrate=_steps_within("--equilibrate", equilibrate, step_fs),
        every=every,
        log_every=log_every,
        uncertainty_every=uncertainty_every,
        committee=word(committee),
        halt=None if halt.strip().lower() == "off" else _number("--halt", halt, "eV/Å"),
        velocities=velocities,
        format=word(format_),
        precision=word(precision),
        seed=seed,
    )
    warnings = [*_check_physics(start, plan), *_check_charge(start, potential)]
    potential.check_elements(start.structure, str(structure))
    with sigterm_interrupts():
        n_threads = min(threads or available_cores(), MOST_THREADS)
        _run(potential, start, plan, folder, n_threads, quiet=quiet, json_=json_, warnings=warnings)


def _check_charge(start: Start, potential: Potential) -> list[str]:
    """A warning where the file says a charge that the potential has not learned: it sees none."""
    charge, learned = start.structure.charge, potential.provenance.get("charges")
    if charge is None or not isinstance(learned, list) or charge in learned:
        return []
    words = ", ".join(str(one) for one in learned)
    return [
        f"the structure has charge {charge}, and the potential learned from charge {words}, which is what it gives"
    ]


def _check_physics(start: Start, plan: Plan) -> list[str]:
    """What is worth a warning; raises InputError for steps too long and for constant pressure on vacuum."""
    from thalweg.border import check_filled, check_temperature, check_timestep

    if plan.ensemble == "npt" and start.structure.pbc.all():
        check_filled(start.structure, "--ensemble npt")
    found = (
        check_timestep([start.structure], plan.timestep_fs, "--timestep"),
        check_temperature([plan.temperature], "--temperature"),
    )
    return [warning for warning in found if warning is not None]


def _run(
    potential: Potential,
    start: Start,
    plan: Plan,
    folder: Path,
    threads: int,
    *,
    quiet: bool,
    json_: bool,
    warnings: list[str],
) -> None:
    from thalweg.cli.failures import INTERRUPTED, OK, UNCERTIFIED, logging_defects
    from thalweg.cli.mdconsole import MdConsole, closing_lines, opening_line
    from thalweg.cli.output import print_json
    from thalweg.production import produce, summarise, write_summary

    with MdConsole(quiet=quiet, to_stderr=json_) as console, console.listening():
        console.say(opening_line(start, plan, folder, threads))
        for warning in warnings:
            console.insist(f"warning: {warning}")
        with logging_defects(folder):
            outcome = produce(
                potential, start, plan, folder, observer=console, n_threads=threads, stop=console.stopped
            )
        summary = summarise(outcome, plan, folder, threads)
        write_summary(summary, folder)
        for line in closing_lines(summary):
            console.insist(line)
    if json_:
        print_json(summary)
    raise typer.Exit({"halted": UNCERTIFIED, "interrupted": INTERRUPTED}.get(outcome.state, OK))


def _timestep(given: str | None, start: Start) -> float:
    from thalweg.config import automatic_timestep

    return automatic_timestep([start.structure]) if given is None else _number("--timestep", given, "fs")


def _n_steps(steps: int | None, time: str | None, timestep_fs: float) -> int:
    from thalweg.errors import InputError

    if (steps is None) == (time is None):
        raise InputError("how long? give either --steps or --time, for example --time 10ps")
    if steps is not None:
        return steps
    n_steps = _steps_within("--time", str(time), timestep_fs)
    if n_steps < 1:
        raise InputError(f"--time: {time} is less than one step of {timestep_fs:g} fs")
    return n_steps


def _steps_within(option: str, time: str, timestep_fs: float) -> int:
    from thalweg.errors import InputError

    if timestep_fs <= 0:
        raise InputError(f"--timestep: expected a time above 0 fs, got {timestep_fs:g}")
    picoseconds = _number(option, time, "ps")
    if not 0 <= picoseconds < 1e9:
        raise InputError(f"{option}: expected a time of 0 to 1e9 ps, got {time}")
    return round(1000.0 * picoseconds / timestep_fs)


def _number(option: str, text: str | None, unit: str) -> float:
    from thalweg.errors import InputError
    from thalweg.settings.quantities import parse_quantity

    try:
        return parse_quantity(text, unit)
    except InputError as error:
        raise InputError(f"{option}: {error}") from None
