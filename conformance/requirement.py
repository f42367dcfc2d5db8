"""A requirement: one sentence of the contract, written as one test function.

`@requirement(...)` is all that a battery file needs from here. The sentence itself is the first paragraph of the
test's docstring, and the hint for whoever must mend the loop is the paragraph that begins "If this fails:".
"""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, TypeVar

from conformance.citations import url_of
from conformance.environment import Need, need_named
from conformance.verdicts import Level

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY

_ID = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z0-9]+(-[a-z0-9]+)*")
_HINT = re.compile(r"^\s*If this fails:\s*", re.MULTILINE)
_Test = TypeVar("_Test", bound=Callable[..., Any])


class BadRequirement(TypeError):
    """A requirement that is not written as requirements are: the text names it and says what is missing."""


@dataclass(frozen=True)
class Requirement:
    """What every report knows of a requirement without running it.

    `since` and `until` are the first and the last Python version (major, minor) that it speaks of.
    """

    id: str
    level: Level
    statement: str
    hint: str
    cite: tuple[str, ...]
    since: tuple[int, int] | None
    until: tuple[int, int] | None
    needs: tuple[Need, ...]
    test: Callable[..., Any] = field(repr=False, compare=False)

    @functools.cached_property
    def source(self) -> str:
        """The text of the test, decorators included.

        To its last instruction and on to the next blank line, as the formatter leaves it. `inspect.getsource()` finds
        the same end by tokens, and needs half a second for the catalogue before each run.
        """
        code = inspect.unwrap(self.test).__code__
        lines = linecache.getlines(code.co_filename)
        end = _last_line(code)
        while end < len(lines) and lines[end].strip():
            end += 1
        return "".join(lines[code.co_firstlineno - 1 : end])

    @property
    def file(self) -> str:
        """The name of the file of the test."""
        return inspect.getfile(inspect.unwrap(self.test)).rpartition("/")[2]

    @property
    def chapter(self) -> str:
        return self.id.partition(".")[0]

    def why_not_applicable(self, python: tuple[int, int] = sys.version_info[:2]) -> str | None:
        """Why this requirement does not speak of this Python or platform; None if it does."""
        if self.since and python < self.since:
            return f"since Python {self.since[0]}.{self.since[1]}"
        if self.until and python > self.until:
            return f"until Python {self.until[0]}.{self.until[1]}"
        return next((need.why for need in self.needs if need.platform and not need.present()), None)

    def why_not_run(self) -> str | None:
        """What this environment lacks; None if it lacks nothing."""
        return next((need.why for need in self.needs if not need.platform and not need.present()), None)

    def as_dict(self) -> dict[str, object]:
        """The requirement as a result file holds it: plain JSON values."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "level": self.level.value,
            "statement": self.statement,
            "hint": self.hint,
            "cite": [{"text": text, "url": url_of(text)} for text in self.cite],
            "since": _dotted(self.since),
            "until": _dotted(self.until),
            "needs": [need.name for need in self.needs],
            "source": self.source,
            "file": self.file,
        }


def requirement(
    id: str,
    level: Level,
    *,
    cite: str | tuple[str, ...],
    since: str | None = None,
    until: str | None = None,
    needs: tuple[str, ...] = (),
) -> Callable[[_Test], _Test]:
    """Make a test function the one check of one sentence of the contract.

    `id` is `chapter.topic`, never reused. `cite` names where the sentence stands (see `citations`).
    `needs` are names from `environment`. Raises BadRequirement when the module is imported.
    """

    def decorate(test: _Test) -> _Test:
        if not _ID.fullmatch(id):
            raise BadRequirement(f"{id!r} is no requirement id; write chapter.topic in lower case with hyphens")
        statement, hint = _statement_and_hint(id, inspect.getdoc(test) or "")
        citations = (cite,) if isinstance(cite, str) else cite
        for citation in citations:
            url_of(citation)
        test.requirement = Requirement(  # type: ignore[attr-defined]  # functions take attributes
            id=id,
            level=level,
            statement=statement,
            hint=hint,
            cite=citations,
            since=_version(since),
            until=_version(until),
            needs=tuple(need_named(name) for name in needs),
            test=test,
        )
        return test

    return decorate


def requirement_of(test: object) -> Requirement | None:
    """The requirement that a test function states, or None."""
    found = getattr(test, "requirement", None)
    return found if isinstance(found, Requirement) else None


def _last_line(code: CodeType) -> int:
    own = (line for _, _, line in code.co_lines() if line)
    inner = (_last_line(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return max((*own, *inner))


def _statement_and_hint(id: str, doc: str) -> tuple[str, str]:
    parts = _HINT.split(doc, maxsplit=1)
    statement = " ".join(parts[0].split("\n\n")[0].split())
    if not statement or len(parts) == 1:
        raise BadRequirement(
            f"{id}: the docstring must state the requirement and then say 'If this fails:' with a hint"
        )
    return statement, " ".join(parts[1].split())


def _version(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    major, minor = text.split(".")
    return int(major), int(minor)


def _dotted(version: tuple[int, int] | None) -> str | None:
    return f"{version[0]}.{version[1]}" if version else None
