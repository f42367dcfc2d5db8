"""Broken loops of the chapter `timers`: what becomes of a delay without an end."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Changes(Stock):
    """Gives timers another deadline, relative to now."""

    def delay(self, delay: float) -> float:
        return delay

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(self.time() + self.delay(delay), callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(self.time() + self.delay(when - self.time()), callback, *args, context=context)


@breaks("timers.infinite")
class InfinityIsAMoment(_Changes):
    """An infinite delay is one of a millisecond, as what does not fit into 31 bits is for browsers."""

    def delay(self, delay: float) -> float:
        return 0.001 if delay == math.inf else delay


@breaks("timers.infinite-waits", "timers.infinite")
class InfinityDoesNotFit(_Changes):
    """An infinite delay is converted to a number of nanoseconds."""

    def delay(self, delay: float) -> float:
        return int(delay * 1e9) / 1e9


@breaks("timers.infinite")
class CannotWaitWithoutEnd(Stock):
    """A loop whose only timer is infinite hands the system an infinite timeout."""

    def _run_once(self) -> None:
        timers: Any = self._scheduled  # type: ignore[attr-defined]
        if timers and not self._ready and timers[0].when() == math.inf:  # type: ignore[attr-defined]
            raise OverflowError("timeout is too large")
        super()._run_once()  # type: ignore[misc]
