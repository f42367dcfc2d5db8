"""Broken loops of the chapter `errors`: exceptions that are not reported, or reported although they need not be."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.errors import OwnHandler, Stock
from tests.broken_loops.tasks import OwnTasks, Task


class Dropping(OwnHandler):
    """A loop that does not tell its handler of some contexts."""

    def drops(self, context: dict[str, Any]) -> bool:
        return False

    def ask(self, context: dict[str, Any]) -> None:
        if not self.drops(context):
            super().ask(context)


@breaks("errors.all-callbacks")
class ErrorsOfSignalsAreDropped(Stock):
    """An exception of a signal handler is dropped."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        def quiet() -> None:
            try:
                callback(*args)
            except LookupError:
                return

        super().add_signal_handler(sig, quiet if callback.__name__ == "callback" and not args else callback, *args)


class _Chapter(OwnTasks):
    chapter = "errors_sources"


@breaks("errors.run-until-complete")
class RaisedIsReportedToo(_Chapter):
    """An exception that run_until_complete() raises is reported, too."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError as error:
            self.call_exception_handler({"message": "raised", "exception": error})
            raise


@breaks("errors.task-never-retrieved")
class LostErrorsOfTasksAreSilent(Dropping):
    """An exception of a task that nobody retrieved is dropped."""

    def drops(self, context: dict[str, Any]) -> bool:
        return isinstance(context.get("future"), asyncio.Task)


@breaks("errors.task-never-retrieved-future")
class LostErrorsHaveNoFuture(OwnHandler):
    """The context of an exception that nobody retrieved has no future."""

    def ask(self, context: dict[str, Any]) -> None:
        super().ask({key: value for key, value in context.items() if key != "future"})


@breaks("errors.task-retrieved")
class RetrievedIsReported(_Chapter):
    """An exception that only exception() returned is reported as never retrieved."""

    class own(Task):
        asked = 0

        def exception(self) -> BaseException | None:
            error = super().exception()
            if error is not None and self.get_loop().is_running():
                self.get_loop().call_exception_handler({"message": "never retrieved", "exception": error})
            return error


@breaks("errors.task-destroyed")
class DestroyedTasksAreSilent(Dropping):
    """A pending task that is collected is not reported."""

    def drops(self, context: dict[str, Any]) -> bool:
        return "task" in context and "exception" not in context


@breaks("errors.protocol")
class ErrorsOfConnectionLostAreDropped(Stock):
    """An exception of connection_lost() is dropped."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = factory()
        lost = protocol.connection_lost

        def quiet(error: Any) -> None:
            try:
                lost(error)
            except LookupError:
                return

        if type(protocol).__name__ == "_Raising":
            protocol = _Quiet(protocol, quiet)
        return await super().create_connection(lambda: protocol, *args, **kwargs)


class _Quiet:
    def __init__(self, protocol: Any, connection_lost: Any) -> None:
        self._protocol = protocol
        self.connection_lost = connection_lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)


@breaks("errors.protocol-keys")
class ProtocolsAreNotNamed(OwnHandler):
    """The context of an exception of a protocol names no protocol."""

    def ask(self, context: dict[str, Any]) -> None:
        super().ask({key: value for key, value in context.items() if key != "protocol"})


class _ReportsInterrupts(Stock):
    """Reports KeyboardInterrupt of callbacks of one kind like any other exception."""

    def reporting(self, callback: Any) -> Any:
        if getattr(callback, "__name__", "") not in ("callback", "<lambda>"):
            return callback

        def reporting(*args: Any) -> None:
            try:
                callback(*args)
            except KeyboardInterrupt as error:
                self.call_exception_handler({"message": "callback", "exception": error})

        return reporting


@breaks("errors.exits-leave")
class ReportsInterruptsOfTimers(_ReportsInterrupts):
    """KeyboardInterrupt of a timer's callback is reported, and nothing else happens."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, self.reporting(callback), *args, context=context)


@breaks("errors.exits-leave")
class ReportsInterruptsFromThreads(_ReportsInterrupts):
    """KeyboardInterrupt of what another thread has scheduled is reported, and nothing else happens."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(self.reporting(callback), *args, context=context)


@breaks("errors.exits-leave")
class ReportsInterruptsOfFutures(_ReportsInterrupts):
    """KeyboardInterrupt of a future's callback is reported, and nothing else happens."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if len(args) == 1 and asyncio.isfuture(args[0]):
            callback = self.reporting(callback)
        return super().call_soon(callback, *args, context=context)


@breaks("errors.exits-leave")
class ReportsSubclassesOfExits(EventLoop):
    """Subclasses of SystemExit and KeyboardInterrupt are reported, and nothing else happens."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def reporting(*args: Any) -> None:
            try:
                callback(*args)
            except (SystemExit, KeyboardInterrupt) as error:
                if type(error) in (SystemExit, KeyboardInterrupt):
                    raise
                self.call_exception_handler({"message": "callback", "exception": error})

        return super().call_soon(reporting, *args, context=context)


@breaks("errors.all-callbacks")
class DebuggedHandlesFailInSilence(EventLoop):
    """In debug mode the exception of a callback that was cancelled while it ran is dropped."""

    def _report_callback(self, handle: Any, callback: object, exc: BaseException) -> None:
        if not (self.get_debug() and handle.cancelled()):
            super()._report_callback(handle, callback, exc)


@breaks("errors.handle")
class DebuggedCallbacksHaveNoHandle(OwnHandler):
    """In debug mode the context of a callback that raised has no handle."""

    def ask(self, context: dict[str, Any]) -> None:
        if self.get_debug():
            context = {key: value for key, value in context.items() if key != "handle"}
        super().ask(context)


@breaks("errors.get-handler")
class WrapsInDebugMode(Stock):
    """In debug mode get_exception_handler() returns a wrapper of the handler."""

    def get_exception_handler(self) -> Any:
        handler = super().get_exception_handler()
        return functools.partial(handler) if handler and self.get_debug() else handler


@breaks("errors.base-exception-sources")
class TimersLetBaseExceptionsThrough(Stock):
    """An exception of a timer that is no Exception leaves run_forever()."""

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        def call() -> None:
            try:
                callback(*args)
            except Exception:
                raise
            except BaseException as error:
                self.error = error
                self.stop()

        return super().call_at(when, call, **kwargs)

    def run_forever(self) -> None:
        self.error: BaseException | None = None
        super().run_forever()
        if self.error is not None:
            raise self.error


@breaks("errors.base-exception-sources")
class CancellationsOfWatchersAreDropped(Stock):
    """A CancelledError that the callback of a watched descriptor raises is dropped."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                callback(*args)

        super().add_reader(fd, call)
