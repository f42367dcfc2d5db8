"""Time per operation against the size of a message, and against the number of connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.table import duration
from reports import svg
from reports.plots.axes import Figure, Frame
from reports.plots.ratios import key

Entry = Mapping[str, Any]


def sizes(race: Mapping[str, Any]) -> list[Figure]:
    """One plot per family of workloads that differ in the size of their messages alone."""
    return _sweep(race, "size", "connections", "bytes per message", "Time against message size")


def connections(race: Mapping[str, Any]) -> list[Figure]:
    """One plot per family of workloads that differ in the number of connections alone."""
    return _sweep(race, "connections", "size", "connections", "Time against connections")


def _sweep(race: Mapping[str, Any], along: str, fixed: str, across: str, heading: str) -> list[Figure]:
    labels = [loop["label"] for loop in race["loops"] if loop["label"] != race["noise_arm"]]
    plots: list[str] = []
    rows: list[tuple[str, ...]] = []
    for name, entries in _families(race["workloads"], along, fixed):
        points = {label: _points(entries, along, label) for label in labels}
        every = [point for found in points.values() for point in found]
        if len({x for x, _ in every}) < 3:
            continue
        frame = Frame([x for x, _ in every], [y for _, y in every])
        places = sorted({x for x, _ in every})
        parts = frame.lines(name, across, [(x, short(x)) for x in places])
        for series, label in enumerate(labels):
            at = [(frame.x(x), frame.y(y)) for x, y in points[label]]
            parts.append(svg.polyline(series, at))
            parts += [
                svg.marker(series, *place, f"{label}, {short(x)}: {duration(y)}")
                for place, (x, y) in zip(at, points[label], strict=True)
            ]
        plots.append(svg.drawing(420, 260, f"{heading}: {name}", parts))
        for x in places:
            times = [next((duration(y) for at, y in points[label] if at == x), "") for label in labels]
            rows.append((name, short(x), *times))
    if not plots:
        return []
    caption = "CPU time of the server per operation, both axes logarithmic. A line that is missing has no time."
    return [Figure(heading, caption, key(labels) + "".join(plots), ("workload", across, *labels), rows)]


def _families(workloads: Iterable[Entry], along: str, fixed: str) -> list[tuple[str, list[Entry]]]:
    """Workloads whose names are alike but for the size, and whose other size is the most frequent one."""
    found: dict[tuple[str, object], list[Entry]] = {}
    for entry in workloads:
        if isinstance(entry["sizes"].get(along), int) and entry["sizes"][along] > 0:
            family = ".".join(part for part in entry["name"].split(".") if not part[:1].isdigit() and not _count(part))
            other = entry["sizes"].get(fixed)
            found.setdefault((family, other if isinstance(other, int) else None), []).append(entry)
    best: dict[str, tuple[str, list[Entry]]] = {}
    for (family, value), entries in found.items():
        if len(entries) > len(best.get(family, ("", []))[1]):
            unit = "connections" if fixed == "connections" else "bytes"
            what = f", {short(value)} {unit}" if value else ""
            best[family] = (family + what, entries)
    return list(best.values())


def _count(part: str) -> bool:
    return part[:1] == "c" and part[1:].isdigit()


def _points(entries: Sequence[Entry], along: str, label: str) -> list[tuple[float, float]]:
    return sorted(
        (float(entry["sizes"][along]), float(entry["cells"][label]["cpu"]["seconds"]))
        for entry in entries
        if entry["cells"][label].get("cpu", {}).get("seconds", 0) > 0
    )


def short(number: Any) -> str:
    """`16 Ki` of 16384."""
    value = float(number)
    for unit, scale in (("Mi", 2**20), ("Ki", 2**10)):
        if value >= scale and value % scale == 0:
            return f"{value / scale:g} {unit}"
    return f"{value:g}"
