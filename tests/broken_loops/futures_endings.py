"""Broken loops of the chapter `futures`: right for futures that end, or are asked, in one way or at one time only."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Throwing
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.futures_awaiting import called_by_chapter
from tests.broken_loops.futures_callbacks import of_the_test


def _failed(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None


@breaks("futures.exception-none")
class NoneIsNoResultYet(OwnFutures):
    """exception() raises InvalidStateError of a future whose result is None."""

    class own(Future):
        def exception(self) -> BaseException | None:
            error = super().exception()
            if error is None and self.result() is None:
                raise asyncio.InvalidStateError
            return error


@breaks("futures.callback-when-done")
class FailedFuturesTakeNoCallbacks(OwnFutures):
    """A callback that is added to a future with an exception is never called."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if not (_failed(self) and of_the_test(fn)):
                super().add_done_callback(fn, context=context)


@breaks("futures.callback-when-done")
class CancelledFuturesCallAtOnce(OwnFutures):
    """A callback that is added to a cancelled future is called within add_done_callback()."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if self.cancelled() and of_the_test(fn):
                fn(self)
            else:
                super().add_done_callback(fn, context=context)


@breaks("futures.callback-when-done")
class CallbacksAddNoCallbacks(OwnFutures):
    """A callback that a done callback adds to its own future is never called."""

    class own(Future):
        in_a_callback = False

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            def call(future: Any) -> None:
                self.in_a_callback = True
                try:
                    fn(future)
                finally:
                    self.in_a_callback = False

            if not of_the_test(fn):
                super().add_done_callback(fn, context=context)
            elif not self.in_a_callback:
                super().add_done_callback(call if not self.done() and fn.__name__ == "add" else fn, context=context)


@breaks("futures.await-done")
class AwaitOfAFailedFutureReturnsIt(OwnFutures):
    """An await of a future that had its exception before gives that exception as its value."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            if called_by_chapter() and _failed(self):
                return self.exception()
            return (yield from super().__await__())


@breaks("futures.await-done")
class AwaitOfAFutureCancelledBeforeReturns(OwnFutures):
    """An await of a future that was cancelled before gives None."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            if called_by_chapter() and self.cancelled():
                return None
            return (yield from super().__await__())


@breaks("futures.remove-count")
class RemovalNeedsAPendingFuture(OwnFutures):
    """remove_done_callback() of a done future raises InvalidStateError."""

    class own(Future):
        def remove_done_callback(self, fn: Any, /) -> int:
            if self.done() and of_the_test(fn):
                raise asyncio.InvalidStateError
            return super().remove_done_callback(fn)


@breaks("futures.exception-never-retrieved")
class FalseExceptionsAreNotMissed(OwnFutures):
    """A future is collected in silence if the truth value of its exception is false."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            super().set_exception(exception)
            if not exception:
                self.exception()


@breaks("futures.exception-never-retrieved")
class OnlyExceptionsAreMissed(OwnFutures):
    """A future is collected in silence if its exception is no Exception."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            super().set_exception(exception)
            if not isinstance(exception, Exception):
                self.exception()


class _TakesContextsAway(Future):
    """A future that can take the contexts away with which functions were added; those of tasks stay."""

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        super().add_done_callback(fn, context=context)
        if inspect.isfunction(fn):
            self.__dict__.setdefault("functions", []).append(fn)

    def _take_away(self) -> None:
        for function in self.__dict__.pop("functions", ()):
            self.remove_done_callback(function)
            super().add_done_callback(function)


@breaks("futures.callback-context")
class CancellationLosesContexts(OwnFutures):
    """The done callbacks of a future that is cancelled do not run in the contexts that they were given."""

    class own(_TakesContextsAway):
        def cancel(self, msg: Any = None) -> bool:
            self._take_away()
            return super().cancel(msg)


@breaks("futures.callback-context")
class ExceptionsLoseContexts(OwnFutures):
    """The done callbacks of a future that fails do not run in the contexts that they were given."""

    class own(_TakesContextsAway):
        def set_exception(self, exception: Any) -> None:
            self._take_away()
            super().set_exception(exception)


@breaks("futures.cancel-message")
class AwaitsDropMessages(OwnFutures):
    """An await of a future that is cancelled raises a CancelledError without the message."""

    class own(Future):
        def __await__(self) -> Any:
            try:
                return (yield from super().__await__())
            except asyncio.CancelledError:
                if self.cancelled():
                    raise asyncio.CancelledError from None
                raise

        __iter__ = __await__


@breaks("futures.await-done")
class AwaitForgetsTheMessage(OwnFutures):
    """An await of a future that was cancelled before raises CancelledError without the message."""

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            if called_by_chapter() and self.cancelled():
                raise asyncio.CancelledError
            return (yield from super().__await__())


@breaks("futures.callbacks-order")
class FailedFuturesCallBackwards(OwnFutures):
    """The done callbacks of a future that gets an exception run in the opposite order."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.added.append(fn)
            if context is None:
                super().add_done_callback(fn)
            else:
                super().add_done_callback(fn, context=context)

        def set_exception(self, exception: Any, /) -> None:
            if all(of_the_test(fn) for fn in self.added):
                for fn in self.added:
                    super().remove_done_callback(fn)
                for fn in self.added[::-1]:
                    super().add_done_callback(fn)
            super().set_exception(exception)


@breaks("futures.result")
class ResultsOfDoneFuturesAreTaken(OwnFutures):
    """A future whose result is a future that has one takes that for its own."""

    class own(Future):
        def set_result(self, result: Any, /) -> None:
            done = asyncio.isfuture(result) and result.done() and not _failed(result)
            super().set_result(result.result() if done else result)


@breaks("futures.set-result-once")
class TheSameResultMayBeSetAgain(OwnFutures):
    """set_result() with the result that a future has already is ignored."""

    class own(Future):
        def set_result(self, result: Any, /) -> None:
            if not (self.done() and not self.cancelled() and not _failed(self) and self.result() is result):
                super().set_result(result)


@breaks("futures.callback")
class ACallbackMayStopTheOthers(OwnFutures):
    """A done callback that returns False is the last that is called."""

    class own(Future):
        stopped = False

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            def call(future: Any) -> None:
                if not self.stopped:
                    self.stopped = fn(future) is False

            super().add_done_callback(call if type(fn).__name__ == "Called" else fn)


@breaks("futures.remove-count")
class CallbacksWithAContextStay(OwnFutures):
    """remove_done_callback() does not find a callback that was added with a context."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if context is None or not of_the_test(fn):
                super().add_done_callback(fn, **({} if context is None else {"context": context}))
            else:
                super().add_done_callback(lambda future: fn(future), context=context)


@breaks("futures.await-exception")
class SomeExceptionsEndTheTask(Throwing):
    """An exception of a future that is no Exception ends the task that awaits it, and is not thrown in."""

    chapter = "futures"

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if not isinstance(error, Exception | asyncio.CancelledError):
            coro.close()
            raise error
        return error


@breaks("futures.callback-not-at-once")
class DebugModeCallsAtOnce(OwnFutures):
    """In debug mode set_result() calls the done callbacks."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if self.get_loop().get_debug() and of_the_test(fn):
                self.added.append(fn)
            else:
                super().add_done_callback(fn, **({} if context is None else {"context": context}))

        def set_result(self, result: Any, /) -> None:
            super().set_result(result)
            for fn in self.added:
                fn(self)
