"""Broken loops that are wrong about callbacks, errors, hooks or debug mode, each in one condition only."""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.right-thread")
class TheFirstThreadStaysTheRightOne(EventLoop):
    """In debug mode the right thread is the one that called a method in the first run, also in later runs."""

    right: int | None = None

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and self.is_running():
            self.right = self.right or threading.get_ident()
            if self.right != threading.get_ident():
                raise RuntimeError("call this in the thread of the loop")
        return super().call_soon(callback, *args, context=context)


@breaks("debug.dev-mode")
class KnowsTheOptionOnly(Stock):
    """A new loop is in debug mode with -X dev, and not with PYTHONDEVMODE=1."""

    def __init__(self) -> None:
        super().__init__()
        self.set_debug("dev" in sys._xoptions or bool(os.environ.get("PYTHONASYNCIODEBUG")))


@breaks("debug.environment-ignored")
class ReadsAnEnvironmentThatPythonIgnores(Stock):
    """PYTHONASYNCIODEBUG counts also if Python was started with -E."""

    def __init__(self) -> None:
        super().__init__()
        self.set_debug(sys.flags.dev_mode or bool(os.environ.get("PYTHONASYNCIODEBUG")))


@breaks("debug.threadsafe")
class ThreadsWaitForARunInDebugMode(Stock):
    """In debug mode call_soon_threadsafe() raises in another thread while the loop does not run."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and not self.is_running() and threading.current_thread() is not threading.main_thread():
            raise RuntimeError("the loop does not run")
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("callbacks.in-debug-mode")
class DescribesArgumentsAtOnce(Stock):
    """In debug mode call_soon() makes a description of the arguments, which may have none."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug():
            list(map(repr, args))
        return super().call_soon(callback, *args, context=context)


@breaks("timers.far-future")
class KeepsMicrosecondsIn31Bits(Stock):
    """A delay between 36 and 72 minutes is over at once."""

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        wrapped = 2**31 <= delay * 1e6 < 2**32
        return super().call_later(0 if wrapped else delay, callback, *args, context=context)


@breaks("timers.far-future")
class KeepsMillisecondsIn32Bits(Stock):
    """A delay of 49.7 days and a bit is over after the bit."""

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        kept = delay % (2**32 / 1e3) if delay > 0 else delay
        return super().call_later(kept, callback, *args, context=context)


@breaks("asyncgens.hooks-restored")
class GivesBackTheHooksOfTheFirstRun(Stock):
    """After each run the hooks are those that were set before the first one."""

    first: Any = None

    def run_forever(self) -> None:
        self.first = self.first or sys.get_asyncgen_hooks()
        try:
            super().run_forever()
        finally:
            sys.set_asyncgen_hooks(*self.first)


@breaks("errors.default")
class LogsWhatIsBeingHandled(Stock):
    """The default handler logs the exception that is being handled where it was called, if there is one."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        handled = sys.exc_info()[1]
        super().default_exception_handler(context if handled is None else {**context, "exception": handled})


@breaks("errors.handler-return-value")
class LogsTasksAllTheSame(Stock):
    """What a custom handler is told of a task is also logged."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        super().call_exception_handler(context)
        if "task" in context and self.get_exception_handler():
            logging.getLogger("asyncio").error(context["message"])


@breaks("lifecycle.running-loop")
class IsNoRunningLoopOnceItStops(Stock):
    """get_running_loop() raises in callbacks that run after stop() was called."""

    def stop(self) -> None:
        super().stop()
        if self.is_running():
            asyncio._set_running_loop(None)


@breaks("lifecycle.stopped-when-done")
class AStopHidesWhatIsDone(Stock):
    """run_until_complete() of a future that is done raises if stop() was called before."""

    stopped = False

    def stop(self) -> None:
        super().stop()
        self.stopped = not self.is_running()

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.done() and self.stopped and not self.is_closed():
            self.run_forever()
            raise RuntimeError("the loop was stopped")
        return super().run_until_complete(future)

    def run_forever(self) -> None:
        self.stopped = False
        super().run_forever()


@breaks("lifecycle.left-future")
class AnInterruptLeavesTheCallback(Stock):
    """run_until_complete() that KeyboardInterrupt ends leaves its callback with the future."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except KeyboardInterrupt:
            if asyncio.isfuture(future):
                future.add_done_callback(lambda _: self.stop())
            raise


@breaks("callbacks.kept-across-stop")
class WhatIsDoneDropsWhatIsPending(EventLoop):
    """run_until_complete() of a future that is done empties the queue before it returns."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.done() and not self.is_running():
            self._ready.clear()
        return super().run_until_complete(future)


@breaks("tasks.future-like")
class RunsNoFutureLikeObjects(Stock):
    """run_until_complete() refuses an object that is only like a future."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and not isinstance(future, asyncio.Future):
            raise TypeError("a future or a coroutine is required")
        return super().run_until_complete(future)


@breaks("timers.cancel-many")
class CompactsToOneTimerForEachDeadline(Stock):
    """When most of many timers are cancelled, only one is kept of those that have one deadline."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        super()._timer_handle_cancelled(handle)
        if len(self._scheduled) == 2 * self._timer_cancelled_count:
            kept = {timer.when(): timer for timer in self._scheduled if not timer.cancelled()}
            self._scheduled = [timer for timer in self._scheduled if timer.cancelled() or kept[timer.when()] is timer]
            heapq.heapify(self._scheduled)


@breaks("watchers.not-inline")
class CallsTheWritersOfARunningLoopAtOnce(Stock):
    """add_writer() calls the callback itself if the loop runs and the descriptor is ready."""

    def add_writer(self, fd: Any, callback: Callable[..., Any], *args: Any) -> Any:
        super().add_writer(fd, callback, *args)
        if self.is_running() and select.select([], [fd], [], 0)[1]:
            callback(*args)


@breaks("lifecycle.exception")
class KnowsStopAsyncIterationAsAnEnd(Stock):
    """run_until_complete() raises RuntimeError instead of StopAsyncIteration, as a generator would."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except StopAsyncIteration as error:
            raise RuntimeError("the coroutine raised StopAsyncIteration") from error


@breaks("lifecycle.exception")
class TakesAnExitOfAGeneratorForAnEnd(Stock):
    """run_until_complete() returns None where it is to raise GeneratorExit."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except GeneratorExit:
            return None


class _FirstIterationInDebugMode(Stock):
    """Wrong in debug mode about a generator that is iterated for the first time."""

    def wrong(self, generator: Any) -> None:
        """Called instead of the hook."""

    def _asyncgen_firstiter_hook(self, generator: Any) -> None:
        if self.get_debug():
            self.wrong(generator)
        else:
            super()._asyncgen_firstiter_hook(generator)


@breaks("asyncgens.shutdown")
class TracksNoGeneratorsInDebugMode(_FirstIterationInDebugMode):
    """In debug mode shutdown_asyncgens() closes nothing."""


@breaks("asyncgens.warns")
class WarnsOfNoGeneratorsInDebugMode(_FirstIterationInDebugMode):
    """In debug mode generators can be iterated after shutdown_asyncgens() without a warning."""

    def wrong(self, generator: Any) -> None:
        self._asyncgens.add(generator)
