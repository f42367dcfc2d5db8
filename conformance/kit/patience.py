"""Waiting for something to happen: generous, bounded, and never a measure of speed."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable

_PAUSE = 0.001
_TURNS = 1000


class Patience:
    """How long a test waits for an event before it says that the event does not come."""

    def __init__(self, seconds: float, turns: int | None = None) -> None:
        self.seconds = seconds
        self._turns = turns

    @property
    def in_turns(self) -> Patience:
        """A patience for `run_until` that also ends after a thousand turns of the loop, a millisecond apart at least.

        For what a loop has all that it needs for, and may wait for nobody: on a busy machine its turns take longer,
        and so does this, while a loop that lets it lie is found out in a second or two.
        """
        return Patience(self.seconds, _TURNS)

    def wait(self, event: threading.Event, what: str) -> None:
        """Wait for a thread's event. Raises AssertionError saying that `what` did not happen."""
        assert event.wait(self.seconds), f"{what} did not happen within {self.seconds:g} s"

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Poll, outside the loop, until `happened()` is true. Raises AssertionError saying that `what` did not."""
        deadline = time.monotonic() + self.seconds
        while not happened():
            assert time.monotonic() < deadline, f"{what} did not happen within {self.seconds:g} s"
            time.sleep(_PAUSE)

    def run_until(self, loop: asyncio.AbstractEventLoop, happened: Callable[[], object], what: str) -> None:
        """Run the loop until `happened()` is true; the loop is asked again every millisecond.

        Uses only call_later and run_forever. Raises AssertionError saying that `what` did not happen.
        """
        deadline = time.monotonic() + self.seconds
        turns = itertools.count(1)

        def look() -> None:
            try:
                over = happened() or time.monotonic() > deadline or next(turns) == self._turns
            except BaseException:
                loop.stop()  # asked again, and raised, below
                return
            if over:
                loop.stop()
            else:
                loop.call_later(_PAUSE, look)

        loop.call_soon(look)
        loop.run_forever()
        assert happened(), f"{what} did not happen within {self._said()}"

    def run_through_stops(self, loop: asyncio.AbstractEventLoop, happened: Callable[[], object], what: str) -> None:
        """The same for a loop that callbacks stop, each time to be run again."""
        limit = loop.call_later(self.seconds, loop.stop)
        while not happened() and loop.time() < limit.when():
            loop.run_forever()
        limit.cancel()
        assert happened(), f"{what} did not happen within {self.seconds:g} s"

    def _said(self) -> str:
        return f"{self.seconds:g} s" if self._turns is None else f"{self._turns} turns"


def turn(loop: asyncio.AbstractEventLoop, times: int = 1) -> None:
    """Run what is ready now, `times` over: stop() lets the callbacks that are already scheduled run."""
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()


def grain(loop: asyncio.AbstractEventLoop) -> float:
    """Seconds from one reading of the loop's clock to the next that is another: some tick only every 10 or 16 ms."""
    deadline = time.monotonic() + 1
    before = loop.time()
    steps: list[float] = []
    while len(steps) < 3 and time.monotonic() < deadline:
        after = loop.time()
        if after != before:
            steps.append(after - before)
            before = after
    return max(steps, default=0.0)


def resolution() -> float:
    """Seconds that the system's clock does not tell apart, and the rounding of what is reckoned with."""
    return max(time.get_clock_info("monotonic").resolution, 1e-6)


def tolerance(loop: asyncio.AbstractEventLoop) -> float:
    """Seconds by which a timer may be early: a loop may treat what is due within its clock's resolution as due."""
    return resolution() + grain(loop)
