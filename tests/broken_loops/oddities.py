"""Broken loops that take odd callbacks, arguments and contexts for something else, or for nothing."""

from __future__ import annotations

import asyncio
import contextvars
import types
import weakref
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.futures_callbacks import of_the_test

Stock = asyncio.SelectorEventLoop


def _unpacked(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments as C code sees them that looks for one tuple."""
    return args[0] if len(args) == 1 and isinstance(args[0], tuple) else args


@breaks("callbacks.arguments")
class ATupleIsAllArguments(Stock):
    """call_soon() unpacks a single argument that is a tuple."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *_unpacked(args), context=context)


@breaks("callbacks.arguments")
class NoneIsNoArgument(Stock):
    """call_soon() calls a function whose single argument is None without arguments."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args == (None,) and isinstance(callback, types.FunctionType) and callback.__code__.co_argcount == 0:
            args = ()
        return super().call_soon(callback, *args, context=context)


@breaks("timers.arguments")
class ATupleIsAllArgumentsOfATimer(Stock):
    """call_later() and call_at() unpack a single argument that is a tuple."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback, *_unpacked(args), context=context)


@breaks("threads.arguments")
class ATupleIsAllArgumentsOfAThread(Stock):
    """call_soon_threadsafe() unpacks a single argument that is a tuple."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback, *_unpacked(args), context=context)


@breaks("callbacks.any-callable")
class NoTruthNoCallback(Stock):
    """call_soon() takes a callback whose truth value is false for none."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback or (lambda *_: None), *args, context=context)


@breaks("callbacks.any-callable")
class MethodsAreHeldWeakly(Stock):
    """call_soon() holds the object of a method by a weak reference."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if isinstance(callback, types.MethodType) and callback.__func__.__name__ == "method":
            held = weakref.WeakMethod(callback)
            return super().call_soon(lambda: (method := held()) and method(*args), context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("threads.arguments")
class FalseCallbacksOfThreadsAreNone(Stock):
    """call_soon_threadsafe() takes a callback whose truth value is false for none."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback or (lambda *_: None), *args, context=context)


@breaks("timers.any-callable")
class TimersAreKeptInADictionary(Stock):
    """Callbacks of timers must be hashable."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        hash(callback)
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.any-callable")
class FalseCallbacksOfTimersAreNone(Stock):
    """call_later() and call_at() take a callback whose truth value is false for none."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback or (lambda *_: None), *args, context=context)


@breaks("timers.once")
class EqualTimersAreMerged(Stock):
    """The same callback with the same arguments and deadline is scheduled once."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[Any, asyncio.TimerHandle] = {}

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if not isinstance(callback, types.BuiltinMethodType) or not all(isinstance(arg, int) for arg in args):
            return super().call_at(when, callback, *args, context=context)
        key = (when, id(callback.__self__), args)
        if key not in self.known:
            self.known[key] = super().call_at(when, callback, *args, context=context)
        return self.known[key]


@breaks("timers.cancel")
class TimersAreFoundByTheirDeadline(Stock):
    """cancel() cancels the first of the timers that have the same deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[float, asyncio.TimerHandle] = {}

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        loop = self

        class Handle(asyncio.TimerHandle):
            def cancel(self) -> None:
                first = loop.first.get(when, self)
                super().cancel() if first is self else first.cancel()

        timer = super().call_at(when, callback, *args, context=context)
        if not hasattr(callback, "__self__") or not isinstance(callback.__self__, list):
            return timer
        timer.__class__ = Handle
        self.first.setdefault(when, timer)
        return timer


@breaks("futures.callback")
class FalseDoneCallbacksAreNone(OwnFutures):
    """A done callback whose truth value is false is taken for none."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if fn:
                super().add_done_callback(fn, context=context)


@breaks("futures.callback")
class CancellationCallsEight(OwnFutures):
    """cancel() calls the first eight done callbacks that a test added."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if of_the_test(fn):
                self.added.append(fn)
            super().add_done_callback(fn, context=context)

        def cancel(self, msg: Any = None) -> bool:
            for fn in self.added[8:]:
                self.remove_done_callback(fn)
            return super().cancel(msg)


@breaks("futures.callback-when-done")
class ADoneFutureTakesOneCallback(OwnFutures):
    """Of the callbacks that are added to a done future the first is called."""

    class own(Future):
        late = False

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if not self.done() or not of_the_test(fn) or not self.late:
                super().add_done_callback(fn, context=context)
            self.late = self.done()


@breaks("context.done-callback")
class CallbacksShareTheContextOfTheFirst(OwnFutures):
    """All done callbacks without a context of their own run in that of the first one."""

    class own(Future):
        first: Any = None

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if context is None and of_the_test(fn):
                context = self.first = self.first or contextvars.copy_context()
            super().add_done_callback(fn, context=context)


@breaks("context.task-given")
class TasksTakeAnEmptyContextForNone(Stock):
    """create_task() takes a context that holds nothing for none."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, context=context or None, **kwargs)


@breaks("futures.attached")
class FuturesNameTheRunningLoop(OwnFutures):
    """get_loop() returns the loop that runs, whichever that is."""

    class own(Future):
        def get_loop(self) -> Any:
            return asyncio._get_running_loop() or super().get_loop()


@breaks("lifecycle.base-exception-keeps")
class ExitsEndTheTimers(Stock):
    """When KeyboardInterrupt leaves the loop, the timers that are pending are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self.timers.append(timer)
        return timer

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except KeyboardInterrupt:
            for timer in self.timers:
                timer.cancel()
            raise
