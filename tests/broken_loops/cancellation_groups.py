"""Broken loops of the chapter `cancellation`: counts of requests, shields, gather() and task groups."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling, Throwing
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import Stock, Task, of_chapter


@breaks("cancellation.count")
class RequestsAreAFlag(Cancelling):
    """cancelling() returns 1 if there was any request."""

    class own(Task):
        def cancelling(self) -> int:
            return min(super().cancelling(), 1)


@breaks("cancellation.uncancel")
class UncancelReturnsAFlag(Cancelling):
    """uncancel() returns whether any request remains."""

    class own(Task):
        def uncancel(self) -> int:
            return bool(super().uncancel())


@breaks("cancellation.uncancel")
class UncancelReturnsTheCountBefore(Cancelling):
    """uncancel() returns the count as it was before the call."""

    class own(Task):
        def uncancel(self) -> int:
            before = self.cancelling()
            super().uncancel()
            return before


@breaks("cancellation.uncancel-done")
class UncancelRevives(Cancelling):
    """A task whose requests were taken back is not cancelled any more."""

    class own(Task):
        taken_back = False

        def uncancel(self) -> int:
            self.taken_back = self.done()
            return super().uncancel()

        def cancelled(self) -> bool:
            return super().cancelled() and not self.taken_back


@breaks("cancellation.uncancel-pending", since="3.13")
class OneUncancelTakesAllBack(Cancelling):
    """uncancel() takes back all requests that were not delivered."""

    class own(Task):
        def uncancel(self) -> int:
            left = super().uncancel()
            while super().uncancel():
                pass
            return left


@breaks("cancellation.uncancel-pending", since="3.13")
class UndeliveredRequestsStay(Cancelling):
    """uncancel() leaves a request that was not delivered as it is."""

    class own(Task):
        count = 0

        def cancel(self, msg: Any = None) -> bool:
            asked = super().cancel(msg)
            self.count += asked
            return asked

        def cancelling(self) -> int:
            return self.count

        def uncancel(self) -> int:
            self.count = max(self.count - 1, 0)
            return self.count


@breaks("cancellation.again")
class CancelsOnce(Cancelling):
    """A second request does nothing if the first one was suppressed."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if self.cancelling() and "names" in coro.cr_code.co_freevars:
                return not self.done()
            return super().cancel(msg)


@breaks("cancellation.itself")
class RunningTasksCannotBeCancelled(Cancelling):
    """A task that cancels itself when nobody else asked is not cancelled."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if asyncio.current_task() is self and "went on" in coro.cr_code.co_consts and coro.__name__ == "child":
                return True
            return super().cancel(msg)


@breaks("cancellation.raised")
class RaisedIsNotCancelled(Cancelling):
    """A task is cancelled only if cancel() was called."""

    class own(Task):
        def cancelled(self) -> bool:
            coro: Any = self.get_coro()
            return super().cancelled() and (coro is None or "test_a_coroutine_that_raises" not in repr(coro))


class PassingShields(Stock):
    """The future of a shield() round one of the tasks `shields` passes its cancellation on to the task."""

    shields = ""

    class own(Future):
        inner: Any = None

        def cancel(self, msg: Any = None) -> bool:
            self.inner.cancel()
            return super().cancel(msg)

    def create_future(self) -> Future:
        frame = sys._getframe(1)
        if frame.f_code.co_name == "shield" and self.shields in repr(frame.f_locals["inner"]):
            future = self.own(loop=self)
            future.inner = frame.f_locals["inner"]
            return future
        return super().create_future()


@breaks("cancellation.shield")
class ShieldsPassRequestsOn(PassingShields):
    """A future made for shield() passes its cancellation on to the task that it protects."""

    shields = "test_cancellation"


@breaks("cancellation.shield-inner")
class ShieldsOutliveTheirTasks(Stock):
    """A shield() whose task is cancelled gives None."""

    class own(Future):
        def cancel(self, msg: Any = None) -> bool:
            if sys._getframe(1).f_code.co_name == "_inner_done_callback":
                self.set_result(None)
                return True
            return super().cancel(msg)

    def create_future(self) -> Future:
        return self.own(loop=self) if sys._getframe(1).f_code.co_name == "shield" else super().create_future()


@breaks("cancellation.gather")
class OneChildIsForgotten(Cancelling):
    """Of the tasks that gather() cancels in one go only the first two are cancelled."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            frame = sys._getframe(1)
            if frame.f_locals.get("child") is self and self is frame.f_locals["self"]._children[-1]:
                self.get_loop().call_soon(self._end)
                return True
            return super().cancel(msg)

        def _end(self) -> None:
            coro: Any = self.get_coro()
            coro.cr_frame.f_locals["future"].set_result(None)


@breaks("cancellation.gathered")
class ACancelledTaskTakesOthersAlong(Stock):
    """When a task is cancelled that gather() waits for, the others are cancelled with it."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if of_chapter(coro, "cancellation_groups") and coro.__name__ == "_wait":
            task.add_done_callback(self._ended)
        return task

    def _ended(self, task: Any) -> None:
        for other in asyncio.all_tasks(self) if task.cancelled() else ():
            if other.get_name() != "main" and "test_a_cancelled_child" not in repr(other.get_coro()):
                for callback in getattr(other, "_callbacks", None) or ():
                    if "gather" in repr(callback):
                        other.cancel()
                        break


@breaks("cancellation.wait")
class WaitCancelsWhatItWaitsFor(Stock):
    """A future that wait() waits for is cancelled with the task that called wait()."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        futures = coro.cr_frame.f_locals.get("fs") if getattr(coro, "__name__", "") == "wait" else None
        task = super().create_task(coro, **kwargs)
        if isinstance(futures, list) and len(futures) == 1:
            task.add_done_callback(lambda task: futures[0].cancel() if task.cancelled() else None)
        return task


@breaks("cancellation.group-fails")
class GroupsStayCancelled(Cancelling):
    """uncancel() of a task that holds a group does nothing."""

    class own(Task):
        def uncancel(self) -> int:
            if "TaskGroup" in sys._getframe(1).f_code.co_qualname:
                return self.cancelling()
            return super().uncancel()


@breaks("cancellation.group-cancelled")
class GroupsAreAbandoned(Throwing):
    """A task that is cancelled while it waits for its group ends without it."""

    chapter = "cancellation_groups"

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and coro.__name__ == "holder":
            self.call_soon(lambda: None)
            trace = coro.cr_frame.f_locals["trace"]
            trace.append("holder")
            for task in asyncio.all_tasks(self):
                if "child" in repr(task.get_coro()) or task.get_coro().__name__ == "_through":  # type: ignore[union-attr]
                    task.cancel() if task is not asyncio.current_task() and "main" not in repr(task) else None
            raise error
        return error
