"""The lines of a program's output that say why it stopped: not its timing table, never its wave functions.

    find_reason(folder)     one sentence, and whether it is about convergence
    excerpt(folder)         the lines around it, from each file that has some, newest first

The words of Quantum ESPRESSO, VASP, ORCA, CP2K, GPAW, FHI-aims, Gaussian, NWChem, Psi4 and SIESTA are known; of other
programs, lines that speak of errors are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from thalweg.isolation import PRINTED

MOST_FILES = 40
MOST_BYTES = 200_000
"""Bytes read at the end of a file; a program says at its end why it stops."""
HUGE = 50_000_000
"""Bytes. Larger files are not looked at: densities, wave functions, trajectories."""
_CONTEXT = 3
"""Lines shown before and after a line that says why."""
_TAIL = 15
"""Lines shown of a file in which nothing speaks of an error."""
_PART = 1500
"""Characters shown of each file."""

_INPUTS = {
    ".pwi",
    ".in",
    ".inp",
    ".nml",
    ".com",
    ".gjf",
    ".nwi",
    ".fdf",
    ".upf",
    ".psf",
    ".psml",
    ".xyz",
    ".cif",
}
_INPUT_NAMES = {"INCAR", "KPOINTS", "POSCAR", "POTCAR", "GTH_POTENTIALS", "BASIS_MOLOPT"}

_CONVERGENCE = re.compile(
    r"(?:\bnot|n't|\bnever|\bfail(?:ed|s|ure|ing)?(?: to)?|\bunable to|\bcannot|\bno)\s+"
    r"(?:(?:be|been|yet|fully|reach(?:ed)?|achieved?)\s+)*converg\w*"
    r"|converg\w+\s+(?:(?:was|has|is|been|criteri\w+)\s+)*(?:not|never|fail\w*|error|problem)\b"
    r"|\bunconverged\b|enough SCF cycles to converge|self-consistency was not achieved|SCF_NOT_CONV",
    re.IGNORECASE,
)

_SPECIFIC = tuple(
    (re.compile(pattern, re.MULTILINE | re.DOTALL), unconverged)
    for pattern, unconverged in (
        (r"^[ \t]*(convergence NOT achieved after\s+\d+ iterations?[^\n]*)", True),  # Quantum ESPRESSO
        (r"(SCF NOT CONVERGED AFTER\s+\d+\s+CYCLES)", True),  # ORCA
        (r"(SCF run NOT converged)", True),  # CP2K
        (
            r"(The electronic self-consistency was not achieved in the given\s+[| \t]*number of steps \(NELM\))",
            True,
        ),
        (r"(Did not converge!)", True),  # GPAW
        (
            r"(The self-consistency cycle did not converge|Self-consistency cycle not converged[^\n]*)",
            True,
        ),  # FHI-aims
        (r"(Convergence failure -- run terminated)", True),  # Gaussian
        (r"(Calculation failed to converge|Could not converge SCF iterations[^\n]*)", True),  # NWChem, Psi4
        (r"(SCF_NOT_CONV[^\n]*)", True),  # SIESTA
        (r"%{20,}[ \t]*\n(.{1,2000}?)\n[ \t]*%{20,}", None),  # Quantum ESPRESSO
        (r"(ZBRENT: fatal error[^\n]*|EDDDAV[^\n]*|Error EDDDAV[^\n]*|VERY BAD NEWS![^\n]*)", False),  # VASP
        (r"\[ABORT\](.{1,1500}?)\*{40,}", None),  # CP2K
        (r"^(Error\s*(?:\([^)\n]*\))?\s*:[^\n]+)", False),  # ORCA
        (r"(ORCA finished by error termination[^\n]*)", False),
    )
)
"""What a program says, and whether that is about convergence (None: read it from the words); most telling first."""

_GENERAL = re.compile(
    r"\b(?:errors?|fatal|fail(?:ed|s|ure)?|abort(?:ed|ing)?|segmentation fault|sigsegv|killed|out of memory|"
    r"denied|panic|exception|not achieved|not converged|no such file)\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\b(?:no|0|without|any|estimated|relative|absolute|rms|mean|max(?:imum)?)\s+errors?\b|errors?\s*[:=(<]?\s*[-+\d.]|"
    r"errors?\s+(?:estimate|bound|bar)|DIIS error|eigenvalues not converged|fail\w*\s*[:=]\s*0\b|\bCPU\b.*\bWALL\b",
    re.IGNORECASE,
)
_DECORATION = re.compile(r"[*|%_\\/#=!-]{2,}|[*|]|(?<!\S)[\\/_](?!\S)")


@dataclass(frozen=True)
class Reason:
    """Why a program stopped, in its own words."""

    text: str
    unconverged: bool
    specific: bool
    """Whether the words are a known program's, and not any line that speaks of an error."""


