"""Structure files as `ase.Atoms`: any format that ASE reads, plain or compressed, and every failure in words."""

from __future__ import annotations

import bz2
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import ase.db
import ase.io
from ase.io.extxyz import XYZError, key_val_str_to_dict

from thalweg.border import MOST_ATOMS
from thalweg.errors import InputError
from thalweg.store import lammps
from thalweg.store.atomnames import check_gro, check_pdb
from thalweg.store.crystals import check_disorder, reduce_cells
from thalweg.store.formal import MOLFILES, PDB, read_molfiles, read_pdb
from thalweg.store.isotopes import is_isotope, read_isotopes
from thalweg.store.moving import settle_dump
from thalweg.store.poscar import check_poscar
from thalweg.store.programs import add_electrons
from thalweg.store.readerrors import CommentError, could_be_an_element, why
from thalweg.store.suspects import note_unit

_Decompressor = Any
"""Of lzma, bz2 or zlib: `decompress(data, most)`; what they have in common has no type."""

_COMPRESSED: dict[str, Callable[[], _Decompressor]] = {
    ".xz": lzma.LZMADecompressor,
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".bz2": bz2.BZ2Decompressor,
}
_DATABASES = (".db", ".json")
_CHARGE_AND_SPIN = re.compile(r"([+-]?\d)\s+([1-9])")
_PEEK = 50_000
"""Characters by which ASE tells a format that its name does not."""
LARGEST_RATIO, ALWAYS_FINE = 100, 16_000_000
"""Numbers as text compress five-fold; what unfolds a hundred-fold, beyond so many bytes, is no data."""


def read_atoms(path: Path) -> list[Any]:
    """All frames of a file as `ase.Atoms`; InputError in words."""
    _check_file(path)
    frames: list[Any] = []
    try:
        source, form = _source(path)
        if form in _CHECKS:
            with _opened(source) as text:
                _CHECKS[form](path, text)
        try:
            frames.extend(_read(path, source, form))
        except KeyError as error:
            if form != "extxyz" or not is_isotope(error.args[0]):
                raise
            frames = list(_read_isotopes(path, source))
        _complete(path, source, form, frames)
    except CommentError as error:
        raise InputError(f"{path}, structure {len(frames) + 1}: {error}") from None
    except InputError:
        raise
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        raise InputError(f"{path}{_place(path, frames, error)}: {why(error)}") from error
    if not frames:
        raise InputError(f"{path}: there is no structure in it")
    reduce_cells(path, frames)
    note_unit(path, frames)
    return frames


def _read(path: Path, source: Any, form: str | None) -> Iterator[Any]:
    """The frames one after the other, as ASE reads them."""
    if form == lammps.DATA:
        with _opened(source) as text:
            yield lammps.read_data(path, text)
        return
    if isinstance(source, Path) and source.suffix.lower() in _DATABASES:
        yield from _read_database(source)
        return
    if form in MOLFILES:
        with _opened(source) as text:
            yield from read_molfiles(path, text, lambda record: ase.io.read(record, format="sdf"))
        return
    if form == PDB:
        with _opened(source) as text:
            yield from read_pdb(text, lambda models: ase.io.iread(models, index=":", format=PDB))
        return
    words = {"properties_parser": _comment_line} if form == "extxyz" else {}
    yield from ase.io.iread(source, index=":", format=form, do_not_split_by_at_sign=True, **words)


def _complete(path: Path, source: Any, form: str | None, frames: list[Any]) -> None:
    """Add to the frames, in place, what their file says of them and ASE leaves out."""
    if form is None:
        return
    with _opened(source) as text:
        if form == lammps.DUMP:
            settle_dump(path, text, frames)
        else:
            add_electrons(path, form, text, frames)


def _read_isotopes(path: Path, source: Any) -> Iterator[Any]:
    """As `_read`, of an extended XYZ that says D or T."""
    if not isinstance(source, Path):
        source.seek(0)
    with _opened(source) as lines:
        yield from read_isotopes(lines, lambda text: _read(path, text, "extxyz"))


def _read_database(path: Path) -> Iterator[Any]:
    """The rows of a database of ASE, with the pairs of keys and values that `ase.io` leaves out, in `info`."""
    with ase.db.connect(path, serial=True) as database:
        for row in database.select():
            atoms = row.toatoms()
            atoms.info = {**row.key_value_pairs, **atoms.info}
            yield atoms


def is_extxyz(path: Path) -> bool:
    """Whether a file is read as extended XYZ, whose bare names of labels ASE moves into a calculator."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in (".xyz", ".extxyz")


def _comment_line(line: str) -> dict[str, Any]:
    """What stands in a comment line, as ASE reads it, but that a stress which is none is shown.

    Two whole numbers alone are a charge and a multiplicity, as Psi4 and benchmark sets write them.
    """
    if electrons := _CHARGE_AND_SPIN.fullmatch(line.strip()):
        return {"charge": int(electrons[1]), "multiplicity": int(electrons[2])}
    try:
        return dict(key_val_str_to_dict(line))
    except ValueError as error:
        item = re.match(r"Got info item (\w+), expecting special 3x3 matrix", str(error))
        name = "" if item is None else item[1]
        found = re.search(rf"""\b{name}\s*=\s*("[^"]*"|'[^']*'|\S+)""", line)
        if item is None or found is None:
            raise
        raise CommentError(
            f"its {name} is {found[1][:100]}; expected nine numbers: xx xy xz yx yy yz zx zy zz"
        ) from None


