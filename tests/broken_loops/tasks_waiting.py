"""Broken loops of the chapter `tasks`: what asyncio's waiting functions, groups, queues and locks ask a loop for."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future
from tests.broken_loops.tasks import Stock, of_chapter


def asker(depth: int = 2) -> str:
    """`Class.function` of asyncio, or the function of a test, that called the loop's method."""
    return sys._getframe(depth).f_code.co_qualname


class FuturesFor(Stock):
    """A loop that gives futures of its `own` class to the function that `asks` names."""

    own: Callable[..., Future] = Future
    asks = ""

    def create_future(self) -> Future:
        if asker().endswith(self.asks):
            return type(self).own(loop=self)
        return super().create_future()


@breaks("tasks.sleep")
class SleepLosesItsResult(Stock):
    """A sleep() gives None whatever the result it was given."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if args[1:] == ("result",):
            args = (args[0], None)
        return super().call_later(delay, callback, *args, context=context)


@breaks("tasks.sleep-suspends")
class ShortSleepsAreSkipped(Stock):
    """A sleep() of less than a millisecond does not suspend the task."""

    def create_future(self) -> Future:
        future = super().create_future()
        frame = sys._getframe(1)
        if frame.f_code.co_name == "sleep" and frame.f_locals["delay"] < 0.001:
            future.set_result(None)
        return future


@breaks("tasks.gather")
class GatherLosesAResult(FuturesFor):
    """The result of a future is None when gather() asks for it."""

    asks = "test_gather_returns_the_results_in_order.<locals>.main"

    class own(Future):
        def result(self) -> Any:
            super().result()


@breaks("tasks.gather-nothing")
class NothingGatheredIsNone(FuturesFor):
    """A future whose result is an empty list gives None to those who await it."""

    asks = "gather"

    class own(Future):
        def set_result(self, result: Any) -> None:
            super().set_result(result or None)


@breaks("tasks.gather-exception")
class AFailureCancelsTheOthers(Stock):
    """When a task fails, tasks that wait are cancelled."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if of_chapter(coro, "tasks_waiting") and coro.__name__ == "_fail":
            waiting = [other for other in asyncio.all_tasks(self) if "wait" in repr(other.get_coro())]
            task.add_done_callback(lambda _: [other.cancel() for other in waiting if other.get_name() != "main"])
        return task


@breaks("tasks.gather-return-exceptions")
class GatheredExceptionsAreWrapped(FuturesFor):
    """The exception of a future is wrapped in a RuntimeError."""

    asks = "test_gather_returns_exceptions.<locals>.main"

    class own(Future):
        def set_exception(self, exception: Any) -> None:
            super().set_exception(RuntimeError(exception))


@breaks("tasks.wait")
class WaitSeesNoExceptions(Stock):
    """A done callback that asks a future for its exception gets None."""

    class own(Future):
        def exception(self) -> BaseException | None:
            error = super().exception()
            return None if sys._getframe(1).f_code.co_name == "_on_completion" else error

    def create_future(self) -> Future:
        if "test_wait_returns_when_it_was_told_to" in asker():
            return self.own(loop=self)
        return super().create_future()


@breaks("tasks.wait-timeout")
class WaitRaisesTimeoutError(Stock):
    """The timeout of wait() raises TimeoutError."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if asker() == "_wait":
            return super().call_later(delay, args[0].set_exception, TimeoutError(), context=context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("tasks.as-completed")
class OneFutureIsLate(Stock):
    """The result of a future comes two iterations late if it is the number 2."""

    class own(Future):
        def set_result(self, result: Any) -> None:
            if result == 2:
                self.get_loop().call_soon(lambda: self.get_loop().call_soon(super(type(self), self).set_result, 2))
            else:
                super().set_result(result)

    def create_future(self) -> Future:
        if "test_as_completed_gives_the_earliest_result_next" in asker():
            return self.own(loop=self)
        return super().create_future()


@breaks("tasks.as-completed-timeout")
class TimeoutsEndTheFutures(Stock):
    """At the timeout of as_completed() the futures that are late are given None as their result."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if callback.__name__ in {"_on_timeout", "_handle_timeout"}:
            frame = sys._getframe(1)
            todo = frame.f_locals.get("todo") or getattr(callback, "__self__", None)._todo  # type: ignore[union-attr]

            def callback() -> None:
                for future in todo:
                    future.set_result(None)

        return super().call_later(delay, callback, *args, context=context)


@breaks("tasks.group")
class GroupsMissATask(Stock):
    """Of the tasks of a group one is still at work when the group ends."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def late() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            await coro

        if of_chapter(coro, "tasks_waiting") and coro.cr_frame.f_locals.get("name") == "a++":
            self.__dict__["kept"] = super().create_task(late())
            return super().create_task(asyncio.sleep(0))
        return super().create_task(coro, **kwargs)


@breaks("tasks.run-in-thread")
class ExecutorsTakeNoKeywords(Stock):
    """run_in_executor() drops the keyword arguments of a partial."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if isinstance(func, functools.partial):
            func, args = func.func, (*func.args, *args)
        return super().run_in_executor(executor, func, *args)


@breaks("tasks.queue")
class JoinDoesNotWait(Stock):
    """A future that Queue.join() waits for is done at once."""

    def create_future(self) -> Future:
        future = super().create_future()
        frame = sys._getframe(1)
        if frame.f_code.co_name == "wait" and frame.f_back is not None and frame.f_back.f_code.co_name == "join":
            future.set_result(None)
        return future


@breaks("tasks.lock-fair")
class LocksAreUnfair(Stock):
    """Of the futures for which tasks wait in Lock.acquire() the last one is done first."""

    class own(Future):
        waiting: list[Any] = []  # noqa: RUF012 (one process knows one such loop)

        def set_result(self, result: Any) -> None:
            last = [other for other in self.waiting if not other.done()][-1]
            asyncio.Future.set_result(last, result)

    def create_future(self) -> Future:
        if sys._getframe(1).f_code.co_name == "acquire" and "lock" in str(sys._getframe(1).f_locals["self"]).lower():
            future = self.own(loop=self)
            self.own.waiting.append(future)
            return future
        return super().create_future()


@breaks("tasks.wakes-all")
class SomeWaitersAreCancelled(Stock):
    """Of the futures that Event.wait() made every other one is cancelled in place of being done."""

    count = 0

    class own(Future):
        def set_result(self, result: Any) -> None:
            self.cancel()

    def create_future(self) -> Future:
        frame = sys._getframe(1)
        if frame.f_code.co_name == "wait" and isinstance(frame.f_locals.get("self"), asyncio.Event):
            self.count += 1
            if self.count % 2:
                return self.own(loop=self)
        return super().create_future()
