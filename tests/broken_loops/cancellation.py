"""Broken loops of the chapter `cancellation`: Task.cancel() and the end of a cancelled task."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import types
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_running import Through


class Cancelling(OwnTasks):
    """A loop with tasks of its own for the coroutines of this chapter."""

    chapter = "cancellation"


class Throwing(Through):
    """A loop that changes what is thrown into the coroutines of this chapter."""

    chapter = "cancellation"

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        """What to throw in place of `error`; None to send None in its place."""
        return error

    @types.coroutine
    def _through(self, coro: Any) -> Generator[Any, Any, Any]:
        try:
            yielded = coro.send(None)
            while True:
                try:
                    yield yielded
                except BaseException as error:
                    other = self.thrown(coro, error)
                    yielded = coro.throw(other) if other is not None else coro.send(None)
                else:
                    yielded = coro.send(None)
        except StopIteration as end:
            return end.value


@breaks("cancellation.thrown")
class CancelsWithoutThrowing(Throwing):
    """A cancelled coroutine is closed: its code sees GeneratorExit and no CancelledError."""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and "trace" in coro.cr_code.co_freevars and coro.cr_frame:
            coro.close()
            raise error
        return error


@breaks("cancellation.next-cycle")
class CancelsAtOnce(Cancelling):
    """The coroutine of a task that waits for a future is cancelled inside cancel()."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            creator = asyncio.current_task()
            coro: Any = self.get_coro()
            if creator is None or coro.__name__ != "child" or "trace" not in coro.cr_code.co_freevars:
                return super().cancel(msg)
            try:
                coro.throw(asyncio.CancelledError())
            except BaseException:
                return super().cancel(msg)
            return True


@breaks("cancellation.accepted")
class CancelReturnsNothing(Cancelling):
    """cancel() of a task that is not done returns None."""

    class own(Task):
        def cancel(self, msg: Any = None) -> Any:
            return super().cancel(msg) and None


@breaks("cancellation.refused")
class DoneTasksTakeRequests(Cancelling):
    """cancel() of a cancelled task returns True."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(msg) or self.cancelled()


@breaks("cancellation.not-an-exception")
class ThrowsAnotherCancelledError(Throwing):
    """The CancelledError of concurrent.futures is thrown into a coroutine that waits for a future."""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if "caught" in coro.cr_code.co_freevars:
            return concurrent.futures.CancelledError()
        return error


@breaks("cancellation.cancelled")
class CancelledAtTheRequest(Cancelling):
    """cancelled() is true from the request on."""

    class own(Task):
        asked = False

        def cancel(self, msg: Any = None) -> bool:
            asked = super().cancel(msg)
            self.asked = asked and "wait_for_it" in repr(self.get_coro())
            return asked

        def cancelled(self) -> bool:
            return super().cancelled() or (self.asked and not self.done())


@breaks("cancellation.result")
class CancelledTasksReturnNone(Cancelling):
    """result() of a cancelled task returns None."""

    class own(Task):
        def result(self) -> Any:
            return None if self.cancelled() and not self.get_loop().is_running() else super().result()


@breaks("cancellation.swallowed")
class SwallowedIsCancelled(Cancelling):
    """A task that was asked to end and returned a value is cancelled."""

    class own(Task):
        asked = False

        def cancel(self, msg: Any = None) -> bool:
            self.asked = super().cancel(msg)
            return self.asked

        def cancelled(self) -> bool:
            return super().cancelled() or (self.asked and self.done() and self.exception() is None)


@breaks("cancellation.cleanup")
class NoTimeToCleanUp(Throwing):
    """A cancelled coroutine that awaits while it cleans up is closed."""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and "cleaned up" in coro.cr_code.co_consts:
            try:
                coro.throw(error)
            finally:
                coro.close()
            raise error
        return error


@breaks("cancellation.error-in-cleanup")
class ErrorsInCleanUpAreCancellations(Throwing):
    """An exception that a coroutine raises while it cleans up is replaced by the CancelledError."""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and "while cleaning up" in coro.cr_code.co_consts:
            try:
                coro.throw(error)
            except LookupError:
                raise error from None
        return error


@breaks("cancellation.before-start")
class TheFirstStepIsMade(Cancelling):
    """A task that is cancelled before it starts makes its first step all the same."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if inspect.getcoroutinestate(coro) == inspect.CORO_CREATED:
                with contextlib.suppress(StopIteration):
                    coro.send(None)
            return super().cancel(msg)


