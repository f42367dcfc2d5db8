"""Broken loops of the chapter `errors`: the exception handler."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class OwnHandler(Stock):
    """A loop that keeps the custom handler, and calls it, by itself."""

    handler: Any = None

    def get_exception_handler(self) -> Any:
        return self.handler

    def set_exception_handler(self, handler: Any) -> None:
        if handler is not None and not callable(handler):
            raise TypeError("a callable is needed")
        self.handler = handler

    def ask(self, context: dict[str, Any]) -> None:
        self.handler(self, context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.handler is None:
            super().call_exception_handler(context)
            return
        try:
            self.ask(context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.default_exception_handler({"message": "the handler raised", "exception": error, "context": context})


@breaks("errors.no-handler")
class TheDefaultHandlerIsTheHandler(Stock):
    """get_exception_handler() returns the default handler if no other was set."""

    def get_exception_handler(self) -> Any:
        known: list[Any] = self.__dict__.setdefault("set", [])
        return super().get_exception_handler() if known else self.default_exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        self.__dict__.setdefault("set", []).append(1)
        super().set_exception_handler(handler)


@breaks("errors.get-handler")
class HandlersAreWrapped(Stock):
    """get_exception_handler() returns a wrapper of the handler."""

    def get_exception_handler(self) -> Any:
        handler = super().get_exception_handler()
        return handler and (lambda *args: handler(*args))


@breaks("errors.arguments")
class HandlersGetTheContextOnly(OwnHandler):
    """A handler that takes any number of arguments is called with the context alone."""

    def ask(self, context: dict[str, Any]) -> None:
        if self.handler.__code__.co_argcount:
            self.handler(self, context)
        else:
            self.handler(context)


@breaks("errors.context")
class ContextsAreFiltered(Stock):
    """Of a context only the documented keys are passed on."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        super().call_exception_handler({key: value for key, value in context.items() if key != "own"})


@breaks("errors.replaced")
class HandlersAreNotReplaced(Stock):
    """A handler that was called once stays when another one is set."""

    called = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.called = True
        super().call_exception_handler(context)

    def set_exception_handler(self, handler: Any) -> None:
        if handler is None or not self.called:
            super().set_exception_handler(handler)


@breaks("errors.reset")
class HandlersStay(Stock):
    """set_exception_handler(None) leaves the handler as it is."""

    def set_exception_handler(self, handler: Any) -> None:
        if handler is not None:
            super().set_exception_handler(handler)


@breaks("errors.callable")
class HandlersAreNotChecked(OwnHandler):
    """set_exception_handler() takes any object."""

    def set_exception_handler(self, handler: Any) -> None:
        self.handler = handler if callable(handler) else None


@breaks("errors.per-loop")
class OneHandlerForAllLoops(OwnHandler):
    """All loops of the process share one handler."""

    shared: Any = None

    @property
    def handler(self) -> Any:
        return type(self).shared

    @handler.setter
    def handler(self, handler: Any) -> None:
        type(self).shared = handler


@breaks("errors.default")
class ErrorsAreWarnings(Stock):
    """The default handler logs a warning."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        logging.getLogger("asyncio").warning(
            "%s: %s", context.get("message"), context, exc_info=context.get("exception")
        )


@breaks("errors.default-called")
class TheDefaultAsksTheCustomHandler(Stock):
    """default_exception_handler() does nothing while there is a custom handler that did not raise."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        if self.get_exception_handler() is None or "what the test says" not in str(context):
            super().default_exception_handler(context)


@breaks("errors.default-any-context")
class ContextsNeedAMessage(Stock):
    """default_exception_handler() raises KeyError if the context has no message."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        assert context["message"]
        super().default_exception_handler(context)


@breaks("errors.handler-raises")
class HandlersThatRaiseAreSilent(OwnHandler):
    """An exception of the custom handler is dropped."""

    def ask(self, context: dict[str, Any]) -> None:
        try:
            self.handler(self, context)
        except Exception:
            return


@breaks("errors.handler-exits")
class HandlersCannotExit(OwnHandler):
    """SystemExit and KeyboardInterrupt of the custom handler are logged."""

    def ask(self, context: dict[str, Any]) -> None:
        try:
            self.handler(self, context)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError("the handler raised") from error


@breaks("errors.callback")
class ErrorsOfCallbacksAreCopied(OwnHandler):
    """The exception of a callback is reported as a new one of the same type."""

    def ask(self, context: dict[str, Any]) -> None:
        if context.get("exception") is not None and context["exception"].args == ("of the callback",):
            context["exception"] = type(context["exception"])("of the callback")
        self.handler(self, context)


@breaks("errors.handle")
class HandlesAreNotReported(OwnHandler):
    """The context of a callback has no handle."""

    def ask(self, context: dict[str, Any]) -> None:
        self.handler(self, {key: value for key, value in context.items() if key != "handle"})


@breaks("errors.base-exception")
class CancellationsOfCallbacksAreDropped(OwnHandler):
    """A CancelledError that a callback raises is dropped."""

    def ask(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), asyncio.CancelledError):
            self.handler(self, context)


@breaks("errors.base-exception")
class OtherBaseExceptionsAreDropped(OwnHandler):
    """A BaseException that is no Exception is dropped."""

    def ask(self, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), Exception | None):
            self.handler(self, context)


@breaks("errors.default-unprintable")
class DropsWhatItCannotPrint(Stock):
    """Nothing is logged of a context that cannot be printed."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        try:
            str(context)
        except Exception:
            return
        super().default_exception_handler(context)


@breaks("errors.default")
class NamesTheHandleInstead(Stock):
    """The default handler logs the handle of a callback that raised, and leaves its exception out."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        if "handle" in context:
            context = {key: value for key, value in context.items() if key != "exception"}
        super().default_exception_handler(context)
