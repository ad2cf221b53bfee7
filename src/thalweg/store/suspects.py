"""Lengths that look as if they were in another unit: said, never changed.

Notation
    s    distance of an atom to its nearest neighbour, over the sum of their covalent radii (Cordero et al., Dalton
         Trans. 2832, 2008); about 1 in a bond, 1.89 if Bohr are read as Å, 0.53 if Å were converted that were none
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import InputError, InputWarning
from thalweg.neighbours import pairs_within
from thalweg.structure import FloatArray, Structure

MOST_ATOMS = 500
_LEAST_ATOMS = 3
_ORGANIC = (1, 6, 7, 8, 9, 15, 16, 17, 35)
"""With hydrogen among them, such atoms are bonded; metals, ions and noble gases may well be apart."""
_STRETCHED, _SQUEEZED = (1.6, 2.2), (0.35, 0.62)
"""s of all atoms: only the wrong unit does this to every one of them."""


def note_unit(path: Path, frames: Sequence[Any]) -> None:
    """Warn where the first structure's distances are those of another unit."""
    if not _LEAST_ATOMS <= len(frames[0]) <= MOST_ATOMS:
        return
    try:
        s = nearest(Structure.from_atoms(frames[0]))
    except InputError:
        return  # the border has its words for it
    organic = set(frames[0].numbers.tolist()) <= set(_ORGANIC) and 1 in frames[0].numbers
    if organic and s.min() > _STRETCHED[0] and s.max() < _STRETCHED[1]:
        _say(
            path,
            f"every atom is {np.median(s):.2f} times a bond's length from the next; are lengths in Bohr?",
        )
    elif s.min() > _SQUEEZED[0] and s.max() < _SQUEEZED[1]:
        _say(
            path,
            f"every atom is only {np.median(s):.2f} of a bond's length from the next; was Å converted twice?",
        )


def _say(path: Path, words: str) -> None:
    warnings.warn(f"{path}: {words} Expected: Å", InputWarning, stacklevel=2)


def nearest(structure: Structure) -> FloatArray:
    """s of each atom, shape (n_atoms,); infinite where nothing is near."""
    from ase.data import covalent_radii

    radii = covalent_radii[structure.numbers]
    i, j, _, d = pairs_within(structure, 2.0 * _STRETCHED[1] * float(radii.max()))
    s = np.full(len(structure), np.inf)
    np.minimum.at(s, i, d / (radii[i] + radii[j]))
    np.minimum.at(s, j, d / (radii[i] + radii[j]))
    return s
