"""The labels of a run in formats that people have tools for: extended XYZ and ASE's database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.db
import ase.io
from ase.calculators.singlepoint import SinglePointCalculator

from thalweg.files import moved_into_place
from thalweg.store import LabelRecord, Store


def labelled_atoms(record: LabelRecord) -> Any:
    """The label as `ase.Atoms` with its results, and where it comes from in `info`.

    Keys of `info`: `kind` (seed, query, audit, ...), `iteration`, `sequence` (place in the order of learning;
    -1 if not learned), `oracle` (its fingerprint), `wall_time` (s), `energy_noise`, `forces_noise`,
    `stress_noise`.
    """
    atoms = record.structure.to_atoms()
    label = record.label
    results: dict[str, Any] = {"energy": label.energy, "forces": label.forces}
    if label.stress is not None:
        results["stress"] = label.stress
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info.update(provenance(record))
    return atoms


def provenance(record: LabelRecord) -> dict[str, str | int | float]:
    """Where a label comes from, as plain values."""
    noise = record.label.noise
    return {
        "kind": record.kind,
        "iteration": record.iteration,
        "sequence": -1 if record.sequence is None else record.sequence,
        "oracle": record.label.oracle,
        "wall_time": record.label.wall_time,
        "energy_noise": noise.energy,
        "forces_noise": noise.forces,
        "stress_noise": noise.stress,
    }


def _electrons(record: LabelRecord) -> dict[str, int]:
    """Charge and multiplicity where they are said; `charge` is a name of the database's own."""
    own = {"total_charge": record.structure.charge, "multiplicity": record.structure.multiplicity}
    return {name: value for name, value in own.items() if value is not None}


def export_extxyz(store: Store, path: str | Path) -> int:
    """Write every label to an extended XYZ file, learned ones first and in order; returns how many.

    The format keeps eight decimals; ASE's database keeps every bit. Raises SetupError when the file cannot be
    written; an existing file is then as it was.
    """
    path = Path(path)
    frames = [labelled_atoms(record) for record in store.all_labels()]
    with moved_into_place(path) as draft, draft.open("w") as file:
        ase.io.write(file, frames, format="extxyz")
    return len(frames)


def export_ase_db(store: Store, path: str | Path) -> int:
    """Write every label to an ASE database (`ase db PATH`); returns how many.

    `kind`, `iteration`, `sequence` and the rest of the provenance are key-value pairs, to select by; the
    oracle's fingerprint is under `data`. Raises SetupError when the file cannot be written.
    """
    path = Path(path)
    records = store.all_labels()
    with moved_into_place(path) as draft, ase.db.connect(str(draft), type="db", append=False) as database:
        for record in records:
            pairs = {**provenance(record), **_electrons(record)}
            data = {"oracle": pairs.pop("oracle"), "structure_hash": record.structure.content_hash}
            atoms = labelled_atoms(record)
            atoms.info.clear()
            database.write(atoms, key_value_pairs=pairs, data=data)
    return len(records)
