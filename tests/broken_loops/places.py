"""Broken loops that are wrong only where they are called from one place: a callback, a task, a thread, debug mode."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures_callbacks import of_the_test
from tests.broken_loops.tasks import OwnTasks, Stock, Task


class _Places(Stock):
    """Knows where it is called from."""

    def in_a_task(self) -> bool:
        return asyncio._get_running_loop() is self and asyncio.current_task(self) is not None

    def in_a_callback(self) -> bool:
        return asyncio._get_running_loop() is self and asyncio.current_task(self) is None

    def in_a_thread(self) -> bool:
        return threading.current_thread() is not threading.main_thread() and asyncio._get_running_loop() is self


@breaks("context.explicit-is-not-copied")
class CallbacksGiveNoContext(_Places):
    """call_soon() ignores the context that it is given by a callback."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.in_a_callback() and of_the_test(callback):
            context = None
        return super().call_soon(callback, *args, context=context)


@breaks("context.default-is-current")
class TasksHaveNoCurrentContext(_Places):
    """call_later() called by a task without a context runs the callback in an empty one."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if context is None and self.in_a_task() and of_the_test(callback):
            context = contextvars.Context()
        return super().call_later(delay, callback, *args, context=context)


@breaks("context.default-is-current")
class DebugModeHasNoCurrentContext(Stock):
    """In debug mode call_soon() without a context runs the callback in an empty one."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if context is None and self.get_debug() and of_the_test(callback):
            context = contextvars.Context()
        return super().call_soon(callback, *args, context=context)


@breaks("context.task-given")
class ThreadsGiveTasksNoContext(_Places):
    """create_task() ignores the context if another thread than the main one runs the loop."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Task:
        return super().create_task(coro, context=None if self.in_a_thread() else context, **kwargs)


@breaks("callbacks.arguments")
class TasksGiveOneArgument(_Places):
    """call_soon() called by a task passes the first argument only."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.in_a_task() and of_the_test(callback):
            args = args[:1]
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.cancel")
class CallbacksCannotCancel(_Places):
    """A handle that call_soon() returns to a callback cancels nothing."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if not (self.in_a_callback() and of_the_test(callback)):
            return handle
        return asyncio.Handle(callback, args, self, context)


@breaks("timers.cancel")
class DebugTimersCannotBeCancelled(Stock):
    """The handle that call_later() returns in debug mode cancels nothing."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = super().call_later(delay, callback, *args, context=context)
        if not (self.get_debug() and of_the_test(callback)):
            return handle
        return asyncio.TimerHandle(handle.when(), callback, args, self, context)


@breaks("timers.arguments")
class CallbacksReverseArgumentsOfTimers(_Places):
    """call_later() called by a callback passes the arguments in the reverse order."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.in_a_callback() and of_the_test(callback):
            args = args[::-1]
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.later-never-early")
class TasksTimersAreEarly(_Places):
    """A delay that a task gives to call_later() is taken for none."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.in_a_task() and of_the_test(callback):
            delay = 0
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.when-later")
class WhenIsRelativeInTasks(_Places):
    """when() of a timer that a task has set by call_later() is the delay."""

    class Timer(asyncio.TimerHandle):
        def __init__(self, delay: float, real: asyncio.TimerHandle, *args: Any) -> None:
            super().__init__(real.when(), *args)
            self.delay, self.real = delay, real

        def when(self) -> float:
            return float(self.delay)

        def cancel(self) -> None:
            super().cancel()
            self.real.cancel()

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = super().call_later(delay, callback, *args, context=context)
        if not (self.in_a_task() and of_the_test(callback)):
            return handle
        return self.Timer(delay, handle, callback, args, self, context)


@breaks("tasks.name")
class CallbacksTasksHaveNoName(_Places):
    """create_task() ignores the name that a callback gives."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Task:
        return super().create_task(coro, name=None if self.in_a_callback() else name, **kwargs)


@breaks("tasks.factory-context")
class DebugModeGivesFactoriesNoContext(Stock):
    """In debug mode the task factory is not given the context."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Task:
        return super().create_task(coro, context=None if self.get_debug() else context, **kwargs)


