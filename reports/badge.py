"""`badge`: one loop's state as an SVG, and as the JSON that badge services read from an address (`endpoint`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from conformance.verdicts import Level, Verdict
from reports.errors import NothingToReport, UnknownLoop
from reports.matrix import Column, Matrix

_COLOURS = {"brightgreen": "#2d6a4f", "yellow": "#8a5300", "red": "#a4161a", "lightgrey": "#5c5c5c"}
"""The services' words, and what our own SVG has for them: white text stands out on each by 5 to 1 and more."""

_ON_REQUEST = "ecosystem"
"""The chapter that is no part of the whole battery."""


@dataclass(frozen=True)
class Badge:
    """What a badge says."""

    label: str
    message: str
    color: str

    def endpoint(self) -> str:
        """The JSON that shields.io and its like read."""
        data = {"schemaVersion": 1, "label": self.label, "message": self.message, "color": self.color}
        return json.dumps(data, ensure_ascii=False) + "\n"

    def svg(self) -> str:
        """A flat badge. Widths are estimated: no font is measured here."""
        left, right = 12 + 6.6 * len(self.label), 12 + 6.6 * len(self.message)
        name = escape(f"{self.label}: {self.message}", {'"': "&quot;"})
        words = "".join(
            f'<text x="{x:.0f}" y="14" textLength="{wide - 12:.0f}" fill="#fff">{escape(text)}</text>'
            for x, wide, text in ((6, left, self.label), (left + 6, right, self.message))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="20" role="img"'
            f' aria-label="{name}"><title>{name}</title><rect width="{left:.0f}" height="20" fill="#444"/>'
            f'<rect x="{left:.0f}" width="{right:.0f}" height="20" fill="{_COLOURS[self.color]}"/>'
            f'<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{words}</g></svg>\n'
        )


def badge(matrix: Matrix, label: str | None) -> Badge:
    """The badge of the loop with this label. Raises UnknownLoop, and NothingToReport if there is no run."""
    column = _column(matrix, label)
    kept = asked = expected = 0
    for id, cell in column.cells.items():
        if not _is_must(matrix.requirements[id]):
            continue
        kept += cell.verdict is Verdict.CONFORMS
        asked += cell.wrong or cell.verdict is Verdict.CONFORMS
        expected += bool(cell.wrong and cell.expected)
    name = "asyncio contract"
    if column.marks or not asked or any(cell.verdict is Verdict.ERRORED for cell in column.cells.values()):
        return Badge(name, ", ".join(column.marks) or "not known", "lightgrey")
    wrong = asked - kept
    unasked = sum(_is_must(one) and one["chapter"] != _ON_REQUEST for id, one in column.requirements.items()
                  if id not in column.cells)  # fmt: skip
    # What is wrong in a part of the battery is wrong; what is right there is not all right.
    if unasked and wrong == expected:
        return Badge(name, f"{asked} of {asked + unasked} MUST asked", "lightgrey")
    if not wrong:
        return Badge(name, f"keeps all {asked} MUST", "brightgreen")
    known = f", {expected} known" if expected else ""
    return Badge(name, f"{kept} of {asked} MUST{known}", "yellow" if expected == wrong else "red")


def _is_must(requirement: Mapping[str, Any]) -> bool:
    return bool(requirement["level"] == Level.MUST.value)


def _column(matrix: Matrix, label: str | None) -> Column:
    labels = sorted({column.label for column in matrix.columns})
    if not labels:
        raise NothingToReport("there is no battery run here; give a file of pytest --loop-results=FILE")
    if label is None and len(matrix.columns) == 1:
        return matrix.columns[0]
    found = [column for column in matrix.columns if label in (column.label, column.key)]
    if not found:
        raise UnknownLoop(f"--loop={label or ''}: name one of {', '.join(labels)}")
    if len(found) > 1:
        keys = ", ".join(column.key for column in found)
        raise UnknownLoop(f"--loop={label}: there are several; name one of {keys}")
    return found[0]
