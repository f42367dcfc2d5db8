"""Broken loops of the chapter `tasks`: asyncio's own futures and tasks, other task classes, and task groups."""

from __future__ import annotations

import asyncio
import types
import weakref
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_running import Stepping


class _RunsOnlyItsOwn(Stock):
    """Knows what it has made, and refuses to run other things of the class `refused`."""

    refused: Any

    def __init__(self) -> None:
        super().__init__()
        self.mine: weakref.WeakSet[Any] = weakref.WeakSet()

    def create_future(self) -> Any:
        future = super().create_future()
        self.mine.add(future)
        return future

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        self.mine.add(task)
        return task

    def run_until_complete(self, future: Any) -> Any:
        if type(future) is self.refused and future not in self.mine:
            raise TypeError("make it with a method of this loop")
        return super().run_until_complete(future)


@breaks("tasks.built-in-future")
class RunsOwnFuturesOnly(_RunsOnlyItsOwn):
    """run_until_complete() refuses a future that create_future() did not make."""

    refused = asyncio.Future


@breaks("tasks.built-in-task")
class RunsOwnTasksOnly(_RunsOnlyItsOwn):
    """run_until_complete() refuses a task that create_task() did not make."""

    refused = asyncio.Task


@breaks("tasks.built-in-future-inside")
class FuturesFindAnotherLoop(Stock):
    """In a coroutine `main` the running loop is another object, to which futures are attached."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, "tasks_extending") and coro.__name__ == "main" and not coro.cr_frame.f_code.co_freevars:
            self.call_soon(asyncio._set_running_loop, _other)
        return super().create_task(coro, **kwargs)


_other = Stock()


@breaks("tasks.visible-from-the-start")
class TasksAppearWhenTheyStart(OwnTasks):
    """A task is registered in the first turn after it was made."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            asyncio.tasks._unregister_task(self)
            self.get_loop().call_soon(asyncio.tasks._register_task, self)


@breaks("tasks.gone-when-done")
class TasksLinger(OwnTasks):
    """A task is not done before its done callbacks have been called."""

    class own(Task):
        over = False

        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            super().add_done_callback(lambda _: self.get_loop().call_soon(setattr, self, "over", True))

        def done(self) -> bool:
            return super().done() and self.over


@breaks("tasks.entered")
class ThrowsWithoutEntering(Stepping):
    """No task is current while an exception is thrown into a coroutine `body`."""

    def mine(self, coro: Any) -> bool:
        return coro.__name__ == "body"

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        try:
            yielded = coro.send(None)
            while True:
                try:
                    yield yielded
                except BaseException as error:
                    task = asyncio.current_task(self)
                    assert task is not None
                    asyncio.tasks._leave_task(self, task)
                    try:
                        yielded = coro.throw(error)
                    finally:
                        asyncio.tasks._enter_task(self, task)
                    continue
                yielded = coro.send(None)
        except StopIteration as end:
            return end.value


@breaks("tasks.left")
class LeavesTasksLate(Stepping):
    """A task stays the current one for the callback that follows its step."""

    def mine(self, coro: Any) -> bool:
        return coro.__name__ == "body"

    def send(self, coro: Any, first: bool) -> Any:
        task = asyncio.current_task(self)
        self.call_soon(asyncio.tasks._enter_task, self, task)
        try:
            return coro.send(None)
        finally:
            self.call_soon(asyncio.tasks._leave_task, self, task)


@breaks("tasks.group-arguments")
class TasksOfTasksLoseTheContext(Stock):
    """A context that is given to create_task() inside a task is ignored."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, "tasks_extending") and self.is_running():
            kwargs.pop("context", None)
        return super().create_task(coro, **kwargs)


@breaks("tasks.group-factory")
class AsksTheFactoryOnce(Stock):
    """The task factory is not asked for tasks that a task makes."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, "tasks_extending") and self.is_running():
            return asyncio.Task(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("tasks.group-body-fails")
class CancelledTasksHaveNoException(OwnTasks):
    """A task that was cancelled and then raised another exception has none."""

    class own(Task):
        def exception(self) -> Any:
            error = super().exception()
            return None if self.cancelling() else error


@breaks("tasks.group-exits")
class ExitsAreCancellations(OwnTasks):
    """A task that SystemExit or KeyboardInterrupt ended is taken for a cancelled one."""

    class own(Task):
        def cancelled(self) -> bool:
            exits = self.done() and not super().cancelled() and not isinstance(self.exception(), Exception | None)
            return super().cancelled() or exits
