"""Broken loops of the chapter `futures`: the state of a future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
Future = asyncio.Future[Any]


class OwnFutures(Stock):
    """A loop whose create_future() makes futures of a class of its own."""

    own: Callable[..., Future] = Future

    def create_future(self) -> Future:
        return type(self).own(loop=self)


@breaks("futures.create")
class FuturesAreNoFutures(Stock):
    """create_future() returns a wrapper that isfuture() does not know."""

    class own:
        def __init__(self, future: Future) -> None:
            self.future = future

        def __getattr__(self, name: str) -> Any:
            # isfuture() looks the mark up in the class.
            return getattr(self.future, name)

        def __await__(self) -> Any:
            return self.future.__await__()

    def create_future(self) -> Any:
        return self.own(super().create_future())


@breaks("futures.type")
class FuturesOfAnotherType(OwnFutures):
    """create_future() returns a subclass of Future."""

    class own(Future):
        pass


@breaks("futures.attached")
class FuturesNameAnotherLoop(OwnFutures):
    """The loop that a future names is a proxy of its loop."""

    class own(Future):
        def get_loop(self) -> Any:
            class Proxy:
                def __init__(self, loop: Any) -> None:
                    self.loop = loop

                def __getattr__(self, name: str) -> Any:
                    return getattr(self.loop, name)

            return Proxy(super().get_loop())


@breaks("futures.new")
class FuturesAreUsedAgain(Stock):
    """create_future() hands out the previous future again while that is pending and nobody waits for it."""

    previous: Future | None = None

    def create_future(self) -> Future:
        if self.is_running():
            return super().create_future()
        if self.previous is None or self.previous.done():
            self.previous = super().create_future()
        return self.previous


@breaks("futures.pending")
class NewFuturesAreDone(OwnFutures):
    """done() is true of a future that the loop's first caller has not touched yet."""

    class own(Future):
        asked = False

        def done(self) -> bool:
            if not self.asked and not self.get_loop().is_running():
                self.asked = True
                return True
            return super().done()


@breaks("futures.done")
class CancelledIsNotDone(OwnFutures):
    """done() is false of a future that was cancelled."""

    class own(Future):
        def done(self) -> bool:
            return super().done() and not self.cancelled()


@breaks("futures.result")
class FalseResultsAreLost(OwnFutures):
    """result() returns None for a value that is false."""

    class own(Future):
        def result(self) -> Any:
            return super().result() or None


@breaks("futures.result-raises")
class ResultRaisesACopy(OwnFutures):
    """result() raises a new exception of the type that was set."""

    class own(Future):
        def result(self) -> Any:
            if self.done() and not self.cancelled() and (error := self.exception()):
                raise type(error)(*error.args)
            return super().result()


@breaks("futures.result-cancelled")
class CancelledHasNoResult(OwnFutures):
    """result() of a cancelled future returns None."""

    class own(Future):
        def result(self) -> Any:
            return None if self.cancelled() else super().result()


@breaks("futures.result-pending")
class PendingHasNoResult(OwnFutures):
    """result() of a pending future returns None."""

    class own(Future):
        def result(self) -> Any:
            return super().result() if self.done() else None


@breaks("futures.no-timeout")
class ResultTakesATimeout(OwnFutures):
    """result() takes a timeout, as that of concurrent.futures does."""

    class own(Future):
        def result(self, timeout: float | None = None) -> Any:
            return super().result()


@breaks("futures.exception")
class ExceptionRaises(OwnFutures):
    """exception() raises the exception that was set."""

    class own(Future):
        def exception(self) -> BaseException | None:
            self.result()
            return None


@breaks("futures.exception-none")
class NoExceptionIsAnError(OwnFutures):
    """exception() raises InvalidStateError if the future has a result."""

    class own(Future):
        def exception(self) -> BaseException | None:
            error = super().exception()
            if error is None and not self.get_loop().is_running():
                raise asyncio.InvalidStateError("no exception was set")
            return error


@breaks("futures.exception-cancelled")
class CancellationIsAnException(OwnFutures):
    """exception() of a cancelled future returns the CancelledError."""

    class own(Future):
        def exception(self) -> BaseException | None:
            return asyncio.CancelledError() if self.cancelled() else super().exception()


@breaks("futures.exception-pending")
class PendingHasNoException(OwnFutures):
    """exception() of a pending future returns None."""

    class own(Future):
        def exception(self) -> BaseException | None:
            return super().exception() if self.done() else None


@breaks("futures.set-result-once")
class ACancelledFutureTakesAResult(OwnFutures):
    """set_result() on a cancelled future does nothing."""

    class own(Future):
        def set_result(self, result: Any) -> None:
            if not self.cancelled():
                super().set_result(result)


@breaks("futures.set-exception-once")
class ACancelledFutureTakesAnException(OwnFutures):
    """set_exception() on a cancelled future does nothing."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if not self.cancelled():
                super().set_exception(exception)


@breaks("futures.set-exception-class")
class ExceptionClassesAreRefused(OwnFutures):
    """set_exception() takes instances only."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if isinstance(exception, type):
                raise TypeError("an exception is needed, not a class")
            super().set_exception(exception)


@breaks("futures.stop-iteration")
class StopIterationPasses(OwnFutures):
    """A StopIteration is set as any exception is, and reaches the waiter as a coroutine's return."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if isinstance(exception, StopIteration):
                self.set_result(exception.value)
            else:
                super().set_exception(exception)
