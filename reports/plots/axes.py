"""A frame with logarithmic axes, for plots of time against something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.table import duration
from reports import svg

WIDTH, HEIGHT = 420.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 16.0, 26.0, 38.0


@dataclass(frozen=True)
class Figure:
    """A plot with its words and its table twin. `plot` is SVG, escaped already."""

    title: str
    caption: str
    plot: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Frame:
    """Where a point lies in the plot, and the lines around it. Both axes are logarithmic."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """`xs` and `ys` are all values that will be drawn, each positive."""
        self._left, self._right = _stretched(min(xs), max(xs), 1.1)
        self._low, self._high = _stretched(min(ys), max(ys), 1.3)

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / self._left) / math.log(self._right / self._left)

    def y(self, value: float) -> float:
        share = math.log(value / self._low) / math.log(self._high / self._low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def lines(self, heading: str, across: str, xs: Sequence[tuple[float, str]]) -> list[str]:
        """Title, axes, grid and their words; `xs` are the places along the horizontal axis that are named."""
        parts = [svg.text(LEFT, 14, heading), svg.text(WIDTH - RIGHT, HEIGHT - 6, across, text_anchor="end", cls="t")]
        for value in self._marks():
            parts.append(svg.line(LEFT, self.y(value), WIDTH - RIGHT, self.y(value), "grid"))
            parts.append(svg.text(LEFT - 6, self.y(value) + 4, duration(value), text_anchor="end", cls="t"))
        for value, words in xs:
            parts.append(svg.line(self.x(value), TOP, self.x(value), HEIGHT - BOTTOM, "grid"))
            parts.append(svg.text(self.x(value), HEIGHT - BOTTOM + 14, words, text_anchor="middle", cls="t"))
        return parts

    def _marks(self) -> list[float]:
        steps = [decade * step for decade in svg.decades(self._low, self._high) for step in (1, 2, 5)]
        inside = [value for value in steps if self._low <= value <= self._high]
        return inside if len(inside) <= 8 else svg.decades(self._low * 10, self._high / 10)


def _stretched(low: float, high: float, factor: float) -> tuple[float, float]:
    return low / factor, high * factor