def _check_counts(path: Path, lines: TextIO) -> None:
    """Refuse an extended XYZ that announces more atoms than any has: ASE would count lines for ever."""
    for number in itertools.count(1):
        words = next(lines, "").split()
        if len(words) != 1 or not words[0].lstrip("-").isdecimal():
            break  # the end, or what ASE has its own words for
        if len(words[0]) > 12 or not 0 < int(words[0]) <= MOST_ATOMS:
            raise InputError(
                f"{path}, structure {number}: its first line says {words[0][:20]} atoms, "
                f"expected 1 to {MOST_ATOMS:,}"
            )
        next(itertools.islice(lines, int(words[0]), None), "")  # the comment and the atoms


_CHECKS: dict[str | None, Callable[[Path, TextIO], None]] = {
    "extxyz": _check_counts,
    "cif": check_disorder,
    "vasp": check_poscar,
    "proteindatabank": check_pdb,
    "gromacs": check_gro,
    lammps.DUMP: lammps.check_dump,
}
"""What is looked at before ASE reads a file of this format."""


@contextmanager
def _opened(source: Any) -> Iterator[TextIO]:
    """The text of a source from its beginning; what is no text shows as such."""
    if isinstance(source, Path):
        with source.open(encoding="utf-8", errors="replace", newline="\n") as text:
            yield text
        return
    source.seek(0)
    yield source
    source.seek(0)


def _place(path: Path, frames: list[Any], error: Exception) -> str:
    """Which structure could not be read, where ASE reads them one after the other; and which of its atoms, if one."""
    one_by_one = {".xyz", ".extxyz"} & {suffix.lower() for suffix in path.suffixes[-2:]}
    known = isinstance(error, KeyError | ValueError | IndexError | TypeError | XYZError) and not isinstance(
        error, UnicodeError
    )
    if not (one_by_one and known):
        return ""
    number = len(frames) + 1
    named = isinstance(error, KeyError) and could_be_an_element(error.args[0])
    atom = _atom_called(path, number, str(error.args[0])) if named else None
    return f", structure {number}" + ("" if atom is None else f", atom {atom} (counted from 0)")


def _atom_called(path: Path, number: int, word: str) -> int | None:
    """The first atom in whose line of an extended XYZ a word stands."""
    with _opened(_source(path)[0]) as lines:
        for n in range(1, number + 1):
            n_atoms = int(next(lines))
            atoms = list(itertools.islice(lines, 1, n_atoms + 1))
            if n == number:
                return next((k for k, line in enumerate(atoms) if word in line.split()), None)
    return None


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            raise InputError(f"{path}: there is no such file (looked in {Path.cwd()})")
        if path.is_dir():
            raise InputError(f"{path}: expected a structure file, but this is a folder")
        if not path.is_file():
            raise InputError(
                f"{path}: expected a file, but this is a pipe or a device; write it to a file first"
            )
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
    except (OSError, ValueError) as error:
        raise InputError(f"{ascii(str(path))[:200]}: cannot be read: {error}") from None


def _source(path: Path) -> tuple[Any, str | None]:
    """What to give to ASE, and the format. Compressed text goes through memory, since ASE seeks in it."""
    decompressor = _COMPRESSED.get(path.suffix.lower())
    if decompressor is None:
        return path, _form_of(path, path.name)
    text = _decompressed(path, decompressor).decode("utf-8")
    if not text:
        raise InputError(f"{path}: the compressed file is empty")
    source = io.StringIO(text)
    return source, _form_of(source, path.stem)


def _form_of(source: Any, name: str) -> str | None:
    """ASE's name of the format of a file; None for a database, which is not read by `ase.io`."""
    suffix = Path(name).suffix.lower()
    if suffix in (".xyz", ".extxyz"):
        return "extxyz"
    if suffix in _DATABASES and isinstance(source, Path):
        return None
    with _opened(source) as text:
        if lammps.is_data(text):
            return lammps.DATA
    if isinstance(source, Path):
        return str(ase.io.formats.filetype(str(source)))
    form = str(ase.io.formats.filetype(name, read=False))
    if form in ase.io.formats.ioformats:
        return form
    return str(ase.io.formats.match_magic(source.getvalue()[:_PEEK].encode()).name)


def _decompressed(path: Path, decompressor: Callable[[], _Decompressor]) -> bytes:
    """The content, of one stream or several after each other, never more than data can be."""
    packed = path.read_bytes()
    most = max(ALWAYS_FINE, LARGEST_RATIO * len(packed))
    parts: list[bytes] = []
    size = 0
    while packed:
        one = decompressor()
        part = one.decompress(packed, most - size + 1)
        size += len(part)
        if size > most:
            raise InputError(
                f"{path}: it decompresses to more than {LARGEST_RATIO} times its size, which real data never do; "
                "decompress it yourself if you trust it"
            )
        if not one.eof:
            raise EOFError("it ends too early")
        parts.append(part)
        packed = one.unused_data.lstrip(b"\0")  # streams may be padded
    return b"".join(parts)
