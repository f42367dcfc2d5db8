"""`diff`: what changed from old results to new ones, on loops that both have.

A loop is the same loop if its label and Python (3.12, say) are; its version is what one usually compares. What was not
run in one of the two is neither fixed nor, unless it is wrong now, a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench import changes as bench_changes
from bench.errors import BenchError
from conformance.verdicts import Verdict
from reports import matrix
from reports.errors import NothingToReport
from reports.matrix import Cell, Column, Matrix
from reports.sources import Sources

KINDS = {
    "new failure": "was right, is wrong",
    "fixed": "was wrong, is right",
    "still failing": "wrong in both",
    "newly run": "has a verdict only in the new results",
    "no longer run": "had a verdict only in the old results",
    "other answer": "what the contract leaves open is answered in another way",
}


@dataclass(frozen=True)
class Change:
    """One requirement on one loop. `note` says what a reader must know to trust it."""

    kind: str
    id: str
    loop: str
    old: str
    new: str
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """All that changed; what stayed as it was is only counted."""

    requirements: list[Change] = field(default_factory=list)
    workloads: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    same: int = 0

    @property
    def worse(self) -> bool:
        """Whether anything became wrong or slower."""
        return any(change.kind == "new failure" for change in self.requirements) or any(
            change["verdict"] in ("slower", "gone") for change in self.workloads
        )

    def of(self, kind: str) -> list[Change]:
        return [change for change in self.requirements if change.kind == kind]


def diff(old: Sources, new: Sources) -> Difference:
    """Compare. Raises NothingToReport if the two have no loop in common."""
    before = matrix.build(file.run for file in old.batteries)
    after = matrix.build(file.run for file in new.batteries)
    answer = Difference()
    counted = 0
    pairs = list(_pairs(before, after, answer.notes))
    for past, now in pairs:
        for id in sorted({*past.cells, *now.cells}):
            change = _change(id, past.cells.get(id), now.cells.get(id), now, (before, after))
            if change:
                answer.requirements.append(change)
            else:
                counted += 1
    races = _races(old, new, answer)
    if not pairs and not races:
        raise NothingToReport("the old and the new results have no loop in common; compare runs of the same --loop")
    return Difference(answer.requirements, answer.workloads, answer.notes, counted)


def _pairs(before: Matrix, after: Matrix, notes: list[str]) -> Iterator[tuple[Column, Column]]:
    olds: dict[tuple[str, ...], list[Column]] = {}
    for column in before.columns:
        olds.setdefault(_who(column), []).append(column)
    for now in after.columns:
        candidates = olds.get(_who(now), [])
        if not candidates:
            notes.append(f"{now.label} on Python {now.python} is only in the new results")
            continue
        past = max(candidates, key=lambda column: _likeness(column, now))
        for column, which in ((past, "old"), (now, "new")):
            notes += [f"{column.label} on Python {column.python}: {mark} ({which})" for mark in column.marks]
        for key in ("spec", "version"):
            old, new = past.identity[key], now.identity[key]
            if old != new:
                notes.append(f"{now.label} on Python {now.python}: {key} {old} against {new}")
        yield past, now
    seen = {_who(column) for column in after.columns}
    for who, columns in olds.items():
        if who not in seen:
            notes.append(f"{columns[0].label} on Python {columns[0].python} is only in the old results")


def _likeness(past: Column, now: Column) -> tuple[bool | int, ...]:
    """Of several (two machines or versions, say), the most alike is compared; of those, the one that says most."""
    alike = [past.identity[key] == now.identity[key] for key in ("platform", "version", "python")]
    return past.cells == now.cells, *alike, not past.marks, len(past.cells)


def _who(column: Column) -> tuple[str, ...]:
    return column.label, matrix.minor(column.python)


def _change(id: str, past: Cell | None, now: Cell | None, column: Column, both: tuple[Matrix, Matrix]) -> Change | None:
    old, new = _word(past), _word(now)
    kind = _kind(past, now)
    if kind is None:
        return None
    note = ""
    if all(id in one.requirements for one in both):
        first, second = (one.requirements[id] for one in both)
        if any(first[key] != second[key] for key in ("level", "statement", "source")):
            note = "the requirement changed"
    return Change(kind, id, f"{column.label} {column.python}", old, new, note)


def _kind(past: Cell | None, now: Cell | None) -> str | None:
    known = [cell is not None and (cell.wrong or cell.verdict is Verdict.CONFORMS) for cell in (past, now)]
    if not past or not now or not all(known):
        if known[0] == known[1]:
            return None
        # A failure that nobody has seen before is one, whether the requirement is new or could not run.
        if now and now.wrong:
            return "new failure"
        return "newly run" if known[1] else "no longer run"
    if past.wrong or now.wrong:
        return "still failing" if past.wrong and now.wrong else "fixed" if past.wrong else "new failure"
    return "other answer" if past.answers != now.answers else None


def _word(cell: Cell | None) -> str:
    if cell is None:
        return "no result"
    return "; ".join(cell.answers) if cell.answers and not cell.wrong else cell.verdict.value


def _races(old: Sources, new: Sources, answer: Difference) -> bool:
    """Compare each new race with the old one of the same reference; whether there was any."""
    compared = False
    for now in new.races:
        for past in old.races:
            if past.summary == now.summary:
                compared = True
                continue
            try:
                found = bench_changes.changes(past.summary, now.summary)
            except BenchError as error:
                answer.notes.append(f"{past.path.name} and {now.path.name}: {error}")
                continue
            compared = True
            if not found:
                answer.notes.append(f"{past.path.name} and {now.path.name} have no workload and loop in common")
            answer.workloads.extend(one for one in found if one["verdict"] != "no difference")
            answer.notes.extend(f"{f.path.name}: incomplete race" for f in (past, now) if not f.summary["complete"])
    return compared
