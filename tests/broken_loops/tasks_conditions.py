"""Broken loops of the chapter `tasks`: methods that are right of most tasks, and wrong in one state, or asked twice."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_running import Stepping


def unstarted(task: Any) -> bool:
    """Whether the coroutine of a task has not begun."""
    coro = task.get_coro()
    return inspect.iscoroutine(coro) and inspect.getcoroutinestate(coro) == inspect.CORO_CREATED


def running(task: Any) -> bool:
    """Whether the task is the current one."""
    try:
        return asyncio.current_task() is task
    except RuntimeError:
        return False


def failed(task: Any) -> bool:
    """Whether the task ended by an exception."""
    return task.done() and not Task.cancelled(task) and Task.exception(task) is not None


def _has_failed(future: Any) -> bool:
    return not future.cancelled() and future.exception() is not None


@breaks("tasks.result")
class ResultsAreGivenOnce(OwnTasks):
    """result() of a task returns None the second time."""

    class own(Task):
        given = False

        def result(self) -> Any:
            result = super().result()
            self.given, given = True, self.given
            return None if given else result


@breaks("tasks.exception")
class ExceptionsComeWithoutTraceback(OwnTasks):
    """result() of a task raises the exception without the traceback that it had."""

    class own(Task):
        def result(self) -> Any:
            if failed(self):
                error: Any = self.exception()
                raise error.with_traceback(None)
            return super().result()


@breaks("tasks.exception")
class TimeoutErrorsAreCancellations(OwnTasks):
    """cancelled() is true of a task that ended by TimeoutError."""

    class own(Task):
        def cancelled(self) -> bool:
            return super().cancelled() or (failed(self) and isinstance(self.exception(), TimeoutError))


@breaks("tasks.bad-yield")
class GeneratorsMayBeYielded(Stepping):
    """A coroutine that yields a generator goes on."""

    def mine(self, coro: Any) -> bool:
        return "Awaitable" in coro.cr_code.co_freevars

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return None if inspect.isgenerator(yielded) else yielded


@breaks("tasks.foreign-future")
class ForeignTasksAreTypeErrors(Stepping):
    """A task that awaits a task of another loop gets a TypeError thrown in."""

    def mine(self, coro: Any) -> bool:
        return coro.cr_code.co_name == "main" and "future" in coro.cr_code.co_freevars

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        if isinstance(yielded, asyncio.Task) and yielded.get_loop() is not self:
            yielded._asyncio_future_blocking = False
            return self.looked_at(coro, coro.throw(TypeError("not a task of this loop")))
        return yielded


@breaks("tasks.awaits-itself")
class WaitsForItself(Stepping):
    """A task that awaits itself waits for ever."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        if yielded is not None and yielded is asyncio.current_task():
            yielded._asyncio_future_blocking = False
            yielded = self.create_future()
            yielded._asyncio_future_blocking = True
        return yielded


@breaks("tasks.stack-limit")
class NoFramesAreAllFrames(OwnTasks):
    """get_stack(limit=0) returns all frames."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            return super().get_stack(limit=limit or None)


@breaks("tasks.stack")
class UnstartedTasksHaveNoStack(OwnTasks):
    """get_stack() of a task that was not started returns an empty list."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            return [] if unstarted(self) else super().get_stack(limit=limit)


@breaks("tasks.print-stack")
class NoStackIsAnError(OwnTasks):
    """print_stack() of a task that is done without an exception raises."""

    class own(Task):
        def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
            if self.done() and not failed(self):
                raise asyncio.InvalidStateError("the task is done")
            super().print_stack(limit=limit, file=file)


@breaks("tasks.print-stack-limit")
class PrintStackTakesALimitByPosition(OwnTasks):
    """print_stack() takes its arguments by position, too."""

    class own(Task):
        def print_stack(self, limit: int | None = None, file: Any = None) -> None:  # type: ignore[override]
            super().print_stack(limit=limit, file=file)


@breaks("tasks.set-name")
class RunningTasksKeepTheirNames(OwnTasks):
    """set_name() of the running task is ignored."""

    class own(Task):
        def set_name(self, value: object) -> None:
            if not running(self):
                super().set_name(value)


