"""`expect`: what a loop was found to do otherwise, as an expectation file for `--loop-expected` and `gate --expected`.

Where runs on several Pythons were given, an entry says on which of them it holds. A file that is there is mended and
not written anew: an entry that still holds, or that speaks of what was not asked, stays with all its words, and so does
every glob; one that holds otherwise keeps its reason and link; a new reason is what was seen.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from conformance import expectations as files
from conformance.expectations import Expectation
from conformance.verdicts import Verdict
from reports.errors import NothingToReport, UnknownLoop, UnusableFile
from reports.matrix import Cell, Column, Matrix, minor

_LONGEST = 160
_RAN = set(Verdict) - {Verdict.NOT_RUN, Verdict.NOT_APPLICABLE, Verdict.ERRORED}
_HEAD = re.compile(r"\A# What .* was found to do otherwise than the contract says, by runs\n# of the battery on .*\n")

Ran = Sequence[tuple[Column, Cell]]
"""One requirement, where it ran."""


def expectations(found: Matrix, label: str | None, path: Path) -> str:
    """The file's text. Raises UnknownLoop, NothingToReport, and UnusableFile if the one at `path` cannot be mended."""
    columns = _columns(found, label)
    document, entries = _read(path, _head(columns), found)
    globs = [entry for entry in entries if entry.pattern not in found.requirements]
    for id in sorted(found.requirements):
        ran = [(column, cell) for column in columns if (cell := column.cells.get(id)) and cell.verdict in _RAN]
        ran = [(column, cell) for column, cell in ran if not _covered(globs, id, column, cell)]
        value = document.get(id, [])
        old = list(value) if isinstance(value, list) else [value]
        new = _tables([entry for entry in entries if entry.pattern == id], old, ran)
        if not new:
            document.pop(id, None)
        elif len(new) != len(old) or not all(map(operator.is_, new, old)):
            document[id] = new[0] if len(new) == 1 else _array(new)
    return tomlkit.dumps(document)


def _columns(found: Matrix, label: str | None) -> list[Column]:
    labels = sorted({column.label for column in found.columns})
    if not labels:
        raise NothingToReport("these results hold no run of the battery")
    if label is None and len(labels) > 1:
        raise UnknownLoop(f"there are several loops; choose one with --loop: {', '.join(labels)}")
    if label is not None and label not in labels:
        raise UnknownLoop(f"--loop={label}: no run has it; known: {', '.join(labels)}")
    columns = [column for column in found.columns if label in (None, column.label)]
    pythons = [minor(column.python) for column in columns]
    if twice := [python for python in pythons if pythons.count(python) > 1]:
        raise NothingToReport(
            f"there are several runs of {columns[0].label} on Python {twice[0]} that do not join (of versions "
            f"{', '.join(sorted({column.version for column in columns}))}); give those of one version and machine"
        )
    return columns


def _head(columns: list[Column]) -> str:
    who = sorted({f"{column.label} {column.version}" for column in columns})
    pythons = ", ".join(minor(column.python) for column in columns)
    return (
        f"# What {' and '.join(who)} was found to do otherwise than the contract says, by runs\n"
        f"# of the battery on Python {pythons}.\n"
    )


def _read(path: Path, head: str, found: Matrix) -> tuple[tomlkit.TOMLDocument, Sequence[Expectation]]:
    """The file at `path`, with a new head if it has one of ours, and its entries in their order."""
    if not path.exists():
        return tomlkit.parse(head), ()
    try:
        document = tomlkit.parse(_HEAD.sub(lambda _: head, path.read_text(encoding="utf-8"), count=1))
        known = files.load(str(path.absolute()), [*found.requirements, *document])
    except OSError as error:
        raise UnusableFile(f"{path}: cannot be read ({error.strerror}); choose another -o") from error
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UnusableFile(f"{path}: not TOML ({error}); choose another -o") from error
    except files.ExpectationError as error:
        raise UnusableFile(f"{error}; mend it, or choose another -o") from error
    return document, known.entries


def _covered(globs: Sequence[Expectation], id: str, column: Column, cell: Cell) -> bool:
    entry = next((glob for glob in globs if glob.speaks_of(id, column.identity)), None)
    return entry is not None and cell.verdict in entry.verdicts


def _tables(entries: Sequence[Expectation], tables: Sequence[Any], ran: Ran) -> list[Any]:
    """The tables that one requirement needs: those that it has and that hold, and new ones for the rest."""
    kept, outdated = [], []
    rest = list(ran)
    for entry, table in zip(entries, tables, strict=True):
        mine = [(column, cell) for column, cell in rest if entry.holds_for(column.identity)]
        if all(cell.verdict in entry.verdicts for _, cell in mine):
            kept.append(table)
            rest = [(column, cell) for column, cell in rest if not entry.holds_for(column.identity)]
        else:
            outdated.append((entry, table))
    wrong = [(column, cell) for column, cell in rest if cell.wrong]
    if wrong and len(wrong) == len(ran) and len({cell.verdict for _, cell in wrong}) == 1:
        return [*kept, _table(*wrong[0], outdated, {})]
    # Before the others: the first entry that speaks of a requirement counts.
    return [*(_table(*one, outdated, {"python": f"=={minor(one[0].python)}.*"}) for one in wrong), *kept]


def _table(column: Column, cell: Cell, outdated: Sequence[tuple[Expectation, Any]], when: Mapping[str, str]) -> Any:
    """The outdated table of the same condition, mended; else a new one with the words of the one that spoke of it."""
    for entry, table in outdated:
        if dict(entry.when) == when:
            if cell.verdict not in entry.verdicts:
                table["expect"] = cell.verdict.value
            return table
    table = tomlkit.table()
    spoke = next((entry for entry, _ in outdated if entry.holds_for(column.identity)), None)
    table["expect"] = cell.verdict.value
    table["why"] = spoke.why if spoke else _seen(cell)
    if spoke and spoke.link:
        table["link"] = spoke.link
    if when:
        table["when"] = tomlkit.inline_table()
        table["when"].update(when)
    return table


def _seen(cell: Cell) -> str:
    first = str(cell.worst.get("seen", "")).strip().split("\n")[0]
    words = first if len(first) <= _LONGEST else f"{first[:_LONGEST]} …"
    return words or cell.verdict.value


def _array(tables: Sequence[Any]) -> Any:
    array = tomlkit.aot()
    for table in tables:
        array.append(table if isinstance(table, Table) else tomlkit.item(dict(table)))
    return array
