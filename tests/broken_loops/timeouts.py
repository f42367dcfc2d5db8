"""Broken loops of the chapter `timeouts`: asyncio.timeout() and timeout_at().

Most are wrong only for the test of the sentence that they break: a loop that breaks timeouts breaks all of them.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Throwing
from tests.broken_loops.tasks import OwnTasks, Stock, Task


def in_test(name: str) -> bool:
    """Whether the current task runs the coroutine of a test whose name has these words."""
    task = asyncio.current_task()
    return task is not None and name in getattr(task.get_coro(), "__qualname__", "")


class Timers(Stock):
    """A loop that looks at the timers of asyncio.timeout() made in the test whose name has the words `test`."""

    test = ""

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        return super().call_at(when, callback, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == "_on_timeout" and in_test(self.test):
            return self.timer(when, callback, context)
        return super().call_at(when, callback, *args, context=context)


class Unheeding(Timers):
    """Timers fire although their handles are cancelled."""

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        super().timer(when, callback, context)
        return asyncio.TimerHandle(when, callback, (), self)


@breaks("timeouts.raises")
class TimeoutsAreCancellations(Timers):
    """At the deadline the task is cancelled as if by somebody else."""

    test = "takes_too_long"

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        return super().timer(when, asyncio.current_task().cancel, context)  # type: ignore[union-attr]


@breaks("timeouts.not-early")
class TimeoutsComeEarly(Timers):
    """A timeout comes at once."""

    test = "does_not_come_early"

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        return super().timer(self.time(), callback, context)


class ThrowingInTest(Throwing):
    """Throws TimeoutError in place of CancelledError into the coroutine of the test that `test` names."""

    chapter = "timeouts"
    test = ""

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and self.test in coro.__qualname__:
            return TimeoutError("thrown in")
        return error


@breaks("timeouts.cancels-inside")
class TimeoutsAreThrownIn(ThrowingInTest):
    """At the deadline TimeoutError is thrown into the block."""

    test = "inside_the_block"


@breaks("timeouts.in-time")
class TimeoutsStayArmed(Unheeding):
    """The timer of a block that has ended fires."""

    test = "ends_in_time"


@breaks("timeouts.when")
class TheClockJumps(Stock):
    """The clock that timeout() sees is ahead by a second."""

    def time(self) -> float:
        return super().time() + (1 if sys._getframe(1).f_code.co_name == "timeout" else 0)


@breaks("timeouts.at")
class AbsoluteTimesAreOver(Timers):
    """A timer that is set to an absolute time fires at once."""

    test = "takes_an_absolute_time"

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        return super().timer(self.time(), callback, context)


@breaks("timeouts.past")
class PastDeadlinesAreErrors(Stock):
    """A deadline that is over is refused."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") == "_on_timeout" and in_test("a_deadline_that_is_over"):
            raise ValueError("the deadline is over")
        return super().call_soon(callback, *args, context=context)


@breaks("timeouts.expired")
class ExpiredIsNotNoticed(ThrowingInTest):
    """At the deadline TimeoutError is thrown into the block, which does not know why."""

    test = "test_expired_tells"

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == "_on_timeout" and any(self.test in name for name in _callers()):
            callback = asyncio.current_task().cancel  # type: ignore[union-attr]
        return super().call_at(when, callback, *args, context=context)


def _callers() -> list[str]:
    frame, names = sys._getframe(1), []
    while frame is not None:
        names.append(frame.f_code.co_qualname)
        frame = frame.f_back  # type: ignore[assignment]
    return names


@breaks("timeouts.reschedule-later")
class PutOffInVain(Unheeding):
    """A deadline that was put off comes all the same."""

    test = "can_be_put_off"


@breaks("timeouts.reschedule-earlier")
class BroughtForwardInVain(Timers):
    """A deadline that is brought forward ends the task, and is no timeout."""

    test = "can_be_brought_forward"

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        if when - self.time() < 500:
            callback = asyncio.current_task().cancel  # type: ignore[union-attr]
        return super().timer(when, callback, context)


class Counting(OwnTasks):
    """A loop with tasks of its own for the test whose name has the words `test`."""

    chapter = "timeouts"
    test = ""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.test in getattr(coro, "__qualname__", ""):
            return super().create_task(coro, **kwargs)
        return super(OwnTasks, self).create_task(coro, **kwargs)


@breaks("timeouts.nested-inner")
class InnerTimeoutsEndAll(Counting):
    """uncancel() does not take a request back."""

    test = "an_inner_timeout"

    class own(Task):
        def uncancel(self) -> int:
            return self.cancelling()


@breaks("timeouts.nested-outer")
class InnerTimeoutsComeToo(Timers):
    """The timer of a deadline far away fires together with one that is due."""

    test = "an_outer_timeout"
    first = 0.0

    def timer(self, when: float, callback: Any, context: Any) -> asyncio.TimerHandle:
        self.first = self.first or when
        return super().timer(self.first, callback, context)


@breaks("timeouts.goes-on")
class RequestsStay(Counting):
    """uncancel() returns the remaining number of requests, and leaves it as it was."""

    test = "goes_on_after_a_timeout"

    class own(Task):
        def uncancel(self) -> int:
            return self.cancelling() - 1


@breaks("timeouts.cancelled-by-others")
class AnyCancellationIsATimeout(ThrowingInTest):
    """A task with a timeout gets TimeoutError when others cancel it."""

    test = "by_others_is_no_timeout.<locals>.child"


@breaks("timeouts.error")
class FailedBlocksStayArmed(Unheeding):
    """The timer of a block that has failed fires."""

    test = "exception_of_the_block"
