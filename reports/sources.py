"""Result files as they are found on disk: battery runs, races and merged files, told apart by what they hold.

A directory is searched for all three, one level of sub-directories deep. Everything that comes out has the shape that
the schemas say, so that no view needs to doubt it; what has not is one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import files as bench_files
from bench.errors import BenchError
from bench.journal import NAME as JOURNAL
from conformance import results
from conformance.results import Run
from reports import merged, schema
from reports.errors import NothingToReport, UnusableFile


@dataclass(frozen=True)
class BatteryFile:
    """One run of the battery, and where it was read."""

    path: Path
    run: Run


@dataclass(frozen=True)
class RaceFile:
    """One race, and where it was read."""

    path: Path
    summary: dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """All that the arguments of a command named."""

    batteries: list[BatteryFile] = field(default_factory=list)
    races: list[RaceFile] = field(default_factory=list)

    def add(self, path: Path, runs: Iterable[Run], races: Iterable[dict[str, Any]]) -> None:
        """Add what was read at `path`, but for what is known already: a merged file may lie beside its parts."""
        for run in runs:
            if not any(merged.is_same(run, known.run) for known in self.batteries):
                self.batteries.append(BatteryFile(path, run))
        for race in races:
            if all(race != known.summary for known in self.races):
                self.races.append(RaceFile(path, race))


def read(arguments: Iterable[Path]) -> Sources:
    """Read files and directories. Raises UnusableFile, and NothingToReport if a directory holds no result."""
    found = Sources()
    for argument in arguments:
        paths = sorted(_within(argument)) if argument.is_dir() else [argument]
        if not paths:
            raise NothingToReport(
                f"{argument}: holds no result; give a file of pytest --loop-results=FILE or a directory of bench run -o"
            )
        for path in paths:
            try:
                _read(path, found)
            except (results.ResultFileError, BenchError) as error:
                raise UnusableFile(str(error)) from error
            except RecursionError as error:
                raise UnusableFile(f"{path}: nested too deeply to be a result file") from error
    return found


def _within(directory: Path) -> Iterator[Path]:
    for folder in (directory, *sorted(child for child in directory.iterdir() if child.is_dir())):
        if (folder / bench_files.SUMMARY).exists() or (folder / JOURNAL).exists():
            yield folder
        for path in folder.glob("*.json*"):
            if (path.suffix == ".jsonl" and path.name != JOURNAL) or merged.looks_like_one(path):
                yield path


def _read(path: Path, found: Sources) -> None:
    if path.is_dir():
        found.add(path, [], [_race(path)])
        return
    first = _first_line(path)
    match first.get("kind"), "benchmarks" in first:
        case "race", _:
            found.add(path, [], [_race(path)])
        case merged.KIND, _:
            found.add(path, *_merged(path))
        case _, True:
            raise UnusableFile(f"{path}: a pyperf suite alone; give the directory of the race, which holds race.json")
        case _:
            found.add(path, [_battery(path)], [])


def _first_line(path: Path) -> Mapping[str, Any]:
    """What the first line says; race.json spreads over lines and says it only as a whole."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except OSError as error:
        raise UnusableFile(
            f"{path}: cannot be read ({error.strerror}); give a result file or a directory with some"
        ) from error
    if first.strip() == "{":
        return {"kind": "race"}
    try:
        line = json.loads(first)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _battery(path: Path) -> Run:
    run = results.read(path)
    if found := schema.run_fault(run):
        raise UnusableFile(f"{path}: damaged ({found}); run the battery again")
    return run


def _race(path: Path) -> dict[str, Any]:
    summary = bench_files.read(path)
    check_race(path, summary)
    return summary


def check_race(path: Path, summary: dict[str, Any]) -> None:
    """Raises UnusableFile if the race is not what the schema says, or does not hold together."""
    found = schema.fault(summary, "race")
    if found is None:
        labels = [loop["label"] for loop in summary["loops"]]
        if summary["reference"] not in labels or summary["noise_arm"] not in labels:
            found = "its reference or its A/A arm is none of its loops"
        elif lacking := [w["name"] for w in summary["workloads"] + summary["facts"] if set(w["cells"]) != set(labels)]:
            found = f"{lacking[0]} has not one cell per loop"
        elif any((one["low"] is None) != (one["high"] is None) for one in summary["groups"]):
            found = "a group's interval has one end"
    if found:
        raise UnusableFile(f"{path}: damaged ({found}); delete race.json, and bench compare makes it from rounds.jsonl")


def _merged(path: Path) -> tuple[list[Run], list[dict[str, Any]]]:
    runs, races = merged.read(path)
    for race in races:
        check_race(path, race)
    return runs, races
