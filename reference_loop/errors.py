"""What happens to an exception that nobody awaits ("Error Handling API" in the documentation).

Promises that a callback, or an exception handler, that raises never stops the loop, except by SystemExit and
KeyboardInterrupt, which are meant to.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import Any

from .core import LoopCore, logger
from .debug import describe
from .handles import Handle

ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]

_STACKS = {"source_traceback": "Object", "handle_traceback": "Handle"}
_FAILED = ("task", "future", "handle")  # the first that a context has says where the handler runs


class ErrorsMixin(LoopCore):
    """set_exception_handler, get_exception_handler, default_exception_handler, call_exception_handler."""

    _exception_handler: ExceptionHandler | None = None

    def get_exception_handler(self) -> ExceptionHandler | None:
        """The custom handler, or None (asyncio-eventloop: loop.get_exception_handler)."""
        return self._exception_handler

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """Replace the handler; None restores the default (asyncio-eventloop: loop.set_exception_handler)."""
        if handler is not None and not callable(handler):
            raise TypeError(f"A callable object or None is expected, got {handler!r}")
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log the context with the exception's traceback (asyncio-eventloop: loop.default_exception_handler)."""
        current = self._current_handle
        if current is not None and "source_traceback" not in context and current._source_traceback:
            context["handle_traceback"] = current._source_traceback
        lines = [context.get("message") or "Unhandled exception in event loop"]
        for key in sorted(context):
            if key in _STACKS:
                stack = "".join(traceback.format_list(context[key])).rstrip()
                lines.append(f"{key}: {_STACKS[key]} created at (most recent call last):\n{stack}")
            elif key not in ("message", "exception"):
                lines.append(f"{key}: {context[key]!r}")
        error = context.get("exception")
        # Not the exception alone: the logger would leave one out whose truth value is false.
        logger.error("\n".join(lines), exc_info=None if error is None else (type(error), error, error.__traceback__))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hand a context to the handler (asyncio-eventloop: loop.call_exception_handler).

        A custom handler runs in the context of the task, future or handle that failed, or in the current one if that
        cannot be entered. If it raises, that is reported through the default handler instead.
        """
        try:
            if self._exception_handler is None:
                self.default_exception_handler(context)
            else:
                self._call_custom_handler(self._exception_handler, context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            # The default handler can be overridden by a subclass, and a repr() in the context can raise.
            logger.error("Exception in default exception handler", exc_info=True)

    def _call_custom_handler(self, handler: ExceptionHandler, context: dict[str, Any]) -> None:
        failed = next((context[key] for key in _FAILED if context.get(key) is not None), None)
        try:
            get_context = getattr(failed, "get_context", None)  # tasks and handles have it from Python 3.12 on
            own = None if get_context is None else get_context()
            if own is None or _is_entered(own):
                handler(self, context)
            else:
                own.run(handler, self, context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self.default_exception_handler(
                {"message": "Unhandled error in exception handler", "exception": exc, "context": context}
            )

    def _report_callback(self, handle: Handle, callback: object, exc: BaseException) -> None:
        """Hand the exception of a callback to the exception handler."""
        context = {"message": f"Exception in callback {describe(callback)}", "exception": exc, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)


def _is_entered(context: Context) -> bool:
    """Whether something runs in it: a task that reports of itself, for one."""
    try:
        context.run(bool)
    except RuntimeError:
        return True
    return False
