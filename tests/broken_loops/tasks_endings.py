"""Broken loops of the chapters `tasks` and `cancellation`: right for tasks that do, or end, as most do."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import types
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.tasks import OwnFactory, OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_conditions import running
from tests.broken_loops.tasks_running import Stepping


@breaks("tasks.set-name")
class DoneTasksKeepTheirNames(OwnTasks):
    """set_name() of a task that is done is ignored."""

    class own(Task):
        def set_name(self, value: object) -> None:
            if not self.done():
                super().set_name(value)


@breaks("tasks.set-name")
class NoneLeavesTheName(OwnTasks):
    """set_name(None) leaves the name as it was."""

    class own(Task):
        def set_name(self, value: object) -> None:
            if value is not None:
                super().set_name(value)


@breaks("tasks.done-callback-late")
class FailedTasksTakeNoCallbacks(OwnTasks):
    """A callback that is added to a task that ended by an exception is never called."""

    class own(Task):
        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            failed = self.done() and not self.cancelled() and self.exception() is not None
            if not (failed and getattr(fn, "__name__", "") == "append"):
                super().add_done_callback(fn, context=context)


@breaks("tasks.future-like")
class TasksAwaitFuturesOnly(Stepping):
    """A future-like object that is no asyncio.Future is for a task what any wrong yield is."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return yielded if yielded is None or isinstance(yielded, asyncio.Future) else "no future"


@breaks("cancellation.before-start")
class EndsWithoutTheCoroutine(Stock):
    """A task that is cancelled before it starts ends without the CancelledError thrown into its coroutine."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def inside() -> Any:
            return await coro

        mine = of_chapter(coro, "cancellation") and coro.__name__ == "child"
        return super().create_task(inside() if mine else coro, **kwargs)


@breaks("errors.task-never-retrieved")
class FalseExceptionsOfTasksAreNotMissed(OwnTasks):
    """A task is collected in silence if the truth value of its exception is false."""

    chapter = "errors"

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            super().add_done_callback(lambda task: task.cancelled() or task._exception or task.exception())


@breaks("tasks.starts-later")
class CallbacksStartTasksAtOnce(Stock):
    """A task that a callback makes takes its first step within create_task()."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        started = of_chapter(coro) and self.is_running() and asyncio.current_task(self) is None
        if not (started and coro.__name__ == "child" and asyncio.get_running_loop() is self):
            return super().create_task(coro, **kwargs)
        with contextlib.suppress(StopIteration):
            coro.send(None)
        coro.close()
        return super().create_task(asyncio.sleep(0), **kwargs)


@breaks("tasks.done-callback")
class FailedTasksCallNobody(OwnTasks):
    """The done callbacks of a task that raises are dropped."""

    class own(Task):
        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            def call(task: Any) -> None:
                if task.cancelled() or task.exception() is None:
                    fn(task)

            mine = getattr(fn, "__name__", "") == "append" and not self.done()
            super().add_done_callback(call if mine else fn, context=context)


@breaks("tasks.released")
class FailedTasksStay(OwnTasks):
    """A loop keeps the tasks that failed."""

    failed: list[Any]

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if of_chapter(coro) and coro.__name__ == "_fail":
            vars(self).setdefault("failed", []).append(task)
        return task


@breaks("tasks.coroutine")
class CancelledTasksDropTheirCoroutine(OwnTasks):
    """get_coro() of a task that was cancelled returns None."""

    class own(Task):
        def get_coro(self) -> Any:
            return None if self.cancelled() else super().get_coro()


@breaks("tasks.stack")
class StacksOfAllThatIsAwaited(OwnTasks):
    """get_stack() of a suspended task has a frame of each coroutine that is awaited, too."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            coro: Any = None if self.done() else self.get_coro()
            frames = []
            while inspect.iscoroutine(coro) and coro.cr_frame is not None:
                frames.append(coro.cr_frame)
                coro = coro.cr_await
            return frames or super().get_stack(limit=limit)


@breaks("cancellation.thrown")
class TasksThatGiveWayAreNotCancelled(Cancelling):
    """A request to cancel a task that waits for its turn is lost."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            waits = self._fut_waiter is None and inspect.getcoroutinestate(coro) == inspect.CORO_SUSPENDED
            return True if waits and coro.__name__ == "child" else super().cancel(msg)


@breaks("cancellation.awaited-task")
class AwaitedTasksGetNoMessage(Cancelling):
    """The message of cancel() does not reach the task that is awaited."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(None if isinstance(self._fut_waiter, asyncio.Task) else msg)


@breaks("tasks.closed-loop")
class ClosedLoopsTakeCoroutines(Stock):
    """create_task() on a closed loop without a factory returns a future that is never done."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.is_closed() and self.get_task_factory() is None:
            return self.create_future()
        return super().create_task(coro, **kwargs)


@breaks("tasks.stack-limit")
class LimitsLeaveTheOldestFrames(OwnTasks):
    """get_stack(limit=…) returns the oldest frames of a stack, too."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            return super().get_stack()[:limit]


@breaks("tasks.stack-limit")
class LimitsByPosition(OwnTasks):
    """get_stack() takes its limit by position."""

    class own(Task):
        def get_stack(self, limit: int | None = None) -> Any:
            return super().get_stack(limit=limit)


@breaks("tasks.refuses-others")
class FuturesAreTasksAlready(Stock):
    """create_task() returns a future that it is given."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        return coro if asyncio.isfuture(coro) else super().create_task(coro, **kwargs)


@breaks("tasks.refuses-others", since="3.12")
class WhateverCanBeSentToIsACoroutine(Stock):
    """create_task() takes whatever has a method send(), and thus generators."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def wait() -> Any:
            return await types.coroutine(lambda: coro)()

        generator = isinstance(coro, types.GeneratorType)
        return super().create_task(wait() if generator else coro, **kwargs)


@breaks("tasks.eager-name", since="3.12")
class TasksThatAreDoneGetNoName(OwnFactory):
    """A name given to create_task() is not set on a task that its factory returned done."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        name = kwargs.pop("name", None)
        task = super().ask(coro, **kwargs)
        if name is not None and not task.done():
            task.set_name(name)
        return task


@breaks("tasks.all")
class NamesakesAreEqual(OwnTasks):
    """Two tasks of one name are equal."""

    class own(Task):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, asyncio.Task) and self.get_name() == other.get_name()

        def __hash__(self) -> int:
            return hash(self.get_name())


@breaks("tasks.exception")
class ExceptionsAreGivenOnce(OwnTasks):
    """exception() of a task that failed returns None the second time."""

    class own(Task):
        given = False

        def exception(self) -> BaseException | None:
            error = super().exception()
            self.given, given = True, self.given
            return None if given else error


@breaks("futures.no-timeout")
class TasksTakeATimeout(Stock):
    """result() and exception() of a task take a timeout."""

    class own(Task):
        def result(self, timeout: float | None = None) -> Any:
            return super().result()

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        mine = getattr(coro, "__name__", "") == "value_of"
        return self.own(coro, loop=self, **kwargs) if mine else super().create_task(coro, **kwargs)


@breaks("tasks.done-callback-context")
class RunningTasksTakeNoCallbacks(OwnTasks):
    """A callback that a task adds to itself is never called."""

    class own(Task):
        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            if not running(self):
                super().add_done_callback(fn, **({} if context is None else {"context": context}))
