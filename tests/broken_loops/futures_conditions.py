"""Broken loops of the chapter `futures`: wrong of one value, of one callback, or while nothing runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.futures_callbacks import of_the_test

_PyFuture: Any = vars(asyncio.futures)["_PyFuture"]


def _holds_nothing(future: Any) -> bool:
    """Whether the future is done with the result None."""
    return Future.done(future) and not Future.cancelled(future) and not Future.exception(future) and not future.result()


@breaks("futures.await-result")
class ResultsAreAwaited(OwnFutures):
    """Awaiting a future whose result is a future awaits that, too."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            result = yield from super().__await__()
            while asyncio.isfuture(result):
                result = yield from result
            return result

        __iter__ = __await__


@breaks("futures.cancel-done")
class NoneCanBeCancelled(OwnFutures):
    """cancel() of a future whose result is None returns True."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(msg) or _holds_nothing(self)


@breaks("futures.set-result-once")
class NoneCanBeReplaced(OwnFutures):
    """set_result() of a future whose result is None is passed over without an error."""

    class own(Future):
        def set_result(self, result: Any) -> None:
            if not _holds_nothing(self):
                super().set_result(result)


@breaks("futures.set-exception-once")
class TheSameExceptionMayBeSetAgain(OwnFutures):
    """set_exception() with the exception that the future has is passed over without an error."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if not self.done() or self.cancelled() or self.exception() is not exception:
                super().set_exception(exception)


@breaks("futures.callback-added-twice")
class KnownCallbacksArePassedOver(OwnFutures):
    """The very object that was added last is not added once more."""

    class own(Future):
        last: Any = None

        def add_done_callback(self, callback: Callable[..., Any], *, context: Any = None) -> None:
            if callback is not self.last:
                super().add_done_callback(callback, context=context)
            self.last = callback


@breaks("futures.callback-when-done")
class CalledAtOnceOutsideOfARun(OwnFutures):
    """A callback added to a done future is called at once while the loop does not run."""

    class own(Future):
        def add_done_callback(self, callback: Callable[..., Any], *, context: Any = None) -> None:
            if not self.done() or self.get_loop().is_running() or context is not None or not of_the_test(callback):
                super().add_done_callback(callback, context=context)
            else:
                callback(self)


@breaks("futures.callback-argument")
class LateCallbacksGetTheResult(OwnFutures):
    """A callback added to a future that has its result is called with that."""

    class own(Future):
        def add_done_callback(self, callback: Callable[..., Any], *, context: Any = None) -> None:
            if self.done() and of_the_test(callback) and not self.cancelled() and not self.exception():
                self.get_loop().call_soon(callback, self.result(), context=context)
            else:
                super().add_done_callback(callback, context=context)


def _running(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """The loop that runs in this thread, or else this one."""
    return asyncio._get_running_loop() or loop


@breaks("futures.callback-not-at-once")
class FuturesCallBackWhereTheyEnd(OwnFutures):
    """The callbacks of a future are scheduled on the loop that runs when its result is set."""

    class own(_PyFuture):  # type: ignore[misc]  # typed as Any
        def set_result(self, result: Any) -> None:
            own, self._loop = self._loop, _running(self._loop)
            super().set_result(result)
            self._loop = own


@breaks("futures.callback-when-done")
class LateCallbacksRunWhereTheyAreAdded(OwnFutures):
    """A callback that is added to a done future is scheduled on the loop that runs then."""

    class own(Future):
        def add_done_callback(self, fn: Callable[[Any], object], *, context: Any = None) -> None:
            if self.done():
                _running(self.get_loop()).call_soon(fn, self, context=context)
            else:
                super().add_done_callback(fn, context=context)


@breaks("context.done-callback")
class RemovalMovesContexts(OwnFutures):
    """When a callback is removed, the one behind it gets its context."""

    class own(_PyFuture):  # type: ignore[misc]  # typed as Any
        def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
            contexts = [context for _, context in self._callbacks]
            removed: int = super().remove_done_callback(fn)
            left = [callback for callback, _ in self._callbacks]
            self._callbacks[:] = zip(left, contexts, strict=False)
            return removed


@breaks("futures.remove-count")
class PartialsStay(OwnFutures):
    """remove_done_callback() does not find a functools.partial object."""

    class own(Future):
        def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
            return 0 if isinstance(fn, functools.partial) else super().remove_done_callback(fn)


@breaks("futures.await-exception")
class TimeoutsOfFuturesAreCancellations(OwnFutures):
    """Awaiting a future whose exception is a TimeoutError raises CancelledError."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            try:
                return (yield from super().__await__())
            except TimeoutError as error:
                raise asyncio.CancelledError from error

        __iter__ = __await__
