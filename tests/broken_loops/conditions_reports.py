"""Broken loops whose reports, executors or generators are wrong in one condition: once closed, of timers, given up."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.errors import OwnHandler
from tests.broken_loops.errors_sources import Dropping

Stock = asyncio.SelectorEventLoop


@breaks("errors.exits-leave")
class ExitsOfSignalsAreReported(Stock):
    """SystemExit of a signal handler is reported."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        def run() -> None:
            try:
                callback(*args)
            except SystemExit as error:
                self.call_exception_handler({"message": "an exit", "exception": error})

        super().add_signal_handler(sig, run)


@breaks("errors.lost-after-close")
class ForgetsItsHandlerWhenClosed(Dropping):
    """Nothing is reported after close()."""

    def drops(self, context: dict[str, Any]) -> bool:
        return self.is_closed()


@breaks("errors.callback")
class FalseErrorsAreNone(Dropping):
    """An exception whose truth value is false is not reported."""

    def drops(self, context: dict[str, Any]) -> bool:
        return "exception" in context and not context["exception"]


@breaks("errors.base-exception")
class ReportsTheMembersOfGroups(OwnHandler):
    """The exceptions of a group are reported one by one."""

    def ask(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        for each in error.exceptions if isinstance(error, BaseExceptionGroup) else [error]:
            super().ask({**context, "exception": each})


@breaks("errors.handle")
class TimersHaveNoHandle(OwnHandler):
    """The report of a timer lacks its handle."""

    def ask(self, context: dict[str, Any]) -> None:
        if isinstance(context.get("handle"), asyncio.TimerHandle):
            context = {**context, "handle": None}
        super().ask(context)


@breaks("debug.handle-traceback")
class TimersHaveNoOrigin(OwnHandler):
    """In debug mode the report of a timer does not say where it was set."""

    def ask(self, context: dict[str, Any]) -> None:
        if isinstance(context.get("handle"), asyncio.TimerHandle):
            context.pop("source_traceback", None)
        super().ask(context)


@breaks("context.exception-handler", since="3.12")
class OnBehalfOfHandlesOnly(OwnHandler):
    """The exception handler runs in the context of a handle, and not in that of a task."""

    def ask(self, context: dict[str, Any]) -> None:
        context_of = getattr(context.get("handle"), "get_context", None)
        context_of().run(super().ask, context) if context_of else super().ask(context)


@breaks("executors.shutdown-in-time", since="3.12")
class NoneIsNoTime(EventLoop):
    """shutdown_default_executor(None) waits for nothing."""

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        await super().shutdown_default_executor(*(0 if each is None else each for each in args), **kwargs)


@breaks("executors.default-stays")
class AnExecutorForEachCall(EventLoop):
    """Each call of run_in_executor() makes a default executor."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None and self._default_executor is not None:
            self._default_executor.shutdown(wait=False)
            self._default_executor = None
        return super().run_in_executor(executor, func, *args)


@breaks("executors.timed-out-refuses", since="3.12")
class GivingUpIsNoShutdown(EventLoop):
    """After a shutdown that gave up, a new default executor is made."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor(timeout)
        if timeout is not None and timeout < 1:
            self._executor_shut_down, self._default_executor = False, None


@breaks("asyncgens.shutdown-inside")
class ClosesNoGeneratorsInDebugMode(Stock):
    """In debug mode shutdown_asyncgens() does nothing."""

    async def shutdown_asyncgens(self) -> None:
        if not self.get_debug():
            await super().shutdown_asyncgens()