@breaks("tasks.get-context", since="3.12")
class ContextsAreCopiedWhenAskedFor(OwnTasks):
    """get_context() of a task that was given no context returns a copy."""

    class own(Task):
        given: Any = None

        def __init__(self, coro: Any, *, context: Any = None, **kwargs: Any) -> None:
            super().__init__(coro, context=context, **kwargs)
            self.given = context

        def get_context(self) -> contextvars.Context:
            return self.given or super().get_context().copy()


@breaks("tasks.coroutine")
class RunningTasksHaveNoCoroutine(OwnTasks):
    """get_coro() of the running task returns None."""

    class own(Task):
        def get_coro(self) -> Any:
            return None if running(self) else super().get_coro()


@breaks("tasks.coroutine")
class DebugModeWrapsCoroutines(Stock):
    """In debug mode a task wraps a coroutine that awaits the caller's."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def wrap() -> Any:
            return await coro

        return super().create_task(wrap() if self.get_debug() and of_chapter(coro) else coro, **kwargs)


@breaks("tasks.done-callback")
class OneCallbackStopsTheOthers(OwnTasks):
    """A done callback of a task that raises is the last that is called."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            self.fns: list[Any] = []
            super().add_done_callback(lambda task: [fn(task) for fn in self.fns] and None)

        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            self.fns.append(fn)

        def remove_done_callback(self, fn: Any) -> int:
            before = len(self.fns)
            self.fns = [other for other in self.fns if other != fn]
            return before - len(self.fns)


@breaks("tasks.await")
class TasksAreAwaitedByOne(OwnTasks):
    """Awaiting a task that somebody awaits already raises."""

    class own(Task):
        awaited = False

        def __await__(self) -> Generator[Any, None, Any]:
            if self.awaited and not self.done():
                raise RuntimeError("the task is awaited already")
            self.awaited = True
            return super().__await__()


@breaks("tasks.loop")
class CancelledTasksForgetTheirLoop(OwnTasks):
    """get_loop() of a cancelled task returns None."""

    class own(Task):
        def get_loop(self) -> Any:
            return None if self.cancelled() else super().get_loop()


@breaks("tasks.factory-name")
class FactoriesGetAContextOrAName(Stock):
    """A name is dropped if a task factory makes the task and a context is given, too."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **kwargs: Any) -> Any:
        if context is not None and self.get_task_factory() is not None:
            name = None
        return super().create_task(coro, name=name, context=context, **kwargs)


@breaks("tasks.done")
class TheEndIsScheduled(OwnTasks):
    """done() of a task is False until the next turn of the loop after its coroutine has ended."""

    class own(Task):
        ended = False

        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            super().add_done_callback(lambda _: setattr(self, "ended", True))

        def done(self) -> bool:
            return super().done() and self.ended


@breaks("tasks.all")
class NamedTasksAreForgotten(Stock):
    """all_tasks() does not know tasks that were given a name."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if of_chapter(coro) and kwargs.get("name") is not None:
            asyncio._unregister_task(task)
        return task


@breaks("tasks.all")
class TasksAskedToEndAreForgotten(OwnTasks):
    """all_tasks() does not know tasks that are to be cancelled."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            asyncio._unregister_task(self)
            return super().cancel(msg)


@breaks("tasks.resumes-through-the-queue")
class ExceptionsComeATurnLate(Stock):
    """A task whose future gets an exception resumes one turn of the loop later."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            def late(future: Any) -> None:
                if _has_failed(future):
                    self.get_loop().call_soon(fn, future, context=context)
                else:
                    fn(future)

            by_a_task = isinstance(getattr(fn, "__self__", None), asyncio.Task)
            super().add_done_callback(late if by_a_task else fn, context=context)

    def create_future(self) -> Any:
        frame = sys._getframe(1)
        if frame.f_code.co_name == "test_a_task_resumes_after_what_was_scheduled_before":
            return self.own(loop=self)
        return super().create_future()
