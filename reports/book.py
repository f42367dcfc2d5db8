"""`book`: the contract as one page that reads as a specification, from the catalogue and what no test can check.

An author of a loop reads it from top to bottom before writing code. With results, each sentence also says which loops
are known not to keep it, and each question that is left open how they answer it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import conformance.battery
from conformance import catalogue
from conformance.contract_map import Untestable, untestable
from conformance.requirement import Requirement
from conformance.verdicts import WRONG
from reports import entries, page
from reports.entries import Entry
from reports.matrix import Matrix, minor

ORDER = (
    *("lifecycle", "callbacks", "timers", "threads", "futures", "tasks", "cancellation", "timeouts", "context"),
    *("errors", "debug", "asyncgens", "signals", "executors", "watchers", "sockets", "dns", "tcp", "unix", "udp"),
    *("servers", "flow", "buffered", "tls", "sendfile", "pipes", "subprocess", "streams", "runner", "resources"),
    *("schedules", "ecosystem"),
)
"""The order in which the book is read: what needs nothing comes first. A chapter that is not named comes last."""
_CHAPTER = re.compile(r"Chapter [\w-]+:\s*")


@dataclass(frozen=True)
class Sentence:
    """One numbered sentence of the contract."""

    number: str
    requirement: Requirement
    urls: Sequence[tuple[str, str]]
    deviating: Sequence[tuple[str, str]]
    """Verdict, and the loops that have it."""
    answers: Sequence[tuple[str, str]]
    """Answer to a question that is left open, and the loops that gave it."""


@dataclass(frozen=True)
class Part:
    """A file of the battery: what it says its subject is, and its sentences as they stand in it."""

    about: str
    sentences: Sequence[Sentence]


@dataclass(frozen=True)
class Chapter:
    """A chapter, file by file."""

    number: int
    name: str
    parts: Sequence[Part]

    @property
    def sentences(self) -> Iterator[Sentence]:
        for part in self.parts:
            yield from part.sentences


def html(matrix: Matrix, title: str) -> str:
    """The page. `matrix` may be empty."""
    found = chapters(matrix)
    template = page.environment().get_template("book.html.j2")
    loops = [f"{column.label} {column.version} on Python {column.python}" for column in matrix.columns]
    return template.render(title=title, chapters=found, untestable=_untestable(), loops=loops, levels=_levels(found))


def chapters(matrix: Matrix) -> list[Chapter]:
    """The catalogue in reading order: chapters as in ORDER, sentences as they stand in their files."""
    known = {entry.id: entry for entry in entries.entries(matrix)}
    places, about = _files()
    names: dict[str, list[Requirement]] = {}
    for requirement in catalogue.load().values():
        names.setdefault(requirement.chapter, []).append(requirement)
    order = {name: place for place, name in enumerate(ORDER)}
    answer = []
    for number, name in enumerate(sorted(names, key=lambda n: (order.get(n, len(ORDER)), n)), 1):
        members = sorted(names[name], key=lambda one: places[one.id])
        sentences = [_sentence(f"{number}.{n}", one, known.get(one.id)) for n, one in enumerate(members, 1)]
        files = dict.fromkeys(one.file for one in members)
        parts = [Part(about[file], [s for s in sentences if s.requirement.file == file]) for file in files]
        answer.append(Chapter(number, name, parts))
    return answer


def _sentence(number: str, requirement: Requirement, entry: Entry | None) -> Sentence:
    urls = [(str(cite["text"]), str(cite["url"])) for cite in requirement.as_dict()["cite"]]  # type: ignore[attr-defined]
    deviating: dict[str, list[str]] = {}
    answers: dict[str, list[str]] = {}
    for found in entry.found if entry else ():
        for column in found.columns:
            name = f"{column.label} {column.version} ({minor(column.python)})"
            if found.verdict in WRONG:
                deviating.setdefault(found.verdict.value, []).append(name)
            elif entry and (cell := column.cells.get(entry.id)) and cell.answers:
                answers.setdefault("; ".join(cell.answers), []).append(name)
    return Sentence(
        number, requirement, urls, [(word, ", ".join(who)) for word, who in sorted(deviating.items())],
        [(word, ", ".join(who)) for word, who in sorted(answers.items())],
    )  # fmt: skip


def _files() -> tuple[Mapping[str, tuple[str, int]], Mapping[str, str]]:
    """Requirement id → its place in the battery's files; file → what it says its subject is."""
    places: dict[str, tuple[str, int]] = {}
    about: dict[str, str] = {}
    prefix = conformance.battery.__name__ + "."
    for info in pkgutil.walk_packages(conformance.battery.__path__, prefix):
        name = info.name.rpartition(".")[2]
        if not name.startswith("test_"):
            continue
        module = importlib.import_module(info.name)
        about[f"{name}.py"] = " ".join(_CHAPTER.sub("", (inspect.getdoc(module) or "").split("\n\n")[0]).split())
        for _, test in inspect.getmembers_static(module, inspect.isfunction):
            requirement = getattr(test, "requirement", None)
            if isinstance(requirement, Requirement):
                places[requirement.id] = (name, test.__code__.co_firstlineno)
    return places, about


def _untestable() -> list[tuple[Untestable, str]]:
    from conformance.citations import url_of

    return [(one, url_of(one.cite)) for one in untestable()]


def _levels(found: Sequence[Chapter]) -> Mapping[str, int]:
    counts = {"MUST": 0, "SHOULD": 0, "MAY": 0}
    for chapter in found:
        for sentence in chapter.sentences:
            counts[sentence.requirement.level.upper()] += 1
    return counts
