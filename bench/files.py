"""The files that a race leaves in its directory, for people, for pyperf and for `reports`.

    rounds.jsonl        what was measured, line by line (see bench.journal); everything else follows from it
    race.json           what was found; rewritten after each round, so it is valid while the race still runs
    pyperf/LABEL.json   one stock pyperf suite per arm: `python -m pyperf compare_to pyperf/a.json pyperf/b.json`

race.json, format 1 (all times in seconds, all ratios time divided by the reference's time, below 1 is faster):

    {"format": 1, "kind": "race", "complete": bool, "started": unix time, "finished": unix time | null,
     "command": [argv], "seed": int,
     "settings": {"rounds", "samples", "target", "patience", "pinned", "margin"},
     "reference": label of the first loop, "noise_arm": label of the A/A arm (the reference again),
     "loops": [{"label", "spec", "type", "distribution", "version", "metadata": {pyperf's: python_version, …},
         "build": hash of the modules of the loop's class and its bases}],
         one per arm, reference first, A/A arm last; one raced with --handicap also has "handicap": share of CPU burnt
     "workloads": [{"name", "group", "drives", "unit", "inner", "sizes": {}, "tier", "facts": false, "statement",
         "version": hash (times of different versions are not comparable), "loops": shared count, "rounds": n,
         "cells": {label: cell}}],
     "facts": [{…as a workload…, "cells": {label: {"state", "facts": {name: number}}}}],
         guards: named facts, never speeds; a name ends in its unit
     "groups": [{"group", "arm", "metric": "cpu" | "wall", "ratio", "low", "high", "workloads": [names],
         "missing": [names without a time]}],
         geometric means; low and high are null under six rounds
     "noise": {metric: {"cells", "excluding_one", "false_verdicts", "error_median", "error_max",
         "half_width_median"}}}   of the A/A arm; errors and widths are |log ratio|

    cell: {"state": "measured",
           "cpu": {"seconds": median per operation, "ratio", "low", "high", "p", "p_adjusted", "rounds", "verdict"},
           "wall": {the same},      (the reference's own cells, and cells whose reference is dead, have only "seconds")
           "latency": {"50": s, "90": s, "99": s, "99.9": s}, "latency_histogram": {bucket: count},  (echo workloads)
           "rss", "rss_growth", "rss_peak": bytes, median over rounds; growth is from first to last sample,
           "voluntary_switches", "involuntary_switches": per operation,
           "syscalls": per operation, "calls": {system call: per operation}}    (with --syscalls, where they repeat)
        | {"state": "dead", "how": "hangs" | "crashes" | "fails", "reason": text}
        | {"state": "not run"}
    verdict: "faster" | "slower" | "no difference" | "inconclusive"; `cpu` ranks, `wall` stands beside it

In a pyperf suite, benchmark NAME holds wall seconds per operation and NAME:cpu CPU seconds of the measured process.
Each pyperf run is one worker process; its metadata has round, order, loop_spec, loop_version, workload_version,
voluntary_switches and more.
Only rounds in which every living arm was measured are written: pyperf's t-test breaks on unequal counts.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyperf  # type: ignore[import-untyped]  # ships no types

from bench import shape, verdicts
from bench.errors import BrokenFile
from bench.journal import NAME as JOURNAL
from bench.journal import Journal
from bench.shape import NUMBER

FORMAT = 1
SUMMARY = "race.json"
SUITES = "pyperf"
_DEAD = {"state": str, "how": str, "reason": str}
_BOUND = (*NUMBER, type(None))


def _cell(cell: Any) -> dict[str, Any]:
    match cell:
        case {"state": "measured"}:
            return {"cpu": _time, "wall": _time}
        case {"state": "dead"}:
            return _DEAD
    return {"state": str}


def _fact(cell: Any) -> dict[str, Any]:
    dead = isinstance(cell, dict) and cell.get("state") == "dead"
    return _DEAD if dead else {"state": str, "?facts": {}}


def _time(found: Any) -> dict[str, Any]:
    ratio = {"ratio": NUMBER, "low": _BOUND, "high": _BOUND, "p": NUMBER, "rounds": int}
    return {"seconds": NUMBER} | (ratio if isinstance(found, dict) and "ratio" in found else {})


_SHAPE = {
    "complete": bool,
    "settings": {"margin": NUMBER},
    "reference": str,
    "noise_arm": str,
    "loops": [{"label": str, "spec": str, "metadata": {}}],
    "workloads": [{"name": str, "version": str, "cells": {"*": _cell}}],
    "facts": [{"name": str, "cells": {"*": _fact}}],
    "groups": [{"group": str, "arm": str, "metric": str, "workloads": list}],
    "noise": {"cpu": {"cells": int}},
}
"""What this package reads of race.json."""


def write(directory: Path, journal: Journal) -> dict[str, Any]:
    """Write race.json and the pyperf suites; returns what race.json holds."""
    summary = summarise(journal)
    _replace(directory / SUMMARY, json.dumps(summary, indent=1) + "\n")
    (directory / SUITES).mkdir(exist_ok=True)
    for loop in journal.header["loops"]:
        path = directory / SUITES / f"{file_name(loop['label'])}.json"
        if (suite := _suite(journal, loop)) is None:
            path.unlink(missing_ok=True)  # of earlier rounds, before this arm died of everything
        else:
            partial = path.with_suffix(".partial.json")
            suite.dump(str(partial), replace=True)
            os.replace(partial, path)
    return summary


def summarise(journal: Journal) -> dict[str, Any]:
    """What race.json holds of a race."""
    header = journal.header
    return {
        "format": FORMAT,
        "kind": "race",
        "complete": journal.finished is not None,
        "started": header["started"],
        "finished": journal.finished,
        "command": header["command"],
        "seed": header["seed"],
        "settings": header["settings"],
        "reference": journal.labels()[0],
        "noise_arm": header["noise_arm"],
        "loops": header["loops"],
    } | verdicts.summarise(journal)


def read(directory: Path) -> dict[str, Any]:
    """race.json of a directory (or the file itself), or what it would hold. Writes nothing. Raises BrokenFile."""
    path = directory / SUMMARY if directory.is_dir() else directory
    if directory.is_dir() and not path.exists() and (directory / JOURNAL).exists():
        return summarise(Journal.read(directory / JOURNAL))
    try:
        summary = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BrokenFile(f"there is no race in {directory}: give the directory that `bench run -o` wrote") from error
    except OSError as error:
        raise BrokenFile(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BrokenFile(f"{path} is damaged or no JSON: race again, or delete it and keep rounds.jsonl") from error
    if not isinstance(summary, dict) or summary.get("kind") != "race":
        raise BrokenFile(f"{path} is not a race: give the directory that `bench run -o` wrote")
    if summary.get("format") != FORMAT:
        raise BrokenFile(f"{path} has format {summary.get('format')}, this version reads {FORMAT}: update the tool")
    if fault := shape.fault(summary, _SHAPE):
        raise BrokenFile(f"{path} is damaged: {fault}; delete it and keep rounds.jsonl")
    labels = {loop["label"] for loop in summary["loops"]}
    for entry in [*summary["workloads"], *summary["facts"]]:
        if labels != set(entry["cells"]):
            raise BrokenFile(f"{path} is damaged: {entry['name']} has other loops; delete it and keep rounds.jsonl")
    if not {summary["reference"], summary["noise_arm"]} <= labels:
        raise BrokenFile(f"{path} is damaged: its reference is none of its loops; delete it and keep rounds.jsonl")
    return summary


def labels_of(summary: Mapping[str, Any]) -> list[str]:
    """The loops of a race, reference first, without the A/A arm."""
    return [loop["label"] for loop in summary["loops"] if loop["label"] != summary["noise_arm"]]


def contenders(summary: Mapping[str, Any]) -> list[str]:
    """The loops that are compared with the reference."""
    return [label for label in labels_of(summary) if label != summary["reference"]]


def file_name(label: str) -> str:
    """A label as a file name; pyperf shows it as the column's title."""
    return re.sub(r"[^\w.+-]", "-", label)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)


