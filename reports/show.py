"""`show`: result files as tables for the terminal, by tabulate."""

from __future__ import annotations

from collections import Counter

from tabulate import tabulate

from bench import table
from conformance.results import Cell, Column
from conformance.verdicts import MEANINGS, WRONG, Verdict
from reports.entries import rerun
from reports.sources import BatteryFile, Sources


def show(sources: Sources) -> str:
    """All runs and races, each under its file's name."""
    parts = [_battery(file) for file in sources.batteries]
    parts += [f"{file.path}\n\n{table.race(file.summary)}" for file in sources.races]
    return "\n\n".join(parts)


def _battery(file: BatteryFile) -> str:
    run = file.run
    cells = run.cells()
    head = f"{file.path}: {run.header.get('command', '')}"
    if not run.complete:
        head += "\nThis run is incomplete: it was killed or interrupted before its end."
    counts: dict[str, dict[Column, Counter[Verdict]]] = {}
    for (id, column), cell in cells.items():
        chapter = counts.setdefault(id.partition(".")[0], {})
        chapter.setdefault(column, Counter())[cell.verdict] += 1
    columns = list(run.loops)
    rows = [
        [chapter, *(_letters(found.get(column, Counter())) for column in columns)]
        for chapter, found in sorted(counts.items())
    ]
    heads = [f"{column.label}\nPython {column.python}" for column in columns]
    legend = ", ".join(f"{meaning.letter} {verdict}" for verdict, meaning in MEANINGS.items())
    parts = [head, tabulate(rows, ["chapter", *heads], disable_numparse=True), legend]
    wrong = [
        [id, column.label, run.requirements[id].get("level", ""), _word(cell), cell.worst.get("seen", "")[:70],
         rerun(id, run.loops[column].get("spec", ""), column.label)]
        for (id, column), cell in sorted(cells.items(), key=lambda item: (item[0][0], item[0][1].label))
        if cell.verdict in WRONG
    ]  # fmt: skip
    if wrong:
        parts.append(tabulate(wrong, ["requirement", "loop", "level", "verdict", "seen", "rerun"]))
    return "\n\n".join(parts)


def _word(cell: Cell) -> str:
    expected = all(one.get("expected") for one in cell.results if Verdict(one["verdict"]) in WRONG)
    return f"{cell.verdict} (expected)" if expected else cell.verdict.value


def _letters(counts: Counter[Verdict]) -> str:
    return " ".join(f"{counts[verdict]}{meaning.letter}" for verdict, meaning in MEANINGS.items() if counts[verdict])
