"""Whether the contract allows a trace: is there a way through the model that says the same?

The model's choices cannot be undone, for coroutines cannot be copied. So the program runs again from its start for
each way, with the choices of the last way up to where it went wrong: a depth-first search by running again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from conformance.schedules.model import ModelLoop

_MOST_WAYS = 1000
_MOST_SECONDS = 0.5
"""After so many ways, or so long, a trace is let pass: a right loop must never fail because a search was long."""

Program = Callable[..., list[str]]


class _End(Exception):
    """The end of a way: because it is complete, or because it said what the trace does not."""


@dataclass
class Verdict:
    """`allowed`, and, if it is not, how many entries of the trace are, and what could have come next."""

    allowed: bool
    followed: int = 0
    next: set[str] = field(default_factory=set)


def judge(program: Program, trace: list[str], overdue: Collection[str] = ()) -> Verdict:
    """Search for a way through the model that makes `trace`. `program` is the function that `source` wrote.

    `overdue` names the timers that were due already when they were scheduled.
    """
    found = Verdict(allowed=False)
    path: list[int] = []
    deadline = time.monotonic() + _MOST_SECONDS
    for _ in range(_MOST_WAYS):
        if time.monotonic() > deadline:
            break
        way = _Way(trace, path, overdue)
        if way.follow(program):
            return Verdict(allowed=True)
        if len(way.said) > found.followed:
            found.followed, found.next = len(way.said), set()
        if len(way.said) == found.followed:
            found.next |= way.instead
        while way.taken and way.taken[-1][0] + 1 == way.taken[-1][1]:
            way.taken.pop()
        if not way.taken:
            return found
        path = [chosen for chosen, _ in way.taken]
        path[-1] += 1
    return Verdict(allowed=True)


class _Way:
    """One way through the model: first the choices of `path`, then always the first of the lawful moves."""

    def __init__(self, trace: list[str], path: list[int], overdue: Collection[str]) -> None:
        self._trace, self._path, self._overdue = trace, path, overdue
        self._run: Any = None
        self.taken: list[tuple[int, int]] = []
        self.said: list[str] = []
        self.wrong = ""
        self.instead: set[str] = set()

    def follow(self, program: Program) -> bool:
        model = ModelLoop(self._choose, self._expects, self._overdue)
        try:
            program(model, self._drive)
        except _End:
            pass
        finally:
            for coroutine in model.coroutines:
                coroutine.close()
        self.instead = model.waiting() | ({self.wrong} if self.wrong else set())
        return self.said == self._trace and not self.instead

    def _drive(self, run: Any) -> None:
        self._run = run
        self._check()
        while True:
            run.loop.run_forever()
            if not run.stopped:
                break
            run.stopped = False
            run.trace.append("run_forever() returned")
            self._check()
        raise _End  # what a program does to clean up, once its trace is complete, is of no interest

    def _choose(self, moves: list[Callable[[], None]]) -> None:
        step = len(self.taken)
        chosen = self._path[step] if step < len(self._path) else 0
        self.taken.append((chosen, len(moves)))
        moves[chosen]()
        self._check()

    def _check(self) -> None:
        """Compare what has been said since the last move."""
        for entry in self._run.trace[len(self.said) :]:
            if self._trace[len(self.said) : len(self.said) + 1] != [entry]:
                self.wrong = entry
                raise _End
            self.said.append(entry)

    def _expects(self, name: str) -> bool:
        return self._trace[len(self.said) : len(self.said) + 1] == [name]
