"""Broken loops of the chapter `timers`: when timers run, and in which order."""

from __future__ import annotations

import asyncio
import functools
import math
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
DAY = 24 * 3600.0


@breaks("timers.later-runs")
class DelaysBelowAMicrosecondNeverCome(Stock):
    """A delay that is not zero but less than a microsecond is taken for 'never'."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay if delay <= 0 or delay > 1e-6 else 1000, callback, *args, context=context)


@breaks("timers.at-runs")
class CallAtRefusesIntegers(Stock):
    """call_at() wants a float."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if isinstance(when, int):
            raise TypeError("a float is required")
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.later-never-early")
class DelaysAreCountedFromACachedClock(Stock):
    """A delay is counted from the time at which the loop last woke up."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        cached = self.time() - 0.0019
        return super().call_at(cached + delay, callback, *args, context=context)


@breaks("timers.at-never-early")
class DeadlinesAreRoundedDown(Stock):
    """The deadline of call_at() is rounded down to whole milliseconds."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if isinstance(callback, functools.partial):
            when = math.floor(when * 1000) / 1000 - 0.0005
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.order", "timers.order-when-late")
class TimersRunInTheOrderOfTheCalls(Stock):
    """A timer never runs before one that was set earlier."""

    latest = 0.0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args and isinstance(args[0], int):
            self.latest = when = max(self.latest + 1e-7, when)
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.order-when-late")
class ManyTimersLoseTheirOrder(Stock):
    """From the sixty-fifth on, timers are kept by the hundredth of a second."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self.count += bool(args)
        if self.count > 64:
            when = math.ceil(when * 100) / 100
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.equal-deadlines")
class EqualDeadlinesRunLastFirst(Stock):
    """Of equal deadlines the last call runs first: as the documentation allows."""

    nudge = 0.0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args and isinstance(args[0], int) and args[0] < 20:
            when -= args[0] * 1e-7
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.past-deadline")
class NegativeDelaysWrapRound(Stock):
    """A negative delay becomes a very long one."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay if delay >= -1 else 2.0**32, callback, *args, context=context)


@breaks("timers.whole-seconds")
class WholeNumbersAreMilliseconds(Stock):
    """A delay that is an int is in milliseconds."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        seconds = delay / 1000 if isinstance(delay, int) else delay
        return super().call_later(seconds, callback, *args, context=context)


@breaks("timers.past-deadline")
class ZeroIsNoDeadline(Stock):
    """call_at() takes a deadline of 0 for none."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when or 2.0**32, callback, *args, context=context)


@breaks("timers.never-inline")
class ZeroDelaysRunOnTheSpot(Stock):
    """A function `inner` with no delay is called inside call_later()."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if delay <= 0 and not args and getattr(callback, "__name__", "") == "inner" and self.is_running():
            callback()
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.arguments")
class PacksTheArguments(Stock):
    """call_later() and call_at() pass several arguments as one tuple."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        packed = (args,) if len(args) > 2 else args
        return super().call_at(when, callback, *packed, context=context)


@breaks("timers.once")
class TimersRepeat(Stock):
    """A delayed callback with one argument runs again after the same delay."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args == (1,) and delay == 0.001:
            super().call_later(2 * delay, callback, *args, context=context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.survive-stop")
class TimersDieWithTheRun(EventLoop):
    """Timers that are pending when the loop stops never run."""

    def run_forever(self) -> None:
        super().run_forever()
        from reference_loop.timers import Timers

        self._timers = Timers()


@breaks("timers.far-future")
class DelaysWrapAfterFiftyDays(Stock):
    """A delay is kept in 32 bits of milliseconds."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if delay >= 49.7 * DAY:
            delay = 0
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.far-future-idle")
class WaitsForAnyTime(Stock):
    """The time until the next timer is handed to the system as it is: a number of milliseconds in 31 bits."""

    def _run_once(self) -> None:
        timers: Any = self._scheduled  # type: ignore[attr-defined]
        if timers and not self._ready and timers[0].when() - self.time() >= 2**31 / 1000:  # type: ignore[attr-defined]
            raise OverflowError("timeout is too large")
        super()._run_once()  # type: ignore[misc]


@breaks("timers.infinite-delay")
class InfiniteDelaysAreDueAtOnce(Stock):
    """An infinite delay fires at once: as the documentation leaves open."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay if math.isfinite(delay) else 0, callback, *args, context=context)


@breaks("timers.none-delay")
class NoneIsZero(Stock):
    """A delay or deadline of None is taken for zero."""

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay or 0, callback, *args, context=context)

    def call_at(self, when: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when or 0, callback, *args, context=context)


@breaks("timers.closed-loop")
class SetsTimersOnAClosedLoop(Stock):
    """call_later() and call_at() on a closed loop return a handle that never runs."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.is_closed():
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.error-isolated")
class AFailingTimerTakesTheNextWithIt(Stock):
    """After a timer that raised, the timer with the argument 'next' is lost."""

    failed = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failed = True
        super().call_exception_handler(context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args != ("next",):
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, lambda: self.failed or callback(*args), context=context)


@breaks("timers.earlier-timer-wakes")
class TheTimeoutIsComputedOnce(EventLoop):
    """A near timer waits for a far one that was set before it."""

    far = 0.0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args == ("far",):
            self.far = when
        elif args == ("near",):
            when = max(when, self.far)
        return super().call_at(when, callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)
