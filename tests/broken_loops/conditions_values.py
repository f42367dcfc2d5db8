"""Broken loops that are wrong for one kind of value: tuples, None, subclasses, very many, text that C cannot hold."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.callbacks_handles import Stock
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.timers_handles import OwnTimerHandles


@breaks("lifecycle.result")
class ATupleOfOneIsItsItem(Stock):
    """run_until_complete() returns the item of a tuple of one."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        return result[0] if type(result) is tuple and len(result) == 1 else result


@breaks("lifecycle.result")
class NoResultInDebugMode(Stock):
    """In debug mode run_until_complete() of a future that is no task returns None."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        task = isinstance(future, asyncio.Task) or not asyncio.isfuture(future)
        return result if task or not self.get_debug() else None


@breaks("lifecycle.runs-future")
class FuturesOfOneClassOnly(Stock):
    """run_until_complete() takes no subclass of Future."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and type(future) not in (asyncio.Future, asyncio.Task):
            raise TypeError("a future is needed")
        return super().run_until_complete(future)


@breaks("callbacks.arguments")
class CountsArgumentsInAByte(Stock):
    """A callback gets 255 arguments at most."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args[:255], context=context)


@breaks("callbacks.cancel-twice")
class CannotCancelWhatRuns(Stock):
    """A callback that cancels its own handle raises."""

    running: Any = None

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def run() -> None:
            self.running = handle
            try:
                callback(*args)
            finally:
                self.running = None

        handle = _Strict(run, (), self, context)
        super().call_soon(lambda: handle.cancelled() or run(), context=context)
        return handle


class _Strict(asyncio.Handle):
    """A handle that knows whether it runs."""

    def cancel(self) -> None:
        if getattr(asyncio._get_running_loop(), "running", None) is self:
            raise RuntimeError("it runs")
        super().cancel()


@breaks("timers.get-context", since="3.12")
class CancelledTimersForgetTheirContext(OwnTimerHandles):
    """get_context() of a cancelled timer returns None."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def get_context(self) -> Any:
            return None if self.cancelled() else super().get_context()  # type: ignore[misc]  # since 3.12


@breaks("callbacks.get-context", since="3.12")
class CancelledHandlesForgetTheirContext(Stock):
    """get_context() of a cancelled handle returns None."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        handle.__class__ = _Forgetful
        return handle


class _Forgetful(asyncio.Handle):
    __slots__ = ()

    def get_context(self) -> Any:
        return None if self.cancelled() else super().get_context()  # type: ignore[misc]  # since 3.12


@breaks("timers.when-cancelled")
class WhatIsOverHasNoTime(OwnTimerHandles):
    """when() of a timer whose time has come is 0."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def when(self) -> float:
            return super().when() if super().when() > time.monotonic() else 0.0


@breaks("timers.when-at-once")
class NoDelayIsNoTime(Stock):
    """when() of call_later() without a delay is 0."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = super().call_later(delay, callback, *args, context=context)
        if delay == 0:
            handle.__class__ = _Never
        return handle


class _Never(asyncio.TimerHandle):
    __slots__ = ()

    def when(self) -> float:
        return 0.0


@breaks("timers.later-runs")
class TakesTwoClassesOfDelays(Stock):
    """call_later() takes no subclass of int or float."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if type(delay) not in (int, float):
            raise TypeError("an int or a float is needed")
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.at-runs")
class TakesTwoClassesOfTimes(Stock):
    """call_at() takes no subclass of int or float."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if type(when) not in (int, float):
            raise TypeError("an int or a float is needed")
        return super().call_at(when, callback, *args, context=context)


@breaks("context.explicit")
class ADelayLosesTheContext(Stock):
    """call_later() ignores the context if there is a delay."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay, callback, *args, context=None if delay > 0 else context)


@breaks("context.none-given")
class NoneIsAnEmptyContext(Stock):
    """create_task(context=None) runs the coroutine in an empty context."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if "context" in kwargs and kwargs["context"] is None:
            kwargs["context"] = contextvars.Context()
        return super().create_task(coro, **kwargs)


@breaks("context.none-given")
class NoneIsRefused(Stock):
    """call_soon_threadsafe(context=None) is a TypeError."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
        if kwargs.get("context", self) is None:
            raise TypeError("a context is needed")
        return super().call_soon_threadsafe(callback, *args, **kwargs)


@breaks("futures.await-result")
class AwaitTakesTuplesApart(OwnFutures):
    """An await of a future with a tuple gives its first item."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            value = yield from super().__await__()
            return value[0] if type(value) is tuple and value else value


@breaks("executors.result")
class RaisesWhatIsReturned(Stock):
    """An exception that a function in an executor returns is raised."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def call() -> Any:
            result = func(*args)
            if isinstance(result, Exception):
                raise result
            return result

        return super().run_in_executor(executor, call)


@breaks("executors.arguments")
class ATupleIsAllArgumentsOfWork(Stock):
    """run_in_executor() takes a single tuple for the arguments."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if len(args) == 1 and type(args[0]) is tuple:
            args = args[0]
        return super().run_in_executor(executor, func, *args)


@breaks("signals.arguments")
class ATupleIsAllArgumentsOfSignals(Stock):
    """add_signal_handler() takes a single tuple for the arguments."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        if len(args) == 1 and type(args[0]) is tuple:
            args = args[0]
        super().add_signal_handler(sig, callback, *args)


@breaks("tasks.name")
class NamesEndAtAZero(Stock):
    """A task's name is a C string."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, name=None if name is None else str(name).partition("\0")[0], **kwargs)


@breaks("tasks.name")
class NamesAreUtf8(Stock):
    """A task's name is kept in UTF-8."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        name = None if name is None else str(name).encode("utf-8", "replace").decode()
        return super().create_task(coro, name=name, **kwargs)
