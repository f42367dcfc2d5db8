"""What the terminal shows after a run: a table per loop, then each deviation once, and how to see it again."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tabulate import tabulate

from conformance.loops import parse_spec
from conformance.requirement import Requirement
from conformance.results import Cell, Column
from conformance.verdicts import WRONG, Verdict

if TYPE_CHECKING:
    import pytest

    from conformance.recorder import Recorder

_WIDTH = 110
_NAMED = 8


def catalogue_lines(requirements: Iterable[Requirement]) -> Iterator[str]:
    """One requirement per line: id, level, statement, citation."""
    rows = [(r.id, r.level.upper(), r.statement, "; ".join(r.cite)) for r in requirements]
    yield tabulate(
        rows,
        headers=("id", "level", "statement", "citation"),
        tablefmt="plain",
        maxcolwidths=[None, None, 70, 40],
    )
    yield f"{len(rows)} requirements"


def summarise(terminal: pytest.TerminalReporter, recorder: Recorder) -> None:
    """Write the summary of a run that had at least one result."""
    cells = recorder.cells()
    for column, identity in recorder.run.loops.items():
        mine = {id: cell for (id, col), cell in cells.items() if col == column}
        terminal.section(
            f"{column.label}: {identity['distribution']} {identity['version']}, Python {column.python}", "="
        )
        terminal.write_line(chapter_table(mine, recorder))
        for lines in _deviations(mine, column, identity, recorder):
            terminal.write_line("")
            for line in lines:
                terminal.write_line(line)
    for each in recorder.stale:
        terminal.write_line("")
        terminal.write_line(
            f"stale expectation: {each.id} conforms on {each.column.label}; remove it from {each.path} "
            f"or run again with --update-expected",
            red=True,
        )
    for note in recorder.notes:
        terminal.write_line(note)


def chapter_table(cells: dict[str, Cell], recorder: Recorder) -> str:
    """Chapter by verdict, with the verdicts that occur."""
    counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for id, cell in cells.items():
        counts[recorder.requirements[id].chapter][cell.verdict] += 1
    occurring = [v for v in Verdict if v is Verdict.CONFORMS or any(c[v] for c in counts.values())]
    rows = [[chapter, *(c[v] or "" for v in occurring)] for chapter, c in sorted(counts.items())]
    total = ["total", *(sum(c[v] for c in counts.values()) for v in occurring)]
    return tabulate([*rows, total], headers=["chapter", *occurring], tablefmt="simple")


def _deviations(
    cells: dict[str, Cell], column: Column, identity: dict[str, str], recorder: Recorder
) -> Iterator[list[str]]:
    """The paragraphs that explain what went wrong; what is not implemented is said once per operation."""
    absent: dict[str, list[str]] = defaultdict(list)
    not_run: dict[str, list[str]] = defaultdict(list)
    expected = 0
    for id, cell in sorted(cells.items()):
        if cell.verdict is Verdict.NOT_RUN:
            not_run[cell.worst.get("seen", "")].append(id)
        if cell.verdict not in WRONG | {Verdict.ERRORED}:
            continue
        if cell.verdict in WRONG and all("expected" in r for r in cell.results if Verdict(r["verdict"]) in WRONG):
            expected += 1
        elif cell.verdict is Verdict.NOT_IMPLEMENTED:
            absent[cell.worst.get("operation", "an operation")].append(id)
        else:
            yield _paragraph(recorder.requirements[id], cell, identity)
    for operation, ids in sorted(absent.items()):
        text = f"not implemented: {operation} ({len(ids)} requirement(s): {', '.join(ids)})"
        yield textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    for reason, ids in sorted(not_run.items()):
        text = f"not run: {reason} ({len(ids)} requirement(s): {', '.join(ids[:_NAMED])}{', …' * (len(ids) > _NAMED)})"
        yield textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    if expected:
        yield [f"{expected} expected deviation(s), as {', '.join(str(f.path) for f in recorder.expected)} says"]


def _paragraph(requirement: Requirement, cell: Cell, identity: dict[str, str]) -> list[str]:
    worst = cell.worst
    program = worst.get("program", "")
    cases = [r["case"] for r in cell.results if Verdict(r["verdict"]) is cell.verdict and r["case"]]
    title = f"{requirement.id} ({requirement.level.upper()}) {cell.verdict}" + (
        f" [{', '.join(cases)}]" if cases else ""
    )
    return [
        title,
        *_field("states", requirement.statement),
        *_field("seen", worst.get("seen", "") + (f" ({worst['where']})" if worst.get("where") else "")),
        *_field("hint", requirement.hint),
        *_field("cite", "; ".join(f"{text}" for text in requirement.cite)),
        *_field("rerun", rerun_command(requirement.id, identity["spec"], identity["label"])),
        *(["    program:", *(f"        {line}" for line in program.splitlines())] if program else []),
    ]


def rerun_command(id: str, spec: str, label: str) -> str:
    """The command that runs exactly this requirement on this loop again."""
    parsed = parse_spec(spec)
    argument = spec if parsed.label == label else f"{label}={spec}"
    return shlex.join(["pytest", f"--loop={argument}", id])


def _field(name: str, text: str) -> list[str]:
    indent = " " * 11
    lines = [line for part in text.splitlines()[:12] for line in textwrap.wrap(part, _WIDTH - 11) or [""]] or [""]
    return [f"    {name:<7}{lines[0]}", *(indent + line for line in lines[1:])]
