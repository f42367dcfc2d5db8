"""Broken loops that are wrong in one condition: in debug mode, after a stop, an exit or close(), in another thread."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _OwnRuns(Stock):
    """Runs futures of the test by itself, where nothing speaks against it."""

    def mine(self, future: Any) -> bool:
        busy = self.is_running() or self.is_closed()
        return not busy and asyncio.isfuture(future) and not future.done() and future.get_loop() is self


@breaks("lifecycle.stopped-when-done")
class AStopHidesTheResult(_OwnRuns):
    """run_until_complete() raises if it was stopped before it was told that the future is done."""

    def run_until_complete(self, future: Any) -> Any:
        if not self.mine(future):
            return super().run_until_complete(future)
        told: list[object] = []

        def end(ended: object) -> None:
            told.append(ended)
            self.stop()

        future.add_done_callback(end)
        try:
            self.run_forever()
        finally:
            future.remove_done_callback(end)
        if not told:
            raise RuntimeError("stopped")
        return future.result()


@breaks("lifecycle.left-future")
class AnExitLeavesItsFutureBehind(_OwnRuns):
    """A future whose run an exit has ended stops the next run when it is done."""

    def run_until_complete(self, future: Any) -> Any:
        mine = self.mine(future)
        try:
            return super().run_until_complete(future)
        except (SystemExit, KeyboardInterrupt):
            if mine:
                future.add_done_callback(lambda _: self.stop())
            raise


@breaks("lifecycle.stop-once")
class CountsStops(Stock):
    """Each stop() before a run ends one more run."""

    early = 0

    def stop(self) -> None:
        if self.is_running():
            super().stop()
        else:
            self.early += 1

    def run_forever(self) -> None:
        if self.early:
            self.early -= 1
            super().stop()
        super().run_forever()


@breaks("lifecycle.stop-once")
class AStopOutlivesAnExit(Stock):
    """A stop() in the turn that an exit has ended stops the next run, too."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True
        super().stop()

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit:
            if self.stopped:
                super().stop()
            raise
        finally:
            self.stopped = False


@breaks("lifecycle.close-idempotent")
class ClosesOnceOnceItRan(Stock):
    """close() of a loop that has run raises when it is called again."""

    ran = False

    def run_forever(self) -> None:
        self.ran = True
        super().run_forever()

    def close(self) -> None:
        if self.ran and self.is_closed():
            raise RuntimeError("closed")
        super().close()


@breaks("lifecycle.close-while-running")
class ClosingStopsInDebugMode(Stock):
    """In debug mode close() stops a loop that runs."""

    def close(self) -> None:
        if self.is_running() and self.get_debug():
            self.stop()
        else:
            super().close()


@breaks("lifecycle.close-clears")
class KeepsWhatThreadsScheduled(EventLoop):
    """close() leaves the queue of call_soon_threadsafe() as it is."""

    def __init__(self) -> None:
        self.kept: list[asyncio.Handle] = []
        super().__init__()

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if not self.is_running():
            self.kept.append(handle)
        return handle


@breaks("lifecycle.base-exception-keeps")
class AnExitLosesWhatIsDue(EventLoop):
    """The timers that were due when an exit has ended the run are lost."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            for handle in list(self._ready):
                if isinstance(handle, asyncio.TimerHandle):
                    handle.cancel()
            raise


@breaks("lifecycle.base-exception-leaves")
class ExitsAreReportedInDebugMode(Stock):
    """In debug mode SystemExit of a callback is reported."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not self.get_debug():
            return super().call_soon(callback, *args, context=context)

        def run() -> None:
            try:
                callback(*args)
            except SystemExit as error:
                self.call_exception_handler({"message": "an exit", "exception": error})
                self.stop()

        return super().call_soon(run, context=context)


@breaks("lifecycle.thread-runs-loop")
class TimersNeedTheMainThread(Stock):
    """Timers are signals, which only the main thread can set."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.is_running() and threading.current_thread() is not threading.main_thread():
            raise ValueError("signals only work in the main thread")
        return super().call_at(when, callback, *args, context=context)


@breaks("callbacks.closed-loop")
class IsOpenInDebugMode(Stock):
    """In debug mode a closed loop takes callbacks."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.is_closed() and self.get_debug():
            return asyncio.Handle(callback, args, self)
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.error-isolated")
class ErrorsStopInDebugMode(Stock):
    """In debug mode a callback that raises takes the callbacks behind it with it."""

    failed = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failed = self.get_debug() and "handle" in context
        super().call_exception_handler(context)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(self.unless_failed, callback, *args, context=context)

    def unless_failed(self, callback: Any, *args: Any) -> None:
        if not self.failed or callback == self.stop:
            callback(*args)


class _MuteTask(asyncio.Task[Any]):
    begun = False

    def cancel(self, msg: Any = None) -> bool:
        return super().cancel(msg if self.get_stack() and self.begun else None)


@breaks("cancellation.result")
class TasksThatHaveNotBegunLoseTheMessage(Stock):
    """A task that is cancelled before it begins has no message."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.get_task_factory():
            return super().create_task(coro, **kwargs)
        task = _MuteTask(coro, loop=self, **kwargs)
        self.call_soon(setattr, task, "begun", True)
        return task


@breaks("cancellation.run-until-complete")
class FuturesLoseTheirMessage(Stock):
    """run_until_complete() of a future that is no task raises a CancelledError without its message."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except asyncio.CancelledError:
            if not asyncio.isfuture(future) or isinstance(future, asyncio.Task):
                raise
            raise asyncio.CancelledError from None


@breaks("callbacks.from-finalizer")
class IsBusyWhileItLetsGo(Stock):
    """Nothing can be scheduled while the loop drops the arguments of a callback."""

    busy = False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.busy:
            raise RuntimeError("already borrowed")
        held = list(args)
        del args

        def run() -> None:
            callback(*held)
            self.busy = True
            held.clear()
            self.busy = False

        return super().call_soon(run, context=context)


@breaks("callbacks.from-finalizer")
class LosesTimersWhileItSweeps(Stock):
    """A timer that is set while more than a hundred cancelled ones are swept out is lost."""

    sweeping = False

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        held = [None if self.sweeping else callback, *args]
        handle = super().call_later(delay, lambda: held[0] and held[0](*held[1:]), context=context)
        kept: list[Any] = self.__dict__.setdefault("kept", [])
        if not kept:
            self.call_soon(self.sweep)
        kept.append((handle, held))
        return handle

    def sweep(self) -> None:
        kept: list[Any] = self.__dict__.pop("kept")
        self.sweeping = sum(handle.cancelled() for handle, _ in kept) > 100
        kept.clear()
        self.sweeping = False
