"""Percentile curves of round-trip times, and memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench import histogram
from bench.table import duration
from reports import svg
from reports.plots.axes import Figure, Frame
from reports.plots.ratios import key

SHOWN = 12
"""Workloads with a curve of their own; the table has all of them."""
PERCENTILES = ("50", "90", "99", "99.9")
"""Those that race.json names."""
_BUCKETS = frozenset(map(str, range(1000)))
"""Up to some ten thousand years; a damaged file may name others."""


def latency(race: Mapping[str, Any]) -> list[Figure]:
    """Time of a round trip against the share of round trips that took longer, on a logarithmic tail."""
    labels = [loop["label"] for loop in race["loops"] if loop["label"] != race["noise_arm"]]
    plots: list[str] = []
    rows: list[tuple[str, ...]] = []
    for entry in race["workloads"]:
        curves = {label: _curve(entry["cells"][label]) for label in labels}
        for label in labels:
            found = entry["cells"][label].get("latency", {})
            if found:
                rows.append((entry["name"], label, *(duration(found[p]) if p in found else "" for p in PERCENTILES)))
        every = [point for curve in curves.values() for point in curve]
        if not every or len(plots) >= SHOWN:
            continue
        frame = Frame([x for x, _ in every], [y for _, y in every])
        named = [(1 / (1 - float(p) / 100), f"{p} %") for p in PERCENTILES]
        limit = max(x for x, _ in every)
        parts = frame.lines(entry["name"], "share of round trips", [(x, word) for x, word in named if x <= limit])
        for series, label in enumerate(labels):
            parts.append(svg.polyline(series, [(frame.x(x), frame.y(y)) for x, y in curves[label]]))
            if curves[label]:
                x, y = curves[label][-1]
                parts.append(svg.marker(series, frame.x(x), frame.y(y), f"{label}: {duration(y)} at most"))
        plots.append(svg.drawing(420, 260, f"Round-trip times, {entry['name']}", parts))
    if not plots:
        return []
    caption = (
        "Time of a round trip, seen by the client, below which that share of round trips stayed. The client waits for"
        " each answer, so a slow loop also slows what is asked of it: compare loops, not with a system under open load."
    )
    heads = ("workload", "loop", *(f"{p} %" for p in PERCENTILES))
    return [Figure("Round-trip times", caption, key(labels) + "".join(plots), heads, rows)]


def memory(race: Mapping[str, Any]) -> list[Figure]:
    """Resident memory after each workload, and how much it grew from the first sample to the last."""
    labels = [loop["label"] for loop in race["loops"] if loop["label"] != race["noise_arm"]]
    measured = [
        entry for entry in race["workloads"] if any(entry["cells"][label]["state"] == "measured" for label in labels)
    ]
    rows = [(entry["name"], *(_memory(entry["cells"][label]) for label in labels)) for entry in measured]
    peaks = {
        label: [e["cells"][label]["rss"] / 2**20 for e in measured if e["cells"][label].get("rss", 0) > 0]
        for label in labels
    }
    every = [value for values in peaks.values() for value in values]
    if not every:
        return []
    low, high = min(every) * 0.95, max(every) * 1.05
    width, step = 860.0, 24.0

    def x(value: float) -> float:
        return 190 + (width - 220) * math.log(value / low) / math.log(high / low)

    height = 30 + step * len(labels)
    parts = [svg.text(width, 12, "MiB resident, each mark a workload", text_anchor="end", cls="t")]
    for tick in [t * s for t in svg.decades(low, high) for s in (1, 2, 5) if low <= t * s <= high]:
        parts += [svg.line(x(tick), 18, x(tick), height, "grid"), svg.text(x(tick), 28, f"{tick:g}", cls="t")]
    for series, label in enumerate(labels):
        y = 30 + step * (series + 0.5)
        parts.append(svg.text(180, y + 4, label, text_anchor="end"))
        for entry in measured:
            size = entry["cells"][label].get("rss", 0)
            if size > 0:
                words = f"{label}, {entry['name']}: {size / 2**20:.1f} MiB"
                parts.append(svg.marker(series, x(size / 2**20), y, words, hollow=True))
    drawing = svg.drawing(width, height, f"Resident memory of {', '.join(labels)}", parts)
    caption = "Memory of the measured process, median over rounds; in brackets the growth from first to last sample."
    return [Figure("Memory", caption, drawing, ("workload", *labels), rows)]


def _curve(cell: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(1 / share that took longer, seconds): the tail of the distribution on a logarithmic axis."""
    counts = {int(bucket): count for bucket, count in cell.get("latency_histogram", {}).items() if bucket in _BUCKETS}
    whole = sum(counts.values())
    points, below = [], 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below < whole:
            points.append((whole / (whole - below), histogram.seconds(bucket)))
    return points


def _memory(cell: Mapping[str, Any]) -> str:
    if cell["state"] != "measured":
        return str(cell.get("how", cell["state"]))
    return f"{cell['rss'] / 2**20:.1f} MiB [{cell['rss_growth'] / 2**20:+.1f}]"
