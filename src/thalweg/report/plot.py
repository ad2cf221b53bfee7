"""A small chart: axes, dots, lines and bands as inline SVG whose text is text and whose colours are CSS.

Drawn by hand because the page needs what a plotting library's SVG does not give: colours that follow the
reader's theme, points that answer to the pointer, and a few kilobytes per figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from thalweg.structure import FloatArray

LEFT, RIGHT, TOP, BOTTOM = 68, 18, 16, 48
"""Margins around the axes, in the SVG's units."""


@dataclass(frozen=True)
class Axis:
    """What one direction of a chart shows: `label` with its unit, the values at its ends.

    `log` axes have ticks at 1, 2, 5; `percent` ones show fractions in %; `whole` ones count things.
    """

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False
    whole: bool = False

    def position(self, values: ArrayLike) -> FloatArray:
        """Place of the values along the axis: 0 at `low`, 1 at `high`, never beyond."""
        v = np.asarray(values, dtype=float)
        if self.log:
            v = np.log(np.clip(v, self.low, self.high) / self.low) / math.log(self.high / self.low)
        else:
            v = (v - self.low) / (self.high - self.low)
        return np.clip(np.nan_to_num(v), 0.0, 1.0)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values between the ends with their text; an empty text is a tick without a number."""
        if self.log:
            return self._log_ticks()
        step = _round_step((self.high - self.low) / most)
        while self.whole and step != round(step):
            step = max(1.0, 2.0 * step)  # 2.5 becomes 5, anything below 1 becomes 1
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [(k * step, self._text(k * step)) for k in range(first, last + 1)]

    def _log_ticks(self) -> list[tuple[float, str]]:
        decades = math.log10(self.high / self.low)
        named = (1, 2, 5) if decades < 2.2 else (1,)
        ticks = []
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            for digit in (1, 2, 5):
                value = float(f"{digit}e{power}")
                if self.low * 0.999 <= value <= self.high * 1.001:
                    ticks.append((value, self._text(value) if digit in named else ""))
        return ticks

    def _text(self, value: float) -> str:
        if self.percent:
            return f"{100 * value:.4g} %"
        return f"{value:.6g}".replace("-", "−")


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= least * 0.999), 10 * power)


def log_ends(values: Iterable[float], *also: float) -> tuple[float, float]:
    """Ends of a log axis that holds the positive ones among `values` and `also`, with a little room."""
    v = np.array([*values, *also], dtype=float)
    v = v[np.isfinite(v) & (v > 0)]
    if not len(v):
        return 0.01, 1.0
    low, high = float(v.min()) / 1.25, float(v.max()) * 1.25
    return (low, high) if high / low > 8 else (low / 2, high * 2)


class Chart:
    """One chart under construction; every method adds a layer, `svg` gives the whole.

    `css` names a class of the page's style sheet. Values are in the axes' units.
    """

    def __init__(self, x: Axis, y: Axis, label: str, size: tuple[int, int] = (560, 330)) -> None:
        self.x, self.y, self.label, self.size = x, y, label, size
        self._layers: list[str] = []

    def _px(self, values: ArrayLike) -> FloatArray:
        return np.round(LEFT + self.x.position(values) * (self.size[0] - LEFT - RIGHT), 1)

    def _py(self, values: ArrayLike) -> FloatArray:
        return np.round(self.size[1] - BOTTOM - self.y.position(values) * (self.size[1] - TOP - BOTTOM), 1)

    def dots(
        self, x: ArrayLike, y: ArrayLike, css: str, tips: Sequence[str] = (), calls: Sequence[int] = ()
    ) -> Chart:
        """Points; `tips` are what the pointer is told, `calls` the rows of the table they lead to."""
        px, py = self._px(x), self._py(y)
        marks = []
        for k in range(len(px)):
            more = f' data-t="{escape(tips[k])}"' if tips else ""
            more += f' data-c="{calls[k]}"' if calls else ""
            marks.append(f'<circle cx="{px[k]:g}" cy="{py[k]:g}"{more}/>')
        self._layers.append(f'<g class="{css}">{"".join(marks)}</g>')
        return self

    def line(self, x: ArrayLike, y: ArrayLike, css: str) -> Chart:
        """A line through the points in their order; a NaN breaks it."""
        points, pen = [], "M"
        for a, b, value in zip(self._px(x), self._py(y), np.asarray(y, dtype=float), strict=True):
            if math.isfinite(value):
                points.append(f"{pen}{a:g} {b:g}")
                pen = "L"
            else:
                pen = "M"
        self._layers.append(f'<path class="{css}" d="{"".join(points)}"/>')
        return self

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, css: str) -> Chart:
        """The area between two curves."""
        px = self._px(x)
        if not len(px):
            return self
        there = [f"{a:g} {b:g}" for a, b in zip(px, self._py(high), strict=True)]
        back = [f"{a:g} {b:g}" for a, b in zip(px, self._py(low), strict=True)][::-1]
        self._layers.append(f'<path class="{css}" d="M{"L".join(there + back)}Z"/>')
        return self

    def bars(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, css: str) -> Chart:
        """Vertical lines from `low` to `high` at each x."""
        rows = zip(self._px(x), self._py(low), self._py(high), strict=True)
        path = "".join(f"M{a:g} {b:g}V{c:g}" for a, b, c in rows)
        self._layers.append(f'<path class="{css}" d="{path}"/>')
        return self

    def dashes(self, x: ArrayLike, y: ArrayLike, css: str) -> Chart:
        """Short horizontal strokes centred on the points."""
        path = "".join(f"M{a - 14:g} {b:g}h28" for a, b in zip(self._px(x), self._py(y), strict=True))
        self._layers.append(f'<path class="{css}" d="{path}"/>')
        return self

    def level(self, y: float, text: str, anchor: str = "start") -> Chart:
        """A dashed horizontal line across, named at its left (start) or right (end)."""
        py = float(self._py([y])[0])
        right = self.size[0] - RIGHT
        at = LEFT + 4 if anchor == "start" else right
        self._layers.append(
            f'<path class="target" d="M{LEFT} {py:g}H{right}"/>'
            f'<text class="target-text" x="{at}" y="{py - 6:g}" text-anchor="{anchor}">{escape(text)}</text>'
        )
        return self

    def note(self, x: float, y: float, text: str, anchor: str = "start", dy: float = 0.0) -> Chart:
        """Text beside a place."""
        px, py = float(self._px([x])[0]), float(self._py([y])[0]) + dy
        self._layers.append(
            f'<text class="note" x="{px:g}" y="{py:g}" text-anchor="{anchor}">{escape(text)}</text>'
        )
        return self

    def svg(self) -> str:
        """The chart."""
        width, height = self.size
        return (
            f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(self.label)}">'
            f"{self._frame()}{''.join(self._layers)}</svg>"
        )

    def _frame(self) -> str:
        width, height = self.size
        right, bottom = width - RIGHT, height - BOTTOM
        parts = []
        for value, text in self.y.ticks():
            py = float(self._py([value])[0])
            css = "grid" if text else "grid minor"
            parts.append(f'<path class="{css}" d="M{LEFT} {py:g}H{right}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 8}" y="{py + 4:g}" text-anchor="end">{text}</text>')
        for value, text in self.x.ticks(most=10 if width > 800 else 6):
            px = float(self._px([value])[0])
            parts.append(f'<path class="axis" d="M{px:g} {bottom}v{5 if text else 3}"/>')
            parts.append(
                f'<text class="tick" x="{px:g}" y="{bottom + 19}" text-anchor="middle">{text}</text>'
            )
        parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>')
        middle = (TOP + bottom) / 2
        parts.append(
            f'<text class="name" x="{(LEFT + right) / 2:g}" y="{height - 8}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
            f'<text class="name" transform="translate(15 {middle:g}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>"
        )
        return "".join(parts)
