"""Broken loops of the chapter `timers`: what call_later() and call_at() return, and cancelling it."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("timers.later-handle")
class AZeroDelayReturnsAPlainHandle(Stock):
    """call_later(0) returns what call_soon() returns."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if delay == 0:
            return super().call_soon(callback, *args, context=context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.later-handle")
class ANegativeDelayReturnsAPlainHandle(Stock):
    """call_later() of a negative delay returns what call_soon() returns."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if delay < 0:
            return super().call_soon(callback, *args, context=context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.at-handle")
class CallAtReturnsItsOwnHandle(Stock):
    """call_at() returns a handle of a class of its own."""

    class Handle:
        def __init__(self, handle: asyncio.TimerHandle) -> None:
            self.cancel, self.cancelled, self.when = handle.cancel, handle.cancelled, handle.when

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.Handle(super().call_at(when, callback, *args, context=context))

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(self.time() + delay, callback, *args, context=context)


class _WhenIs(asyncio.TimerHandle):
    """A handle whose when() is something else."""

    __slots__ = ("told",)

    def when(self) -> float:
        return self.told


@breaks("timers.when-at")
class WhenIsRoundedToMinutes(EventLoop):
    """when() of call_at() is rounded to whole minutes."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if when < self.time() + 100:
            return super().call_at(when, callback, *args, context=context)
        handle = _WhenIs(when, callback, args, self, context)
        handle.told = round(when / 60) * 60.0
        return handle


@breaks("timers.when-later")
class WhenOfCallLaterIsTheDelay(EventLoop):
    """when() of a handle of call_later() is the delay."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if delay < 100:
            return super().call_later(delay, callback, *args, context=context)
        handle = _WhenIs(self.time() + delay, callback, args, self, context)
        handle.told = delay
        return handle


class _Uncancellable(asyncio.TimerHandle):
    """A handle that says that it was cancelled, and is not."""

    __slots__ = ("said",)

    def cancel(self) -> None:
        self.said = True

    def cancelled(self) -> bool:
        return hasattr(self, "said")


@breaks("timers.cancel")
class CancelDoesNotReachTheTimer(EventLoop):
    """A cancelled timer fires all the same."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if args != ("cancelled",):
            return super().call_at(when, callback, *args, context=context)
        super().call_at(when, callback, *args, context=context)
        return _Uncancellable(when, callback, args, self, context)


@breaks("timers.cancel-due")
class DueTimersCannotBeCancelled(EventLoop):
    """A timer that is due is no longer cancelled."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if args != ("victim",):
            return super().call_at(when, callback, *args, context=context)
        super().call_at(when, callback, *args, context=context)
        return _Uncancellable(when, callback, args, self, context)


class _Counted(asyncio.TimerHandle):
    """A timer that counts its cancellations in its loop."""

    __slots__ = ("owner",)

    def cancel(self) -> None:
        self.owner.cancelled_timers += 1
        super().cancel()


@breaks("timers.cancel-many")
class ForgetsTimersAfterManyCancellations(Stock):
    """After a thousand cancellations, every second callback of a list with a large number is forgotten."""

    cancelled_timers = 0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if not args or not isinstance(args[0], int) or args[0] < 100:
            return super().call_at(when, callback, *args, context=context)

        def unless_forgotten() -> None:
            if self.cancelled_timers < 1000 or args[0] % 200:
                callback(*args)

        real = super().call_at(when, unless_forgotten, context=context)
        counted = _Counted(when, real.cancel, (), self, context)
        counted.owner = self
        return _Forwarding(real, self)


class _Forwarding(asyncio.TimerHandle):
    """A timer handle that cancels another and counts it."""

    __slots__ = ("counter", "real")

    def __init__(self, real: asyncio.TimerHandle, counter: Any) -> None:
        super().__init__(real.when(), print, (), counter)
        self.real, self.counter = real, counter

    def cancel(self) -> None:
        self.counter.cancelled_timers += 1
        self.real.cancel()


class _Slot(asyncio.TimerHandle):
    """A handle of a timer slot, which another timer may have by now."""

    __slots__ = ("owner",)

    def cancel(self) -> None:
        latest = self.owner.latest
        if latest is not None and latest is not self:
            asyncio.TimerHandle.cancel(latest)
        super().cancel()


@breaks("timers.cancel-after-run")
class ACancelHitsTheNextTimerInTheSlot(EventLoop):
    """cancel() of a timer that ran cancels the timer that was set last."""

    latest: Any = None

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if args not in {("first",), ("second",)}:
            return super().call_later(delay, callback, *args, context=context)
        real = super().call_later(delay, callback, *args, context=context)
        if args == ("second",):
            self.latest = real
            return real
        slot = _Slot(real.when(), callback, args, self, context)
        slot.owner = self
        return slot


@breaks("timers.cancelled-far-timer")
class ACancelledTimerHidesTheNext(EventLoop):
    """While the head of the timers is cancelled, what stands behind it does not run."""

    head: asyncio.TimerHandle | None = None

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args == ("next",) and self.head is not None:
            head = self.head
            return super().call_later(delay, lambda: head.cancelled() or callback(*args), context=context)
        handle = super().call_later(delay, callback, *args, context=context)
        if args == ("head",):
            self.head = handle
        return handle