@breaks("cancellation.awaited-future")
class AwaitedFuturesStayPending(Stock):
    """A future whose awaiting task is cancelled stays pending."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if not of_chapter(coro, "cancellation") or coro.__name__ != "wait_for_it":
            return super().create_task(coro, **kwargs)
        future = coro.cr_frame.f_locals["future"]

        async def shielded() -> Any:
            return await asyncio.shield(future)

        coro.close()
        return super().create_task(shielded(), **kwargs)


@breaks("cancellation.awaited-task")
class AwaitedTasksGoOn(Stock):
    """A task that another task awaits is not cancelled with it."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, "cancellation") and isinstance(coro.cr_frame.f_locals.get("inner"), asyncio.Task):
            inner = asyncio.shield(coro.cr_frame.f_locals["inner"])
            # A coroutine that has not started takes its arguments from its frame.
            coro = type(self).again(coro, inner)
        return super().create_task(coro, **kwargs)

    @staticmethod
    async def again(coro: Any, inner: Any) -> None:
        trace = inspect.getcoroutinelocals(coro)["trace"]
        coro.close()
        try:
            await inner
        finally:
            trace.append("outer")


@breaks("cancellation.awaiter")
class AwaitersAreCancelledToo(Cancelling):
    """Whoever awaits a task that is cancelled is cancelled, too."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            try:
                return (yield from super().__await__())
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if self.cancelled() and me is not None and not self.cancelling():
                    raise
                me.cancel() if me is not None else None
                raise


@breaks("cancellation.message")
class MessagesAreDropped(Throwing):
    """The CancelledError that is thrown in has no message."""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        return asyncio.CancelledError() if "seen" in coro.cr_code.co_freevars else error


@breaks("cancellation.message-to-awaiter")
class MessagesEndAtTheTask(Cancelling):
    """The CancelledError that the awaiter of a cancelled task gets has no message."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            try:
                return (yield from super().__await__())
            except asyncio.CancelledError:
                raise asyncio.CancelledError from None


@breaks("cancellation.result-ready")
class ResultsWinOverRequests(Cancelling):
    """A task whose future is done when it is asked to end takes the result."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            future = (coro.cr_frame.f_locals if coro.cr_frame else {}).get("future")
            if coro.__name__ == "wait_for_it" and future is not None and future.done() and not self.done():
                return True
            return super().cancel(msg)


@breaks("cancellation.not-reported")
class CancellationsAreReported(Cancelling):
    """A cancelled task that is collected is reported to the exception handler."""

    class own(Task):
        def __del__(self) -> None:
            if self.cancelled() and not self.get_loop().is_closed() and "wait_for_it" in repr(self.get_coro()):
                self.get_loop().call_exception_handler({"message": "never retrieved", "task": self})


@breaks("cancellation.done-callbacks")
class CallbacksAtTheRequest(Cancelling):
    """The done callbacks of a task are called at the request to end it."""

    class own(Task):
        added: tuple[Any, ...] = ()

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.added += (fn,)
            super().add_done_callback(fn, context=context)

        def cancel(self, msg: Any = None) -> bool:
            asked = super().cancel(msg)
            if not self.get_loop().is_running():
                for fn in self.added:
                    fn(self)
            return asked


@breaks("cancellation.run-until-complete")
class CancelledRunsReturnNone(Stock):
    """run_until_complete() returns None if the task was cancelled."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except asyncio.CancelledError:
            if not isinstance(future, asyncio.Task) or "wait_for_it" not in repr(future.get_coro()):
                raise
            return None
