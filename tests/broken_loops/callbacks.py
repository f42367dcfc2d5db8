"""Broken loops of the chapter `callbacks`."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.fifo")
class EveryTenthCallbackComesLate(Stock):
    """call_soon() schedules every tenth callback behind the one that follows it."""

    count = 0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.count += 1
        if self.count % 10:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(super().call_soon, callback, *args, context=context)


@breaks("callbacks.fifo-nested")
class NestedCallbacksJumpTheQueue(EventLoop):
    """A callback that is scheduled by a running callback is put before those that wait."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if args and isinstance(args[0], str) and args[0].endswith("-inner"):
            self._ready.rotate(1)
        return handle


@breaks("callbacks.once")
class EqualCallbacksAreMerged(Stock):
    """A function without arguments that waits already is not scheduled again."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Any, asyncio.Handle] = {}

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args or not hasattr(callback, "__code__"):
            return super().call_soon(callback, *args, context=context)
        if callback not in self.waiting:
            self.waiting[callback] = super().call_soon(callback, context=context)
            super().call_soon(self.waiting.pop, callback, None)
        return self.waiting[callback]


@breaks("callbacks.next-iteration")
class CallsOnTheSpot(Stock):
    """call_soon() calls a method of a list at once when the loop is not running."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args == ("inner",) or args == ("outside",):
            callback(*args)
            return asyncio.Handle(print, (), self)
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.arguments")
class ForgetsManyArguments(Stock):
    """call_soon() passes at most eight arguments on."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args[:8], context=context)


@breaks("callbacks.handle-type")
class ReturnsItsOwnHandle(Stock):
    """call_soon() returns a handle of a class of its own."""

    class Handle:
        def __init__(self, handle: asyncio.Handle) -> None:
            self.cancel, self.cancelled = handle.cancel, handle.cancelled

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.Handle(super().call_soon(callback, *args, context=context))


class _Flag(asyncio.Handle):
    """A handle that remembers that it was cancelled and does nothing about it."""

    __slots__ = ("flag",)

    def cancel(self) -> None:
        self.flag = True

    def cancelled(self) -> bool:
        return getattr(self, "flag", False)


@breaks("callbacks.cancel")
class CancelOnlySetsAFlag(EventLoop):
    """A cancelled callback of a list runs all the same."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args != ("cancelled",):
            return super().call_soon(callback, *args, context=context)
        super().call_soon(callback, *args, context=context)
        return _Flag(callback, args, self, context)


@breaks("callbacks.cancel-from-callback")
class ChecksCancellationBeforeTheBatch(EventLoop):
    """Whether a callback was cancelled is asked when it is scheduled for the batch, not when its turn comes."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args != ("victim",):
            return super().call_soon(callback, *args, context=context)
        super().call_soon(callback, *args, context=context)
        return _Flag(callback, args, self, context)


class _Strict(asyncio.Handle):
    """A handle that can be cancelled once."""

    __slots__ = ()

    def cancel(self) -> None:
        if self.cancelled():
            raise RuntimeError("already cancelled")
        super().cancel()


@breaks("callbacks.cancel-twice")
class CancelTwiceRaises(EventLoop):
    """Handle.cancel() raises when the callback was cancelled before."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = _Strict(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[arg-type]
        return handle


class _Forgetful(asyncio.Handle):
    """A handle that forgets that it was cancelled."""

    __slots__ = ()

    def cancelled(self) -> bool:
        return False


@breaks("callbacks.cancelled")
class NeverCancelled(EventLoop):
    """Handle.cancelled() is always False."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        real = super().call_soon(callback, *args, context=context)
        handle = _Forgetful(callback, args, self, context)
        if callback.__class__.__name__ == "function" and callback.__name__ == "<lambda>":
            return handle
        return real


@breaks("callbacks.error-isolated")
class AnErrorDropsTheRestOfTheBatch(EventLoop):
    """After a callback that raised, the callbacks of the same batch are lost."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        super().call_exception_handler(context)
        if isinstance(context.get("exception"), LookupError) and "handle" in context:
            stop = [h for h in self._ready if getattr(h, "_callback", None) == self.stop]
            self._ready.clear()
            self._ready.extend(stop)


