"""Numbered steps from one schema version to the next; the file's version is SQLite's `user_version`.

Step k leads from version k to version k + 1 and runs in one transaction with the change of the number, so a
file is always of exactly one version. Never edit a step that was released: append one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence

from thalweg.errors import StoreError
from thalweg.store.tables import META, SEALED, Table

APPLICATION_ID = 0x7468616C
"""'thal': tells a Thalweg store from any other SQLite file."""

_VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE structures (
    hash TEXT PRIMARY KEY,
    numbers BLOB NOT NULL,             -- <i8 (n_atoms,)
    positions BLOB NOT NULL,           -- <f8 (n_atoms, 3) Å
    cell BLOB NOT NULL,                -- <f8 (3, 3) Å
    pbc BLOB NOT NULL                  -- <u1 (3,)
);
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    structure_hash TEXT NOT NULL REFERENCES structures(hash),
    kind TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    reason TEXT NOT NULL,              -- JSON
    prediction BLOB,                   -- npz, made before learning the answer
    state TEXT NOT NULL,
    created_at REAL NOT NULL,          -- s since 1970
    UNIQUE (structure_hash, kind, iteration)
);
CREATE INDEX questions_state ON questions(state);
CREATE TABLE attempts (
    question_id INTEGER NOT NULL REFERENCES questions(id),
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,             -- thalweg.label.FailureKind
    message TEXT NOT NULL,
    log TEXT NOT NULL,
    oracle TEXT NOT NULL,
    wall_time REAL NOT NULL,           -- s
    recorded_at REAL NOT NULL,
    PRIMARY KEY (question_id, attempt)
);
CREATE TABLE labels (
    structure_hash TEXT NOT NULL REFERENCES structures(hash),
    oracle TEXT NOT NULL,              -- fingerprint
    energy REAL NOT NULL,              -- eV
    forces BLOB NOT NULL,              -- <f8 (n_atoms, 3) eV/Å
    stress BLOB,                       -- <f8 (6,) eV/Å³, Voigt xx yy zz yz xz xy
    noise BLOB NOT NULL,               -- <f8 (3,) energy, forces, stress
    wall_time REAL NOT NULL,           -- s
    kind TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    question_id INTEGER REFERENCES questions(id),
    sequence INTEGER UNIQUE,           -- place in the order of learning; NULL: known, not learned
    committed_at REAL NOT NULL,
    PRIMARY KEY (structure_hash, oracle)
);
CREATE TABLE checkpoints (
    iteration INTEGER PRIMARY KEY,
    state TEXT NOT NULL,               -- JSON
    arrays BLOB NOT NULL,              -- npz
    last_question INTEGER NOT NULL,    -- what the store held when it was saved: see rewind
    last_sequence INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    last_metrics INTEGER NOT NULL,
    saved_at REAL NOT NULL
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    iteration INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL,                -- JSON
    time REAL NOT NULL
);
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY,
    iteration INTEGER NOT NULL,
    data TEXT NOT NULL,                -- JSON
    time REAL NOT NULL
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    config TEXT NOT NULL,              -- JSON
    changes TEXT NOT NULL,             -- JSON
    started_at REAL NOT NULL
);
"""

_VERSION_2 = """
ALTER TABLE meta ADD COLUMN checksum BLOB;
ALTER TABLE questions ADD COLUMN checksum BLOB;
ALTER TABLE events ADD COLUMN checksum BLOB;
ALTER TABLE metrics ADD COLUMN checksum BLOB;
ALTER TABLE runs ADD COLUMN structures TEXT;
ALTER TABLE runs ADD COLUMN checksum BLOB;
ALTER TABLE checkpoints ADD COLUMN last_withdrawal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN checksum BLOB;
CREATE TABLE attempts_2 (
    question_id INTEGER NOT NULL REFERENCES questions(id),
    attempt INTEGER NOT NULL,
    oracle TEXT NOT NULL,              -- fingerprint
    outcome TEXT NOT NULL,             -- thalweg.label.FailureKind
    message TEXT NOT NULL,
    log TEXT NOT NULL,
    wall_time REAL NOT NULL,           -- s
    recorded_at REAL NOT NULL,
    checksum BLOB,                     -- thalweg.store.tables
    PRIMARY KEY (question_id, attempt, oracle)
);
INSERT INTO attempts_2
    SELECT question_id, attempt, oracle, outcome, message, log, wall_time, recorded_at, NULL FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_2 RENAME TO attempts;
CREATE TABLE labels_2 (
    id INTEGER PRIMARY KEY,            -- the number that people name it by, never given again
    structure_hash TEXT NOT NULL REFERENCES structures(hash),
    oracle TEXT NOT NULL,              -- fingerprint
    energy REAL NOT NULL,              -- eV
    forces BLOB NOT NULL,              -- <f8 (n_atoms, 3) eV/Å
    stress BLOB,                       -- <f8 (6,) eV/Å³, Voigt xx yy zz yz xz xy
    noise BLOB NOT NULL,               -- <f8 (3,) energy, forces, stress
    wall_time REAL NOT NULL,           -- s
    kind TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    question_id INTEGER REFERENCES questions(id),
    sequence INTEGER UNIQUE,           -- place in the order of learning; NULL: known, not learned
    committed_at REAL NOT NULL,
    checksum BLOB,
    UNIQUE (structure_hash, oracle)
);
INSERT INTO labels_2 (structure_hash, oracle, energy, forces, stress, noise, wall_time, kind, iteration,
    question_id, sequence, committed_at)
    SELECT structure_hash, oracle, energy, forces, stress, noise, wall_time, kind, iteration,
    question_id, sequence, committed_at FROM labels ORDER BY sequence IS NULL, sequence, committed_at, rowid;
DROP TABLE labels;
ALTER TABLE labels_2 RENAME TO labels;
CREATE TABLE withdrawals (
    id INTEGER PRIMARY KEY,
    label_id INTEGER UNIQUE,           -- its number among the labels; NULL: a question without a label
    structure_hash TEXT NOT NULL,
    oracle TEXT,                       -- from here the label's columns, as they were
    energy REAL,
    forces BLOB,
    stress BLOB,
    noise BLOB,
    wall_time REAL,
    kind TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    question_id INTEGER,
    sequence INTEGER,
    committed_at REAL,
    learned INTEGER NOT NULL,          -- 1: the last checkpoint had learned it
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    ask_again INTEGER NOT NULL,        -- 1: the structure may be asked about again
    withdrawn_at REAL NOT NULL,
    checksum BLOB
);
CREATE INDEX withdrawals_structure ON withdrawals(structure_hash);
"""

