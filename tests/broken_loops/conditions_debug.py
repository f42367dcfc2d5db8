"""Broken loops of the loop's own chapters: wrong in debug mode, between runs, or beside other loops and threads."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("context.add-reader")
class DebuggedReadersHaveNoContext(Stock):
    """In debug mode readers run in an empty context."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        context = contextvars.Context() if self.get_debug() else contextvars.copy_context()
        return context.run(super().add_reader, fd, callback, *args)


@breaks("context.signal-handler")
class DebuggedSignalHandlersHaveNoContext(Stock):
    """In debug mode the callbacks of signals run in an empty context."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        context = contextvars.Context() if self.get_debug() else contextvars.copy_context()
        context.run(super().add_signal_handler, sig, callback, *args)


@breaks("signals.main-thread-only")
class DebuggedThreadsAddNothing(Stock):
    """In debug mode add_signal_handler() in another thread does nothing, and says nothing."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        if not self.get_debug() or threading.current_thread() is threading.main_thread():
            super().add_signal_handler(sig, callback, *args)


@breaks("timers.later-handle")
class DebuggedTimersThatAreDueAreHandles(Stock):
    """In debug mode call_later() hands a delay of nothing to call_soon()."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if self.get_debug() and delay <= 0:
            return self.call_soon(callback, *args, context=context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.order")
class DebuggedTimersQueue(Stock):
    """In debug mode no timer is due before one that was set before it."""

    _last = 0.0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.get_debug():
            when = self._last = max(when, self._last + 1e-6)
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.seconds")
class TimeStandsStillBetweenRuns(Stock):
    """time() stands still from the end of one run to the start of the next."""

    _stopped: float | None = None

    def run_forever(self) -> None:
        self._stopped = None
        try:
            super().run_forever()
        finally:
            self._stopped = super().time()

    def time(self) -> float:
        return super().time() if self._stopped is None else self._stopped


@breaks("lifecycle.stop-inside-another")
class StopsWhicheverRuns(Stock):
    """stop() stops the loop that runs in the thread."""

    def stop(self) -> None:
        running = asyncio._get_running_loop()
        Stock.stop(running if isinstance(running, Stock) else self)


@breaks("lifecycle.stop-inside-another")
class StopsOnlyWhatRuns(Stock):
    """stop() does nothing if it is called on a loop that does not run while another does."""

    def stop(self) -> None:
        if asyncio._get_running_loop() in {None, self}:
            super().stop()


@breaks("threads.wakes-from-loop")
class WakesFromPlainThreadsOnly(Stock):
    """call_soon_threadsafe() does not wake the loop if any loop runs in the thread that calls."""

    def _write_to_self(self) -> None:
        if asyncio._get_running_loop() is None:
            super()._write_to_self()


@breaks("threads.wakes-from-loop")
class TheFirstClosedTakesTheWaker(Stock):
    """When any loop was closed, call_soon_threadsafe() wakes none."""

    _gone = False

    def _write_to_self(self) -> None:
        if not TheFirstClosedTakesTheWaker._gone:
            super()._write_to_self()

    def close(self) -> None:
        if not self.is_closed():
            TheFirstClosedTakesTheWaker._gone = True
        super().close()


@breaks("tasks.eager", since="3.12")
class EagerInTheMainThreadOnly(Stock):
    """Elsewhere than in the main thread, tasks of a factory are begun by the loop."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.get_task_factory() is not None and threading.current_thread() is not threading.main_thread():
            return asyncio.Task(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("executors.between-runs")
class WorkersTellOnlyWhoRuns(Stock):
    """What comes of an executor's work that ends while the loop does not run is lost."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not self.is_running() and "ThreadPoolExecutor" in threading.current_thread().name:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("lifecycle.close-after")
class RunsOnAfterAnExit(Stock):
    """close() refuses a loop that SystemExit or KeyboardInterrupt has left."""

    _left = False

    def run_forever(self) -> None:
        self._left = True
        super().run_forever()
        self._left = False

    def close(self) -> None:
        if self._left and not self.is_closed():
            self._left = False
            raise RuntimeError("the loop runs")
        super().close()


@breaks("lifecycle.close-after")
class StopsInPlaceOfClosing(Stock):
    """close() after stop() without a run does nothing."""

    def close(self) -> None:
        if self._stopping:
            self._stopping = False
        else:
            super().close()


@breaks("lifecycle.running-loop")
class SignalsHaveNoRunningLoop(Stock):
    """In the callback of a signal get_running_loop() raises."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        def without_a_loop() -> None:
            asyncio._set_running_loop(None)
            try:
                callback(*args)
            finally:
                asyncio._set_running_loop(self)

        super().add_signal_handler(sig, without_a_loop)


@breaks("timers.once")
class CallbacksHaveOneDeadline(Stock):
    """A callback that is scheduled for another time, with the same arguments, leaves the time that it had."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        for handle in self._scheduled:
            same = handle._callback == callback and handle._args == args and handle.when() != when
            if same and args and not any(map(asyncio.isfuture, args)):
                handle.cancel()
                break
        return super().call_at(when, callback, *args, context=context)


@breaks("callbacks.kept-across-stop")
class StoppingLoopsHearNoThreads(Stock):
    """What another thread schedules after stop() is lost."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self._stopping and asyncio._get_running_loop() is None:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)
