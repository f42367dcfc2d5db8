"""Chapter tasks: sleep(), gather(), wait(), as_completed(), task groups and to_thread(), driven by the loop.

All of them are asyncio's own code; they ask the loop for futures, timers and an order of callbacks, and show whether
it gave them. Cancellation and timeouts are chapters of their own, queues and locks are in test_tasks_locks.py.
"""

from __future__ import annotations

import asyncio

import pytest

from conformance.kit.cases import each
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


async def _fail() -> None:
    raise LookupError("of the coroutine")


@requirement("tasks.sleep", MUST, cite="asyncio-task: sleep")
def test_sleep_returns_its_result_after_the_delay(loop: Loop) -> None:
    """sleep() blocks for delay seconds and returns the given result, or None.

    If this fails: look for a timer that fires early, or a future that loses its result.
    """

    async def main() -> None:
        start = loop.time()
        assert await asyncio.sleep(0.005, "result") == "result"
        # A loop may count in whole milliseconds, and begin to count at the last one.
        assert loop.time() - start >= 0.004
        assert await asyncio.sleep(0.001) is None  # type: ignore[func-returns-value]

    loop.run_until_complete(main())


@requirement("tasks.sleep-suspends", MUST, cite="asyncio-task: sleep")
@each("delay", [0, -1, 0.0001])
def test_sleep_always_suspends(loop: Loop, delay: float) -> None:
    """sleep() always suspends the current task, allowing other tasks to run, however short the delay.

    If this fails: look for a delay of nothing that is skipped, or for a task resumed before those that wait.
    """
    trace: list[str] = []

    async def other() -> None:
        trace.append("other")

    async def main() -> None:
        task = asyncio.create_task(other())
        await asyncio.sleep(delay)
        trace.append("main")
        await task

    loop.run_until_complete(main())
    assert trace == ["other", "main"]


@requirement("tasks.gather", MUST, cite="asyncio-task: gather")
def test_gather_returns_the_results_in_order(loop: Loop) -> None:
    """gather() runs awaitables, coroutines as well as futures, and its result is the list of theirs, in their order.

    If this fails: look for done callbacks that are lost, or called with another future.
    """

    async def child(number: int) -> int:
        for _ in range(3 - number):
            await asyncio.sleep(0)
        return number

    async def main() -> None:
        future = loop.create_future()
        loop.call_soon(future.set_result, "future")
        results: object = await asyncio.gather(child(0), future, child(2), child(1))
        assert results == [0, "future", 2, 1]

    loop.run_until_complete(main())


@requirement("tasks.gather-nothing", MUST, cite="asyncio-task: gather")
def test_gather_of_nothing(loop: Loop) -> None:
    """The result of gather() without awaitables is an empty list.

    If this fails: look for create_future() and call_soon(), of which such a gather() is made.
    """

    async def main() -> None:
        assert await asyncio.gather() == []

    loop.run_until_complete(main())


@requirement("tasks.gather-exception", MUST, cite="asyncio-task: gather")
def test_gather_raises_the_first_exception(loop: Loop) -> None:
    """The first raised exception is propagated at once by gather(); the other awaitables continue to run.

    If this fails: look for tasks that are cancelled, or dropped, together with the one that failed.
    """

    async def main() -> None:
        released = loop.create_future()

        async def wait() -> object:
            return await released

        other = asyncio.create_task(wait())
        with pytest.raises(LookupError):
            await asyncio.gather(other, _fail())
        assert not other.done()
        released.set_result("released")
        assert await other == "released"

    loop.run_until_complete(main())


@requirement("tasks.gather-return-exceptions", MUST, cite="asyncio-task: gather")
def test_gather_returns_exceptions(loop: Loop) -> None:
    """If return_exceptions is True, exceptions and cancellations are in the result list as results are.

    If this fails: look for exception() of the loop's own futures and tasks.
    """

    async def main() -> None:
        cancelled, failed = loop.create_future(), loop.create_future()
        cancelled.cancel()
        failed.set_exception(ValueError("of the future"))
        results = await asyncio.gather(_fail(), cancelled, failed, return_exceptions=True)
        assert [type(result) for result in results] == [LookupError, asyncio.CancelledError, ValueError]

    loop.run_until_complete(main())


