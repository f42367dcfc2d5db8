"""Broken loops of the chapter `tasks`: how tasks step, what they say about themselves, and which there are."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter


class Through(Stock):
    """A loop that steps the coroutines of its chapter that are `mine` by itself, by `_through`."""

    chapter = "tasks"

    def mine(self, coro: Any) -> bool:
        return True

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, self.chapter) and self.mine(coro):
            return super().create_task(self._step(coro), **kwargs)
        return super().create_task(coro, **kwargs)

    async def _step(self, coro: Any) -> Any:
        # A task takes no coroutine made of a generator, an await does.
        return await self._through(coro)

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        raise NotImplementedError


class Stepping(Through):
    """What a coroutine yields may be changed by `looked_at`."""

    def send(self, coro: Any, first: bool) -> Any:
        return coro.send(None)

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        """What to yield to the task in place of what the coroutine yielded; SKIP to go on with the coroutine."""
        return yielded

    SKIP = object()

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        try:
            yielded = self.looked_at(coro, self.send(coro, True))
            while True:
                if yielded is not self.SKIP:
                    try:
                        yield yielded
                    except BaseException as error:
                        yielded = self.looked_at(coro, coro.throw(error))
                        continue
                yielded = self.looked_at(coro, self.send(coro, False))
        except StopIteration as end:
            return end.value


@breaks("tasks.result")
class TasksLoseTheirResults(OwnTasks):
    """result() of a task that is done without an exception returns None."""

    class own(Task):
        def result(self) -> Any:
            super().result()


@breaks("tasks.exception")
class TasksCopyTheirExceptions(OwnTasks):
    """exception() of a task returns a new exception of the type that was raised."""

    class own(Task):
        def exception(self) -> BaseException | None:
            error = super().exception()
            return error and type(error)(*error.args)


@breaks("tasks.pending")
class PendingTasksHaveNoException(OwnTasks):
    """exception() of a task that is not done returns None."""

    class own(Task):
        def exception(self) -> BaseException | None:
            return super().exception() if self.done() else None


@breaks("tasks.no-setters")
class SettersDoNothing(OwnTasks):
    """set_result() of a task does nothing."""

    class own(Task):
        def set_result(self, result: Any) -> None:
            pass


@breaks("tasks.done-callback")
class TasksKeepTheirCallbacks(OwnTasks):
    """remove_done_callback() of a task finds no callback."""

    class own(Task):
        def remove_done_callback(self, fn: Any, /) -> int:
            return 0


@breaks("tasks.await")
class AwaitOfATaskGivesNone(OwnTasks):
    """An await of a task gives None."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            yield from super().__await__()


@breaks("tasks.interleave")
class TasksDoNotGiveWay(Stepping):
    """A task that gives way to others is resumed at once."""

    def mine(self, coro: Any) -> bool:
        return "name" in coro.cr_code.co_varnames and "number" in coro.cr_code.co_varnames

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return self.SKIP if yielded is None else yielded


@breaks("tasks.resumes-through-the-queue")
class TasksResumeAtOnce(Stock):
    """A task that awaits a future is resumed inside set_result()."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.waiting: list[tuple[Any, Any]] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if isinstance(getattr(fn, "__self__", None), asyncio.Task):
                self.waiting.append((fn, context))
            else:
                super().add_done_callback(fn, context=context)

        def set_result(self, result: Any) -> None:
            super().set_result(result)
            for fn, context in self.waiting:
                context.run(fn, self)

    def create_future(self) -> Any:
        frame = sys._getframe(1)
        if frame.f_code.co_name == "test_a_task_resumes_after_what_was_scheduled_before":
            return self.own(loop=self)
        return super().create_future()


@breaks("tasks.bad-yield")
class StrangeYieldsAreIgnored(Stepping):
    """A coroutine that yields a text goes on."""

    def mine(self, coro: Any) -> bool:
        return "Awaitable" in coro.cr_code.co_freevars

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return None if isinstance(yielded, str) else yielded


@breaks("tasks.foreign-future")
class ForeignFuturesAreTypeErrors(Stepping):
    """A task that awaits a future of another loop gets a TypeError thrown in."""

    def mine(self, coro: Any) -> bool:
        return coro.cr_code.co_name == "main" and "future" in coro.cr_code.co_freevars

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        if yielded is not None and yielded.get_loop() is not self:
            yielded._asyncio_future_blocking = False
            return self.looked_at(coro, coro.throw(TypeError("not a future of this loop")))
        return yielded


@breaks("tasks.current")
class NotCurrentAfterAWait(Stepping):
    """A task that has waited is not the current one any more."""

    def mine(self, coro: Any) -> bool:
        return bool(coro.__name__ == "child" and coro.cr_code.co_freevars == ("loop", "seen"))

    def send(self, coro: Any, first: bool) -> Any:
        me = asyncio.current_task(self)
        if first or me is None:
            return coro.send(None)
        asyncio._leave_task(self, me)
        try:
            return coro.send(None)
        finally:
            asyncio._enter_task(self, me)


@breaks("tasks.current-none")
class TheLastTaskStaysCurrent(Stock):
    """In a callback the task that was made last is the current one."""

    last: Any = None

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        self.last = super().create_task(coro, **kwargs)
        return self.last

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__qualname__", "") == "test_in_a_callback_no_task_is_current.<locals>.ask":
            inner = callback

            def callback(*args: Any) -> None:
                asyncio._enter_task(self, self.last)
                inner(*args)
                asyncio._leave_task(self, self.last)

        return super().call_soon(callback, *args, context=context)


@breaks("tasks.all")
class WaitingTasksAreForgotten(Stock):
    """all_tasks() does not know tasks that wait for a future."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if of_chapter(coro) and coro.__name__ == "_wait":
            asyncio._unregister_task(task)
        return task


@breaks("tasks.all-of-one-loop")
class TasksNameTheFirstLoop(OwnTasks):
    """A task names the first loop that was made as its own while its loop does not run."""

    first: Any = None

    def __init__(self) -> None:
        super().__init__()
        TasksNameTheFirstLoop.first = TasksNameTheFirstLoop.first or self

    class own(Task):
        def get_loop(self) -> Any:
            loop = super().get_loop()
            return loop if loop.is_running() else TasksNameTheFirstLoop.first


@breaks("tasks.released")
class FinishedTasksAreKept(Stock):
    """The loop keeps all tasks of the chapter for ever."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        self.__dict__.setdefault("kept", []).append(task)
        return task


@breaks("tasks.coroutine")
class CoroutinesAreWrapped(Stock):
    """A task that is made while the loop does not run wraps a coroutine that awaits the caller's."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def wrap() -> Any:
            return await coro

        wrapped = of_chapter(coro) and coro.__name__ == "wait" and not self.get_task_factory()
        return super().create_task(wrap() if wrapped else coro, **kwargs)


@breaks("tasks.stack")
class TasksHaveNoStack(OwnTasks):
    """get_stack() of a task returns an empty list."""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> list[Any]:
            return []
