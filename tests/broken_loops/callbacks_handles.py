"""Broken loops of the chapter `callbacks`: what handles tell."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.not-cancelled-by-running")
class CancelsWhatHasRun(Stock):
    """The handle of a function without a name is cancelled when it runs."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") != "<lambda>":
            return super().call_soon(callback, *args, context=context)

        def run() -> None:
            handle.cancel()
            callback(*args)

        handle = super().call_soon(run, context=context)
        return handle


class _OwnHandles(Stock):
    """A loop whose call_soon() and call_soon_threadsafe() return handles of a class of its own."""

    own: type[asyncio.Handle] = asyncio.Handle

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        handle.__class__ = self.own
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        handle.__class__ = self.own
        return handle


@breaks("callbacks.get-context", since="3.12")
class HandlesTellACopyOfTheirContext(_OwnHandles):
    """get_context() of a handle returns a copy."""

    class own(asyncio.Handle):
        __slots__ = ()

        def get_context(self) -> Any:
            return super().get_context().copy()


@breaks("callbacks.get-context-default", since="3.12")
class HandlesTellTheCurrentContext(Stock):
    """get_context() of a handle returns the current context if none was given."""

    class vague(asyncio.Handle):
        __slots__ = ()

        def get_context(self) -> Any:
            return contextvars.copy_context()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if context is None:
            handle.__class__ = self.vague
        return handle


@breaks("callbacks.arguments")
class NoneEndsTheArguments(Stock):
    """The arguments of call_soon() end with the first None that nothing else follows."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and args[-1] is None and not isinstance(getattr(callback, "__self__", None), asyncio.Future):
            args = args[:-1]
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.any-callable")
class FalseCallbacksAreNone(Stock):
    """call_soon_threadsafe() of a callable that is false only wakes the loop."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback or (lambda *_: None), *args, context=context)


class _OfTheQueue(asyncio.Handle):
    """A handle that knows the queue in which it stands, and whether it was there."""

    __slots__ = ("queue", "ran")
    queue: Any

    def _run(self) -> None:
        self.ran = True
        super()._run()


class _NumberedPlaces(EventLoop):
    """Handles are places of a queue."""

    kind: type[_OfTheQueue]

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        own = self.kind(callback, args, self, handle._context)  # type: ignore[attr-defined]
        own.queue = self._ready
        self._ready[-1] = own  # type: ignore[call-overload]
        return own


@breaks("callbacks.cancel-twice")
class PlacesAreUsedAgain(_NumberedPlaces):
    """cancel() of a callback that was executed cancels the one that has taken its place."""

    class kind(_OfTheQueue):
        __slots__ = ()

        def cancel(self) -> None:
            first = self.queue[0] if self.queue and self not in self.queue else self
            asyncio.Handle.cancel(first)


@breaks("callbacks.cancel")
class CancelsTheFirstEqual(_NumberedPlaces):
    """cancel() looks for the callback and its arguments in the queue, and takes the first that is equal."""

    class kind(_OfTheQueue):
        __slots__ = ()

        def cancel(self) -> None:
            same = (each for each in self.queue if each._callback == self._callback and each._args == self._args)
            asyncio.Handle.cancel(next(same, self))


@breaks("callbacks.kept-across-stop")
class StopsWithEmptyHands(Stock):
    """What another thread's way of scheduling has queued after stop() runs before run_forever() returns."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[tuple[asyncio.Handle, Any]] = []

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not self.stopped:
            return super().call_soon_threadsafe(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self.late.append((handle, lambda: callback(*args)))
        return handle

    stopped = False

    def stop(self) -> None:
        super().stop()
        self.stopped = True

    def run_forever(self) -> None:
        super().run_forever()
        self.stopped = False
        for handle, call in self.late:
            if not handle.cancelled():
                call()
        self.late.clear()


@breaks("callbacks.dropped-by-close")
class TakesALastLook(Stock):
    """close() calls what another thread's way of scheduling has queued."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Any] = []

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def call() -> None:
            self.late.remove(call)
            callback(*args)

        self.late.append(call)
        return super().call_soon_threadsafe(call, context=context)

    def close(self) -> None:
        for call in list(self.late):
            call()
        super().close()


@breaks("callbacks.in-debug-mode")
class DebugsInAnyContext(Stock):
    """In debug mode, the context of a callback is not looked at."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=None if self.get_debug() else context)


@breaks("callbacks.in-debug-mode")
class DebugsFewArguments(Stock):
    """In debug mode, a delayed callback gets its first argument only."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback, *(args[:1] if self.get_debug() else args), context=context)