@breaks("errors.callback")
class DebugModeLogsOnly(Stock):
    """In debug mode an exception of a callback goes to the default handler."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.get_debug() and "handle" in context:
            self.default_exception_handler(context)
        else:
            super().call_exception_handler(context)


@breaks("errors.reset")
class RunningKeepsTheHandler(Stock):
    """set_exception_handler(None) does nothing while the loop runs."""

    def set_exception_handler(self, handler: Any) -> None:
        if handler is not None or not self.is_running():
            super().set_exception_handler(handler)


@breaks("debug.future-traceback")
class DebugTasksForgetTheirMaker(Stock):
    """Tasks that are made in debug mode do not know where."""

    def create_task(self, coro: Any, **kwargs: Any) -> Task:
        debug = self.get_debug()
        self.set_debug(False)
        try:
            return super().create_task(coro, **kwargs)
        finally:
            self.set_debug(debug)


@breaks("futures.cancel-message")
class TasksGiveFuturesNoMessage(_Places):
    """A task that cancels a future gives it no message."""

    def create_future(self) -> Any:
        class Own(asyncio.Future):  # type: ignore[type-arg]
            def cancel(future, msg: Any = None) -> bool:
                return super().cancel(None if self.in_a_task() else msg)

        return Own(loop=self)


@breaks("cancellation.message")
class DebugTasksGetNoMessage(OwnTasks):
    """In debug mode cancel() of a task ignores the message."""

    chapter = ""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(None if self.get_loop().get_debug() else msg)


@breaks("executors.given-executor")
class CallbacksGetTheDefaultExecutor(_Places):
    """run_in_executor() called by a callback takes the default executor."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(None if self.in_a_callback() else executor, func, *args)


@breaks("timers.time-monotonic")
class TasksTimeIsAhead(_Places):
    """time() is a second ahead when a task asks."""

    def time(self) -> float:
        return super().time() + self.in_a_task()


@breaks("debug.slow")
class SlowErrorsAreNotLogged(Stock):
    """In debug mode a slow callback that raises is not logged."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        duration, self.slow_callback_duration = self.slow_callback_duration, 3600.0
        super().call_exception_handler(context)
        asyncio.get_running_loop().call_soon(setattr, self, "slow_callback_duration", duration)


@breaks("threads.debug-wrong-thread")
class ARunningLoopIsTheRightThread(Stock):
    """In debug mode call_soon() is accepted from a thread that runs another loop."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and asyncio._get_running_loop() not in (None, self):
            return self.call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


def _running(loop: Any) -> Any:
    """The loop that runs in this thread, or else the one given."""
    return asyncio._get_running_loop() or loop


@breaks("callbacks.arguments")
class SchedulesOnTheRunningLoop(Stock):
    """call_soon() of a loop that does not run schedules on the one that runs in this thread."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        loop = _running(self) if of_the_test(callback) else self
        call_soon = super().call_soon if loop is self else loop.call_soon
        return call_soon(callback, *args, context=context)


@breaks("lifecycle.stop-before-run")
class StopsTheRunningLoop(Stock):
    """stop() stops the loop that runs in this thread, if one does."""

    def stop(self) -> None:
        loop = _running(self)
        if loop is self:
            super().stop()
        else:
            loop.stop()


@breaks("debug.origin")
class TracksInTheFirstRun(Stock):
    """In debug mode, coroutines are tracked in the first run only."""

    runs = 0

    def run_forever(self) -> None:
        self.runs += 1
        debug, tracked = self.get_debug(), self.runs < 2
        if debug and not tracked:
            self.set_debug(False)
            self.call_soon(self.set_debug, True)
            self.call_soon(sys.set_coroutine_origin_tracking_depth, 0)
        super().run_forever()


@breaks("errors.callback")
class TheLastTurnReportsNothing(Stock):
    """An exception of a callback behind the one that stops the loop is dropped."""

    stopping = False

    def stop(self) -> None:
        self.stopping = True
        super().stop()

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            self.stopping = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not (self.stopping and "handle" in context):
            super().call_exception_handler(context)
