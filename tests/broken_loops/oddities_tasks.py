"""Broken loops whose tasks, factories and runs go wrong in odd cases only."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import OwnFactory, OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_eager import OwnEager
from tests.broken_loops.tasks_running import Stepping


@breaks("tasks.name")
class FalseNamesAreNone(OwnTasks):
    """A name whose truth value is false is taken for none."""

    class own(Task):
        def __init__(self, coro: Any, *, name: Any = None, **kwargs: Any) -> None:
            super().__init__(coro, name=name or None, **kwargs)


@breaks("tasks.name")
class NamesAreShort(OwnTasks):
    """A name is cut after thirty-one characters."""

    class own(Task):
        def get_name(self) -> str:
            return super().get_name()[:31]


@breaks("tasks.bad-yield")
class FalseYieldsAreNone(Stepping):
    """A coroutine that yields what is false gives way, as one that yields None does."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return yielded or None if not asyncio.isfuture(yielded) else yielded


@breaks("cancellation.itself")
class OwnRequestsMissTheNextFuture(OwnTasks):
    """A task's request to itself is not passed on to a future that it awaits next."""

    chapter = "cancellation"

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if asyncio.current_task() is not self or "awaited" not in coro.cr_code.co_freevars:
                return super().cancel(msg)

            def later() -> None:
                if isinstance(coro.cr_await, types.CoroutineType):  # sleep(): no future
                    super(OwnRequestsMissTheNextFuture.own, self).cancel(msg)

            self.get_loop().call_soon(later)
            return True


@breaks("tasks.current-none")
class TasksAreCurrentInTheirCallbacks(Stock):
    """While a done callback of a task runs, that task is the current one."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if len(args) != 1 or not isinstance(args[0], Task) or "current-none" not in _ids(callback):
            return super().call_soon(callback, *args, context=context)

        def run(task: Any) -> None:
            asyncio.tasks._enter_task(self, task)
            try:
                callback(task)
            finally:
                asyncio.tasks._leave_task(self, task)

        return super().call_soon(run, *args, context=context)


def _ids(callback: Any) -> str:
    """The requirement in whose test the function `callback` was written, if it was."""
    inside = getattr(callback, "__qualname__", "")
    return "current-none" if inside.startswith("test_in_a_callback_no_task_is_current") else ""


@breaks("tasks.refuses-others")
class TasksOfAwaitables(Stock):
    """create_task() wraps any awaitable."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def wrap() -> Any:
            return await coro

        awaitable = hasattr(coro, "__await__") and not asyncio.iscoroutine(coro)
        return super().create_task(wrap() if awaitable else coro, **kwargs)


@breaks("tasks.factory")
class FalseFactoriesAreNone(Stock):
    """A task factory whose truth value is false is taken for none."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        factory = self.get_task_factory()
        if factory:
            return super().create_task(coro, **kwargs)
        return Task(coro, loop=self, **kwargs)


@breaks("tasks.factory-context")
class FactoriesGetNoEmptyContext(OwnFactory):
    """A context that holds nothing is not passed to the task factory."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        return super().ask(coro, **{name: value for name, value in kwargs.items() if value or name != "context"})


@breaks("tasks.factory-error")
class FactoriesThatFailAreDropped(Stock):
    """When the task factory raises, the default one is set."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        try:
            return super().create_task(coro, **kwargs)
        except LookupError:
            self.set_task_factory(None)
            raise


@breaks("tasks.eager", since="3.12")
class EagerTasksDoNotNest(Stock):
    """A task that is made while an eager task starts begins later."""

    starting = 0

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if not self.get_task_factory() or not of_chapter(coro, "tasks_eager"):
            return super().create_task(coro, **kwargs)
        if self.starting:
            return Task(coro, loop=self, **kwargs)
        self.starting = coro.__name__ == "child"
        try:
            return super().create_task(coro, **kwargs)
        finally:
            self.starting = False


@breaks("tasks.eager-all-tasks", since="3.12")
class StartingTasksAreNotListed(OwnEager):
    """all_tasks() has no eager task that is starting."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        @types.coroutine
        def start() -> Generator[Any, Any, Any]:
            asyncio.tasks._unregister_eager_task(asyncio.current_task())  # type: ignore[attr-defined, unused-ignore]
            return (yield from coro.__await__())

        async def wrap() -> Any:
            return await start()

        return super().eager(wrap(), **kwargs)


