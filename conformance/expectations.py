"""Known deviations of a loop, with reasons: TOML, strict both ways.

    ["subprocess.pipe-extra-info"]          # a requirement id, or a glob over ids
    expect = "deviates"                     # or "not implemented", "hangs", "crashes"; a list for any of them
    why = "get_extra_info('pipe') is None"
    link = "https://github.com/MagicStack/uvloop/issues/505"
    when = { version = "<0.23", python = ">=3.12", platform = "linux" }     # optional; all must hold

An expected deviation that conforms is *stale* and fails the run, and so does an entry that matches no requirement.
What a loop does only now and then is `expect = ["conforms", "deviates"]`, and is never stale. A table may be an
array of tables (`[["id"]]`) where conditions differ.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.results import Cell, Column
from conformance.verdicts import WRONG, Verdict

SHIPPED = Path(__file__).parent / "expected"
_KEYS = {"expect", "why", "link", "when"}
_CONDITIONS = {"version", "python", "platform"}


class ExpectationError(ValueError):
    """An expectation file that cannot be used. The text is one sentence that says what to do."""


class NoSuchExpectations(ExpectationError):
    """There is no such file, and none of that name is shipped."""


class BadExpectation(ExpectationError):
    """A file that is no TOML, or an entry without a reason, with an unknown word or key."""


class MatchesNothing(ExpectationError):
    """An entry that matches no requirement of the catalogue: a typing error, or a requirement that is gone."""


@dataclass(frozen=True)
class Expectation:
    """One entry: what is expected of the requirements that `pattern` matches, and why."""

    pattern: str
    verdicts: frozenset[Verdict]
    why: str
    link: str = ""
    when: Mapping[str, str] = field(default_factory=dict)

    def speaks_of(self, id: str, identity: Mapping[str, str]) -> bool:
        return fnmatch.fnmatchcase(id, self.pattern) and self.holds_for(identity)

    def holds_for(self, identity: Mapping[str, str]) -> bool:
        """Whether the conditions hold for this loop, Python and platform: those of the run, wherever it is judged."""
        if not _platform(identity.get("platform", "")).startswith(self.when.get("platform", "")):
            return False
        return all(_within(identity.get(key, ""), self.when[key]) for key in ("version", "python") if key in self.when)


@dataclass(frozen=True)
class Expectations:
    """The entries of one file, for the loop of one label or (None) for every loop of the run."""

    path: Path
    label: str | None
    entries: tuple[Expectation, ...]

    def of(self, id: str, label: str, identity: Mapping[str, str]) -> Expectation | None:
        """What is expected of this requirement on this loop, if anything."""
        if self.label not in (None, label):
            return None
        return next((entry for entry in self.entries if entry.speaks_of(id, identity)), None)


def find(argument: str) -> tuple[str | None, Path]:
    """The label and the file that `[label=]FILE|NAME` names. The file need not exist yet."""
    label, equals, rest = argument.rpartition("=")
    shipped = SHIPPED / f"{rest}.toml"
    is_name = "/" not in rest and not rest.endswith(".toml")
    return (label if equals else None), (shipped if is_name else Path(rest))


def writable(argument: str) -> None:
    """Nothing if --update-expected can rewrite the file that an argument names. Raises ExpectationError."""
    _, path = find(argument)
    if path.parent == SHIPPED and not path.exists():
        raise NoSuchExpectations(f"--loop-expected={argument}: no such name is shipped; name a file that ends in .toml")
    if path.exists():
        parsed(path)
    if not os.access(path if path.exists() else _first_that_exists(path), os.W_OK):
        raise ExpectationError(f"{path}: it cannot be written; name another file")


def _first_that_exists(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def load(argument: str, known_ids: Iterable[str]) -> Expectations:
    """The expectations that an argument of `--loop-expected` names. Raises ExpectationError."""
    label, path = find(argument)
    if not path.exists():
        names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.toml")))
        raise NoSuchExpectations(
            f"--loop-expected={argument}: there is no {path}; write it with --update-expected, or name one of: {names}"
        )
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadExpectation(f"{path}: not TOML ({error})") from error
    entries = tuple(entry for pattern, table in tables.items() for entry in _entries(path, pattern, table))
    ids = tuple(known_ids)
    for entry in entries:
        if not fnmatch.filter(ids, entry.pattern):
            raise MatchesNothing(f"{path}: [{entry.pattern!r}] matches no requirement; see pytest --loop-catalogue")
    return Expectations(path, label, entries)


def _entries(path: Path, pattern: str, tables: Any) -> list[Expectation]:
    return [_entry(path, pattern, table) for table in (tables if isinstance(tables, list) else [tables])]


def _entry(path: Path, pattern: str, table: Any) -> Expectation:
    if not isinstance(table, dict) or "expect" not in table or not table.get("why"):
        raise BadExpectation(f"{path}: [{pattern!r}] must be a table with 'expect' and a reason in 'why'")
    if unknown := set(table) - _KEYS:
        raise BadExpectation(f"{path}: [{pattern!r}] has the unknown key {min(unknown)!r}; known: {sorted(_KEYS)}")
    when = table.get("when", {})
    if not isinstance(when, dict) or set(when) - _CONDITIONS:
        raise BadExpectation(f"{path}: [{pattern!r}] when = … takes the keys {sorted(_CONDITIONS)}")
    words = table["expect"] if isinstance(table["expect"], list) else [table["expect"]]
    try:
        verdicts = frozenset(Verdict(word) for word in words)
        for key in ("version", "python"):
            SpecifierSet(when.get(key, ""))
    except (ValueError, InvalidSpecifier) as error:
        raise BadExpectation(f"{path}: [{pattern!r}]: {error}") from error
    if not verdicts & WRONG or not verdicts <= WRONG | {Verdict.CONFORMS}:
        raise BadExpectation(
            f"{path}: [{pattern!r}] expects {words}; expect one of {sorted(WRONG)}, beside 'conforms' if it varies"
        )
    return Expectation(pattern, verdicts, str(table["why"]), str(table.get("link", "")), when)


def _platform(description: str) -> str:
    """The name in sys.platform's terms of what platform.platform() describes ("Linux-6.1-x86_64", "macOS-14.1")."""
    return description.lower().replace("macos", "darwin")


