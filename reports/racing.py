"""What the page shows of one race: ratios, sweeps, percentiles, memory, guards, and a table beside each plot."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.table import MARKS, duration, ratio, wall
from reports import plots
from reports.matrix import Matrix
from reports.plots.axes import Figure
from reports.sources import RaceFile
from reports.suspects import suspects

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """The workloads of one group: a plot, its table, and the geometric means."""

    name: str
    plot: Markup
    rows: list[dict[str, Any]]
    means: list[tuple[str, str, str, str]]
    """Loop, CPU, wall, and over which workloads."""


@dataclass(frozen=True)
class Race:
    """One race as the template shows it."""

    anchor: str
    title: str
    complete: bool
    reference: str
    labels: list[str]
    groups: list[Group]
    figures: list[Figure]
    facts: list[tuple[str, str, str, list[str]]]
    dead: list[tuple[str, str, str, str]]
    noise: str


def view(file: RaceFile, matrix: Matrix, number: int) -> Race:
    """Everything about a race. The matrix says which loops fail a MUST that a workload uses."""
    race = file.summary
    others = [loop["label"] for loop in race["loops"] if loop["label"] not in (race["reference"], race["noise_arm"])]
    return Race(
        anchor=f"race-{number}",
        title=f"Race of {date(race)}",
        complete=race["complete"],
        reference=race["reference"],
        labels=others,
        groups=_groups(race, others, matrix, number),
        figures=plots.figures(race),
        facts=_facts(race),
        dead=_dead(race),
        noise=_noise(race),
    )


def date(race: Summary) -> str:
    """When it started, UTC."""
    try:
        return datetime.datetime.fromtimestamp(race["started"], datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "an unknown date"


def anchor(number: int, workload: str) -> str:
    """The deep link of a workload. The first race has the plain names."""
    return workload if number == 1 else f"{workload}-{number}"


def _groups(race: Summary, others: list[str], matrix: Matrix, number: int) -> list[Group]:
    names: dict[str, list[Mapping[str, Any]]] = {}
    for entry in race["workloads"]:
        names.setdefault(entry["group"], []).append(entry)
    flags = suspects(race, matrix)
    answer = []
    for group, entries in names.items():
        rows = [_row(race, entry, others, flags, number) for entry in entries]
        means = [mean for label in others if (mean := _mean(race, group, label))]
        plot = Markup(plots.ratios(race, entries, others, number)) if others else Markup("")
        answer.append(Group(group, plot, rows, means))
    return answer


def _mean(race: Summary, group: str, label: str) -> tuple[str, str, str, str] | None:
    found = {one["metric"]: one for one in race["groups"] if (one["group"], one["arm"]) == (group, label)}
    if "cpu" not in found:
        return None
    number = len(found["cpu"]["workloads"])
    over = f"{number} workload" + ("" if number == 1 else "s")
    if missing := found["cpu"]["missing"]:
        over += f", without {', '.join(missing)}"
    return label, ratio(found["cpu"]), ratio(found.get("wall", {})), over


def _row(
    race: Summary, entry: Mapping[str, Any], others: list[str], flags: Mapping[tuple[str, str], list[str]], number: int
) -> dict[str, Any]:
    cells = entry["cells"]
    first = cells[race["reference"]]
    shown = []
    for label in others:
        cell = cells[label]
        measured = cell["state"] == "measured"
        shown.append(
            {
                "cpu": ratio(cell["cpu"]) if measured else cell.get("how", cell["state"]),
                "verdict": MARKS.get(cell["cpu"].get("verdict", ""), "") if measured else "",
                "wall": wall(cell) if measured else "",
                "flags": flags.get((entry["name"], label), []),
            }
        )
    return {
        "name": entry["name"],
        "anchor": anchor(number, entry["name"]),
        "statement": entry["statement"],
        "unit": entry["unit"],
        "rounds": entry["rounds"],
        "reference": duration(first["cpu"]["seconds"]) if "cpu" in first else first.get("how", first["state"]),
        "noise": ratio(cells[race["noise_arm"]].get("cpu", {})),
        "cells": shown,
    }


def _facts(race: Summary) -> list[tuple[str, str, str, list[str]]]:
    labels = [loop["label"] for loop in race["loops"] if loop["label"] != race["noise_arm"]]
    rows = []
    for entry in race["facts"]:
        for name in sorted({name for cell in entry["cells"].values() for name in cell.get("facts", {})}):
            values = [
                f"{cell['facts'][name]:.4g}" if name in cell.get("facts", {}) else cell.get("how", cell["state"])
                for cell in (entry["cells"][label] for label in labels)
            ]
            rows.append((entry["name"], entry["statement"], name.replace("_", " "), values))
    return rows


def _dead(race: Summary) -> list[tuple[str, str, str, str]]:
    return [
        (entry["name"], label, cell["how"], cell["reason"][:600])
        for entry in [*race["workloads"], *race["facts"]]
        for label, cell in entry["cells"].items()
        if cell["state"] == "dead" and label != race["noise_arm"]
    ]


def _noise(race: Summary) -> str:
    found = race["noise"]["cpu"]
    if found["error_median"] is None:
        return "The reference was not raced against itself."
    return (
        f"Raced against itself over {found['cells']} workloads, {race['reference']} seemed to differ by "
        f"{found['error_median']:.1%} in the median and {found['error_max']:.1%} at most; "
        f"{found['false_verdicts']} of these were called a difference."
    )
