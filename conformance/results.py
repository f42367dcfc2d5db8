"""The result file: what one run found, as JSON lines, appended as it is found.

    {"kind": "header", "format": 1, "suite": …, "catalogue": …, "command": …, "started": …, …}
    {"kind": "requirement", "id": "callbacks.fifo", "level": "must", "statement": …, "cite": […], …}
    {"kind": "loop", "label": "uvloop", "spec": …, "type": …, "version": …, "python": …, "platform": …}
    {"kind": "result", "loop": "uvloop", "python": "3.12.1", "id": …, "case": "", "verdict": "conforms", …}
    {"kind": "footer", "finished": …, "seconds": …, "exit": 0, "results": 412}

There is one requirement line per requirement of the catalogue and one loop line per column. A column is a loop
label on one Python. A file without a footer, or whose footer's exit code says that the user interrupted the run, is
*incomplete*: what the run had found is here. A requirement with several cases or repeats has several result lines;
`Run.cells` folds them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from conformance import exits
from conformance.verdicts import Verdict, worst

FORMAT = 1
"""Raised when a reader of the previous format could misread a file."""


class ResultFileError(ValueError):
    """A file that cannot be read as a result file. The text is one sentence that says what to do."""


class NotAResultFile(ResultFileError):
    """The first line is no header of this suite."""


class NewerFormat(ResultFileError):
    """Written by a later version of this suite."""


class BrokenResultFile(ResultFileError):
    """A line in the middle is not what it must be; only the last line may be cut off."""


class ResultWriter:
    """Appends lines to a result file; each is on its way to the disk before the next trial begins."""

    def __init__(self, path: Path, header: dict[str, Any], requirements: Iterable[dict[str, Any]]) -> None:
        """Raises OSError if the file cannot be written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._results = 0
        self._started = time.monotonic()
        self._line({"kind": "header", "format": FORMAT} | header)
        for requirement in requirements:
            self._line({"kind": "requirement"} | requirement)
        self._file.flush()

    def loop(self, identity: dict[str, str]) -> None:
        self._line({"kind": "loop"} | identity)

    def result(self, result: dict[str, Any]) -> None:
        self._results += 1
        self._line({"kind": "result"} | result)
        self._file.flush()

    def close(self, exit_code: int) -> None:
        """Write the footer. A run that is killed never comes here, and its file says so by lacking it."""
        seconds = round(time.monotonic() - self._started, 3)
        finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._line({"kind": "footer", "finished": finished, "seconds": seconds, "exit": exit_code,
                    "results": self._results})  # fmt: skip
        self._file.close()

    def _line(self, data: dict[str, Any]) -> None:
        self._file.write(json.dumps(data, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class Column:
    """One loop on one Python: what a matrix has a column for."""

    label: str
    python: str


@dataclass(frozen=True)
class Cell:
    """One requirement on one column: the worst of its results, and all of them."""

    verdict: Verdict
    results: tuple[dict[str, Any], ...]

    @property
    def worst(self) -> dict[str, Any]:
        """The result that decides the verdict."""
        return next(r for r in self.results if r["verdict"] == self.verdict)


@dataclass
class Run:
    """A result file as read, or a run as it goes."""

    header: dict[str, Any]
    requirements: dict[str, dict[str, Any]] = field(default_factory=dict)
    loops: dict[Column, dict[str, Any]] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    footer: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether the run came to its end: it was neither killed nor interrupted."""
        return self.footer is not None and self.footer.get("exit") != exits.INTERRUPTED

    def cells(self) -> dict[tuple[str, Column], Cell]:
        """(requirement id, column) → cell, for every pair that has at least one result."""
        grouped: dict[tuple[str, Column], list[dict[str, Any]]] = {}
        for result in self.results:
            grouped.setdefault((result["id"], Column(result["loop"], result["python"])), []).append(result)
        return {
            key: Cell(worst(Verdict(r["verdict"]) for r in results), tuple(results)) for key, results in grouped.items()
        }


def read(path: Path) -> Run:
    """The run in the file at `path`. Raises ResultFileError; a missing footer or a cut last line is no error."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}); give the file of --loop-results") from error
    lines = list(_parsed(path, text))
    if not lines or lines[0].get("kind") != "header" or "format" not in lines[0]:
        raise NotAResultFile(
            f"{path}: no result file of this suite; write one with pytest --loop=… --loop-results=FILE"
        )
    if not isinstance(lines[0]["format"], int) or lines[0]["format"] > FORMAT:
        raise NewerFormat(
            f"{path}: written in format {lines[0]['format']}, this version reads {FORMAT}; update the suite"
        )
    run = Run(lines[0])
    for number, line in enumerate(lines[1:], 2):
        try:
            _add(run, line)
        except (KeyError, TypeError, ValueError) as error:
            raise BrokenResultFile(f"{path}: line {number} is broken ({error!r}); run the battery again") from error
    return run


def _parsed(path: Path, text: str) -> Iterator[dict[str, Any]]:
    # Not splitlines(): a message may hold U+2028, which JSON need not escape.
    lines = text.removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        try:
            data = json.loads(line)
        except ValueError:
            if number == len(lines) and number > 1:
                return
            data = None
        if not isinstance(data, dict):
            if number == 1:
                return
            raise BrokenResultFile(f"{path}: line {number} is no JSON object; run the battery again")
        yield data


def _add(run: Run, line: dict[str, Any]) -> None:
    match line["kind"]:
        case "requirement":
            run.requirements[line["id"]] = line
        case "loop":
            run.loops[Column(line["label"], line["python"])] = line
        case "result":
            Verdict(line["verdict"])
            if line["id"] not in run.requirements or Column(line["loop"], line["python"]) not in run.loops:
                raise ValueError("a result of an unknown requirement or loop")
            run.results.append(line)
        case "footer":
            run.footer = line
        case other:
            raise ValueError(f"unknown kind {other!r}")