def _suite(journal: Journal, loop: dict[str, Any]) -> pyperf.BenchmarkSuite | None:
    benchmarks = []
    for entry in journal.header["workloads"]:
        name, label = entry["name"], loop["label"]
        rounds = journal.paired(name)
        if entry["facts"] or (name, label) in journal.dead or not rounds:
            continue
        for metric, suffix in (("wall", ""), ("cpu", ":cpu")):
            runs = [_run(entry, loop, one, metric, name + suffix) for one in rounds.values()]
            benchmarks.append(pyperf.Benchmark(runs))
    return pyperf.BenchmarkSuite(benchmarks) if benchmarks else None


def _run(entry: dict[str, Any], loop: dict[str, Any], one: dict[str, Any], metric: str, name: str) -> pyperf.Run:
    """One worker process as pyperf sees it."""
    arm = one["arms"][loop["label"]]
    operations = one["loops"] * entry["inner"]
    metadata: dict[str, Any] = {
        **loop["metadata"],
        "name": name,
        "unit": "second",
        "loops": one["loops"],
        "inner_loops": entry["inner"],
        "tags": [entry["group"], metric],
        "date": datetime.datetime.fromtimestamp(one["time"]).isoformat(" "),
        "duration": sum(arm["wall"]),
        "round": one["round"],
        "order": one["order"].index(loop["label"]),
        "loop_label": loop["label"],
        "loop_spec": loop["spec"],
        "loop_type": loop["type"],
        "loop_version": f"{loop['distribution']} {loop['version']}",
        "workload_version": entry["version"],
        "metric": metric,
        "voluntary_switches": sum(arm["nvcsw"]),
        "involuntary_switches": sum(arm["nivcsw"]),
        "mem_max_rss": max(1, arm["rss_peak"]),
        "rss_growth": arm["rss_growth"],
        "cpu_affinity": "not pinned" if one["cpu"] is None else str(one["cpu"]),
    }
    if metric == "wall":
        metadata["cpu_values"] = " ".join(f"{value / operations:.4g}" for value in arm["cpu"])
    warmups = [(loops, seconds / (loops * entry["inner"])) for loops, seconds in arm["warmups"][-2:]]
    return pyperf.Run(
        [value / operations for value in arm[metric]],
        warmups=warmups if metric == "wall" else None,
        metadata=metadata,
        collect_metadata=False,
    )