def _within(version: str, specifier: str) -> bool:
    try:
        return Version(version) in SpecifierSet(specifier, prereleases=True)
    except InvalidVersion:
        return False


def update(
    path: Path,
    deviations: Mapping[str, Verdict],
    conforming: Iterable[str],
    seen: Mapping[str, str],
    identities: Collection[Mapping[str, str]] = ({},),
) -> None:
    """Rewrite the file at `path` from a run, keeping comments and reasons.

    `deviations` maps requirement ids to what they were found to be; `conforming` are the ids that ran and conform,
    whose entries go; entries of requirements that did not run stay, and so do those whose conditions hold for none of
    the loops that ran, by their `identities`. A new entry's reason is what was `seen`. Raises ExpectationError.
    """
    document = parsed(path) if path.exists() else tomlkit.document()

    def holds(id: str, table: Any) -> bool:
        return any(_entry(path, id, table.unwrap()).holds_for(identity) for identity in identities)

    for id in conforming:
        tables = _tables(document, id)
        kept = [t for t in tables if not holds(id, t) or Verdict.CONFORMS in _entry(path, id, t.unwrap()).verdicts]
        if len(kept) < len(tables):
            _replace(document, id, kept)
    for id, verdict in sorted(deviations.items()):
        tables = _tables(document, id)
        table = next((table for table in tables if holds(id, table)), None)
        if table is None:
            _replace(document, id, [*tables, _new(verdict, seen.get(id, ""), identities if tables else ())])
        elif verdict not in _entry(path, id, table.unwrap()).verdicts:
            table["expect"] = verdict.value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(document), encoding="utf-8")


def parsed(path: Path) -> tomlkit.TOMLDocument:
    """The file as it can be rewritten. Raises ExpectationError."""
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (tomlkit.exceptions.ParseError, UnicodeDecodeError) as error:
        raise BadExpectation(f"{path}: not TOML ({error})") from error
    except OSError as error:
        raise BadExpectation(f"{path}: {error.strerror}; name a file") from error
    for id in document:
        _entries(path, id, document[id].unwrap())
    return document


def _tables(document: tomlkit.TOMLDocument, id: str) -> list[Any]:
    found = document.get(id, [])
    return list(found) if isinstance(found, list) else [found]


def _replace(document: tomlkit.TOMLDocument, id: str, tables: list[Any]) -> None:
    """Make these the tables of `id`: none, one, or an array of them."""
    if not tables:
        del document[id]
    elif len(tables) == 1 and not isinstance(document.get(id), list):
        document[id] = tables[0]
    else:
        array = tomlkit.aot()
        for table in tables:
            array.append(table)
        document[id] = array


def _new(verdict: Verdict, seen: str, identities: Iterable[Mapping[str, str]]) -> Any:
    """A new entry; beside others of its requirement it speaks of the Pythons that ran only."""
    entry = tomlkit.table()
    entry["expect"] = verdict.value
    entry["why"] = seen.splitlines()[0][:200] if seen else verdict.value
    minors = {identity["python"].rpartition(".")[0] for identity in identities if identity.get("python")}
    if len(minors) == 1:
        when = tomlkit.inline_table()
        when["python"] = f"=={minors.pop()}.*"
        entry["when"] = when
    return entry


@dataclass(frozen=True)
class Stale:
    """An expected deviation that conforms now."""

    id: str
    column: Column
    path: Path


def stale(
    files: Iterable[Expectations],
    cells: Mapping[tuple[str, Column], Cell],
    identities: Mapping[Column, Mapping[str, str]],
) -> list[Stale]:
    """The entries that no longer hold.

    An entry of a single id is stale when its requirement conforms; a glob when all that it matches and that ran do.
    """
    found: list[Stale] = []
    for file in files:
        for entry in file.entries:
            for column, identity in identities.items():
                if file.label not in (None, column.label) or Verdict.CONFORMS in entry.verdicts:
                    continue
                ran = [
                    cell.verdict
                    for (id, col), cell in cells.items()
                    if col == column and entry.speaks_of(id, identity)
                    and (cell.verdict in WRONG or cell.verdict is Verdict.CONFORMS)
                ]  # fmt: skip
                if ran and all(verdict is Verdict.CONFORMS for verdict in ran):
                    found.append(Stale(entry.pattern, column, file.path))
    return found
