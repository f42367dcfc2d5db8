"""Sets two runs of the same tests side by side: what stock asyncio passes, the loop under test has to pass.

Exclusions are tests that look at the private parts of asyncio's own loop, each with its reason, in `exclusions.toml`.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from outcomes import Outcome

_EXCLUSIONS = Path(__file__).with_name("exclusions.toml")


@dataclass(frozen=True)
class Exclusion:
    pattern: str
    reason: str


@dataclass(frozen=True)
class Difference:
    """One suite, on both loops."""

    stock: Counter[str]  # outcome -> number of tests, exclusions left out
    tested: Counter[str]
    excluded: list[Outcome]  # passed by stock, not by the loop under test, and that is no wonder
    failures: list[Outcome]  # passed by stock, not by the loop under test
    unused: list[Exclusion]  # for tests that ran and did not need it
    on_the_loop: int  # tests passed that made at least one loop under test
    again: list[str]  # tests that passed only when they were run once more and alone
    stock_loops: int  # of asyncio's own loop, made by passed tests during the run of the loop under test


def exclusions(suite: str) -> list[Exclusion]:
    """Those for this Python: `since` and `until` name the first and the last version that has the test in this form."""
    entries = tomllib.loads(_EXCLUSIONS.read_text()).get(suite, [])
    return [
        Exclusion(pattern, entry["reason"])
        for entry in entries
        if _version(entry.get("since", "3.0")) <= sys.version_info[:2] <= _version(entry.get("until", "3.99"))
        for pattern in entry["tests"]
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def compare(
    stock: dict[str, Outcome],
    tested: dict[str, Outcome],
    excluded: Iterable[Exclusion],
    loop_name: str,
    stock_name: str,
    again: list[str],
) -> Difference:
    patterns = list(excluded)
    used: set[Exclusion] = set()
    skipped: list[Outcome] = []
    failures: list[Outcome] = []
    for test, control in stock.items():
        outcome = tested.get(test) or Outcome(test, "missing", "the test did not run", {}, 0)
        if control.outcome != "passed" or outcome.outcome == "passed":
            continue
        matching = [each for each in patterns if fnmatchcase(test, each.pattern)]
        used.update(matching)
        (skipped if matching else failures).append(outcome)
    left_out = {outcome.test for outcome in skipped}
    passed = [outcome for outcome in tested.values() if outcome.outcome == "passed"]
    return Difference(
        Counter(outcome.outcome for outcome in stock.values() if outcome.test not in left_out),
        Counter(outcome.outcome for outcome in tested.values() if outcome.test not in left_out),
        skipped,
        failures,
        [each for each in patterns if each not in used and any(fnmatchcase(test, each.pattern) for test in stock)],
        sum(loop_name in outcome.loops for outcome in passed),
        again,
        sum(outcome.loops.get(stock_name, 0) for outcome in passed),
    )
