"""Right loops with other selectors, clocks and timers."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
import time
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from reference_loop.timers import Timers
from tests.right_loops.registry import right

_COARSE = 0.005
_TICK = 0.01
_AN_AGE = 1e6


@right
def over_poll() -> asyncio.AbstractEventLoop:
    """asyncio's loop over poll()."""
    return asyncio.SelectorEventLoop(selectors.PollSelector())


@right
def over_select() -> asyncio.AbstractEventLoop:
    """asyncio's loop over select()."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


@right
class ClockFromZero(EventLoop):
    """time() begins at 0 with the loop."""

    _began = 0.0

    def __init__(self) -> None:
        self._began = time.monotonic()
        super().__init__()

    def time(self) -> float:
        return time.monotonic() - self._began


class _Rounded:
    """Timers that are due at the next multiple of 5 ms after their deadlines, in the order of those."""

    def __init__(self, timers: Timers[Any]) -> None:
        self._timers = timers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._timers, name)

    def __len__(self) -> int:
        return len(self._timers)

    def next_deadline(self) -> float | None:
        deadline = self._timers.next_deadline()
        if deadline is None or math.isinf(deadline):
            return deadline
        return math.ceil(deadline / _COARSE) * _COARSE

    def pop_due(self, now: float, deliver: Callable[[Any], object]) -> None:
        self._timers.pop_due(math.floor(now / _COARSE) * _COARSE, deliver)


@right
class CoarseTimers(EventLoop):
    """Timers run up to 5 ms late."""

    def __init__(self) -> None:
        super().__init__()
        self._timers = _Rounded(self._timers)  # type: ignore[assignment]


@right
class TicksSlowly(EventLoop):
    """time() goes on in steps of 10 ms."""

    def time(self) -> float:
        return math.floor(time.monotonic() / _TICK) * _TICK


@right
class LastOfATickFirst(TicksSlowly):
    """time() goes on in steps of 10 ms, and of the timers of one deadline the last one runs first."""

    def __init__(self) -> None:
        super().__init__()
        self._timers._sequence = itertools.count(0, -1)


@right
class RoundsTheTime(asyncio.SelectorEventLoop):
    """time() is rounded to hundredths of a second, also upwards."""

    def time(self) -> float:
        return round(time.monotonic(), 2)


@right
class ClockBelowZero(asyncio.SelectorEventLoop):
    """time() is negative."""

    def time(self) -> float:
        return time.monotonic() - _AN_AGE
