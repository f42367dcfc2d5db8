"""Broken loops of the chapter `errors`: which objects are handlers, how often they are called, what they may do."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.errors import OwnHandler
from tests.broken_loops.errors_sources import Dropping

Stock = asyncio.SelectorEventLoop


@breaks("errors.any-callable")
class FalseHandlersAreNone(OwnHandler):
    """A handler whose truth value is false is taken for none."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.handler is not None and not self.handler:
            self.default_exception_handler(context)
        else:
            super().call_exception_handler(context)


@breaks("errors.any-callable")
class HandlersAreKeptWeakly(OwnHandler):
    """A method that is the handler does not keep its object."""

    weakly: Any = None

    def set_exception_handler(self, handler: Any) -> None:
        bound = hasattr(handler, "__self__")
        self.weakly = weakref.WeakMethod(handler) if bound else None
        super().set_exception_handler(None if bound else handler)

    def get_exception_handler(self) -> Any:
        return self.weakly() if self.weakly else super().get_exception_handler()


@breaks("errors.default-called")
class DefaultHandlersAskTheCustomOne(Stock):
    """The default handler calls the custom one first, and does its own work when that one defers to it."""

    _asked = False

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        handler = self.get_exception_handler()
        if handler is None or self._asked:
            super().default_exception_handler(context)
            return
        self._asked = True
        try:
            handler(self, context)
        finally:
            self._asked = False


@breaks("errors.handler-return-value")
class TrueHandlersAreNotEnough(OwnHandler):
    """After a handler that returns something true the default handler is called, too."""

    def ask(self, context: dict[str, Any]) -> None:
        if self.handler(self, context):
            self.default_exception_handler(context)


@breaks("errors.handler-return-value")
class HandlersMayDecline(OwnHandler):
    """A handler that returns False has not dealt with the exception: the default handler is called."""

    def ask(self, context: dict[str, Any]) -> None:
        if self.handler(self, context) is False:
            self.default_exception_handler(context)


@breaks("errors.exception-whole")
class ReportsWithoutTracebacks(Stock):
    """A custom handler gets exceptions without their traceback."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.get_exception_handler() is not None and context.get("exception") is not None:
            context["exception"].__traceback__ = None
        super().call_exception_handler(context)


@breaks("errors.exception-whole")
class ReportsWithTheLoopsTracebackOnly(Stock):
    """The traceback of an exception that a custom handler gets ends where the loop called the callback."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.get_exception_handler() is not None and error is not None and error.__traceback__ is not None:
            error.__traceback__.tb_next = None
        super().call_exception_handler(context)


@breaks("errors.every-time")
class ReportsAnExceptionOnce(OwnHandler):
    """An exception that was the last to be reported is not reported again."""

    last: Any = None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        exception = context.get("exception")
        if exception is None or exception is not self.last:
            self.last = exception
            super().call_exception_handler(context)


@breaks("errors.every-time")
class LogsThreeOfAKind(Stock):
    """The default handler logs at most three exceptions of one type."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        logged = self.__dict__.setdefault("logged", [])
        logged.append(type(context.get("exception")))
        if logged.count(logged[-1]) <= 3:
            super().default_exception_handler(context)


@breaks("errors.handler-replaces")
class PutsTheHandlerBack(OwnHandler):
    """After its call the handler is the handler again."""

    def ask(self, context: dict[str, Any]) -> None:
        handler = self.handler
        handler(self, context)
        self.handler = handler


@breaks("errors.handler-calls")
class HandlersAreNotCalledInside(OwnHandler):
    """While the handler is called it is not called again."""

    inside = False

    def ask(self, context: dict[str, Any]) -> None:
        if self.inside:
            return
        self.inside = True
        try:
            self.handler(self, context)
        finally:
            self.inside = False


@breaks("errors.callable")
class WhatIsFalseIsNoHandler(Stock):
    """set_exception_handler() takes 0 and the like for None."""

    def set_exception_handler(self, handler: Any) -> None:
        super().set_exception_handler(handler or None)


@breaks("errors.default")
class LogsNoTracebacks(Stock):
    """The default handler logs an exception without its traceback."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        exception = context.get("exception")
        traceback = exception.__traceback__ if exception else None
        super().default_exception_handler(
            {**context, "exception": exception.with_traceback(None)} if exception else context
        )
        if exception:
            exception.with_traceback(traceback)


@breaks("errors.handler-raises")
class CancelledHandlersAreSilent(OwnHandler):
    """CancelledError of a handler is dropped."""

    def ask(self, context: dict[str, Any]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self.handler(self, context)


@breaks("errors.base-exception")
class CancelledCallbacksAreSilent(Dropping):
    """CancelledError of a callback is not reported."""

    def drops(self, context: dict[str, Any]) -> bool:
        return isinstance(context.get("exception"), asyncio.CancelledError)


@breaks("errors.base-exception")
class StopsOfIterationAreSilent(Dropping):
    """StopIteration of a callback is not reported."""

    def drops(self, context: dict[str, Any]) -> bool:
        return isinstance(context.get("exception"), StopIteration)


@breaks("errors.context")
class AddsTheExceptionThatIsNot(OwnHandler):
    """A context without an exception gets one that is None."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        context.setdefault("exception", None)
        super().call_exception_handler(context)


@breaks("errors.default-unprintable")
class ReportsWithTheArguments(EventLoop):
    """The message of a callback that raised has the repr() of its arguments; where there is none, that is raised."""

    def _report_callback(self, handle: Any, callback: object, exc: BaseException) -> None:
        assert f"{handle._args}"
        super()._report_callback(handle, callback, exc)
