"""Broken loops that take odd exceptions, messages and names for something else, or for nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter

# ---- futures


@breaks("futures.exception")
class ExceptionIsReturnedOnce(OwnFutures):
    """exception() gives the exception away with the first answer."""

    class own(Future):
        given = False

        def exception(self) -> BaseException | None:
            error = super().exception()
            if self.given:
                return None
            self.given = True
            return error


@breaks("futures.exception")
class BaseExceptionsAreRefused(OwnFutures):
    """set_exception() takes instances of Exception only."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if isinstance(exception, BaseException) and not isinstance(exception, Exception):
                raise TypeError("an Exception is needed")
            super().set_exception(exception)


@breaks("futures.exception")
class SetCancelledErrorsCancel(OwnFutures):
    """set_exception() with a CancelledError cancels the future."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if isinstance(exception, asyncio.CancelledError):
                self.cancel(*exception.args)
            else:
                super().set_exception(exception)


@breaks("futures.exception-never-retrieved")
class CallbacksRetrieve(OwnFutures):
    """An exception of a future that has done callbacks is not reported, whether they ask for it or not."""

    class own(Future):
        called = False

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.called = True
            super().add_done_callback(fn, context=context)

        def set_exception(self, exception: Any) -> None:
            super().set_exception(exception)
            if self.called:
                self.exception()


@breaks("futures.result-raises")
class FalseExceptionsAreResults(OwnFutures):
    """result() returns None if the truth value of the exception is false."""

    class own(Future):
        def result(self) -> Any:
            if not self.done() or self.cancelled() or self.exception() is None or self.exception():
                return super().result()
            return None


@breaks("futures.await-exception")
class FalseExceptionsEndTheAwait(OwnFutures):
    """An await expression has the value None if the truth value of the exception is false."""

    class own(Future):
        def __await__(self) -> Any:
            try:
                return (yield from super().__await__())
            except Exception as error:
                if error:
                    raise
                return None


@breaks("futures.set-exception-class")
class OnlyBuiltInClassesAreMade(OwnFutures):
    """set_exception() makes instances of the built-in exception classes only."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if isinstance(exception, type) and exception.__module__ != "builtins":
                raise TypeError("an instance is needed")
            super().set_exception(exception)


@breaks("futures.stop-iteration")
class StopIterationPassesAsAClass(OwnFutures):
    """The class StopIteration is set as a result would be; instances are refused."""

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            if exception is StopIteration:
                self.set_result(None)
            else:
                super().set_exception(exception)


@breaks("futures.cancel-message")
class FalseMessagesAreDropped(OwnFutures):
    """A message whose truth value is false is dropped."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(msg or None)


@breaks("futures.cancel-message")
class MessagesAreGivenAway(OwnFutures):
    """The CancelledError that result() raises for the second time has no message."""

    class own(Future):
        asked = False

        def result(self) -> Any:
            if self.cancelled():
                if self.asked:
                    raise asyncio.CancelledError
                self.asked = True
            return super().result()


@breaks("futures.cancel-done")
class TheLastMessageCounts(OwnFutures):
    """cancel() of a cancelled future changes the message."""

    class own(Future):
        last: Any = None

        def cancel(self, msg: Any = None) -> bool:
            if self.cancelled():
                self.last = msg
            return super().cancel(msg)

        def result(self) -> Any:
            if self.cancelled() and self.last is not None:
                raise asyncio.CancelledError(self.last)
            return super().result()


# ---- tasks


class _Ending(Stock):
    """Changes the exceptions that the coroutines called `name` of a chapter's tests end with."""

    chapter = "tasks"
    name = "_fail"

    def ended(self, error: BaseException) -> BaseException:
        return error

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def end() -> Any:
            try:
                return await coro
            except BaseException as error:
                changed = self.ended(error)
                if changed is error:
                    raise
                raise changed from None

        mine = of_chapter(coro, self.chapter) and coro.__name__ == self.name
        return super().create_task(end() if mine else coro, **kwargs)


@breaks("tasks.exception")
class GroupsOfOneAreUnwrapped(_Ending):
    """The exception of a task that raised a group of one exception is that one."""

    def ended(self, error: BaseException) -> BaseException:
        alone = isinstance(error, ExceptionGroup) and len(error.exceptions) == 1
        return error.exceptions[0] if alone else error  # type: ignore[attr-defined]  # a group


@breaks("tasks.exception")
class GroupsWithACancellationCancel(_Ending):
    """A task that raises a group with a CancelledError in it is cancelled."""

    def ended(self, error: BaseException) -> BaseException:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(asyncio.CancelledError):
            return asyncio.CancelledError()
        return error


@breaks("tasks.exception")
class GroupsWithAnExitLeaveTheLoop(_Ending):
    """A group with SystemExit in it leaves the loop as SystemExit does."""

    def ended(self, error: BaseException) -> BaseException:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(SystemExit):
            return SystemExit(3)
        return error


@breaks("cancellation.raised")
class SubclassesDoNotCancel(_Ending):
    """A subclass of CancelledError that a coroutine raises is the exception of its task."""

    chapter = "cancellation"
    name = "child"

    def ended(self, error: BaseException) -> BaseException:
        other = isinstance(error, asyncio.CancelledError) and type(error) is not asyncio.CancelledError
        return BaseException("withdrawn") if other else error


@breaks("lifecycle.base-exception-leaves-task")
class SubclassesOfExitsStayInTasks(Stock):
    """A subclass of SystemExit that a coroutine raises is the exception of its task, and the loop goes on."""

    def run_until_complete(self, future: Any) -> Any:
        async def leave() -> Any:
            try:
                return await future
            except SystemExit as error:
                if type(error) is SystemExit:
                    raise
                return None

        return super().run_until_complete(leave() if of_chapter(future, "lifecycle") else future)


@breaks("lifecycle.base-exception-leaves")
class SubclassesOfExitsStayInCallbacks(Stock):
    """A subclass of SystemExit that a callback raises ends the run as stop() does."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit as error:
            if type(error) is SystemExit:
                raise


@breaks("cancellation.message")
class FalseMessagesOfTasksAreDropped(OwnTasks):
    """A task's message whose truth value is false is dropped."""

    chapter = "cancellation"

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(msg or None)


@breaks("tasks.coroutine")
class DoneTasksHaveNoCoroutine(OwnTasks):
    """get_coro() returns None when the task is done."""

    class own(Task):
        def get_coro(self) -> Any:
            return None if self.done() else super().get_coro()


@breaks("cancellation.result-ready")
class ExceptionsWinOverRequests(OwnTasks):
    """A task whose future has failed when it is asked to end takes the exception, and the request is lost."""

    chapter = "cancellation"

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            future = coro.cr_frame.f_locals.get("future") if coro.cr_frame else None
            with contextlib.suppress(Exception, asyncio.CancelledError):
                if future is not None and future.exception():
                    return not self.done()
            return super().cancel(msg)
