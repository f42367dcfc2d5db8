"""Broken loops of the chapter `cancellation`: right of most tasks, and wrong in one state."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import Stock, Task
from tests.broken_loops.tasks_conditions import failed, running, unstarted


@breaks("cancellation.cancelled")
class RequestedBeforeItsStartIsCancelled(Cancelling):
    """cancelled() is true of a task that was not started from the request on."""

    class own(Task):
        def cancelled(self) -> bool:
            return super().cancelled() or (unstarted(self) and self.cancelling() > 0)


@breaks("cancellation.count")
class UnstartedTasksCountNothing(Cancelling):
    """cancelling() of a task that was not started is 0."""

    class own(Task):
        def cancelling(self) -> int:
            return 0 if unstarted(self) else super().cancelling()


@breaks("cancellation.raised")
class AnyCancellationCounts(Cancelling):
    """cancelling() of a task that was cancelled is 1 at least."""

    class own(Task):
        def cancelling(self) -> int:
            return max(super().cancelling(), int(self.cancelled()))


@breaks("cancellation.awaiter")
class LateAwaitersGetNone(Cancelling):
    """Awaiting a task that is cancelled already gives None."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            return iter(()) if self.cancelled() else super().__await__()  # type: ignore[return-value]


@breaks("cancellation.itself")
class TasksCancelThemselvesWithoutAMessage(Cancelling):
    """The message is lost if a task cancels itself."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(None if running(self) else msg)


@breaks("cancellation.error-in-cleanup")
class ARequestToOneselfIsTheEnd(Cancelling):
    """cancelled() is true of a task that has cancelled itself, and raised another exception before its next await."""

    class own(Task):
        by_itself = False

        def cancel(self, msg: Any = None) -> bool:
            self.by_itself = self.by_itself or running(self)
            return super().cancel(msg)

        def cancelled(self) -> bool:
            return super().cancelled() or (failed(self) and self.by_itself)


@breaks("cancellation.awaited-future")
class SharedFuturesAreSpared(Stock):
    """A future that two tasks await is not cancelled with one of them."""

    class own(Future):
        waiting = 0

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            self.waiting += isinstance(getattr(fn, "__self__", None), asyncio.Task)
            super().add_done_callback(fn, context=context)

        def cancel(self, msg: Any = None) -> bool:
            return self.waiting < 2 and super().cancel(msg)

    def create_future(self) -> Any:
        return self.own(loop=self) if sys._getframe(1).f_code.co_name == "waiting_task" else super().create_future()


@breaks("cancellation.uncancel-one-of-two")
class AnyUncancelTakesTheExceptionBack(Cancelling):
    """uncancel() takes back the exception that was not thrown in yet, though requests remain."""

    class own(Task):
        requests = 0
        taken_back = False

        def deliver(self) -> None:
            if not self.taken_back:
                super().cancel()

        def cancel(self, msg: Any = None) -> bool:
            if not running(self):
                return super().cancel(msg)
            self.requests += 1
            self.get_loop().call_soon(self.deliver)
            return True

        def uncancel(self) -> int:
            if not self.requests:
                return super().uncancel()
            self.taken_back = True
            self.requests -= 1
            return self.requests


@breaks("cancellation.gather")
class TasksDoNotCancelGather(Cancelling):
    """cancel() of a task that awaits gather() is lost."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            frame = getattr(self.get_coro(), "cr_frame", None)
            awaited = frame and frame.f_locals.get("future")
            return type(awaited).__name__ == "_GatheringFuture" or super().cancel(msg)


@breaks("cancellation.again")
class TwoRequestsAreHeard(Cancelling):
    """The third request to cancel a task is ignored."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return self.cancelling() >= 2 or super().cancel(msg)


@breaks("cancellation.count")
class RequestsCountTwiceInDebugMode(Cancelling):
    """cancelling() returns twice the number of requests in debug mode."""

    class own(Task):
        def cancelling(self) -> int:
            return super().cancelling() * (2 if self.get_loop().get_debug() else 1)


@breaks("cancellation.swallowed")
class DebugModeReportsDenials(Cancelling):
    """In debug mode a task that suppressed a CancelledError is reported to the exception handler."""

    class own(Task):
        def __init__(self, coro: Any, **kwargs: Any) -> None:
            super().__init__(coro, **kwargs)
            if self.get_loop().get_debug():
                super().add_done_callback(self.report)

        def report(self, _: Any) -> None:
            if self.cancelling() and not self.cancelled():
                self.get_loop().call_exception_handler({"message": "a cancellation was suppressed", "task": self})


@breaks("cancellation.cleanup")
class TasksOfTheCancelledAreCancelled(Stock):
    """A task that is made by one that was asked to be cancelled is cancelled, too."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        maker = asyncio.current_task() if self.is_running() else None
        if maker is not None and maker.cancelling():
            task.cancel()
        return task


@breaks("cancellation.thrown")
class BareYieldsPassTheRequestOn(Cancelling):
    """A task that is cancelled when it waits for its turn goes on, and gets the CancelledError at what follows."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            awaited: Any = self.get_coro()
            while inspect.iscoroutine(awaited) and awaited.cr_await is not None:
                awaited = awaited.cr_await
            if inspect.isgenerator(awaited) and inspect.getgeneratorstate(awaited) == inspect.GEN_SUSPENDED:
                self.get_loop().call_soon(super().cancel, msg)
                return True
            return super().cancel(msg)


@breaks("cancellation.cleanup")
class TwoRequestsAreTheEnd(Cancelling):
    """done() is true of a task that was asked twice to be cancelled."""

    class own(Task):
        def done(self) -> bool:
            return super().done() or self.cancelling() > 1


@breaks("cancellation.awaited-future")
class FalseFuturesAreNone(Cancelling):
    """A request to cancel a task does not reach what it awaits if the truth value of that is false."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            awaited: Any = self._fut_waiter
            return True if awaited is not None and not awaited else super().cancel(msg)


@breaks("tasks.future-like")
class FalseFutureLikesAreNone(FalseFuturesAreNone):
    """A request to cancel a task does not reach a Future-like object that it awaits, whose truth value is false."""

    chapter = "tasks"
