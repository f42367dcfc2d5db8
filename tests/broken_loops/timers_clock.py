"""Broken loops of the chapter `timers`: the clock."""

from __future__ import annotations

import asyncio

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("timers.time-is-float")
class TimeIsAnInteger(Stock):
    """time() returns an int when the loop does not run."""

    def time(self) -> float:
        return super().time() if self.is_running() else int(super().time())


@breaks("timers.time-monotonic")
class TimeJumpsBack(Stock):
    """time() sometimes answers with an older time."""

    asked = 0

    def time(self) -> float:
        self.asked += 1
        return super().time() - (0.0004 if self.asked % 7 == 0 else 0)


@breaks("timers.time-advances", "timers.later-never-early-real")
class TimeStandsStillInACallback(EventLoop):
    """time() is read once per iteration."""

    cached = 0.0

    def time(self) -> float:
        return self.cached if self.is_running() and self.cached else super().time()

    def _run_once(self) -> None:
        self.cached = 0.0
        self.cached = super().time()
        super()._run_once()


@breaks("timers.seconds")
class TimeRunsAtHalfSpeed(Stock):
    """time() counts half seconds when nobody runs the loop."""

    def time(self) -> float:
        return super().time() / 2


@breaks("timers.same-thread-clock")
class TimeBelongsToOneThread(Stock):
    """time() raises in another thread than the loop's."""

    def __init__(self) -> None:
        import threading

        super().__init__()
        self.thread = threading.get_ident()

    def time(self) -> float:
        import threading

        if threading.get_ident() != getattr(self, "thread", threading.get_ident()):
            raise RuntimeError("another thread")
        return super().time()
