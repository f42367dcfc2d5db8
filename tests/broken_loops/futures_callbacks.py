"""Broken loops of the chapter `futures`: cancellation and done callbacks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures


class Outcome(Future):
    """A future that tells `_ended` when it has its result, its exception or its cancellation."""

    def _ended(self) -> None:
        """For subclasses."""

    def set_result(self, result: Any) -> None:
        super().set_result(result)
        self._ended()

    def set_exception(self, exception: Any) -> None:
        super().set_exception(exception)
        self._ended()

    def cancel(self, msg: Any = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            self._ended()
        return cancelled


def of_the_test(callback: Callable[..., Any]) -> bool:
    """Callbacks of tasks and of asyncio's own functions are left alone: only one sentence is to break."""
    module = getattr(callback, "__module__", None) or ""
    return "asyncio" not in module and not isinstance(getattr(callback, "__self__", None), asyncio.Task)


@breaks("futures.cancel")
class CancelsLater(OwnFutures):
    """A future is cancelled in the next iteration."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            if not self.done():
                self.get_loop().call_soon(super().cancel, msg)
            return not self.done()


@breaks("futures.cancel-done")
class CancelsAgain(OwnFutures):
    """cancel() of a cancelled future returns True."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(msg) or self.cancelled()


@breaks("futures.cancelled")
class FailedIsCancelled(OwnFutures):
    """cancelled() is true of a future that has an exception."""

    class own(Outcome):
        failed = False

        def set_exception(self, exception: Any) -> None:
            super().set_exception(exception)
            self.failed = isinstance(exception, LookupError) and not exception.args

        def cancelled(self) -> bool:
            return self.failed or super().cancelled()


@breaks("futures.cancel-message")
class DropsTheMessageOfACancelledFuture(OwnFutures):
    """The message given to cancel() is dropped."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel()


@breaks("futures.callback")
class CancellationCallsNobody(OwnFutures):
    """Done callbacks that a test added are forgotten when the future is cancelled."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if of_the_test(fn) and not self.get_loop().is_running():
                self.added.append(fn)
            super().add_done_callback(fn, context=context)

        def cancel(self, msg: Any = None) -> bool:
            for fn in self.added:
                self.remove_done_callback(fn)
            return super().cancel(msg)


class _Wrapping(Future):
    """A future that changes the callbacks of tests."""

    def wrapped(self, fn: Any) -> Any:
        return fn

    def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
        super().add_done_callback(self.wrapped(fn) if of_the_test(fn) else fn, context=context)


@breaks("futures.callback-argument")
class CallbacksGetTheResultToo(OwnFutures):
    """Done callbacks that take any arguments are called with the future and its result."""

    class own(_Wrapping):
        def wrapped(self, fn: Any) -> Any:
            code = getattr(fn, "__code__", None)
            takes_any = code is not None and code.co_argcount == 0 and code.co_flags & 0x04
            return (lambda future: fn(future, future.result())) if takes_any else fn


@breaks("futures.callback-not-at-once")
class CallsBackAtOnce(OwnFutures):
    """Done callbacks are called by the call that ends a future while the loop runs."""

    class own(Outcome):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if of_the_test(fn) and not self.done() and context is None:
                self.added.append(fn)
            else:
                super().add_done_callback(fn, context=context)

        def remove_done_callback(self, fn: Any, /) -> int:
            count = self.added.count(fn)
            self.added = [other for other in self.added if other != fn]
            return count + super().remove_done_callback(fn)

        def _ended(self) -> None:
            context = contextvars.copy_context()
            for fn in self.added:
                if self.get_loop().is_running():
                    fn(self)
                else:
                    self.get_loop().call_soon(fn, self, context=context)


@breaks("futures.callback-when-done")
class CallsBackAtOnceIfDone(OwnFutures):
    """A callback that is added to a done future is called at once."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if self.done() and of_the_test(fn) and context is None:
                fn(self)
            else:
                super().add_done_callback(fn, context=context)


@breaks("futures.callbacks-order")
class FirstCallbackRunsLast(OwnFutures):
    """Of more than ten done callbacks the first runs last."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.added.append(fn)
            if len(self.added) == 11:
                self.remove_done_callback(self.added[0])
                super().add_done_callback(self.added[0])
            super().add_done_callback(fn, context=context)


@breaks("futures.callback-added-twice")
class CallbacksAreASet(OwnFutures):
    """A method that is added a second time to a future that nobody removes callbacks from is not added again."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if getattr(fn, "__name__", "") == "append" and isinstance(getattr(fn, "__self__", None), list):
                count = self.remove_done_callback(fn)
                super().add_done_callback(lambda _: None) if count else None
            super().add_done_callback(fn, context=context)


@breaks("futures.callback-partial")
class PartialsLoseTheirParameters(OwnFutures):
    """A partial is called without its parameters."""

    class own(_Wrapping):
        def wrapped(self, fn: Any) -> Any:
            return getattr(fn, "func", fn) if getattr(fn, "args", None) == ("Future:",) else fn


@breaks("futures.callback-context")
class GivenContextsAreCopied(OwnFutures):
    """A done callback runs in a copy of the given context."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if of_the_test(fn) and context is not None:
                context = context.copy()
            super().add_done_callback(fn, context=context)


@breaks("futures.callback-context-keyword")
class ContextByPosition(OwnFutures):
    """The context of a done callback can be given by position."""

    class own(Future):
        def add_done_callback(self, fn: Any, context: Any = None) -> None:
            super().add_done_callback(fn, context=context)


@breaks("futures.callback-error")
class AnErrorEndsTheCallbacks(OwnFutures):
    """The callbacks behind one that raises are dropped."""

    class own(_Wrapping):
        failed = False

        def wrapped(self, fn: Any) -> Any:
            def call(future: Any) -> None:
                if not self.failed:
                    self.failed = True
                    fn(future)
                    self.failed = False

            return call


@breaks("futures.remove-callback")
class TheFirstCallbackStays(OwnFutures):
    """remove_done_callback() does not find the first callback of several."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.added: list[Any] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.added.append(fn)
            super().add_done_callback(fn, context=context)

        def remove_done_callback(self, fn: Any, /) -> int:
            if len(self.added) == 4 and fn is self.added[0]:
                return 1
            return super().remove_done_callback(fn)


@breaks("futures.remove-count")
class RemovalReturnsABool(OwnFutures):
    """remove_done_callback() returns whether there was such a callback."""

    class own(Future):
        def remove_done_callback(self, fn: Any, /) -> int:
            return bool(super().remove_done_callback(fn))


@breaks("futures.exception-never-retrieved")
class LostExceptionsAreSilent(OwnFutures):
    """A future whose exception nobody retrieved is collected in silence."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            super().set_exception(exception)
            self.exception()


@breaks("futures.exception-retrieved")
class ReportsExceptionsThatExceptionReturned(OwnFutures):
    """An exception that only exception() returned is reported as never retrieved."""

    class own(Future):
        asked = False

        def exception(self) -> BaseException | None:
            error = super().exception()
            self.asked = error is not None
            return error

        def __del__(self) -> None:
            if self.asked and gc.isenabled():
                self.get_loop().call_exception_handler({"message": "never retrieved", "exception": self.exception()})


@breaks("futures.exception-cancelled-late")
class LooksAtTheStateFirst(OwnFutures):
    """cancel() of a future that is done does nothing, and an exception in it is reported as never retrieved."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return not self.done() and super().cancel(msg)
