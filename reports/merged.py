"""A merged file: several runs and races in one, each whole.

    {"kind": "matrix", "format": 1, "catalogues": [[requirement lines]], "races": [race.json],
     "runs": [{"header", "catalogue": index, "loops": [loop lines], "results": [result lines], "footer" | null}]}

Merging is a union of sets, so it does not matter in what order or how often something is merged; what a matrix makes
of the runs is decided when it is shown. The file is one line, so that a cut one is broken and never shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conformance.results import Column, Run
from reports import schema
from reports.errors import UnusableFile

KIND = "matrix"
FORMAT = 1
_START = b'{"catalogues":'


def union(runs: Iterable[Run], races: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The merged file's content. The same runs and races give the same content, whatever their order."""
    catalogues: dict[str, list[dict[str, Any]]] = {}
    found: dict[str, tuple[str, Run]] = {}
    for run in runs:
        asked = [run.requirements[id] for id in sorted(run.requirements)]
        key = _text(asked)
        catalogues[key] = asked
        found[_text([_parts(run), key])] = (key, run)
    keys = sorted(catalogues)
    return {
        "kind": KIND,
        "format": FORMAT,
        "catalogues": [catalogues[key] for key in keys],
        "runs": [_parts(run) | {"catalogue": keys.index(key)} for _, (key, run) in sorted(found.items())],
        "races": [json.loads(text) for text in sorted({_text(race) for race in races})],
    }


def is_same(run: Run, other: Run) -> bool:
    """Whether both are readings of one run, in whatever order its loops and results came."""
    if (run.header, run.footer, len(run.results)) != (other.header, other.footer, len(other.results)):
        return False
    return run.requirements == other.requirements and _parts(run) == _parts(other)


def write(path: Path, runs: Iterable[Run], races: Iterable[Mapping[str, Any]]) -> None:
    """Raises UnusableFile if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(union(runs, races)) + "\n", encoding="utf-8")
    except OSError as error:
        raise UnusableFile(f"{path}: cannot be written ({error.strerror}); choose another -o") from error


def looks_like_one(path: Path) -> bool:
    """Whether a file begins as a merged file does; for searching directories, which hold other JSON too."""
    try:
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def read(path: Path) -> tuple[list[Run], list[dict[str, Any]]]:
    """Runs and races of a merged file. Raises UnusableFile. The races are not checked yet."""
    try:
        data = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise UnusableFile(f"{path}: damaged or cut off; merge the runs again") from error
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise UnusableFile(f"{path}: written in format {data.get('format')}, this version reads {FORMAT}; update it")
    if found := schema.fault(data, "matrix"):
        raise UnusableFile(f"{path}: damaged ({found}); merge the runs again")
    runs = []
    for part in data["runs"]:
        if not 0 <= part["catalogue"] < len(data["catalogues"]):
            raise UnusableFile(f"{path}: damaged (a run without its catalogue); merge the runs again")
        runs.append(_run(path, part, data["catalogues"][part["catalogue"]]))
    return runs, data["races"]


def _run(path: Path, part: Mapping[str, Any], asked: Iterable[dict[str, Any]]) -> Run:
    run = Run(
        header=part["header"],
        requirements={one["id"]: one for one in asked},
        loops={Column(one["label"], one["python"]): one for one in part["loops"]},
        results=part["results"],
        footer=part["footer"],
    )
    if found := schema.run_fault(run):
        raise UnusableFile(f"{path}: damaged ({found}); merge the runs again")
    for result in run.results:
        if result["id"] not in run.requirements or Column(result["loop"], result["python"]) not in run.loops:
            raise UnusableFile(f"{path}: damaged (a result of an unknown requirement or loop); merge the runs again")
    return run


def _parts(run: Run) -> dict[str, Any]:
    # The order in which loops and results came says nothing; sorted, two readings of one run are one.
    return {
        "header": run.header,
        "loops": sorted(run.loops.values(), key=_text),
        "results": sorted(run.results, key=_text),
        "footer": run.footer,
    }


def _text(data: object) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
