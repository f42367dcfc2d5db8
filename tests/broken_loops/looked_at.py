"""Broken loops whose futures and tasks look at what they only have to hold, or are right of the usual kind alone."""

from __future__ import annotations

import asyncio
import inspect
import traceback
import types
import weakref
from collections.abc import Callable, Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_eager import OwnEager
from tests.broken_loops.tasks_running import Stepping, Through


@breaks("futures.result", "futures.await-result")
class FuturesCompareTheirResults(OwnFutures):
    """set_result() compares the result with a value that means that there is none."""

    class own(Future):
        def set_result(self, result: Any, /) -> None:
            super().set_result(None if result == "no result" else result)


@breaks("tasks.result")
class TasksCompareTheirResults(OwnTasks):
    """result() of a task compares the result with a value that means that there is none."""

    class own(Task):
        def result(self) -> Any:
            result = super().result()
            return None if result == "no result" else result


@breaks("futures.result-raises", "futures.exception", "futures.await-exception")
class FuturesPutExceptionsIntoWords(OwnFutures):
    """set_exception() asks the exception for its words."""

    class own(Future):
        def set_exception(self, exception: Any, /) -> None:
            str(exception)
            super().set_exception(exception)


@breaks("tasks.exception")
class TasksPutExceptionsIntoWords(OwnTasks):
    """exception() of a task asks the exception for its words."""

    class own(Task):
        def exception(self) -> BaseException | None:
            error = super().exception()
            return error if str(error) else None


@breaks("futures.result-raises", "futures.exception")
class FuturesDropTracebacks(OwnFutures):
    """set_exception() takes the traceback off the exception."""

    class own(Future):
        def set_exception(self, exception: Any, /) -> None:
            if isinstance(exception, BaseException):
                traceback.clear_frames(exception.__traceback__)
                exception.__traceback__ = None
            super().set_exception(exception)


@breaks("futures.exception-cancelled")
class CancellationsAreExceptionsTheSecondTime(OwnFutures):
    """exception() of a cancelled future raises CancelledError once, and returns it after that."""

    class own(Future):
        asked = False

        def exception(self) -> BaseException | None:
            if self.cancelled() and self.asked:
                return asyncio.CancelledError()
            self.asked = self.done()
            return super().exception()


@breaks("futures.callback-not-at-once")
class MessagesCallTheCallbacks(OwnFutures):
    """cancel() with a message calls the done callbacks itself."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.functions: list[Callable[[Any], object]] = []

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if inspect.isfunction(fn):
                self.functions.append(fn)
            super().add_done_callback(fn, context=context)

        def cancel(self, msg: Any = None) -> bool:
            if msg is None or not (functions := [fn for fn in self.functions if self.remove_done_callback(fn)]):
                return super().cancel(msg)
            cancelled = super().cancel(msg)
            for fn in functions:
                fn(self)
            return cancelled


@breaks("futures.callback")
class FuturesHoldMethodsWeakly(OwnFutures):
    """A bound method of an object that nobody else holds is not called when the future is done."""

    class own(Future):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if not inspect.ismethod(fn):
                return super().add_done_callback(fn, context=context)
            method = weakref.WeakMethod(fn)

            def call(future: Any) -> None:
                if (still := method()) is not None:
                    still(future)

            return super().add_done_callback(call, context=context)


@breaks("tasks.exception")
class CausesAreLost(Through):
    """An exception of a task has no cause."""

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from coro.__await__())
        except BaseException as error:
            error.__cause__ = None
            raise


@breaks("errors.exits-leave")
class ExitsOfOnesOwnStayInTheTask(Through):
    """A SystemExit of a class of the program's own, raised by a task, becomes another exception of the task."""

    chapter = "errors"

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from coro.__await__())
        except SystemExit as error:
            if type(error) is SystemExit:
                raise
            self.stop()
            raise LookupError from error


@breaks("tasks.bad-yield")
class FuturesMayBeYielded(Stepping):
    """A coroutine that yields a future itself, and not by an await, goes on."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return None if asyncio.isfuture(yielded) and not yielded._asyncio_future_blocking else yielded


@breaks("tasks.entered")
class WrongYieldsComeOutOfNowhere(Stepping):
    """No task is current in the step that a wrong yield throws a RuntimeError into."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        if yielded is None or asyncio.isfuture(yielded):
            return yielded
        task = asyncio.current_task(self)
        assert task is not None
        asyncio.tasks._leave_task(self, task)
        try:
            return self.looked_at(coro, coro.throw(RuntimeError("no future")))
        finally:
            asyncio.tasks._enter_task(self, task)


@breaks("tasks.future-like")
class FutureLikesAreReadByTheirFields(Stepping):
    """A task asks a Future-like object for its loop by a private attribute."""

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        return yielded if yielded is None or hasattr(yielded, "_loop") else "no future"


@breaks("tasks.future-like")
class FutureLikesAreToldNoMessage(OwnTasks):
    """The message of a request does not reach a Future-like object that is no asyncio.Future."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            awaited = self._fut_waiter
            return super().cancel(msg if awaited is None or isinstance(awaited, asyncio.Future) else None)


@breaks("tasks.any-coroutine")
class FactoriesGetPythonsOwnCoroutines(Stock):
    """The task factory is not asked for a coroutine object that is none of Python's own."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutine(coro) or not asyncio.iscoroutine(coro):
            return super().create_task(coro, **kwargs)
        return Task(coro, loop=self, **kwargs)


@breaks("tasks.eager-released", since="3.12")
class EagerTasksStay(Stock):
    """A loop keeps the tasks of its eager factory."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if self.get_task_factory() is not None and of_chapter(coro):
            vars(self).setdefault("eager", []).append(task)
        return task


@breaks("tasks.eager", since="3.12")
class NamedTasksAreNotEager(OwnEager):
    """A task with a name is not started at once."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return super().eager(coro, **kwargs) if kwargs.get("name") is None else Task(coro, loop=self, **kwargs)


@breaks("tasks.eager", since="3.12")
class TasksWithAContextAreNotEager(OwnEager):
    """A task with a context of its own is not started at once."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return super().eager(coro, **kwargs) if kwargs.get("context") is None else Task(coro, loop=self, **kwargs)


@breaks("tasks.eager", since="3.12")
class DebugModeIsNotEager(OwnEager):
    """In debug mode no task is started at once."""

    def eager(self, coro: Any, **kwargs: Any) -> Any:
        return Task(coro, loop=self, **kwargs) if self.get_debug() else super().eager(coro, **kwargs)


@breaks("cancellation.result-ready")
class TasksThatAreReadyWin(Cancelling):
    """A task that waits for another task, which is done when it is asked to end, goes on, and the request is lost."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            awaited: Any = self._fut_waiter
            return True if isinstance(awaited, asyncio.Task) and awaited.done() else super().cancel(msg)


@breaks("cancellation.uncancel")
class NobodyElseUncancels(Cancelling):
    """uncancel() is heard from the task itself only."""

    class own(Task):
        def uncancel(self) -> int:
            mine = self.get_loop().is_running() and asyncio.current_task() is self
            return super().uncancel() if mine else self.cancelling()


@breaks("tasks.name-shown")
class NamesAreNotShown(OwnTasks):
    """repr() of a task has no name."""

    class own(Task):
        def __repr__(self) -> str:
            return f"<{type(self).__name__} {'done' if self.done() else 'pending'}>"