_VERSION_3 = """
ALTER TABLE structures ADD COLUMN particulars TEXT;  -- JSON: charge, multiplicity, magmoms, masses, fixed
"""

Step = Callable[[sqlite3.Connection], None]


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Run `;`-separated statements inside the open transaction (`executescript` would commit it)."""
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _create(connection: sqlite3.Connection) -> None:
    run_script(connection, _VERSION_1)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _add_checksums(connection: sqlite3.Connection) -> None:
    run_script(connection, _VERSION_2)
    for table in SEALED:
        seal(connection, table)


def seal(connection: sqlite3.Connection, table: Table) -> None:
    """Give every row of a table its checksum, from what stands in it now."""
    where = " AND ".join(f"{name} = ?" for name in table.key)
    for key in connection.execute(f"SELECT {', '.join(table.key)} FROM {table.name}").fetchall():
        values = connection.execute(
            f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {where}", key
        ).fetchone()
        checksum = table.checksum(dict(zip(table.columns, values, strict=True)))
        connection.execute(f"UPDATE {table.name} SET checksum = ? WHERE {where}", (checksum, *key))


def _add_particulars(connection: sqlite3.Connection) -> None:
    run_script(connection, _VERSION_3)


_TABLES = "schema"
"""Name of the value that holds the checksum of the tables' definitions."""


def _definitions(connection: sqlite3.Connection) -> str:
    """A checksum over the definitions of all tables and indices, as they stand in the file."""
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    return hashlib.blake2b(repr(rows).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _note_tables(connection: sqlite3.Connection) -> None:
    row = META.normalised({"key": _TABLES, "value": json.dumps(_definitions(connection))})
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (*row.values(), META.checksum(row)))


def check_tables(connection: sqlite3.Connection) -> None:
    """Raises StoreError where a table's definition is not what it was when it was made."""
    if version_of(connection) < 2:  # checksums came with version 2
        return
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (_TABLES,)).fetchone()
    if found is None or found[0] != json.dumps(_definitions(connection)):
        raise StoreError(
            "thalweg.db is damaged: its tables are not defined as Thalweg made them; restore it from a copy"
        )


MIGRATIONS: tuple[Step, ...] = (_create, _add_checksums, _add_particulars)
SCHEMA_VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The file's schema version; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(connection: sqlite3.Connection, steps: Sequence[Step] = MIGRATIONS) -> int:
    """The file's version; StoreError if it is not a Thalweg store or one of a newer Thalweg."""
    version = version_of(connection)
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if (tables or version) and application != APPLICATION_ID:
        raise StoreError(
            "thalweg.db is an SQLite file, but not one that Thalweg wrote; choose another run folder"
        )
    if tables and not version:
        raise StoreError("thalweg.db is damaged: it has no version number; restore it from a copy")
    if version > len(steps):
        raise StoreError(
            f"the run folder was written by a newer Thalweg (schema {version}, this one knows {len(steps)}); "
            "`pip install --upgrade thalweg`, then run the same command again"
        )
    return version


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = MIGRATIONS) -> int:
    """Bring the file up to date, one step per transaction; returns the version it came from."""
    before = check_version(connection, steps)
    for k in range(before, len(steps)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            steps[k](connection)
            if k > 0:
                _note_tables(connection)
            connection.execute(f"PRAGMA user_version = {k + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return before