@breaks("timers.past-deadline")
class DeadlinesAreNotNegative(Stock):
    """call_at() refuses a deadline before the beginning of the clock."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if when < 0:
            raise OverflowError("a deadline is unsigned")
        return super().call_at(when, callback, *args, context=context)


@breaks("timers.later-never-early")
class DelaysBelowAMillisecondAreNone(Stock):
    """A delay below a millisecond is rounded down to none."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(0 if 0 < delay < 0.001 else delay, callback, *args, context=context)


@breaks("lifecycle.refused-run")
class RefusedRunsEndTheRun(Stock):
    """A run that is refused takes the mark of the running loop with it."""

    def _nested(self, run: Callable[[], Any]) -> Any:
        nested = self.is_running()
        try:
            return run()
        finally:
            if nested:
                asyncio._set_running_loop(None)

    def run_forever(self) -> None:
        self._nested(super().run_forever)

    def run_until_complete(self, future: Any) -> Any:
        return self._nested(lambda: super(RefusedRunsEndTheRun, self).run_until_complete(future))


@breaks("lifecycle.stop-before-run")
class StopBeforeTheRunCountsTwice(Stock):
    """stop() of a loop that does not run ends the run after the next, too."""

    early = False

    def stop(self) -> None:
        self.early = not self.is_running()
        super().stop()

    def run_forever(self) -> None:
        early, self.early = self.early, False
        super().run_forever()
        if early:
            super().stop()


@breaks("context.explicit-is-not-copied")
class DebugModeCopiesContexts(Stock):
    """In debug mode the context that call_soon() is given is copied."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and context is not None:
            context = context.copy()
        return super().call_soon(callback, *args, context=context)


@breaks("callbacks.no-keywords")
class KeywordsArePassedOn(Stock):
    """call_soon() passes keyword arguments to the callback."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None, **kwargs: Any) -> asyncio.Handle:
        if kwargs:
            return super().call_soon(lambda: callback(*args, **kwargs), context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("tasks.loop")
class TasksNameTheRunningLoop(OwnTasks):
    """get_loop() of a task returns the running loop, if there is one."""

    chapter = ""

    class own(Task):
        def get_loop(self) -> asyncio.AbstractEventLoop:
            return asyncio._get_running_loop() or super().get_loop()


@breaks("tasks.result")
class TasksFalseResultsAreNone(OwnTasks):
    """result() of a task is None if the coroutine returned something false."""

    chapter = ""

    class own(Task):
        def result(self) -> Any:
            return super().result() or None


@breaks("cancellation.count")
class DoneTasksHaveNoRequests(OwnTasks):
    """cancelling() of a task that is done is 0."""

    chapter = ""

    class own(Task):
        def cancelling(self) -> int:
            return 0 if self.done() else super().cancelling()


@breaks("cancellation.result")
class CancelledTasksForgetTheMessage(OwnTasks):
    """exception() of a cancelled task raises a CancelledError without the message."""

    chapter = ""

    class own(Task):
        def exception(self) -> Any:
            if self.cancelled():
                raise asyncio.CancelledError
            return super().exception()


@breaks("cancellation.message")
class SecondMessagesAreLost(OwnTasks):
    """The message of a second cancellation of a task is dropped."""

    chapter = ""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(None if self.cancelling() else msg)


@breaks("tasks.pending")
class RequestedIsCancelled(OwnTasks):
    """result() of a task that was asked to be cancelled, and is not done yet, raises CancelledError."""

    chapter = ""

    class own(Task):
        def result(self) -> Any:
            if self.cancelling() and not self.done():
                raise asyncio.CancelledError
            return super().result()


@breaks("tasks.stack-limit")
class LimitsAboveOneCountFromTheEnd(OwnTasks):
    """get_stack() returns the newest frames of a traceback, unless the limit is 1."""

    chapter = ""

    class own(Task):
        def get_stack(self, *, limit: int | None = None) -> Any:
            frames = super().get_stack()
            return frames if limit is None else frames[:1] if limit == 1 else frames[-limit:]
