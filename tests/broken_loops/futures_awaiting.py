"""Broken loops of the chapter `futures`: awaiting, and asyncio's functions over a loop's futures and tasks."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures, Stock

_MINE = "test_futures"


def called_by_chapter() -> bool:
    """Whether code of this chapter awaits: asyncio's own coroutines are left alone."""
    return _MINE in sys._getframe(2).f_code.co_filename


@breaks("futures.await-result")
class AwaitLosesFalseValues(OwnFutures):
    """An await of a future gives True where the result is the number 0."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            value = yield from super().__await__()
            return True if type(value) is int and not value else value


@breaks("futures.await-suspends")
class AwaitEndsEarly(OwnFutures):
    """A task that awaits a future goes on after three iterations, done or not."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            mine = called_by_chapter()
            for _ in range(3):
                if mine and not self.done():
                    yield None
            return self.result() if self.done() else None if mine else (yield from super().__await__())


@breaks("futures.await-done")
class AwaitOfADoneFutureHangs(OwnFutures):
    """An await of a future that was done before goes on when something else wakes the task."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            if self.done() and called_by_chapter():
                yield from asyncio.Future(loop=self.get_loop()).__await__()
            return (yield from super().__await__())


@breaks("futures.await-exception")
class AwaitRaisesACopy(OwnFutures):
    """An await raises a new exception of the type that was set."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            try:
                return (yield from super().__await__())
            except LookupError as error:
                raise type(error)(*error.args) from None


@breaks("futures.await-cancelled")
class AwaitOfACancelledFutureReturns(OwnFutures):
    """An await of a future that is cancelled gives None."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            try:
                return (yield from super().__await__())
            except asyncio.CancelledError:
                if not called_by_chapter() or not self.cancelled():
                    raise
                return None


@breaks("futures.await-again")
class OneWaiterPerFuture(OwnFutures):
    """Of several coroutines that await one future only the first gets the result, the others None."""

    class own(Future):
        awaited = False

        def __await__(self) -> Generator[Any, None, Any]:
            first, self.awaited = not self.awaited, True
            value = yield from super().__await__()
            return value if first else None


@breaks("futures.hashable")
class EqualFuturesAreTheSame(OwnFutures):
    """Futures with equal results are equal."""

    class own(Future):
        def __eq__(self, other: object) -> bool:
            if self is other or not isinstance(other, asyncio.Future):
                return self is other
            return self.done() and other.done() and repr(self) == repr(other)

        def __hash__(self) -> int:
            return id(type(self))


@breaks("futures.ensure-future")
class TasksAreNotFutures(Stock):
    """What create_task() returns is a wrapper that ensure_future() wraps in another task."""

    class Wrapper:
        def __init__(self, task: asyncio.Task[Any]) -> None:
            self.task = task

        def __getattr__(self, name: str) -> Any:
            return getattr(self.task, name)

        def __await__(self) -> Any:
            return self.task.__await__()

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        return self.Wrapper(task) if getattr(coro, "__name__", "") == "_wait" else task


@breaks("futures.ensure-future-coroutine")
class NoTasksBeforeTheLoopRuns(Stock):
    """create_task() of a coroutine raises RuntimeError while the loop does not run."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if not self.is_running() and getattr(coro, "__name__", "") == "answer":
            coro.close()
            raise RuntimeError("the loop does not run")
        return super().create_task(coro, **kwargs)


@breaks("futures.ensure-future-awaitable")
class NativeCoroutinesOnly(Stock):
    """create_task() takes no coroutine but native ones."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        # asyncio wraps an awaitable in a coroutine: a native one from 3.12, one of generators before.
        if not inspect.iscoroutine(coro) or coro.cr_code.co_name == "_wrap_awaitable":
            raise TypeError("a coroutine is needed")
        return super().create_task(coro, **kwargs)


@breaks("futures.wrap-future")
class CallsFromThreadsWakeNobody(Stock):
    """A future of concurrent.futures that is done in another thread does not come to the loop."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") == "_set_state" and args[1].exception() is None:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("futures.wrap-future-exception")
class ExceptionsOfThreadsAreWrapped(OwnFutures):
    """An exception that comes from another thread's future is replaced by a RuntimeError."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if type(exception) is LookupError and exception.args == ("of the thread",):
                exception = RuntimeError("in a thread")
            super().set_exception(exception)


@breaks("futures.wrap-future-cancel")
class CancelsOneSideOnly(OwnFutures):
    """The cancellation of a future is not passed on to the future of concurrent.futures that it wraps."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if getattr(fn, "__name__", "") == "_call_check_cancel":
                return
            super().add_done_callback(fn, context=context)


@breaks("futures.yield-from")
class FuturesAreNoIterables(OwnFutures):
    """A future can be awaited, and yield from does not take it."""

    class own(Future):
        __iter__ = None  # type: ignore[assignment]  # so says the data model


class _Stack(asyncio.Future[Any]):
    """Wakes the task first that came last."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop=loop)
        self.waiting: list[tuple[Any, Any]] = []

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        if not isinstance(getattr(callback, "__self__", None), asyncio.Task):
            super().add_done_callback(callback, context=context)
            return
        for earlier, _ in self.waiting:
            super().remove_done_callback(earlier)
        self.waiting.insert(0, (callback, context))
        for each, its in self.waiting:
            super().add_done_callback(each, context=its)


@breaks("futures.await-order")
class WaitersAreAStack(Stock):
    """Of the tasks that wait for one future, the last one goes on first."""

    def create_future(self) -> asyncio.Future[Any]:
        return _Stack(self)
