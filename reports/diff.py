"""`diff`: what changed from old results to new ones, on loops that both have.

A loop is the same loop if its label and Python (3.12, say) are; its version is what one usually compares. A race is
compared with one of the same reference and Python. What was not run in one of the two is neither fixed nor, unless it
is wrong now, a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import changes as bench_changes
from conformance.verdicts import Verdict
from reports import matrix
from reports.errors import NothingToReport
from reports.matrix import Cell, Column, Matrix
from reports.sources import RaceFile, Sources

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
    """Compare. Raises NothingToReport if the two have no loop on one Python in common."""
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
        raise NothingToReport(
            "the old and the new results have no loop on one Python in common; compare runs of the same --loop"
        )
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
    """Compare each new race with the old one that is most like it; whether there was any."""
    compared = False
    for past, now in _race_pairs(old.races, new.races, answer.notes):
        compared = True
        if past.summary == now.summary:
            continue
        found = bench_changes.changes(past.summary, now.summary)
        if not found:
            answer.notes.append(f"{past.path.name} and {now.path.name} have no workload and loop in common")
        answer.workloads.extend(one for one in found if one["verdict"] != "no difference")
        answer.notes.extend(f"{now.path.name}: {remark}" for remark in bench_changes.remarks(past.summary, now.summary))
        answer.notes.extend(f"{f.path.name}: incomplete race" for f in (past, now) if not f.summary["complete"])
    return compared


def _race_pairs(
    olds: Sequence[RaceFile], news: Sequence[RaceFile], notes: list[str]
) -> Iterator[tuple[RaceFile, RaceFile]]:
    unpaired = list(olds)
    for now in news:
        candidates = [past for past in olds if _on(past) == _on(now)]
        if not candidates:
            notes.append(f"{now.path.name}: no old race is of {_spoken(now)}")
            continue
        past = max(candidates, key=lambda past: _race_likeness(past, now))
        unpaired = [one for one in unpaired if one is not past]
        yield past, now
    notes += [f"{past.path.name}: no new race is compared with this one of {_spoken(past)}" for past in unpaired]


def _spoken(file: RaceFile) -> str:
    return "{} on Python {}".format(*_on(file))


def _on(file: RaceFile) -> tuple[str, str]:
    """What two races must share for their ratios to compare: the reference's spec, and its Python (3.12, say)."""
    race = file.summary
    reference = next(loop for loop in race["loops"] if loop["label"] == race["reference"])
    return str(reference["spec"]).partition("@")[0], matrix.minor(str(reference["metadata"].get("python_version", "")))


def _race_likeness(past: RaceFile, now: RaceFile) -> tuple[bool | int, ...]:
    """Of several old races, an equal one is compared; else the one with the most loops and workloads in common."""
    common = [
        len({one[key] for one in past.summary[part]} & {one[key] for one in now.summary[part]})
        for part, key in (("loops", "label"), ("workloads", "name"))
    ]
    return past.summary == now.summary, *common, bool(past.summary["complete"])
