"""`markdown`: the findings for a CI step summary, worst news first, and short enough for one (GitHub takes 1 MiB)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.table import ratio, wall
from conformance.verdicts import MEANINGS, WRONG, Verdict
from reports import entries, lists, matrix
from reports.entries import Entry, Found
from reports.matrix import Column, Matrix
from reports.sources import RaceFile, Sources

LONGEST_LIST = 200
"""Deviations that are told in full; the page has them all."""


def markdown(sources: Sources) -> str:
    """All runs and races."""
    found = matrix.build(file.run for file in sources.batteries)
    parts = [_overview(found), _new(found), _differences(found), _absent(found), _answers(found), _not_run(found)]
    parts += [_race(file) for file in sources.races]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Cells are text, made harmless; what is a `Raw` stays as it is."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


class Raw(str):
    """Markdown that is meant as such."""


def _cell(value: object) -> str:
    if isinstance(value, Raw) or value == "---":
        return str(value)
    text = " ".join(str(value).split())
    for character in "\\`*_[]<>|~":
        text = text.replace(character, "\\" + character)
    return text


def _overview(found: Matrix) -> str:
    if not found.columns:
        return ""
    counts = {column.key: Counter(cell.verdict for cell in column.cells.values()) for column in found.columns}
    verdicts = [verdict for verdict in MEANINGS if any(counts[column.key][verdict] for column in found.columns)]
    rows = [
        [_name(column), column.python, f"{column.identity['distribution']} {column.version}",
         *(counts[column.key][verdict] or "" for verdict in verdicts)]
        for column in found.columns
    ]  # fmt: skip
    heads = [Raw(f"{MEANINGS[verdict].letter} {verdict}") for verdict in verdicts]
    return "## Conformance\n\n" + table(["loop", "Python", "version", *heads], rows)


def _new(found: Matrix) -> str:
    """What is wrong and no expectation covers, with how to see it again."""
    parts = []
    for entry in entries.entries(found):
        for one in entry.found:
            if one.verdict in WRONG | {Verdict.ERRORED} and not one.expected:
                parts.append(_paragraph(entry, one))
    if not parts:
        return "Nothing deviates beyond what is expected." if found.columns else ""
    more = f"\n\n…and {len(parts) - LONGEST_LIST} more." if len(parts) > LONGEST_LIST else ""
    return f"### Deviations ({len(parts)})\n\n" + "\n\n".join(parts[:LONGEST_LIST]) + more


def _paragraph(entry: Entry, one: Found) -> str:
    asked = entry.requirement
    who = ", ".join(f"{column.label} {column.python}" for column in one.columns)
    level = str(asked["level"]).upper()
    cites = "; ".join(f"[{_cell(cite['text'])}]({cite['url'].replace(')', '%29')})" for cite in asked["cite"])
    lines = [
        f"**{_cell(entry.id)}** ({level}) {one.verdict} on {_cell(who)}: {_cell(asked['statement'])}",
        f"Hint: {_cell(asked['hint'])} ({cites})",
    ]
    fence = "````"
    seen = one.seen.replace(fence, "")
    block = f"{fence}\n{seen}\n$ {one.rerun}\n{fence}"
    return "  \n".join(lines) + f"\n\n{block}"


def _differences(found: Matrix) -> str:
    rows = [
        [entry.id, str(entry.requirement["level"]).upper(), *entry.letters]
        for entry in entries.entries(found)
        if entry.differs
    ]
    if not rows or len(found.columns) < 2:
        return ""
    heads = ["requirement", "level", *(f"{_name(column)} {column.python}" for column in found.columns)]
    legend = ", ".join(f"{meaning.letter} {verdict}" for verdict, meaning in MEANINGS.items())
    return _folded(f"Where loops differ ({len(rows)})", f"{table(heads, rows)}\n\n{legend}")


def _absent(found: Matrix) -> str:
    rows = [(row.operation, _who(row.columns), len(row.ids)) for row in lists.absent(found)]
    return "### Not implemented\n\n" + table(["operation", "loop", "requirements"], rows) if rows else ""


def _answers(found: Matrix) -> str:
    rows = [
        (row.id, "; ".join(answer), _who(columns)) for row in lists.answers(found) for answer, columns in row.answers
    ]
    if not rows:
        return ""
    body = table(["question", "answer", "loops"], rows)
    return _folded("What the contract leaves open", body)


def _not_run(found: Matrix) -> str:
    rows = [(row.verdict, row.why, _who(row.columns), len(row.ids)) for row in lists.not_run(found)]
    if not rows:
        return ""
    body = table(["verdict", "why", "loop", "requirements"], rows)
    return _folded("Not run, and why", body)


def _race(file: RaceFile) -> str:
    race = file.summary
    labels = [loop["label"] for loop in race["loops"] if loop["label"] not in (race["reference"], race["noise_arm"])]
    rows = []
    for entry in race["workloads"]:
        row: list[object] = [entry["name"]]
        for label in labels:
            cell = entry["cells"][label]
            measured = cell["state"] == "measured"
            row.append(ratio(cell["cpu"]) if measured else cell.get("how", cell["state"]))
            row.append(cell["cpu"].get("verdict", "") if measured else "")
            row.append(wall(cell) if measured else "")
        rows.append(row)
    heads = [head for label in labels for head in (f"{label}: CPU ratio", "verdict", "wall")]
    body = table(["workload", *heads], rows)
    state = "" if race["complete"] else " **This race is incomplete.**"
    words = f"Time divided by {_cell(race['reference'])}'s time; below 1 is faster.{state}"
    return f"## Race\n\n{words}\n\n" + _folded(f"{len(rows)} workloads", body)


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _who(columns: Iterable[Column]) -> str:
    return ", ".join(f"{column.label} {column.python}" for column in columns)


def _name(column: Column) -> str:
    return column.label + "".join(f" ({mark})" for mark in column.marks)
