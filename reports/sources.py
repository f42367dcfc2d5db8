"""Result files as they are found on disk: battery runs and races, told apart by what they hold.

A directory is searched for both, one level of sub-directories deep. Whatever cannot be read is one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import files as bench_files
from bench.errors import BenchError
from bench.journal import NAME as JOURNAL
from conformance import results
from conformance.results import Run
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
            one = _read(path)
            if isinstance(one, BatteryFile):
                found.batteries.append(one)
            else:
                found.races.append(one)
    return found


def _within(directory: Path) -> Iterator[Path]:
    for folder in (directory, *sorted(child for child in directory.iterdir() if child.is_dir())):
        if (folder / bench_files.SUMMARY).exists() or (folder / JOURNAL).exists():
            yield folder
        for path in folder.glob("*.jsonl"):
            if path.name != JOURNAL:
                yield path


def _read(path: Path) -> BatteryFile | RaceFile:
    try:
        if path.is_dir() or _is_one_object(path):
            return RaceFile(path, bench_files.read(path))
        return BatteryFile(path, results.read(path))
    except (results.ResultFileError, BenchError) as error:
        raise UnusableFile(str(error)) from error


def _is_one_object(path: Path) -> bool:
    """Whether the file is one JSON document over several lines, as race.json is; a battery's line is an object too."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except OSError as error:
        raise UnusableFile(
            f"{path}: cannot be read ({error.strerror}); give a result file or a directory with some"
        ) from error
    try:
        line = json.loads(first)
    except ValueError:
        return first.strip() == "{"
    return isinstance(line, dict) and line.get("kind") == "race"