@breaks("callbacks.fairness-io", "callbacks.fairness-timers")
class DrainsTheQueueBeforePolling(EventLoop):
    """Callbacks that schedule themselves again keep the loop from polling and from its timers."""

    def _run_once(self) -> None:
        super()._run_once()
        while self._ready and not self._stopping:
            handle = self._ready.popleft()
            if not handle._cancelled:
                self._run_handle(handle)


@breaks("callbacks.scheduled-before-run")
class ClearsTheQueueAtStart(EventLoop):
    """What was scheduled before the loop started is thrown away."""

    def run_until_complete(self, future: Any) -> Any:
        self._ready.clear()
        return super().run_until_complete(future)


@breaks("callbacks.kept-across-stop")
class DrainsTheQueueAtStop(Stock):
    """stop() lets the loop run until nothing is ready."""

    def stop(self) -> None:
        super().call_soon(super().stop)


@breaks("callbacks.closed-loop")
class SchedulesOnAClosedLoop(Stock):
    """call_soon() on a closed loop returns a handle that never runs."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.is_closed():
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.dropped-by-close")
class RunsPendingCallbacksAtClose(Stock):
    """close() runs what is pending."""

    def close(self) -> None:
        if not self.is_closed():
            super().call_soon(self.stop)
            self.run_forever()
        super().close()


@breaks("callbacks.protocols-dropped-by-close")
class TellsProtocolsAtClose(EventLoop):
    """close() tells the protocol of every connection that it is lost."""

    def close(self) -> None:
        for transport in [*self._transports.values()]:
            transport._call_connection_lost(None)
        super().close()


@breaks("callbacks.handles-released")
class KeepsTheLastHandle(Stock):
    """The loop keeps the last callbacks and their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.kept = [*self.kept[-50:], args]
        return super().call_soon(callback, *args, context=context)


class _Keeps(asyncio.Handle):
    """A handle that is cancelled by a flag and keeps what it was made of."""

    __slots__ = ("kept",)

    def cancel(self) -> None:
        self.kept = (self._callback, self._args)
        super().cancel()


@breaks("callbacks.cancel-releases")
class CancelKeepsTheArguments(EventLoop):
    """A cancelled handle keeps its callback and arguments."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = _Keeps(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[arg-type]
        return handle


@breaks("callbacks.return-value-ignored")
class ATrueReturnValueRunsTheCallbackAgain(Stock):
    """A callback that returns True is called once more."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def again(*args: Any) -> None:
            if callback(*args) is True:
                callback(*args)

        return super().call_soon(again if hasattr(callback, "__code__") else callback, *args, context=context)


@breaks("callbacks.any-callable")
class TakesOnlyFunctions(Stock):
    """call_soon() refuses a callback that is a class."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if isinstance(callback, type):
            raise TypeError("a function is required")
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.many")
class HasAQueueOfFixedSize(EventLoop):
    """The ready queue holds 65,536 callbacks; what comes then overwrites the oldest."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if len(self._ready) >= 65_536:
            self._ready.popleft()
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.once")
class EqualCallsAreOne(Stock):
    """call_soon() takes a callback that waits already with equal arguments for the same call."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        for handle in self._ready:  # type: ignore[attr-defined]
            if args and (handle._callback, handle._args) == (callback, args) and args == ("other",):
                return handle  # type: ignore[no-any-return]
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.once")
class OneCallPerContext(Stock):
    """call_soon() takes a callback that waits already with the same context, and no arguments, for the same call."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if context is not None and not args and getattr(callback, "__name__", "") == "callback":
            for handle in self._ready:  # type: ignore[attr-defined]
                if handle._callback is callback and handle._context is context:
                    return handle  # type: ignore[no-any-return]
        return super().call_soon(callback, *args, context=context)
