"""Broken loops of the loop's own chapters that are wrong in one condition only.

For callables of one kind, for what is due in days, for other threads, after stop(), for more than one of a thing, or
for whoever is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import threading
import types
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.timers_handles import OwnTimerHandles

Stock = asyncio.SelectorEventLoop


@breaks("asyncgens.collected-during-shutdown")
class LeavesWhatIsCollectedToTheShutdown(EventLoop):
    """The finalizer does nothing while shutdown_asyncgens() goes on."""

    _shutting_down = False

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self._shutting_down:
            super()._asyncgen_abandoned(agen)

    async def shutdown_asyncgens(self) -> None:
        self._shutting_down = True
        try:
            await super().shutdown_asyncgens()
        finally:
            self._shutting_down = False


@breaks("asyncgens.shutdown-cancelled")
class AsyncgenShutdownsEndInSilence(Stock):
    """shutdown_asyncgens() swallows its own cancellation."""

    async def shutdown_asyncgens(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().shutdown_asyncgens()


@breaks("executors.shutdown-cancelled")
class ExecutorShutdownsEndInSilence(Stock):
    """shutdown_default_executor() swallows its own cancellation."""

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().shutdown_default_executor(*args, **kwargs)


class _ReportsInItsOwnWay(EventLoop):
    """Closes generators and reports what they raise."""

    async def shutdown_asyncgens(self) -> None:
        open_ones = list(self._asyncgens)
        self._asyncgens.clear()
        self._asyncgens_shut_down = True
        results = await asyncio.gather(*(agen.aclose() for agen in open_ones), return_exceptions=True)
        failed = [(agen, error) for agen, error in zip(open_ones, results, strict=True) if error is not None]
        self.report(failed)

    def report(self, failed: list[tuple[Any, Any]]) -> None:
        for agen, error in failed:
            self.call_exception_handler({"message": "not closed", "exception": error, "asyncgen": agen})


@breaks("asyncgens.error")
class ReportsOneGeneratorOfAll(_ReportsInItsOwnWay):
    """Of the generators that raise when they are closed, one is reported."""

    def report(self, failed: list[tuple[Any, Any]]) -> None:
        super().report(failed[:1])


@breaks("asyncgens.error-key")
class ReportsTheFirstGeneratorForAll(_ReportsInItsOwnWay):
    """The key asyncgen is the first generator of all that failed."""

    def report(self, failed: list[tuple[Any, Any]]) -> None:
        super().report([(failed[0][0], error) for _, error in failed])


@breaks("callbacks.fifo")
class CallsWithContextsOvertakeOne(Stock):
    """A callback that is given a context and arguments runs before the one that was scheduled just before it."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if context is not None and len(args) > 1 and len(self._ready) > 1:
            self._ready[-1], self._ready[-2] = self._ready[-2], self._ready[-1]
        return handle


@breaks("callbacks.fifo")
class PartialsOvertakeOne(Stock):
    """A partial without arguments runs before the callback that was scheduled just before it."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if type(callback) is functools.partial and not args and len(self._ready) > 1:
            self._ready[-1], self._ready[-2] = self._ready[-2], self._ready[-1]
        return handle


@breaks("context.explicit")
class PartialsTakeTheCurrentContext(Stock):
    """A context that is given with a partial is ignored."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        context = None if type(callback) is functools.partial else context
        return super().call_soon(callback, *args, context=context)


@breaks("context.explicit")
class MethodsInCTakeTheCurrentContext(Stock):
    """A context that is given with a method written in C, other than those of tasks and futures, is ignored."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if isinstance(callback, types.BuiltinMethodType) and not asyncio.isfuture(callback.__self__):
            context = None
        return super().call_soon(callback, *args, context=context)


@breaks("lifecycle.runs-future")
class CancelledBeforeTheRunIsNothing(Stock):
    """run_until_complete() of a future that is cancelled already returns None."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.cancelled():
            return None
        return super().run_until_complete(future)


