"""`expect`: what a loop was found to do otherwise, as an expectation file for `--loop-expected` and `gate --expected`.

Where runs on several Pythons were given, an entry says on which of them it holds. Reasons and links that the file
already has are kept; a new reason is what was seen.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from conformance.verdicts import Verdict
from reports.errors import NothingToReport, UnknownLoop, UnusableFile
from reports.matrix import Cell, Column, Matrix, minor

_LONGEST = 160
_RAN = set(Verdict) - {Verdict.NOT_RUN, Verdict.NOT_APPLICABLE, Verdict.ERRORED}


def expectations(found: Matrix, label: str | None, path: Path) -> str:
    """The file's text. Raises UnknownLoop, NothingToReport, and UnusableFile if what lies at `path` is no TOML."""
    columns = _columns(found, label)
    known = _known(path)
    document = tomlkit.document()
    who = sorted({f"{column.label} {column.version}" for column in columns})
    pythons = ", ".join(dict.fromkeys(minor(column.python) for column in columns))
    document.add(tomlkit.comment(f"What {' and '.join(who)} was found to do otherwise than the contract says, by runs"))
    document.add(tomlkit.comment(f"of the battery on Python {pythons}."))
    for id in sorted(found.requirements):
        if tables := _tables(id, columns, known.get(id, {})):
            document[id] = tables[0] if len(tables) == 1 else _array(tables)
    return tomlkit.dumps(document)


def _columns(found: Matrix, label: str | None) -> list[Column]:
    labels = sorted({column.label for column in found.columns})
    if not labels:
        raise NothingToReport("these results hold no run of the battery")
    if label is None and len(labels) > 1:
        raise UnknownLoop(f"there are several loops; choose one with --loop: {', '.join(labels)}")
    if label is not None and label not in labels:
        raise UnknownLoop(f"--loop={label}: no run has it; known: {', '.join(labels)}")
    return [column for column in found.columns if label in (None, column.label)]


def _known(path: Path) -> Mapping[str, Any]:
    """Per id the reason and the link that the file has. Of an array of tables, those of its first."""
    if not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnusableFile(f"{path}: not TOML ({error}); choose another -o") from error
    return {id: table[0] if isinstance(table, list) else table for id, table in tables.items()}


def _tables(id: str, columns: list[Column], known: Mapping[str, Any]) -> list[Any]:
    """A table per verdict and Python, or one for all Pythons that have the same."""
    ran = {minor(column.python): cell for column in columns if (cell := column.cells.get(id)) and cell.verdict in _RAN}
    wrong = {python: cell for python, cell in ran.items() if cell.wrong}
    if not wrong:
        return []
    if len(wrong) == len(ran) and len({cell.verdict for cell in wrong.values()}) == 1:
        return [_table(next(iter(wrong.values())), known, None)]
    return [_table(cell, known, python) for python, cell in wrong.items()]


def _table(cell: Cell, known: Mapping[str, Any], python: str | None) -> Any:
    table = tomlkit.table()
    table["expect"] = cell.verdict.value
    table["why"] = known.get("why") or _seen(cell)
    if known.get("link"):
        table["link"] = known["link"]
    if python is not None:
        when = tomlkit.inline_table()
        when["python"] = f"=={python}.*"
        table["when"] = when
    return table


def _seen(cell: Cell) -> str:
    first = str(cell.worst.get("seen", "")).strip().split("\n")[0]
    words = first if len(first) <= _LONGEST else f"{first[:_LONGEST]} …"
    return words or cell.verdict.value


def _array(tables: list[Any]) -> Any:
    array = tomlkit.aot()
    for table in tables:
        array.append(table)
    return array
