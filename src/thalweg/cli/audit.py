"""`thalweg audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.errors import InputError

if TYPE_CHECKING:
    from thalweg.config import RunConfig


def audit(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="Structures to check, one oracle call each.")
    ] = 20,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Your configuration, which names the oracle; needed if that is a calculator.",
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Check the run's potential against the oracle on fresh random structures of its trajectories.

    Prints force errors (eV/Å) and the confidence interval of the share of atoms within the target.
    Exit code 3: the audits do not certify the target.

    A calculator (`name: ase`) or an oracle of another package is external code, and no command runs code that only a
    run folder names: give --config with the same settings as in the run.

    Example: thalweg audit runs/malonaldehyde -n 40
    """
    from thalweg.cli.failures import OK, UNCERTIFIED, logging_defects
    from thalweg.cli.output import print_json, run_folder, stdout_kept_for_json
    from thalweg.loop.auditing import audit as check

    given = _trusted(run_folder(folder), config)
    with logging_defects(folder), stdout_kept_for_json(json_):
        outcome = check(folder, count, given)
    document: dict[str, Any] = outcome.to_json()
    if json_:
        print_json(document)
    else:
        _print(document)
    raise typer.Exit(OK if document["certified"] else UNCERTIFIED)


def _trusted(folder: Path, path: Path | None) -> RunConfig | None:
    """The configuration that the user names; raises InputError where without it only the folder would name code."""
    from thalweg.config import load_config
    from thalweg.loop.beginning import last_config
    from thalweg.oracles.trust import runs_named_code
    from thalweg.store import SqliteStore

    if path is not None:
        return load_config(path)
    if not (folder / "thalweg.db").is_file():
        return None  # nothing to audit: `audit` has the words for it
    with SqliteStore.read(folder) as store:
        config = last_config(store)
    section = {} if config is None else config.oracle.model_dump()
    if section and runs_named_code(section):
        raise InputError(
            f"{folder}: its oracle is {_named(section)}, code that only this folder names. To allow it, name it "
            f"yourself: thalweg audit {folder} --config CONFIG.yaml, with the configuration that you ran"
        )
    return None


def _named(section: dict[str, Any]) -> str:
    calculator = section.get("calculator")
    return f"{section['name']} ({calculator})" if calculator else str(section["name"])


def _print(document: dict[str, Any]) -> None:
    from thalweg.units import GPa

    target, summary = document["target"], document["audit"]
    low, high = summary["interval"]
    share = f"{target['confidence']:.0%}"
    typer.echo(f"{summary['n_structures']} structures, {summary['n_atoms']} atoms")
    typer.echo(f"force RMSE                   {summary['force_rmse']:.4f} eV/Å")
    typer.echo(f"{share} of atoms are below      {summary['force_error_quantile']:.4f} eV/Å")
    typer.echo(f"within {target['force_error']:g} eV/Å             {low:.1%} to {high:.1%} of atoms")
    if summary.get("energy_rmse") is not None:
        typer.echo(f"energy RMSE                  {1000 * summary['energy_rmse']:.2f} meV/atom")
    if summary.get("energy_within") is not None:
        typer.echo(
            f"energies within 2 stated sd  {summary['energy_within']:.1%} (RMSE / stated {summary['energy_ratio']:.2f})"
        )
    if summary.get("stress_rmse") is not None:
        typer.echo(f"stress RMSE                  {summary['stress_rmse'] / GPa:.3f} GPa")
    typer.echo(f"within their predicted bound {summary['coverage']:.1%} of atoms")
    if document.get("broken_walks"):
        typer.echo(
            f"{document['broken_walks']} fresh walks met something unphysical: more learning is needed there"
        )
    for row in document.get("walked") or ():
        within = "not audited" if row["within"] is None else f"{row['within']:.1%} of {row['atoms']} atoms"
        apart = f", fell apart {row['dissociated']} times" if row["dissociated"] else ""
        typer.echo(f"  start {row['start']} ({row['formula']}), {row['temperature']:.0f} K: {within}{apart}")
    typer.echo(f"target: {share} within {target['force_error']:g} eV/Å: ", nl=False)
    typer.echo("certified" if document["certified"] else "not certified")
