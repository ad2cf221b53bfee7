"""Why ASE could not read a file of structures, in words that say what to do."""

from __future__ import annotations

import lzma
import zlib

from ase.io.formats import UnknownFileTypeError

from thalweg.store.isotopes import is_isotope


class CommentError(ValueError):
    """A comment line of extended XYZ that cannot be read, in words."""


def why(error: Exception) -> str:
    """In words, whatever a reader of ASE raises."""
    return _of_the_file(error) or _of_its_content(error)


def _of_the_file(error: Exception) -> str:
    if isinstance(error, UnknownFileTypeError):
        return (
            "ASE knows no format of this name or content; use extended XYZ (.xyz, .extxyz), .cif, "
            "POSCAR or another format that ASE reads"
        )
    if isinstance(error, lzma.LZMAError | zlib.error | EOFError):
        return f"it is not a whole compressed file: {error}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is no text in UTF-8 (byte {error.start}); is it a file of structures?"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}"
    return ""


def _of_its_content(error: Exception) -> str:
    if isinstance(error, KeyError) and is_isotope(error.args[0]):
        return (
            f"{str(error.args[0])!r} is an isotope, which is not known in this format; convert the file to extended "
            "XYZ, or write H"
        )
    if isinstance(error, KeyError) and could_be_an_element(error.args[0]):
        return (
            f"{str(error.args[0])!r} is not a chemical element; expected symbols such as H, C, Si. Put the symbol "
            "of its element in place of a dummy, a type or an atom's own name, and remove what is no atom"
        )
    if "chemical symbols" in str(error):
        return "it does not name its elements; in a POSCAR they stand in a line before their numbers, such as: Cu O"
    return f"ASE cannot read it as a file of structures ({type(error).__name__}: {_brief(error)})"


def could_be_an_element(word: object) -> bool:
    """Whether what a reader missed is a word that stands where a symbol should."""
    return isinstance(word, str) and 0 < len(word) <= 12 and not any(letter.isspace() for letter in word)


def _brief(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 200 else words[:200] + " ..."
