"""Broken loops of the chapter `timers`: callbacks with keyword arguments, and the handles of timers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class OwnTimerHandles(Stock):
    """A loop whose call_later() and call_at() return handles of a class of its own."""

    own: type[asyncio.TimerHandle] = asyncio.TimerHandle

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        handle.__class__ = self.own
        return handle


@breaks("timers.partial")
class ForgetsWhatIsBound(Stock):
    """A partial is called without the keyword arguments that it has."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if isinstance(callback, functools.partial) and callback.keywords:
            callback = functools.partial(callback.func, *callback.args)
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.cancelled")
class TimersForgetThatTheyAreCancelled(OwnTimerHandles):
    """cancelled() of a timer's handle is always False."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def cancelled(self) -> bool:
            return False


@breaks("timers.not-cancelled-by-running")
class TimersAreCancelledWhenTheyRan(Stock):
    """The handle of a timer is cancelled when its callback has run."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args != ("ran",):
            return super().call_at(when, callback, *args, context=context)

        def run() -> None:
            handle.cancel()
            callback(*args)

        handle = super().call_at(when, run, context=context)
        return handle


@breaks("timers.when-cancelled")
class CancelledTimersHaveNoTime(OwnTimerHandles):
    """when() of a cancelled timer is 0."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def when(self) -> float:
            return 0.0 if self.cancelled() else super().when()


@breaks("timers.get-context", since="3.12")
class TimersTellACopyOfTheirContext(OwnTimerHandles):
    """get_context() of a timer's handle returns a copy."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def get_context(self) -> Any:
            return super().get_context().copy()


@breaks("timers.get-context-default", since="3.12")
class TimersTellTheCurrentContext(Stock):
    """get_context() of a timer's handle returns the current context if none was given."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if context is None:
            handle = super().call_at(when, callback, *args)
            handle.__class__ = self.vague
            return handle
        return super().call_at(when, callback, *args, context=context)

    class vague(asyncio.TimerHandle):
        __slots__ = ()

        def get_context(self) -> Any:
            return contextvars.copy_context()


@breaks("timers.any-callable")
class FalseCallbacksAreNotDelayed(Stock):
    """A callable that is false is taken for none by call_at()."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback or (lambda *_: None), *args, context=context)


@breaks("timers.when-later")
class IntsAreMilliseconds(Stock):
    """A delay that is an int counts milliseconds."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        seconds = delay / 1000 if isinstance(delay, int) else delay
        return super().call_later(seconds, callback, *args, context=context)


@breaks("timers.cancel-many-first")
class SweepsTheHeapToAList(EventLoop):
    """Cancelled timers are taken out of the heap, and what is left is not made a heap again."""

    def __init__(self) -> None:
        super().__init__()
        timers = self._timers

        def sweep() -> None:
            timers._heap = [entry for entry in timers._heap if not entry[2].cancelled()]
            timers.cancelled_hint = 0

        timers._sweep = sweep  # type: ignore[method-assign]


class _FarDeadlines(Stock):
    """A loop that changes what call_at() gets when it is called for itself."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(self.changed(when), callback, *args, context=context)

    def changed(self, when: float) -> float:
        return when


@breaks("timers.far-future")
class DeadlinesWrapAfterTwentyFiveDays(_FarDeadlines):
    """A deadline is kept in 31 bits of milliseconds from now, by call_at() only."""

    def changed(self, when: float) -> float:
        return when if (when - self.time()) * 1000 < 2**31 else self.time()


@breaks("timers.far-future")
class DeadlinesAreForToday(_FarDeadlines):
    """call_at() refuses a deadline that is further away than a day."""

    def changed(self, when: float) -> float:
        if when - self.time() > 23 * 3600:
            raise OverflowError("more than a day")
        return when


@breaks("timers.far-future")
class IntegersAreOfThirtyTwoBits(Stock):
    """A delay that is an int, and not a float, must be less than 2**31 milliseconds."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if isinstance(delay, int) and delay * 1000 >= 2**31:
            raise OverflowError("int too large")
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.cancel-after-close")
class NothingIsCancelledAfterClose(Stock):
    """cancel() of a timer raises RuntimeError if the loop was closed."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if self.is_closed():
            raise RuntimeError("the loop is closed")


class _TimersByEquality(Stock):
    """Looks for a timer among all that are set, by a function of its own, when it is cancelled."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        class Own(asyncio.TimerHandle):
            def cancel(self) -> None:
                if self in timers:
                    asyncio.TimerHandle.cancel(timers.pop(timers.index(self)))

        timers: list[Any] = self.__dict__.setdefault("timers", [])
        handle = super().call_at(when, callback, *args, context=context)
        handle.__class__ = Own
        timers.append(handle)
        return handle


@breaks("timers.cancel-twin")
class CancelsAnEqualTimer(_TimersByEquality):
    """Of timers that are equal the one that was set first is cancelled, whichever is asked to."""


@breaks("timers.once")
class OneTimerPerCallback(Stock):
    """A callback that is scheduled for the same time once more, with whatever arguments, is called for the last."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timers: dict[Any, asyncio.TimerHandle] = self.__dict__.setdefault("timers", {})
        if earlier := timers.get((when, id(callback))):
            earlier.cancel()
        handle = timers[when, id(callback)] = super().call_at(when, callback, *args, context=context)
        return handle


@breaks("timers.far-future")
class NanosecondsAreOfSixtyFourBits(Stock):
    """A delay of 292 years, which is more than 63 bits hold of nanoseconds, is over at once."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay if delay * 1e9 < 2**63 else 0, callback, *args, context=context)
