"""The short lists beside the matrix: operations that loops lack, answers to what is left open, what was not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.verdicts import Level, Verdict
from reports.matrix import Column, Matrix


@dataclass(frozen=True)
class Absent:
    """An operation, the loops that lack it, and the requirements that need it."""

    operation: str
    columns: tuple[Column, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """A MAY requirement, and each answer with the loops that gave it."""

    id: str
    statement: str
    answers: tuple[tuple[tuple[str, ...], tuple[Column, ...]], ...]


@dataclass(frozen=True)
class NotRun:
    """A reason, and what was not run for it."""

    verdict: Verdict
    why: str
    columns: tuple[Column, ...]
    ids: tuple[str, ...]


def absent(matrix: Matrix) -> list[Absent]:
    """Each operation once; loops that lack it for the same requirements share a row."""
    found: dict[tuple[str, str], list[str]] = {}
    for column in matrix.columns:
        for id, cell in column.cells.items():
            if cell.verdict is Verdict.NOT_IMPLEMENTED:
                operation = str(cell.worst.get("operation") or "an operation")
                found.setdefault((operation, column.key), []).append(id)
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (operation, key), ids in found.items():
        groups.setdefault((operation, tuple(sorted(ids))), []).append(key)
    columns = _by_key(matrix)
    return [
        Absent(operation, tuple(columns[key] for key in keys), ids) for (operation, ids), keys in sorted(groups.items())
    ]


def answers(matrix: Matrix) -> list[Answers]:
    """What loops answered where any answer is right."""
    rows = []
    for id in matrix.ids:
        requirement = matrix.requirements[id]
        given: dict[tuple[str, ...], list[Column]] = {}
        for column in matrix.columns:
            if (cell := column.cells.get(id)) and cell.answers:
                given.setdefault(cell.answers, []).append(column)
        if requirement["level"] == Level.MAY.value and given:
            pairs = tuple((answer, tuple(who)) for answer, who in sorted(given.items()))
            rows.append(Answers(id, str(requirement["statement"]), pairs))
    return rows


def not_run(matrix: Matrix) -> list[NotRun]:
    """Not run, not applicable and errored, by reason."""
    found: dict[tuple[Verdict, str, str], list[str]] = {}
    for column in matrix.columns:
        for id, cell in column.cells.items():
            if cell.verdict in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE, Verdict.ERRORED):
                why = str(cell.worst.get("seen", "")).split("\n")[0][:200]
                found.setdefault((cell.verdict, why, column.key), []).append(id)
    groups: dict[tuple[Verdict, str, tuple[str, ...]], list[str]] = {}
    for (verdict, why, key), ids in found.items():
        groups.setdefault((verdict, why, tuple(sorted(ids))), []).append(key)
    columns = _by_key(matrix)
    return [
        NotRun(verdict, why, tuple(columns[key] for key in keys), ids)
        for (verdict, why, ids), keys in sorted(groups.items())
    ]


def _by_key(matrix: Matrix) -> Mapping[str, Column]:
    return {column.key: column for column in matrix.columns}
