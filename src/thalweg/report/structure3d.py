"""Structures as data for the page's viewer: atoms, half-bonds and cell edges, centred, as JSON.

The viewer itself (`assets/viewer.js`) draws balls and sticks on a canvas and needs nothing else. A bond is
sent as two halves, one from either atom, so that a bond through a periodic face sticks out of the cell
instead of crossing it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from thalweg.report.data import Portrait
from thalweg.structure import FloatArray, Structure

BOND_SLACK = 1.2
"""Two atoms are drawn as bonded below this multiple of the sum of their covalent radii."""

MAX_ATOMS = 600
"""Larger structures are not drawn: the page would grow and the canvas would crawl."""


def half_bonds(structure: Structure) -> list[tuple[int, FloatArray]]:
    """(atom, vector in Å to the bond's middle) for both ends of every bond, periodic images included."""
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    atoms = structure.to_atoms()
    radii = covalent_radii[structure.numbers] * BOND_SLACK
    i, d = neighbor_list("iD", atoms, radii.tolist())
    return [(int(a), 0.5 * v) for a, v in zip(i, d, strict=True)]


def scene(portrait: Portrait) -> dict[str, Any]:
    """One structure as plain numbers: see `assets/viewer.js` for the keys."""
    from ase.data import chemical_symbols, covalent_radii
    from ase.data.colors import jmol_colors

    s = portrait.structure
    centre = s.positions.mean(axis=0) if not s.pbc.all() else 0.5 * s.cell.sum(axis=0)
    where = s.positions - centre
    colors = (255 * jmol_colors[s.numbers]).astype(int)
    return {
        "call": portrait.call,
        "xyz": np.round(where, 3).tolist(),
        "symbols": [chemical_symbols[z] for z in s.numbers],
        "rgb": colors.tolist(),
        "radii": np.round(0.45 * covalent_radii[s.numbers], 3).tolist(),
        "bonds": [[a, *np.round(v, 3).tolist()] for a, v in half_bonds(s)],
        "edges": _cell_edges(s, centre),
        "bounds": _rounded(portrait.bounds),
        "errors": _rounded(portrait.errors),
    }


def _rounded(values: FloatArray | None) -> list[float | None] | None:
    if values is None:
        return None
    return [float(f"{v:.3g}") if np.isfinite(v) else None for v in values]


def _cell_edges(s: Structure, centre: FloatArray) -> list[list[float]]:
    if not s.pbc.any():
        return []
    edges = []
    for corner in itertools.product((0, 1), repeat=3):
        for k in np.flatnonzero(np.array(corner) == 0):
            if np.linalg.norm(s.cell[k]) > 0:
                start = np.array(corner) @ s.cell - centre
                edges.append(np.round(np.concatenate([start, start + s.cell[k]]), 3).tolist())
    return edges


def gallery(portraits: Sequence[Portrait]) -> str:
    """The portraits as canvases with their captions, and the numbers that the viewer draws from."""
    drawn = [p for p in portraits if len(p.structure) <= MAX_ATOMS]
    if not drawn:
        return ""
    cards = "".join(_card(p) for p in drawn)
    data = json.dumps([scene(p) for p in drawn], separators=(",", ":"), allow_nan=False).replace(
        "<", "\\u003c"
    )
    return (
        '<div class="toggle" role="group" aria-label="Colour of the atoms">'
        '<button type="button" data-colour="element" aria-pressed="true">elements</button>'
        '<button type="button" data-colour="bounds" aria-pressed="false">error bound</button>'
        '<button type="button" data-colour="errors" aria-pressed="false">true error</button>'
        '<span class="ramp" hidden><i></i><span data-ramp></span></span></div>'
        f'<div class="gallery">{cards}</div><script type="application/json" id="scenes">{data}</script>'
    )


def _card(portrait: Portrait) -> str:
    worst = int(np.nanargmax(portrait.bounds)) if np.isfinite(portrait.bounds).any() else 0
    symbol = scene_symbol(portrait.structure, worst)
    words = f"bound {portrait.bounds[worst]:.3g} eV/Å at {symbol}"
    if portrait.errors is not None:
        words += f", true error there {portrait.errors[worst]:.3g}"
    label = f"{portrait.title}: ball-and-stick model; {words}. Drag or use the arrow keys to rotate."
    return (
        f'<figure class="portrait"><canvas tabindex="0" role="img" aria-label="{escape(label)}"></canvas>'
        f"<figcaption><b>{escape(portrait.title)}</b><br>{escape(words)}</figcaption></figure>"
    )


def scene_symbol(structure: Structure, atom: int) -> str:
    """Element and index of an atom, for example O4."""
    from ase.data import chemical_symbols

    return f"{chemical_symbols[structure.numbers[atom]]}{atom}"