@requirement("tasks.wait", MUST, cite="asyncio-task: wait")
@each("return_when", ["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"])
def test_wait_returns_when_it_was_told_to(loop: Loop, return_when: str) -> None:
    """wait() returns the sets of done and pending futures when one, or all, are done, or when one raised.

    If this fails: look for done callbacks of futures that have an exception or were cancelled.
    """

    async def main() -> None:
        plain, failing, last = (loop.create_future() for _ in range(3))

        async def end() -> None:
            for finish in (lambda: plain.set_result(1), lambda: failing.set_exception(LookupError()), last.cancel):
                for _ in range(4):
                    await asyncio.sleep(0)
                finish()

        task = asyncio.create_task(end())
        done, pending = await asyncio.wait([plain, failing, last], return_when=return_when)
        count = {"ALL_COMPLETED": 3, "FIRST_COMPLETED": 1, "FIRST_EXCEPTION": 2}[return_when]
        assert done == set([plain, failing, last][:count])
        assert pending == set([plain, failing, last][count:])
        await task
        failing.exception()

    loop.run_until_complete(main())


@requirement("tasks.wait-timeout", MUST, cite="asyncio-task: wait")
@each("timeout", [0, 0.002])
def test_wait_does_not_cancel_what_is_late(loop: Loop, timeout: float) -> None:
    """wait() raises no TimeoutError: what isn't done when the timeout occurs is returned as pending, not cancelled.

    If this fails: look for a timer of no delay that never fires.
    """

    async def main() -> None:
        future = loop.create_future()
        assert await asyncio.wait([future], timeout=timeout) == (set(), {future})
        assert not future.done()

    loop.run_until_complete(main())


@requirement("tasks.as-completed", MUST, cite="asyncio-task: as_completed")
def test_as_completed_gives_the_earliest_result_next(loop: Loop) -> None:
    """Each coroutine that as_completed() returns gives the earliest next result of those that remain.

    If this fails: look for done callbacks that run out of order.
    """

    async def main() -> None:
        futures = [loop.create_future() for _ in range(3)]
        for number in (2, 0, 1):
            loop.call_soon(futures[number].set_result, number)
        assert [await earliest for earliest in asyncio.as_completed(futures)] == [2, 0, 1]

    loop.run_until_complete(main())


@requirement("tasks.as-completed-timeout", MUST, cite="asyncio-task: as_completed")
def test_as_completed_raises_timeout_error(loop: Loop) -> None:
    """as_completed() raises TimeoutError if the timeout occurs before all futures are done.

    If this fails: look for the timer of call_later(), which runs while a coroutine waits for a future.
    """

    async def main() -> None:
        done, late = loop.create_future(), loop.create_future()
        done.set_result("done")
        first, second = asyncio.as_completed([done, late], timeout=0.002)
        assert await first == "done"
        with pytest.raises(TimeoutError):
            await second

    loop.run_until_complete(main())


@requirement("tasks.group", MUST, cite="asyncio-task: TaskGroup")
def test_a_task_group_waits_for_its_tasks(loop: Loop) -> None:
    """The async with statement of a TaskGroup waits for all tasks of the group, also those added while it waits.

    If this fails: look for done callbacks of tasks, by which the group counts.
    """
    trace: list[str] = []

    async def child(group: asyncio.TaskGroup, name: str) -> None:
        await asyncio.sleep(0)
        if len(name) < 3:
            group.create_task(child(group, name + "+"))
        trace.append(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(group, "a"))
        trace.append("end")

    loop.run_until_complete(main())
    assert trace == ["a", "a+", "a++", "end"]


@requirement("tasks.run-in-thread", MUST, cite="asyncio-task: to_thread")
def test_to_thread_passes_arguments_and_result(loop: Loop) -> None:
    """to_thread() runs a function with its positional and keyword arguments in a thread, and gives its result.

    If this fails: look for run_in_executor(), which must run any callable.
    """

    async def main() -> None:
        assert await asyncio.to_thread(dict, [("a", 1)], b=2) == {"a": 1, "b": 2}
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())
