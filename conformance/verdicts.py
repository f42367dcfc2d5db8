"""The words for what a requirement found about a loop, and nothing else.

Every result file, table and page uses exactly these eight words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """One word for one requirement on one loop."""

    CONFORMS = "conforms"
    DEVIATES = "deviates"
    NOT_IMPLEMENTED = "not implemented"
    HANGS = "hangs"
    CRASHES = "crashes"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"
    ERRORED = "errored"


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a verdict is shown: a letter that is unique without colour, and a sentence that defines it."""

    letter: str
    sentence: str


MEANINGS = {
    Verdict.CONFORMS: Meaning("c", "The loop did what the requirement says, or, at level MAY, gave an answer."),
    Verdict.DEVIATES: Meaning("D", "The loop did something else."),
    Verdict.NOT_IMPLEMENTED: Meaning("I", "The operation raised NotImplementedError, or the method is absent."),
    Verdict.HANGS: Meaning("H", "The requirement was still running when the patience ended; its process was killed."),
    Verdict.CRASHES: Meaning("X", "The process died: a signal, os._exit, or an end without an outcome."),
    Verdict.NOT_APPLICABLE: Meaning("-", "The requirement does not speak of this Python version or platform."),
    Verdict.NOT_RUN: Meaning("~", "This environment lacks something the requirement needs; nothing is known."),
    Verdict.ERRORED: Meaning("E", "The suite itself failed; nothing is known of the loop."),
}

# A requirement with several cases has the worst of their verdicts. What is known to be wrong outweighs what is
# not known. A case that could not run here (no IPv6) does not take the verdict from the cases that could.
_WORST_FIRST = (
    Verdict.CRASHES,
    Verdict.HANGS,
    Verdict.DEVIATES,
    Verdict.NOT_IMPLEMENTED,
    Verdict.ERRORED,
    Verdict.CONFORMS,
    Verdict.NOT_RUN,
    Verdict.NOT_APPLICABLE,
)

WRONG = frozenset({Verdict.CRASHES, Verdict.HANGS, Verdict.DEVIATES, Verdict.NOT_IMPLEMENTED})
"""Verdicts that say that the loop does not keep the requirement."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a requirement whose cases have these verdicts (at least one)."""
    return min(verdicts, key=_WORST_FIRST.index)
