"""What a view shows of one requirement: its verdicts, columns that say the same said once, and how to see it again.

Every view that explains a deviation (page, Markdown, JUnit, gate) explains it with these, so that they agree.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from conformance.terminal import rerun_command
from conformance.verdicts import MEANINGS, WRONG, Verdict
from reports.matrix import Cell, Column, Matrix

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}|\b(?:port|fd|pid)[= ]\d+|\d+\.\d{4,}")
LONGEST = 1500
"""Characters of a message that a view shows; the result file has all of it."""


@dataclass(frozen=True)
class Found:
    """One verdict, and the columns that have it for the same reason."""

    verdict: Verdict
    columns: tuple[Column, ...]
    seen: str = ""
    where: str = ""
    cases: tuple[str, ...] = ()
    expected: str = ""
    operation: str = ""
    program: str = ""
    rerun: str = ""

    @property
    def letter(self) -> str:
        return MEANINGS[self.verdict].letter


@dataclass(frozen=True)
class Proof:
    """A deliberately wrong loop that fails this requirement."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Entry:
    """One requirement and all that was found about it."""

    requirement: Mapping[str, Any]
    row: tuple[Cell | None, ...]
    found: tuple[Found, ...]
    proofs: tuple[Proof, ...]

    @property
    def id(self) -> str:
        return str(self.requirement["id"])

    @property
    def letters(self) -> str:
        """One letter per column; a space where the column has no result."""
        return "".join(MEANINGS[cell.verdict].letter if cell else " " for cell in self.row)

    @property
    def wrong(self) -> bool:
        return any(cell is not None and cell.wrong for cell in self.row)

    @property
    def differs(self) -> bool:
        """Whether the loops that were asked did not all come to the same verdict (or, at level MAY, answer)."""
        known = [c for c in self.row if c and c.verdict not in (Verdict.NOT_APPLICABLE, Verdict.NOT_RUN)]
        return len({(cell.verdict, cell.answers) for cell in known}) > 1


def entries(matrix: Matrix) -> list[Entry]:
    """An entry for each requirement that at least one column has a result for."""
    return [entry(matrix, id) for id in matrix.ids]


def entry(matrix: Matrix, id: str) -> Entry:
    row = matrix.row(id)
    groups: dict[tuple[Any, ...], list[tuple[Column, Cell]]] = {}
    for column, cell in zip(matrix.columns, row, strict=True):
        if cell is not None:
            groups.setdefault(_likeness(cell), []).append((column, cell))
    found = [_found(id, members) for members in groups.values()]
    order = list(MEANINGS)
    found.sort(key=lambda one: (one.verdict not in WRONG, order.index(one.verdict)))
    proofs = tuple(Proof(one["name"], one["sentence"]) for one in _proofs().get(id, ()))
    return Entry(matrix.requirements[id], tuple(row), tuple(found), proofs)


def _likeness(cell: Cell) -> tuple[Any, ...]:
    """What two columns must share to be said in one breath: the verdict, and the reason without its accidents."""
    worst = cell.worst
    cases = tuple(r["case"] for r in cell.results if r["verdict"] == cell.verdict.value and r["case"])
    if cell.verdict is Verdict.CONFORMS:
        return (cell.verdict, cell.answers)
    return (cell.verdict, _ADDRESS.sub("…", str(worst.get("seen", ""))), cases, cell.expected)


def _found(id: str, members: Iterable[tuple[Column, Cell]]) -> Found:
    columns = tuple(column for column, _ in members)
    cell = next(cell for _, cell in members)
    worst = cell.worst
    if cell.verdict is Verdict.CONFORMS:
        return Found(cell.verdict, columns, seen="\n".join(cell.answers))
    cases = tuple(r["case"] for r in cell.results if r["verdict"] == cell.verdict.value and r["case"])
    return Found(
        verdict=cell.verdict,
        columns=columns,
        seen=shortened(str(worst.get("seen", ""))),
        where=str(worst.get("where", "")),
        cases=cases,
        expected=cell.expected,
        operation=str(worst.get("operation", "")),
        program=str(worst.get("program", "")),
        rerun=rerun(id, columns[0].spec, columns[0].label),
    )


def rerun(id: str, spec: str, label: str) -> str:
    """The command that runs exactly this requirement on this loop again, also where a file's spec is none."""
    try:
        return rerun_command(id, spec, label)
    except ValueError:
        return f"pytest --loop={spec} {id}"


def shortened(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[:longest] + " […]"


@functools.cache
def _proofs() -> Mapping[str, list[Mapping[str, str]]]:
    text = resources.files("conformance").joinpath("proofs.json").read_text(encoding="utf-8")
    proofs: Mapping[str, list[Mapping[str, str]]] = json.loads(text)
    return proofs