def speaks_of_convergence(text: str) -> bool:
    """Whether the text says that something did not converge."""
    return _CONVERGENCE.search(text) is not None


def find_reason(folder: Path) -> Reason | None:
    """The most telling words in the newest files of `folder`; None where nothing speaks of an error."""
    texts = [text for _, text in _outputs(folder)]
    for pattern, unconverged in _SPECIFIC:
        for text in texts:
            if found := _last(pattern, text):
                said = _sentence(found.group(1))
                about = speaks_of_convergence(said) if unconverged is None else unconverged
                return Reason(said, about, specific=True)
    for text in texts:
        lines = [line for line in text.splitlines() if _is_error(line)]
        if lines:
            return Reason(_sentence(lines[-1]), speaks_of_convergence(lines[-1]), specific=False)
    return None


def said_unconverged(folder: Path) -> str | None:
    """What a known program said of a calculation that did not converge, though it ended as if all were well.

    What was printed beside is left out: it may speak of a first try.
    """
    texts = [text for path, text in _outputs(folder) if path.name != PRINTED]
    for pattern, unconverged in _SPECIFIC:
        for text in texts if unconverged else ():
            if found := _last(pattern, text):
                return _sentence(found.group(1))
    return None


def excerpt(folder: Path) -> str:
    """The lines that say why, with a few around them, from each file that has some, newest first.

    Where no file speaks of an error: the last lines of the newest ones.
    """
    files = list(_outputs(folder))
    parts = [(path, _around(text.splitlines())) for path, text in files]
    if not any(text for _, text in parts):
        parts = [(path, _end(text.splitlines())) for path, text in files[:3]]
    return "\n".join(f"--- {path.relative_to(folder)}\n{text}" for path, text in parts[:6] if text)


def _outputs(folder: Path) -> Iterator[tuple[Path, str]]:
    """The text files that programs may have written, newest first."""
    files: list[tuple[int, Path]] = []
    with suppress(OSError):
        for path in folder.rglob("*"):
            if len(files) >= MOST_FILES * 5:
                break
            with suppress(OSError):
                if path.is_file() and not path.is_symlink() and not _is_input(path):
                    files.append((path.stat().st_mtime_ns, path))
    # the file CRASH of Quantum ESPRESSO says the same as its output, in fewer words
    for _, path in sorted(files, key=lambda pair: (pair[1].name == "CRASH", -pair[0], str(pair[1])))[
        :MOST_FILES
    ]:
        with suppress(OSError):
            text = _text(path)
            if text:
                yield path, text


def _is_input(path: Path) -> bool:
    return path.suffix.lower() in _INPUTS or path.name in _INPUT_NAMES


def _text(path: Path) -> str:
    """The end of a text file; empty for a binary or a huge one."""
    size = path.stat().st_size
    if not 0 < size < HUGE:
        return ""
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(max(0, size - MOST_BYTES))
        data = file.read(MOST_BYTES)
    if b"\0" in head or b"\0" in data[-4096:]:
        return ""
    text = data.decode("utf-8", errors="replace")
    return "" if text.count("\ufffd") > len(text) / 20 else text


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _is_error(line: str) -> bool:
    speaks = _GENERAL.search(line) or _CONVERGENCE.search(line)
    return speaks is not None and _HARMLESS.search(line) is None and len(line) < 2000


def _sentence(text: str) -> str:
    """The words of a block without its bars, boxes and line ends."""
    return " ".join(_DECORATION.sub(" ", text).split())[:400]


def _around(lines: list[str]) -> str:
    """Lines that speak of an error with their neighbours, the last of them where there are many."""
    telling = [n for n, line in enumerate(lines) if _is_error(line) or "NOT achieved" in line][-4:]
    shown = sorted(
        {m for n in telling for m in range(max(0, n - _CONTEXT), min(len(lines), n + _CONTEXT + 1))}
    )
    return "\n".join(lines[n][:300] for n in shown if not _is_timing(lines[n]))[-_PART:]


def _end(lines: list[str]) -> str:
    return "\n".join(line[:300] for line in lines[-_TAIL:] if not _is_timing(line))[-_PART:]


def _is_timing(line: str) -> bool:
    return re.search(r"\bCPU\b.*\bWALL\b", line) is not None
