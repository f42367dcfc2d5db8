"""Draw programs, run each on a new loop, and shrink the first whose trace the contract does not allow.

By default the programs are the same in every run. With `seconds`, new ones are drawn until the time is over. A machine
that is too busy for all of them within the patience runs those that it can.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy

from conformance.schedules.drawing import programs_of
from conformance.schedules.programs import Program, Soon
from conformance.schedules.search import judge
from conformance.schedules.source import source_of

_PROGRAMS = 50
_DRAWING = 0.4
_SHRINKING = 0.2
"""Shares of the patience: for running programs, and for making one that fails smaller."""
_SETTINGS = hypothesis.settings(
    max_examples=_PROGRAMS,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    verbosity=hypothesis.Verbosity.quiet,
    print_blob=False,
)


def warm_up() -> None:
    """Draw programs and leave them: the first time, Hypothesis looks at the file of every module (0.4 s)."""
    hypothesis.settings(_SETTINGS, derandomize=True)(hypothesis.given(programs_of(Soon))(lambda _program: None))()


@dataclass
class Failure:
    """A program whose trace is none that the contract allows, and why, in words."""

    program: Program
    why: str
    trace: list[str]


@dataclass
class Explorer:
    """Runs programs on the loops of one factory, and remembers what was found."""

    make_loop: Callable[[], asyncio.AbstractEventLoop]
    patience: float = 10.0
    _known: dict[Program, Failure | None] = field(default_factory=dict)
    _until: float = float("inf")
    _failed: bool = False

    def explore(self, programs: SearchStrategy[Program], seconds: float = 0.0, seed: int = 0) -> Failure | None:
        """The smallest program found that fails, or None. `seed` gives the same programs again."""
        deadline = time.monotonic() + seconds
        self._until = deadline + _DRAWING * self.patience
        for round in itertools.count():
            failure = self._explore_once(programs, derandomize=not seconds, seed=seed + round)
            if failure or time.monotonic() >= deadline:
                return failure
        raise AssertionError("unreachable")

    def _explore_once(self, programs: SearchStrategy[Program], derandomize: bool, seed: int) -> Failure | None:
        smallest: list[Failure] = []

        def check(program: Program) -> None:
            failure = self.run(program)
            if failure:
                smallest[:] = [failure]
                raise _Fails

        settings = hypothesis.settings(_SETTINGS, derandomize=derandomize)
        test = settings(hypothesis.given(programs)(check))
        try:
            (test if derandomize else hypothesis.seed(seed)(test))()
        except _Fails:
            return smallest[0]
        return None

    def run(self, program: Program) -> Failure | None:
        """What is wrong with the trace of this program, if anything is."""
        if program in self._known:
            return self._known[program]
        if time.monotonic() > self._until:
            return None  # enough of them, or small enough: end the search
        failure = self._known[program] = self._judge(program)
        if failure and not self._failed:
            self._failed = True
            self._until = time.monotonic() + _SHRINKING * self.patience
        return failure

    def _judge(self, program: Program) -> Failure | None:
        namespace: dict[str, Any] = {"__name__": "program"}
        exec(compile(source_of(program), "<program>", "exec"), namespace)
        loop = self.make_loop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _loop, context: reported.append(context))
        runs: list[Any] = []

        def drive(run: Any) -> None:
            runs.append(run)
            run.drive()

        trace = namespace["program"](loop, drive)
        loop.close()
        if reported:
            return Failure(program, f"the loop reported {reported[0].get('exception') or reported[0]!r}", trace)
        verdict = judge(namespace["program"], trace, runs[0].overdue)
        if verdict.allowed:
            return None
        seen = trace[verdict.followed] if verdict.followed < len(trace) else "nothing more"
        before = f"after {', '.join(trace[: verdict.followed])}" if verdict.followed else "at first"
        return Failure(program, f"{before}: {seen}, where the contract allows {_either(verdict.next)}", trace)


class _Fails(Exception):
    """What Hypothesis looks for."""


def _either(names: set[str]) -> str:
    return " or ".join(sorted(names)) or "nothing more"
