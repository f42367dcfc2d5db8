"""Broken loops that lose one kind of result, name, exception or message, or do a thing only the first time."""

from __future__ import annotations

import asyncio
import functools
import types
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.futures_callbacks import of_the_test
from tests.broken_loops.tasks import Stock, Task


@breaks("tasks.name")
class NamesBySelf(Stock):
    """An object given to create_task() as a name is named by its repr()."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Task:
        if name is not None and not isinstance(name, str):
            name = repr(name)
        return super().create_task(coro, name=name, **kwargs)


@breaks("tasks.name")
class ANameOrAContext(Stock):
    """create_task() that is given a context drops the name."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **kwargs: Any) -> Task:
        return super().create_task(coro, name=name if context is None else None, context=context, **kwargs)


@breaks("tasks.factory-name")
class FalseNamesOfFactorysTasks(Stock):
    """A name that is false is not set on a task of the task factory."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Task:
        return super().create_task(coro, name=(name or None) if self.get_task_factory() is not None else name, **kwargs)


@breaks("executors.given-executor")
class TheDefaultExecutorWins(Stock):
    """The executor argument is ignored once there is a default executor."""

    chosen: Any = None

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self.chosen = executor

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(None if self.chosen is not None else executor, func, *args)


@breaks("executors.exception")
class OnlyExceptionsLeaveTheExecutor(Stock):
    """What func raises is lost if it is no Exception: the result is None."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def call(*args: Any) -> Any:
            try:
                return func(*args)
            except Exception:
                raise
            except BaseException:
                return None

        return super().run_in_executor(executor, call, *args)


@breaks("cancellation.run-until-complete")
class RunsForgetTheMessage(Stock):
    """run_until_complete() raises a CancelledError without the message."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except asyncio.CancelledError:
            raise asyncio.CancelledError from None


@breaks("lifecycle.nested-run")
class DoneFuturesNeedNoRun(Stock):
    """run_until_complete() of a future that is done returns its result, also inside the running loop."""

    def run_until_complete(self, future: Any) -> Any:
        if self.is_running() and asyncio.isfuture(future) and future.done():
            return future.result()
        return super().run_until_complete(future)


@breaks("lifecycle.is-running-elsewhere")
class WaitsAreNoRun(Stock):
    """is_running() is False while the loop waits for events."""

    waits = False

    def __init__(self) -> None:
        super().__init__()
        select = self._selector.select

        def waiting(timeout: float | None = None) -> Any:
            self.waits = timeout is None or timeout > 0
            try:
                return select(timeout)
            finally:
                self.waits = False

        self._selector.select = waiting

    def is_running(self) -> bool:
        return super().is_running() and not self.waits


@breaks("lifecycle.coroutine-becomes-task")
class RunsAreUnknownTasks(Stock):
    """The task that run_until_complete() makes of a coroutine is not among all_tasks()."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.iscoroutine(future):
            future = self.create_task(future)
            asyncio._unregister_task(future)
        return super().run_until_complete(future)


@breaks("futures.result")
class FuturesWaitForFutures(OwnFutures):
    """A future that is given another future as its result is done when that one is."""

    class own(Future):
        def set_result(self, result: Any) -> None:
            if asyncio.isfuture(result):
                result.add_done_callback(lambda done: Future.set_result(self, done.result()))
            else:
                super().set_result(result)


@breaks("futures.result-raises")
class RaisesWithoutTheCause(OwnFutures):
    """result() raises the exception with its cause taken away."""

    class own(Future):
        def result(self) -> Any:
            try:
                return super().result()
            except BaseException as error:
                error.__cause__ = None
                raise


@breaks("callbacks.partial")
class PartialsLoseTheirKeywords(Stock):
    """call_soon() calls the function of a partial with its positional arguments only."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if type(callback) is functools.partial and of_the_test(callback.func):
            callback, args = callback.func, (*callback.args, *args)
        return super().call_soon(callback, *args, context=context)


@breaks("tasks.any-coroutine")
class CoroutineObjectsOfPythonOnly(Stock):
    """create_task() refuses a coroutine object that is none of Python's own."""

    def create_task(self, coro: Any, **kwargs: Any) -> Task:
        if not isinstance(coro, types.CoroutineType):
            raise TypeError("not a coroutine")
        return super().create_task(coro, **kwargs)


@breaks("lifecycle.stop-finishes-batch")
class StopsBehindTheQueue(Stock):
    """stop() is scheduled as a callback if others are ready: what these schedule runs, too."""

    def stop(self) -> None:
        if self.is_running() and self._ready:
            self.call_soon(super().stop)
        else:
            super().stop()


@breaks("errors.context")
class HandlersAreCalledLater(Stock):
    """While the loop runs call_exception_handler() calls the handler in the next iteration."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if asyncio._get_running_loop() is self and "handle" not in context:
            self.call_soon(super().call_exception_handler, context)
        else:
            super().call_exception_handler(context)


@breaks("errors.handler-raises")
class GivesUpAHandlerThatRaises(Stock):
    """A custom handler that raised is not called again."""

    def set_exception_handler(self, handler: Any) -> None:
        def call(loop: Any, context: dict[str, Any]) -> None:
            try:
                handler(loop, context)
            except BaseException:
                self.set_exception_handler(None)
                raise

        self.handler = handler
        super().set_exception_handler(None if handler is None else call)

    def get_exception_handler(self) -> Any:
        return self.handler


@breaks("asyncgens.shutdown")
class ShutsGeneratorsDownOnce(Stock):
    """A second shutdown_asyncgens() does nothing."""

    shut = False

    async def shutdown_asyncgens(self) -> None:
        if not self.shut:
            self.shut = True
            await super().shutdown_asyncgens()


@breaks("timers.when-later")
class DelaysOf32Bits(Stock):
    """A delay is kept in milliseconds of 32 bits."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        delay = max(delay, 0) % (2**32 / 1000)
        return super().call_later(delay, callback, *args, context=context)


@breaks("timers.when-at")
class WholeDeadlinesAreMilliseconds(Stock):
    """A deadline that is an int is taken for milliseconds."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if isinstance(when, int):
            when /= 1000
        return super().call_at(when, callback, *args, context=context)


@breaks("executors.shutdown-joins-all")
class OnlyTheFirstShutdownWaits(Stock):
    """shutdown_default_executor() that was called before returns at once."""

    shut = False

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        if not self.shut:
            self.shut = True
            await super().shutdown_default_executor(*args, **kwargs)


@breaks("lifecycle.base-exception-keeps")
class ExitsEmptyTheQueue(Stock):
    """The callbacks behind one that raises SystemExit are discarded."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit:
            self._ready.clear()
            raise
