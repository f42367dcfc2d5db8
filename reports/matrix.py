"""The matrix: requirement by column, put together from several runs of the battery.

A column is one loop of one version on one Python and platform. Runs are joined into one column only if they asked the
same questions and came to their end; a run that is incomplete, or of another catalogue than the newest, keeps a
column of its own, with a mark that says so. In another catalogue's column, a requirement that asks something else
than the one shown is marked too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from conformance.results import Run
from conformance.verdicts import WRONG, Verdict, worst

INCOMPLETE = "incomplete run"
OTHER_CATALOGUE = "other catalogue"


@dataclass(frozen=True)
class Cell:
    """One requirement on one column. `differs`: this column's run asked something else under this id."""

    verdict: Verdict
    results: tuple[Mapping[str, Any], ...]
    differs: bool = False

    @cached_property
    def worst(self) -> Mapping[str, Any]:
        """The result that decides the verdict."""
        return next(result for result in self.results if result["verdict"] == self.verdict.value)

    @property
    def wrong(self) -> bool:
        return self.verdict in WRONG

    @property
    def expected(self) -> str:
        """The reason of the expectation that covers everything that is wrong here; empty if something is new."""
        reasons = [str(r.get("expected", "")) for r in self.results if Verdict(r["verdict"]) in WRONG]
        return reasons[0] if reasons and all(reasons) else ""

    @property
    def answers(self) -> tuple[str, ...]:
        """What a MAY requirement recorded, case by case."""
        found = {(f"{r['case']}: " if r["case"] else "") + str(r["answer"]) for r in self.results if r.get("answer")}
        return tuple(sorted(found))


@dataclass(frozen=True)
class Column:
    """One loop on one Python and platform, and the runs that found it out. `requirements` is their catalogue."""

    key: str
    identity: Mapping[str, Any]
    headers: tuple[Mapping[str, Any], ...]
    marks: tuple[str, ...]
    cells: Mapping[str, Cell] = field(repr=False)
    requirements: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @property
    def label(self) -> str:
        return str(self.identity["label"])

    @property
    def spec(self) -> str:
        return str(self.identity["spec"])

    @property
    def python(self) -> str:
        return str(self.identity["python"])

    @property
    def version(self) -> str:
        return str(self.identity["version"])


@dataclass(frozen=True)
class Matrix:
    """`requirements` is the newest catalogue, and what only older ones asked; columns are in a fixed order."""

    requirements: Mapping[str, Mapping[str, Any]]
    columns: tuple[Column, ...]

    @cached_property
    def chapters(self) -> Mapping[str, tuple[str, ...]]:
        """Chapter → the ids in it that at least one column has a result for, in order."""
        ran = {id for column in self.columns for id in column.cells}
        found: dict[str, list[str]] = {}
        for id in sorted(ran):
            found.setdefault(id.partition(".")[0], []).append(id)
        return {chapter: tuple(ids) for chapter, ids in sorted(found.items())}

    @property
    def ids(self) -> Iterator[str]:
        for ids in self.chapters.values():
            yield from ids

    def row(self, id: str) -> list[Cell | None]:
        return [column.cells.get(id) for column in self.columns]


def build(runs: Iterable[Run]) -> Matrix:
    """The matrix of these runs. Their order does not matter, and a run given twice counts once."""
    runs = sorted(runs, key=_age, reverse=True)
    if not runs:
        return Matrix({}, ())
    newest = runs[0].header["catalogue"]
    requirements: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        requirements = dict(run.requirements) | requirements
    groups: dict[tuple[Any, ...], list[tuple[Run, Mapping[str, Any]]]] = {}
    for run in runs:
        for identity in run.loops.values():
            joined = () if run.complete else (_digest(run),)
            key = (*_who(identity), run.header["catalogue"], *joined)
            groups.setdefault(key, []).append((run, identity))
    columns = [_column(parts, newest, requirements) for parts in groups.values()]
    return Matrix(dict(sorted(requirements.items())), _distinct(sorted(columns, key=_place)))


def _column(
    parts: list[tuple[Run, Mapping[str, Any]]], newest: str, requirements: Mapping[str, Mapping[str, Any]]
) -> Column:
    run, identity = parts[0]
    results: dict[str, dict[str, Mapping[str, Any]]] = {}
    asked: dict[str, Mapping[str, Any]] = {}
    for part, _ in parts:
        asked |= part.requirements
        for result in part.results:
            if (result["loop"], result["python"]) == (identity["label"], identity["python"]):
                # Keyed by content, so that a run that was given twice counts once.
                results.setdefault(result["id"], {})[repr(sorted(result.items()))] = result
    marks = [] if run.complete else [INCOMPLETE]
    marks += [OTHER_CATALOGUE] if run.header["catalogue"] != newest else []
    cells = {}
    for id, found in results.items():
        these = tuple(found[key] for key in sorted(found))
        differs = _asks(requirements[id]) != _asks(asked[id])
        cells[id] = Cell(worst(Verdict(result["verdict"]) for result in these), these, differs)
    headers = {repr(sorted(part.header.items())): part.header for part, _ in parts}
    return Column(_slug(identity), identity, tuple(headers.values()), tuple(marks), cells, asked)


def minor(python: str) -> str:
    """`3.12` of `3.12.1`."""
    return ".".join(python.split(".")[:2])


def _who(identity: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(identity[k]) for k in ("label", "spec", "distribution", "version", "python", "platform"))


def _asks(requirement: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(requirement[key] for key in ("level", "statement", "source"))


def _place(column: Column) -> tuple[Any, ...]:
    """asyncio's own loops first, then by name, then by Python: an order that no result can change."""
    version = tuple(int(number) for number in re.findall(r"\d+", column.python))
    own = not column.spec.startswith("asyncio:")
    return (own, column.label, version, *_who(column.identity), column.marks, repr(column.headers))


def _slug(identity: Mapping[str, Any]) -> str:
    text = f"{identity['label']}-{minor(str(identity['python']))}"
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-") or "loop"


def _distinct(columns: list[Column]) -> tuple[Column, ...]:
    """Columns with keys that differ: the second uvloop on 3.12 is `uvloop-3.12-2`."""
    seen: dict[str, int] = {}
    answer = []
    for column in columns:
        seen[column.key] = seen.get(column.key, 0) + 1
        suffix = f"-{seen[column.key]}" if seen[column.key] > 1 else ""
        answer.append(replace(column, key=column.key + suffix))
    return tuple(answer)


def _age(run: Run) -> tuple[str, str]:
    return str(run.header["started"]), _digest(run)


def _digest(run: Run) -> str:
    return hashlib.sha256(repr((sorted(run.header.items()), len(run.results))).encode()).hexdigest()
