"""Chapter cancellation: Task.cancel(), and what becomes of the task and of those who wait for it.

Waiting for the loop's own operations is in test_cancellation_waits.py, counting requests is in
test_cancellation_counting.py, shields and groups are in test_cancellation_groups.py.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import value_of
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def wait_for_it(future: asyncio.Future[Any]) -> Any:
    """What a coroutine does that has nothing to do but to wait."""
    return await future


def waiting_task(
    loop: Loop, future: asyncio.Future[Any] | None = None
) -> tuple[asyncio.Task[Any], asyncio.Future[Any]]:
    """A task that waits for a future, and the future: a new one if none is given."""
    if future is None:
        future = loop.create_future()
    task = loop.create_task(wait_for_it(future))
    turn(loop, 2)
    return task, future


@requirement("cancellation.thrown", MUST, cite="asyncio-task: Task.cancel")
@each("awaits", ["future", "task", "turn"])
def test_cancel_throws_cancelled_error_into_the_coroutine(loop: Loop, awaits: str) -> None:
    """Calling cancel() causes the task to throw a CancelledError into the wrapped coroutine, where it waits.

    If this fails: look for a task that is marked cancelled while its coroutine stays suspended, or for a request to a
    task that waits for nothing but its turn, by sleep(0), that is lost, or comes at what it awaits next.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            if awaits == "future":
                await loop.create_future()
            if awaits == "task":
                await loop.create_task(wait_for_it(loop.create_future()))
            for number in range(20):
                await asyncio.sleep(0)
                trace.append(f"turn {number}")
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise
        trace.append("went on")

    task = loop.create_task(child())
    turn(loop, 2)
    trace.clear()
    task.cancel()
    turn(loop, 25)
    assert trace == ["cancelled"]
    assert task.cancelled()


