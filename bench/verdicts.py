"""What a race found: from the journal to cells, comparisons, group means and the noise floor.

Pure derivation; running it twice on one journal gives the same answer. The shape of the answer is in
`bench.files`, which writes it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

from bench import histogram
from bench import statistics as race_statistics
from bench.journal import Journal
from bench.statistics import Comparison

METRICS = ("cpu", "wall")
"""CPU seconds of the measured process rank; wall time stands beside it."""


def summarise(journal: Journal) -> dict[str, Any]:
    """The `workloads`, `groups` and `noise` of race.json."""
    workloads = [entry for entry in journal.header["workloads"] if not entry["facts"]]
    differences = {
        metric: {entry["name"]: _differences(journal, entry["name"], metric) for entry in workloads}
        for metric in METRICS
    }
    compared = {metric: _compare(journal, differences[metric]) for metric in METRICS}
    return {
        "workloads": [
            entry
            | {
                "loops": journal.loops.get(entry["name"]),
                "rounds": len(journal.paired(entry["name"])),
                "cells": {label: _cell(journal, entry, label, compared) for label in journal.labels()},
            }
            for entry in workloads
        ],
        "facts": [
            entry | {"cells": _facts(journal, entry["name"])} for entry in journal.header["workloads"] if entry["facts"]
        ],
        "groups": [group for metric in METRICS for group in _groups(journal, workloads, differences[metric], metric)],
        "noise": {metric: _noise(journal, compared[metric]) for metric in METRICS},
    }


def _differences(journal: Journal, workload: str, metric: str) -> dict[str, dict[int, float]]:
    """{arm: {round: log-ratio}} for all arms but the reference."""
    reference = journal.labels()[0]
    if (workload, reference) in journal.dead:
        return {}
    answer: dict[str, dict[int, float]] = {label: {} for label in journal.alive(workload) if label != reference}
    for number, one in journal.paired(workload).items():
        for label, found in answer.items():
            found[number] = race_statistics.round_difference(one["arms"][label][metric], one["arms"][reference][metric])
    return {label: found for label, found in answer.items() if found}


def _compare(
    journal: Journal, differences: Mapping[str, Mapping[str, Mapping[int, float]]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Comparison with Holm-adjusted p and verdict for each (workload, arm); one family per arm."""
    noise_arm = journal.header["noise_arm"]
    margin = math.log1p(journal.header["settings"]["margin"])
    comparisons: dict[tuple[str, str], Comparison] = {
        (workload, label): race_statistics.compare(list(found.values()))
        for workload, arms in differences.items()
        for label, found in arms.items()
    }
    adjusted: dict[tuple[str, str], float] = {}
    for arm in journal.labels():
        adjusted |= race_statistics.holm({key: c.p for key, c in comparisons.items() if key[1] == arm})
    answer = {}
    for (workload, label), found in comparisons.items():
        noise = comparisons.get((workload, noise_arm))
        # The A/A arm's own verdict is judged by the margin alone: it is the floor.
        floor = 0.0 if label == noise_arm else abs(math.log(noise.ratio)) if noise else math.inf
        answer[workload, label] = {
            "ratio": found.ratio,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "p_adjusted": adjusted[workload, label],
            "rounds": found.rounds,
            "verdict": race_statistics.verdict(found, adjusted[workload, label], floor, margin),
        }
    return answer


def _cell(
    journal: Journal,
    entry: Mapping[str, Any],
    label: str,
    compared: Mapping[str, Mapping[tuple[str, str], dict[str, Any]]],
) -> dict[str, Any]:
    name = entry["name"]
    if (death := journal.dead.get((name, label))) is not None:
        return {"state": "dead", "how": death["how"], "reason": death["reason"]}
    rounds = [one["arms"][label] | {"loops": one["loops"]} for one in journal.paired(name).values()]
    if not rounds:
        return {"state": "not run"}
    cell: dict[str, Any] = {"state": "measured"}
    for metric in METRICS:
        seconds = [statistics.median(one[metric]) / (one["loops"] * entry["inner"]) for one in rounds]
        cell[metric] = {"seconds": statistics.median(seconds)} | compared[metric].get((name, label), {})
    operations = sum(one["loops"] * entry["inner"] * len(one["wall"]) for one in rounds)
    cell["voluntary_switches"] = sum(sum(one["nvcsw"]) for one in rounds) / operations
    cell["involuntary_switches"] = sum(sum(one["nivcsw"]) for one in rounds) / operations
    for memory in ("rss", "rss_growth", "rss_peak"):
        cell[memory] = round(statistics.median(one[memory] for one in rounds))
    if "syscalls" in (counted := (journal.syscalls or {}).get(label, {}).get(name, {})):
        cell["syscalls"], cell["calls"] = counted["syscalls"], counted["calls"]
    latency = histogram.merge({int(index): count for index, count in one["latency"].items()} for one in rounds)
    if latency:
        cell["latency"] = histogram.percentiles(latency)
        cell["latency_histogram"] = {str(index): latency[index] for index in sorted(latency)}
    return cell


def _facts(journal: Journal, name: str) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for label in journal.labels():
        if (death := journal.dead.get((name, label))) is not None:
            cells[label] = {"state": "dead", "how": death["how"], "reason": death["reason"]}
            continue
        found = [arms[label] for arms in journal.facts.get(name, {}).values() if label in arms]
        if not found:
            cells[label] = {"state": "not run"}
            continue
        facts = {fact: statistics.median(one[fact] for one in found) for fact in found[0]}
        cells[label] = {"state": "measured", "facts": facts}
    return cells


def _groups(
    journal: Journal,
    workloads: list[dict[str, Any]],
    differences: Mapping[str, Mapping[str, Mapping[int, float]]],
    metric: str,
) -> list[dict[str, Any]]:
    """Geometric means over the workloads of a group that this arm has, and the names of those it lacks."""
    answer = []
    names_by_group: dict[str, list[str]] = {}
    for entry in workloads:
        names_by_group.setdefault(entry["group"], []).append(entry["name"])
    for group, names in names_by_group.items():
        for label in journal.labels()[1:]:
            have = [name for name in names if differences[name].get(label)]
            if not have:
                continue
            common = set.intersection(*(set(differences[name][label]) for name in have))
            if not common:
                continue
            table = [[differences[name][label][number] for number in sorted(common)] for name in have]
            ratio, low, high = race_statistics.geometric_mean(table)
            answer.append(
                {
                    "group": group,
                    "arm": label,
                    "metric": metric,
                    "ratio": ratio,
                    "low": low,
                    "high": high,
                    "workloads": have,
                    "missing": [name for name in names if name not in have],
                }
            )
    return answer


def _noise(journal: Journal, compared: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """How far the reference seemed to differ from itself."""
    cells = [found for (_, label), found in compared.items() if label == journal.header["noise_arm"]]
    errors = sorted(abs(math.log(found["ratio"])) for found in cells)
    widths = sorted(math.log(found["high"] / found["low"]) / 2 for found in cells if found["low"] is not None)
    return {
        "cells": len(cells),
        "excluding_one": sum(found["low"] is not None and not found["low"] <= 1 <= found["high"] for found in cells),
        "false_verdicts": sum(found["verdict"] in {"faster", "slower"} for found in cells),
        "error_median": statistics.median(errors) if errors else None,
        "error_max": errors[-1] if errors else None,
        "half_width_median": statistics.median(widths) if widths else None,
    }
