"""Broken loops of the chapter `timeouts`: what asyncio.wait_for() asks a loop for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation_groups import PassingShields
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import Stock, Task
from tests.broken_loops.tasks_waiting import FuturesFor
from tests.broken_loops.timeouts import Counting, ThrowingInTest


@breaks("timeouts.wait-for")
class WaitedForFuturesGiveNone(FuturesFor):
    """An await of a future gives None."""

    asks = "test_wait_for_returns_the_result.<locals>.main"

    class own(Future):
        def __await__(self) -> Generator[Any, None, Any]:
            yield from super().__await__()


class _Failing(Future):
    """A future that fails in place of being cancelled."""

    error: type[Exception] = RuntimeError

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        self.set_exception(self.error("given up"))
        return True


@breaks("timeouts.wait-for-raises")
class WaitedForFuturesTimeOut(FuturesFor):
    """A future that is cancelled because of a timeout fails with TimeoutError."""

    asks = "test_wait_for_cancels_and_raises.<locals>.main"

    class own(_Failing):
        error = TimeoutError


@breaks("timeouts.wait-for-cleanup")
class CancelsWhoCleansUp(Counting):
    """A task is cancelled again while it cleans up."""

    test = "test_wait_for_waits_until"

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            self.get_loop().call_soon(lambda: self.get_loop().call_soon(super(type(self), self).cancel))
            return super().cancel(msg)


@breaks("timeouts.wait-for-error")
class ErrorsInCleanUpAreTimeouts(ThrowingInTest):
    """An exception while a task cleans up after a timeout becomes TimeoutError."""

    test = "test_an_exception_during_the_cancellation"

    def thrown(self, coro: Any, error: BaseException) -> BaseException | None:
        if isinstance(error, asyncio.CancelledError) and self.test in coro.__qualname__:
            with contextlib.suppress(LookupError):
                coro.close()
            raise TimeoutError("while cleaning up")
        return error


@breaks("timeouts.wait-for-no-time")
class NoTimeIsAnError(FuturesFor):
    """A future for which nobody has time fails with RuntimeError."""

    asks = "test_wait_for_with_no_time.<locals>.main"
    own = _Failing


@breaks("timeouts.wait-for-cancelled")
class WaitedForFuturesFail(FuturesFor):
    """A future whose waiter is cancelled fails with RuntimeError."""

    asks = "test_cancelling_wait_for_cancels_what_it_waits_for.<locals>.main"
    own = _Failing


@breaks("timeouts.wait-for-shield")
class ShieldsDoNotHoldTimeouts(PassingShields):
    """A timeout cancels the task in a shield(), too."""

    shields = "test_a_shield_keeps_wait_for"


@breaks("timeouts.wait-for-result-kept", since="3.12")
class ResultsSwallowCancellations(Stock):
    """A task that waits in wait_for() is not cancelled if what it waits for is done."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            coro: Any = self.get_coro()
            if not self.done() and coro.cr_frame.f_locals["fut"].done():
                return True
            return super().cancel(msg)

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__name__", "") == "wait_for":
            return self.own(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("timeouts.wait-for-swallowed")
class TimeoutsCannotBeSuppressed(ThrowingInTest):
    """At the timeout a TimeoutError is thrown in, which nobody suppresses."""

    test = "test_a_task_that_ends_well"
