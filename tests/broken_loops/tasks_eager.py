"""Broken loops of the chapter `tasks`: eager tasks (Python 3.12 and later)."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import Stock, Task, of_chapter
from tests.broken_loops.tasks_conditions import running


class OwnEager(Stock):
    """A loop that treats the children of this chapter's tests in its own way if an eager factory is set."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return super().create_task(coro, **kwargs)

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.get_task_factory() and of_chapter(coro, "tasks_eager") and coro.__name__ == "child":
            return self.eager(coro, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("tasks.eager", since="3.12")
class EagerTasksAreNotEager(OwnEager):
    """The eager task factory is not asked: its tasks start later."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return Task(coro, loop=self, **kwargs)


@breaks("tasks.eager-done", since="3.12")
class EagerTasksEndLater(OwnEager):
    """The end of an eager task that returned a text at once is scheduled."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        done = super().eager(coro, **kwargs)
        if done.done() and not done.exception() and done.result() == "value":
            return Task(asyncio.sleep(0, "value"), loop=self)
        return done


@breaks("tasks.eager-blocks", since="3.12")
class EagerTasksRunToTheEnd(OwnEager):
    """An eager task that only gives way to others is run to its end inside create_task()."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        async def through() -> Any:
            try:
                while True:
                    coro.send(None)
            except StopIteration as end:
                return end.value

        return super().eager(through() if "end" in coro.cr_code.co_consts else coro, **kwargs)


@breaks("tasks.eager-exception", since="3.12")
class EagerErrorsComeOut(OwnEager):
    """An exception of an eager task's first step comes out of create_task()."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        task = super().eager(coro, **kwargs)
        if task.done():
            task.result()
        return task


@breaks("tasks.eager-current", since="3.12")
class TheCreatorStaysCurrent(OwnEager):
    """While an eager task starts, its creator is still the current task."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        creator = asyncio.current_task(self)

        async def start() -> Any:
            me = asyncio.current_task(self)
            assert me is not None
            assert creator is not None
            asyncio._leave_task(self, me)
            asyncio._enter_task(self, creator)
            try:
                return await coro
            finally:
                asyncio._leave_task(self, creator)
                asyncio._enter_task(self, me)

        return super().eager(start() if "seen" in coro.cr_code.co_freevars else coro, **kwargs)


@breaks("tasks.eager-all-tasks", since="3.12")
class EagerTasksAreNotRegistered(OwnEager):
    """all_tasks() does not know eager tasks."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        task = super().eager(coro, **kwargs)
        asyncio._unregister_task(task)
        return task


@breaks("tasks.eager-context", since="3.12")
class EagerTasksCopyTheGivenContext(OwnEager):
    """An eager task runs in a copy of the context that was given."""

    def eager(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        return super().eager(coro, context=context and context.copy(), **kwargs)


@breaks("tasks.eager-not-running", since="3.12")
class EagerTasksNeedARunningLoop(OwnEager):
    """create_task() with the eager task factory raises RuntimeError while the loop does not run."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        if not self.is_running():
            coro.close()
            raise RuntimeError("no running loop")
        return super().eager(coro, **kwargs)


@breaks("tasks.eager-from-callback", since="3.12")
class EagerTasksNeedACreator(OwnEager):
    """With the eager task factory, create_task() in a callback schedules the task."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        if self.is_running() and asyncio.current_task(self) is None:
            return Task(coro, loop=self, **kwargs)
        return super().eager(coro, **kwargs)


@breaks("tasks.eager-name", since="3.12")
class EagerTasksHaveNoName(OwnEager):
    """The name given to create_task() is dropped for eager tasks."""

    def eager(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        return super().eager(coro, **kwargs)


@breaks("tasks.eager-custom", since="3.12")
class KnowsOneEagerFactory(OwnEager):
    """Of the eager factories only eager_task_factory() is used."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        if self.get_task_factory() is not getattr(asyncio, "eager_task_factory", None):
            return Task(coro, loop=self, **kwargs)
        return super().eager(coro, **kwargs)


class OwnEagerTasks(OwnEager):
    """A loop with eager tasks of a class of its own."""

    own: Any = Task

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return type(self).own(coro, loop=self, eager_start=True, **kwargs)


@breaks("tasks.eager-done", since="3.12")
class EagerTasksCallAtOnce(OwnEagerTasks):
    """A callback that is added to a task that is done at once is called within add_done_callback()."""

    class own(Task):
        def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
            if self.done():
                fn(self)
            else:
                super().add_done_callback(fn, context=context)


@breaks("tasks.eager-exception", since="3.12")
class EagerCancellationsComeOut(OwnEager):
    """A CancelledError that an eager task raises at once comes out of create_task()."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        task = super().eager(coro, **kwargs)
        if task.cancelled():
            raise asyncio.CancelledError
        return task


@breaks("tasks.eager-cancel", since="3.12")
class EagerTasksCannotCancelThemselves(OwnEagerTasks):
    """A request that an eager task makes to itself before its first await is lost."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return running(self) or super().cancel(msg)


@breaks("tasks.eager-current", since="3.12")
class NoTaskIsCurrentAfterACancellation(OwnEager):
    """After the start of an eager task that raises CancelledError no task is current."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        task = super().eager(coro, **kwargs)
        me = asyncio.current_task(self)
        if task.cancelled() and me is not None:
            asyncio._leave_task(self, me)
        return task


@breaks("tasks.eager-not-running", since="3.12")
class AnyRunningLoopWillDo(OwnEager):
    """With an eager task factory is_running() is true if another loop runs in the thread."""

    lenient = False

    def set_task_factory(self, factory: Any) -> None:
        self.lenient = factory is not None
        super().set_task_factory(factory)

    def is_running(self) -> bool:
        return super().is_running() or (self.lenient and asyncio._get_running_loop() is not None)
