"""The few shapes that the plots are drawn with: SVG as text, with real text in it and a title on each mark.

Colours and fonts come from the page's style sheet, so that light, dark and print are decided in one place. Written by
hand because plotting libraries put more into the page than all the rest of it (a megabyte, or a script from a CDN).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

SERIES = 8
"""Colours in the style sheet; the ninth loop has the first colour again, and another shape."""


def tag(name: str, content: str = "", **attributes: object) -> str:
    """`<name attributes>content</name>`. `cls` is class; underscores are hyphens. `content` is SVG already."""
    text = "".join(
        f" {'class' if key == 'cls' else key.replace('_', '-')}={quoteattr(_plain(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{text}>{content}</{name}>" if content else f"<{name}{text}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    return tag("text", escape(words), x=x, y=y, **attributes)


def title(words: str) -> str:
    return tag("title", escape(words))


def drawing(width: float, height: float, name: str, parts: Iterable[str]) -> str:
    """A whole drawing; `name` is what a screen reader says of it. Its table twin stands beside it."""
    return tag(
        "svg", title(name) + "".join(parts),
        viewBox=f"0 0 {_plain(width)} {_plain(height)}", width=width, height=height, role="img", aria_label=name,
    )  # fmt: skip


def marker(series: int, x: float, y: float, words: str, *, hollow: bool = False) -> str:
    """A mark of a series: its own shape and its own colour. Hollow: not significant."""
    r = 4.5
    shapes: Sequence[Sequence[tuple[float, float]]] = (
        (),
        ((-r, -r), (r, -r), (r, r), (-r, r)),
        ((0, -r * 1.3), (r * 1.2, r), (-r * 1.2, r)),
        ((0, -r * 1.4), (r * 1.4, 0), (0, r * 1.4), (-r * 1.4, 0)),
        ((0, r * 1.3), (r * 1.2, -r), (-r * 1.2, -r)),
        ((-r, -r * 1.3), (r * 1.3, 0), (-r, r * 1.3)),
        ((r, -r * 1.3), (-r * 1.3, 0), (r, r * 1.3)),
    )
    corners = shapes[series % len(shapes)]
    cls = f"s{series % SERIES}" + (" open" if hollow else "")
    if not corners:
        return tag("circle", title(words), cx=x, cy=y, r=r, cls=cls)
    points = " ".join(f"{_plain(x + dx)},{_plain(y + dy)}" for dx, dy in corners)
    return tag("polygon", title(words), points=points, cls=cls)


def polyline(series: int, points: Iterable[tuple[float, float]]) -> str:
    joined = " ".join(f"{_plain(x)},{_plain(y)}" for x, y in points)
    return tag("polyline", points=joined, cls=f"s{series % SERIES} line")


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def bar(counts: Sequence[tuple[str, int]], words: str) -> str:
    """One strip: a piece per verdict, (class, count), each at least a pixel wide."""
    whole = sum(count for _, count in counts) or 1
    width, x, parts = 192.0, 0.0, []
    for cls, count in counts:
        wide = max(width * count / whole, 2.0)
        parts.append(tag("rect", x=round(x, 1), y=0, width=round(wide, 1), height=16, cls=f"b{cls}"))
        x += wide
    shown = title(words) + "".join(parts)
    return tag("svg", shown, viewBox=f"0 0 {_plain(max(x, 1))} 16", preserveAspectRatio="none", cls="bar", role="img",
               aria_label=words)  # fmt: skip


def ticks(low: float, high: float) -> list[float]:
    """Round values for a logarithmic axis of ratios: few, and always 1."""
    candidates = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 10, 20, 50, 100]
    inside = [tick for tick in candidates if low * 0.999 <= tick <= high * 1.001]
    while len(inside) > 9:
        inside = [tick for i, tick in enumerate(inside) if i % 2 == inside.index(1) % 2]
    return inside


def decades(low: float, high: float) -> list[float]:
    """The powers of ten from just below `low` to just above `high` (both positive)."""
    return [10.0**n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _plain(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