@breaks("tasks.eager-from-callback", since="3.12")
class EagerTasksWaitAfterStop(Stock):
    """After stop() eager tasks begin in the next run."""

    _stopped = False

    def stop(self) -> None:
        self._stopped = True
        super().stop()

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            self._stopped = False

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self._stopped and self.get_task_factory() is not None:
            return asyncio.Task(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("timers.cancelled")
class FarTimersWereNotCancelled(OwnTimerHandles):
    """cancelled() of a timer that is due in more than an hour is False."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def cancelled(self) -> bool:
            return super().cancelled() and self.when() < self._loop.time() + 3600  # type: ignore[attr-defined]


@breaks("timers.when-at")
class EvenDeadlinesAreIntegers(OwnTimerHandles):
    """when() of a deadline without a fraction is an int."""

    class own(asyncio.TimerHandle):
        __slots__ = ()

        def when(self) -> float:
            when = super().when()
            return int(when) if when == int(when) else when


@breaks("timers.same-thread-clock")
class TimeStandsStillForOthers(Stock):
    """time() stands still for other threads while the loop runs."""

    _runs_in: int | None = None
    _frozen: float | None = None

    def run_forever(self) -> None:
        self._runs_in = threading.get_ident()
        try:
            super().run_forever()
        finally:
            self._runs_in = self._frozen = None

    def time(self) -> float:
        if self._runs_in in {None, threading.get_ident()}:
            return super().time()
        if self._frozen is None:
            self._frozen = super().time()
        return self._frozen


@breaks("debug.origin-restored")
class TracksUntilTheRunEnds(EventLoop):
    """Debug mode that is set off while the loop runs tracks coroutines until the run ends."""

    def set_debug(self, enabled: bool) -> None:
        if self.is_running() and not enabled:
            self._debug = False
        else:
            super().set_debug(enabled)


@breaks("asyncgens.collected-between-runs")
class DropsWhatIsCollectedAfterStop(EventLoop):
    """A generator that is collected after stop() is not closed."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self._stopping:
            super()._asyncgen_abandoned(agen)


@breaks("context.task-copies", since="3.12")
class TasksWithNamesShareTheContext(Stock):
    """A task that a task creates with a name runs in the context of its creator."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        current = asyncio.current_task(self) if self.is_running() else None
        if current is not None and kwargs.get("name") and not kwargs.get("context"):
            kwargs["context"] = current.get_context()  # type: ignore[attr-defined, unused-ignore]  # since 3.12
        return super().create_task(coro, **kwargs)


@breaks("signals.remove-returns")
class InterruptsAreAlwaysHandled(Stock):
    """remove_signal_handler() returns True for SIGINT, which Python has a handler for."""

    def remove_signal_handler(self, sig: int) -> bool:
        return super().remove_signal_handler(sig) or sig == signal.SIGINT


@breaks("debug.signals")
class MeasuresSignalsOnTheSpot(Stock):
    """In debug mode the callback of a signal is called by Python's handler, and by the loop."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        super().add_signal_handler(sig, callback, *args)
        if self.get_debug():
            signal.signal(sig, lambda *_: callback(*args))


@breaks("debug.signals")
class DebuggedSignalHandlersStay(Stock):
    """In debug mode a second handler for a signal does not replace the first."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        if not self.get_debug() or sig not in self._signal_handlers:
            super().add_signal_handler(sig, callback, *args)


@breaks("debug.watchers")
class DebuggedWatchersStay(Stock):
    """In debug mode a second reader or writer does not replace the first."""

    def _first(self, fd: Any, side: int) -> Any:
        watched = self._selector.get_map().get(fd)
        return watched and watched.data[side] if self.get_debug() else None

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return self._first(fd, 0) or super().add_reader(fd, callback, *args)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return self._first(fd, 1) or super().add_writer(fd, callback, *args)
