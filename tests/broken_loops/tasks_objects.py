"""Broken loops of the chapter `tasks`: the methods of task objects."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import OwnTasks, Task


@breaks("tasks.done")
class CancelledTasksAreNotDone(OwnTasks):
    """done() of a cancelled task is False."""

    class own(Task):
        def done(self) -> bool:
            return super().done() and not self.cancelled()


@breaks("tasks.stack-done")
class DoneTasksHaveNoStackToGive(OwnTasks):
    """get_stack() of a task that is done without an exception raises."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            if self.done() and (self.cancelled() or self.exception() is None):
                raise asyncio.InvalidStateError("the task is done")
            return super().get_stack(limit=limit)


@breaks("tasks.stack-traceback")
class FailedTasksHaveNoStack(OwnTasks):
    """get_stack() of a task that failed gives the newest frame first."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            return super().get_stack(limit=limit)[::-1]


@breaks("tasks.stack-limit")
class LimitsStacksFromTheOtherEnd(OwnTasks):
    """get_stack(limit=…) of a failed task gives the newest frames."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            frames = super().get_stack()
            return frames if limit is None else frames[-limit:]


@breaks("tasks.print-stack")
class PrintsStacksToStandardOutput(OwnTasks):
    """print_stack() prints to standard output."""

    class own(Task):
        def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
            super().print_stack(limit=limit, file=file or sys.stdout)


@breaks("tasks.print-stack-limit")
class PrintsWholeStacks(OwnTasks):
    """print_stack() prints all frames, whatever the limit."""

    class own(Task):
        def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
            super().print_stack(file=file)


@breaks("tasks.set-name")
class TakesNamesAsTheyAre(OwnTasks):
    """set_name() refuses what is no string."""

    class own(Task):
        def set_name(self, value: object) -> None:
            if not isinstance(value, str | int):
                raise TypeError("a name is a string")
            super().set_name(value)


@breaks("tasks.names-differ")
class AllTasksAreCalledTask(OwnTasks):
    """A task that is given no name is called "Task"."""

    class own(Task):
        def __init__(self, coro: Any, *, name: Any = None, **kwargs: Any) -> None:
            super().__init__(coro, name="Task" if name is None else name, **kwargs)


@breaks("tasks.get-context", since="3.12")
class TasksTellTheCurrentContext(OwnTasks):
    """get_context() of a task returns a copy of the current context."""

    class own(Task):
        def get_context(self) -> contextvars.Context:
            return contextvars.copy_context()


@breaks("tasks.remove-done-callback")
class TasksRemoveOneCallback(OwnTasks):
    """remove_done_callback() of a task says that it has removed one."""

    class own(Task):
        def remove_done_callback(self, fn: Any) -> int:
            return min(1, super().remove_done_callback(fn))


@breaks("tasks.done-callback-late")
class DoneTasksCallAtOnce(OwnTasks):
    """A callback that is added to a task that is done is called within add_done_callback()."""

    class own(Task):
        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            if self.done() and getattr(fn, "__name__", "") == "append":
                fn(self)
            else:
                super().add_done_callback(fn, context=context)


@breaks("tasks.done-callback-context")
class WaitingTasksCallBackInTheirOwnContext(OwnTasks):
    """A done callback that is added while the task waits runs in the context of the task."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            self.context = contextvars.copy_context()
            super().__init__(coro, **kwargs)

        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            coro: Any = self.get_coro()
            if context is None and coro is not None and coro.cr_await is not None:
                context = self.context
            super().add_done_callback(fn, context=context)


@breaks("tasks.done-callback-context")
class TasksCallBackInTheirOwnContext(OwnTasks):
    """A done callback that is a plain function runs in the context of the task."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            self.context = contextvars.copy_context()
            super().__init__(coro, **kwargs)

        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            if getattr(fn, "__name__", "") == "<lambda>":
                context = self.context
            super().add_done_callback(fn, context=context)


@breaks("tasks.done-callbacks-order")
class TasksCallTheLastFirst(OwnTasks):
    """Done callbacks of a task run from the last that was added to the first."""

    class own(Task):
        def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
            if not hasattr(self, "mine"):
                self.mine: list[tuple[Any, Any]] = []
            for earlier, _ in self.mine:
                super().remove_done_callback(earlier)
            self.mine.insert(0, (callback, context or contextvars.copy_context()))
            for each, its in self.mine:
                super().add_done_callback(each, context=its)