@requirement("cancellation.next-cycle", MUST, cite="asyncio-task: Task.cancel")
def test_cancel_only_requests(loop: Loop) -> None:
    """cancel() arranges for the exception to be thrown on the next cycle of the loop: not before it returns.

    If this fails: look for a coroutine that is resumed inside cancel().
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            trace.append("child")

    async def main() -> None:
        task = loop.create_task(child())
        await asyncio.sleep(0)
        task.cancel()
        trace.append("requested")
        assert not task.done()
        await asyncio.wait([task])

    loop.run_until_complete(main())
    assert trace == ["requested", "child"]


@requirement("cancellation.accepted", SHOULD, cite="asyncio-future: Future.cancel")
def test_cancel_returns_true_if_the_task_is_not_done(loop: Loop, patience: Patience) -> None:
    """cancel() returns True if the task is not done, whether it was started or not, or asked to be cancelled before.

    If this fails: look for None returned, which code takes for a refusal.
    """

    async def sleep() -> None:
        await asyncio.sleep(patience.seconds)

    task = loop.create_task(sleep())
    turn(loop, 2)
    new = loop.create_task(sleep())
    for _ in range(2):
        assert task.cancel() is True
        assert new.cancel() is True
    turn(loop, 3)


@requirement("cancellation.refused", MUST, cite="asyncio-future: Future.cancel")
@each("ending", ["result", "exception", "cancelled"])
def test_cancel_of_a_done_task(loop: Loop, ending: str) -> None:
    """If the task is already done, cancel() returns False and changes nothing.

    If this fails: look for the state of the task, which is that of the future that it is, or for a request that is
    counted before the state is looked at.
    """
    task, future = waiting_task(loop)
    if ending == "result":
        future.set_result("value")
    elif ending == "exception":
        future.set_exception(LookupError())
    else:
        task.cancel()
    turn(loop, 3)
    assert task.done()
    requests = task.cancelling()
    assert task.cancel() is False
    assert task.cancelled() is (ending == "cancelled")
    assert task.cancelling() == requests
    assert ending == "cancelled" or task.exception() is future.exception()


@requirement("cancellation.not-an-exception", MUST, cite="asyncio-exceptions: CancelledError")
def test_except_exception_does_not_catch_a_cancellation(loop: Loop) -> None:
    """The CancelledError thrown in is asyncio's, which is no subclass of Exception: "except Exception" lets it pass.

    If this fails: look for the exception of the same name in concurrent.futures, or one of the loop's own.
    """
    caught: list[BaseException] = []

    async def child() -> None:
        try:
            await loop.create_future()
        except Exception as error:
            caught.append(error)

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert caught == []
    assert task.cancelled()


@requirement("cancellation.cancelled", MUST, cite="asyncio-task: Task.cancelled")
@each("started", [True, False])
def test_cancelled_is_true_once_the_coroutine_has_ended(loop: Loop, started: bool) -> None:
    """The task is cancelled when cancellation was requested and the coroutine propagated the CancelledError.

    If this fails: look for cancelled() being true from the request on, perhaps as the task was not started, or never.
    """
    task = waiting_task(loop)[0] if started else loop.create_task(wait_for_it(loop.create_future()))
    assert task.cancelled() is False
    task.cancel()
    assert task.cancelled() is False
    turn(loop, 3)
    assert task.cancelled() is True
    assert task.done() is True


@requirement("cancellation.result", MUST, cite="asyncio-task: Task.result")
@each("method", ["result", "exception"])
def test_a_cancelled_task_has_no_result(loop: Loop, method: str) -> None:
    """If the task has been cancelled, result() and exception() raise CancelledError, with the message of cancel().

    If this fails: look for the exception of the coroutine, kept as any other, or for one that is made anew.
    """
    waiting, future = waiting_task(loop)
    tasks = [waiting, loop.create_task(wait_for_it(future))]  # the second has not begun
    for task in tasks:
        task.cancel("message")
    turn(loop, 3)
    for task in tasks:
        with pytest.raises(asyncio.CancelledError) as caught:
            getattr(task, method)()
        assert caught.value.args == ("message",)


@requirement("cancellation.swallowed", MUST, cite="asyncio-task: Task.cancel")
@each("debug", [False, True])
def test_a_coroutine_can_deny_the_request(loop: Loop, debug: bool) -> None:
    """A coroutine may suppress the CancelledError: its task then goes on, ends with its result, and is not cancelled.

    If this fails: look for a task that ends as cancelled because cancel() was called, or that is reported as it did
    not.
    """
    loop.set_debug(debug)

    async def child() -> str:
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "value"

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 4)
    assert task.done()
    assert task.cancelled() is False
    assert task.result() == "value"


@requirement("cancellation.cleanup", MUST, cite="asyncio-task: Task.cancel")
def test_a_coroutine_can_clean_up(loop: Loop) -> None:
    """A cancelled coroutine has a chance to clean up, awaiting what it needs: the task is done when it has ended.

    If this fails: look for a task that is done, and whose awaiters go on, as soon as the exception is thrown in, or for
    a request that reaches the tasks that the coroutine makes to clean up.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            assert await loop.create_task(value_of()) == "value"
            task.cancel()
            assert not task.done()
            trace.append("cleaned up")

    async def main() -> None:
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            trace.append("awaited")

    task = loop.create_task(child())
    loop.run_until_complete(main())
    assert trace == ["cleaned up", "awaited"]


@requirement("cancellation.error-in-cleanup", MUST, cite="asyncio-task: Task.cancelled")
@each("itself", [False, True])
def test_an_exception_while_cleaning_up_is_the_tasks(loop: Loop, itself: bool) -> None:
    """If the coroutine raises another exception in place of the CancelledError, the task has that and is not cancelled.

    If this fails: look for any end of a task with a cancellation request taken for a cancellation, also if it ends
    before the request could reach it.
    """

    async def child() -> None:
        try:
            task.cancel() if itself else await loop.create_future()
        finally:
            raise LookupError("while cleaning up")

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert task.cancelled() is False
    assert isinstance(task.exception(), LookupError)


@requirement("cancellation.before-start", MUST, cite="asyncio-task: Task.cancel")
def test_a_task_cancelled_before_it_starts_does_not_run(loop: Loop) -> None:
    """A task that is cancelled before its first step ends as cancelled, and none of its coroutine runs.

    If this fails: look for a first step that sends before it looks for a request, or for a task that ends without the
    CancelledError thrown in: its coroutine is then still there, and warns that it was never awaited.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    coro = child()
    task = loop.create_task(coro)
    task.cancel()
    turn(loop, 3)
    assert task.cancelled()
    assert trace == []
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED
