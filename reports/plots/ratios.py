"""Ratio dots with intervals, over a grey band of what the reference differed from itself in the same race."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports import svg

WIDTH, LEFT, RIGHT = 860.0, 250.0, 20.0
FIRST, STEP = 34.0, 13.0
"""Height of the axis above the first row, and of one loop within a row."""
FIRST_SERIES = 1
"""A loop has the same mark in all plots; the reference, which is not among these dots, has the first."""


def ratios(
    race: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], labels: Sequence[str], number: int = 1
) -> str:
    """CPU time as a share of the reference's, one row per workload, on a logarithmic axis around 1."""
    noise = race["noise_arm"]
    low, high = _range(entries, [*labels, noise])
    scale = (WIDTH - LEFT - RIGHT) / math.log(high / low)

    def x(value: float) -> float:
        return LEFT + math.log(value / low) * scale

    row = STEP * len(labels) + 8
    height = FIRST + row * len(entries) + 8
    parts = []
    for tick in svg.ticks(low, high):
        parts.append(svg.line(x(tick), FIRST - 6, x(tick), height, "grid"))
        parts.append(svg.text(x(tick), FIRST - 10, f"{tick:g}", text_anchor="middle", cls="t"))
    parts.append(svg.text(x(low), 11, "← faster", cls="t"))
    parts.append(svg.text(x(high), 11, "slower →", text_anchor="end", cls="t"))
    bands = (entry["cells"][noise].get("cpu", {}) for entry in entries)
    parts += [_band(found, x, FIRST + row * index, row) for index, found in enumerate(bands)]
    parts.append(svg.line(x(1), FIRST - 6, x(1), height, "one"))
    for index, entry in enumerate(entries):
        top = FIRST + row * index
        name = svg.text(LEFT - 10, top + row / 2 + 4, entry["name"], text_anchor="end")
        link = entry["name"] if number == 1 else f"{entry['name']}-{number}"
        parts.append(svg.tag("a", name, href=f"#{link}"))
        for series, label in enumerate(labels, FIRST_SERIES):
            y = top + 4 + STEP * (series - FIRST_SERIES + 0.5)
            parts.append(_dot(entry["cells"][label], label, entry["name"], series, x, y))
    words = f"CPU time of {', '.join(labels)} as a share of {race['reference']}'s, {len(entries)} workloads"
    return svg.drawing(WIDTH, height, words, parts) + key(labels, FIRST_SERIES)


def key(labels: Sequence[str], first: int = 0) -> str:
    """Which mark is which loop; `first` is the series of the first."""
    parts, x = [], 8.0
    for series, label in enumerate(labels, first):
        parts += [svg.marker(series, x, 10, label), svg.text(x + 10, 14, label)]
        x += 30 + 7 * len(label)
    return svg.tag("div", svg.drawing(max(x, 1), 20, "Marks: " + ", ".join(labels), parts))


def _band(found: Mapping[str, Any], x: Any, top: float, row: float) -> str:
    if found.get("low") is None:
        return ""
    reach = max(abs(math.log(found["low"])), abs(math.log(found["high"])), 1e-4)
    left, right = x(math.exp(-reach)), x(math.exp(reach))
    words = svg.title(f"A/A noise: {found['low']:.3f} to {found['high']:.3f}")
    return svg.tag("rect", words, x=left, y=top + 1, width=right - left, height=row - 2, cls="band")


def _dot(cell: Mapping[str, Any], label: str, workload: str, series: int, x: Any, y: float) -> str:
    found = cell.get("cpu", {})
    if "ratio" not in found:
        word = cell.get("how", "not compared" if cell["state"] == "measured" else cell["state"])
        return svg.text(x(1) + 8, y + 4, f"{label}: {word}", cls="t")
    sure = found.get("verdict") in ("faster", "slower")
    words = f"{workload}, {label}: {found['ratio']:.3f}"
    interval = ""
    if found["low"] is not None:
        words += f" [{found['low']:.3f} {found['high']:.3f}], {found.get('verdict', '')}"
        interval = svg.line(x(found["low"]), y, x(found["high"]), y, f"ci s{series % svg.SERIES}")
    return interval + svg.marker(series, x(found["ratio"]), y, words, hollow=not sure)


def _range(entries: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> tuple[float, float]:
    values = [
        found[key]
        for entry in entries
        for label in labels
        for found in [entry["cells"][label].get("cpu", {})]
        for key in ("ratio", "low", "high")
        if found.get(key) is not None
    ]
    return min([*values, 0.8]) / 1.05, max([*values, 1.25]) * 1.05
