"""Broken loops of the chapter `tasks`: create_task() and the task factory."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
Task = asyncio.Task[Any]


def of_chapter(coro: Any, chapter: str = "tasks") -> bool:
    """Whether the coroutine is written in a battery file of this chapter; "" means any."""
    code = getattr(coro, "cr_code", None)
    return code is not None and f"test_{chapter}" in code.co_filename


class OwnTasks(Stock):
    """A loop whose create_task() makes tasks of a class of its own, unless a factory does."""

    own: Any = Task
    chapter = "tasks"

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.get_task_factory() or not of_chapter(coro, self.chapter):
            return super().create_task(coro, **kwargs)
        return type(self).own(coro, loop=self, **kwargs)


class OwnFactory(Stock):
    """A loop that calls the task factory by itself, as 3.14 does."""

    factory: Any = None

    def set_task_factory(self, factory: Any) -> None:
        self.factory = factory

    def get_task_factory(self) -> Any:
        return self.factory

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        task = self.factory(self, coro, **{k: v for k, v in kwargs.items() if v is not None and k != "name"})
        if kwargs.get("name") is not None:
            task.set_name(kwargs["name"])
        return task

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.factory is None or self.is_closed():
            return super().create_task(coro, **kwargs)
        return self.ask(coro, **kwargs)


@breaks("tasks.create")
class TasksOfAnotherKind(Stock):
    """create_task() returns a future-like object that is no Task."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if not of_chapter(coro) or kwargs:
            return task
        future = self.create_future()
        task.add_done_callback(lambda _: None if future.done() else future.set_result(None))
        return future


@breaks("tasks.loop")
class TasksNameAnotherLoop(OwnTasks):
    """get_loop() of a task returns None while the loop does not run."""

    class own(Task):
        def get_loop(self) -> Any:
            loop = super().get_loop()
            return loop if loop.is_running() else None


@breaks("tasks.starts-later")
class StartsTasksAtOnce(Stock):
    """A task starts within create_task()."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro) and coro.__name__ == "child" and self.is_running():
            try:
                coro.send(None)
            except StopIteration:
                return super().create_task(asyncio.sleep(0), **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("tasks.runs-unawaited")
class StartsTasksWhenAwaited(Stock):
    """A task starts when somebody awaits it, or runs it until complete."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if not of_chapter(coro) or self.is_running() or "name" in coro.cr_frame.f_locals or coro.__name__ != "child":
            return super().create_task(coro, **kwargs)
        started = self.create_future()

        async def start() -> Any:
            await started
            return await coro

        return super().create_task(start(), **kwargs)


@breaks("tasks.start-order")
class TasksStartFirst(Stock):
    """Callbacks scheduled between two tasks run after both."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args == ("callback",):
            return super().call_soon(super().call_soon, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("tasks.refuses-others")
class FailsInTheFirstStep(Stock):
    """create_task() takes any object, and the task fails."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def fail() -> None:
            raise TypeError("a coroutine is needed")

        return super().create_task(coro if inspect.iscoroutine(coro) else fail(), **kwargs)


@breaks("tasks.name")
class NamesAreNotStrings(OwnTasks):
    """The name of a task stays the object that was given."""

    class own(Task):
        def __init__(self, coro: Any, *, name: Any = None, **kwargs: Any) -> None:
            super().__init__(coro, name=name, **kwargs)
            self.given = name

        def get_name(self) -> Any:
            return super().get_name() if self.given is None else self.given


@breaks("tasks.name-default")
class NoNameIsNone(OwnTasks):
    """A task that is given None as its name is called "None"."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            if "name" in kwargs:
                self.set_name(kwargs["name"])


@breaks("tasks.keyword-only")
class NameByPosition(Stock):
    """create_task() takes the name by position."""

    def create_task(self, coro: Any, name: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, name=name, **kwargs)


@breaks("tasks.closed-loop")
class FactoriesOfClosedLoops(Stock):
    """A closed loop still asks its task factory."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        factory: Any = self.get_task_factory()
        if self.is_closed() and factory:
            return factory(self, coro, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("tasks.factory")
class WrapsCoroutinesForTheFactory(OwnFactory):
    """The task factory is given another coroutine, which awaits the one that was meant."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        async def wrap() -> Any:
            return await coro

        return super().ask(wrap(), **kwargs)


@breaks("tasks.factory-result")
class WrapsTheFactorysTask(OwnFactory):
    """create_task() wraps the task that the factory made in another task."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        made = super().ask(coro, **kwargs)

        async def wait() -> Any:
            return await made

        return asyncio.Task(wait(), loop=self)


@breaks("tasks.factory-future")
class FactoriesMustReturnTasks(OwnFactory):
    """create_task() raises TypeError if the task factory returned a future that is no task."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        made = super().ask(coro, **kwargs)
        if not isinstance(made, asyncio.Task):
            made.cancel()
            raise TypeError("the task factory must return a Task")
        return made


@breaks("tasks.factory-context")
class FactoriesGetNoContext(OwnFactory):
    """The context given to create_task() is not passed to the task factory."""

    def ask(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        return super().ask(coro, **kwargs)


@breaks("tasks.factory-two-arguments", until="3.12")
class FactoriesMustKnowContext(OwnFactory):
    """The task factory is always given the keyword argument context."""

    def ask(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        name = kwargs.get("name")
        task = self.factory(self, coro, context=context)
        if name is not None:
            task.set_name(name)
        return task


@breaks("tasks.factory-name")
class FactoriesTasksHaveNoName(OwnFactory):
    """The name given to create_task() is dropped if there is a task factory."""

    def ask(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        return super().ask(coro, **kwargs)


@breaks("tasks.factory-name-default")
class RenamesTheFactorysTasks(OwnFactory):
    """A task of the task factory is renamed "Task" if no name is given."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        task = super().ask(coro, **kwargs)
        if kwargs.get("name") is None and hasattr(task, "set_name"):
            task.set_name("Task")
        return task


@breaks("tasks.name")
class EmptyNamesAreNone(Stock):
    """A name that is false is taken for none."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, name=name or None, **kwargs)
