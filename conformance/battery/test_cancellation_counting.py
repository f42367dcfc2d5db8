"""Chapter cancellation: counting requests, taking them back, and cancelling again, or oneself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from conformance.battery.test_cancellation import wait_for_it, waiting_task
from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Withdrawn(asyncio.CancelledError):
    """A cancellation of somebody's own."""


@requirement("cancellation.count", MUST, cite="asyncio-task: Task.cancelling")
@each("debug", [False, True])
def test_cancelling_counts_the_requests(loop: Loop, debug: bool) -> None:
    """cancelling() returns the number of calls to cancel() that are pending, whatever became of them.

    If this fails: look for a flag in place of a counter, for a counter that ends at a small number, for one that a
    task has only once it was started, or for one that begins anew when the coroutine goes on.
    """
    loop.set_debug(debug)
    counts: list[int] = []

    async def child() -> None:
        for _ in range(2):
            try:
                await loop.create_future()
            except asyncio.CancelledError:
                counts.append(task.cancelling())
        await asyncio.sleep(0)
        counts.append(task.cancelling())

    new = loop.create_task(child())
    assert [new.cancelling(), new.cancel(), new.cancelling(), new.cancel(), new.cancelling()] == [0, True, 1, True, 2]
    assert [new.cancel() for _ in range(298)] == [True] * 298
    assert new.cancelling() == 300
    task = loop.create_task(child())
    turn(loop, 2)
    counts.append(task.cancelling())
    for _ in range(2):
        task.cancel()
        turn(loop, 3)
    assert task.done()
    assert [*counts, task.cancelling()] == [0, 1, 2, 2, 2]


@requirement("cancellation.uncancel", MUST, cite="asyncio-task: Task.uncancel")
def test_uncancel_decrements_the_count(loop: Loop) -> None:
    """uncancel() decrements the count of cancellation requests and returns the remaining number, never below 0.

    If this fails: look for a count returned as it was before, or for a flag in its place, or for one that only the
    task itself may decrement.
    """
    counts: list[int] = []

    async def child() -> None:
        task = asyncio.current_task()
        assert task is not None
        counts.append(task.uncancel())
        for _ in range(3):
            task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            for _ in range(4):
                counts.extend([task.uncancel(), task.cancelling()])

    loop.run_until_complete(child())
    assert counts == [0, 2, 2, 1, 1, 0, 0, 0, 0]
    task, _future = waiting_task(loop)
    task.cancel()
    task.cancel()
    assert [task.uncancel(), task.cancelling()] == [1, 1]
    turn(loop, 3)
    assert task.cancelled()


@requirement("cancellation.uncancel-one-of-two", MUST, cite="asyncio-task: Task.uncancel")
def test_uncancel_takes_one_request_back(loop: Loop) -> None:
    """Of two requests that were not thrown in yet uncancel() takes one back: the CancelledError is thrown all the same.

    If this fails: look for an uncancel() that clears the flag of a pending request, whatever the count is.
    """

    async def child() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        task.cancel()
        assert task.uncancel() == 1
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
        task.uncancel()

    loop.run_until_complete(child())


@requirement("cancellation.uncancel-done", MUST, cite="asyncio-task: Task.uncancel")
def test_uncancel_of_a_cancelled_task_changes_nothing(loop: Loop) -> None:
    """Once execution of a cancelled task completed, further calls to uncancel() are ineffective: it stays cancelled.

    If this fails: look for cancelled() derived from the count of requests.
    """
    task = loop.create_task(wait_for_it(loop.create_future()))
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    task.uncancel()
    assert task.cancelled()


@requirement("cancellation.uncancel-pending", MUST, cite="asyncio-task: Task.uncancel", since="3.13")
@each("requests", [1, 2])
def test_uncancel_takes_a_request_back_that_was_not_delivered(loop: Loop, requests: int) -> None:
    """When the count of requests reaches 0, and not before, a CancelledError not thrown in yet is not thrown any more.

    If this fails: look for the flag of a pending request, which uncancel() leaves set, or clears though others remain.
    """

    async def child() -> str:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(requests):
            task.cancel()
        task.uncancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            task.uncancel()
            return "cancelled"
        return "went on"

    assert loop.run_until_complete(child()) == ("went on" if requests == 1 else "cancelled")


@requirement("cancellation.again", MUST, cite="asyncio-task: Task.cancel")
def test_a_task_can_be_cancelled_again(loop: Loop) -> None:
    """A coroutine that suppressed a CancelledError gets another one when its task is cancelled again.

    If this fails: look for a request that is remembered as done, or for a number of requests after which no more are
    heard.
    """
    names = ["first", "second", "third", "fourth"]
    trace: list[str] = []

    async def child() -> None:
        for name in names:
            try:
                await loop.create_future()
            except asyncio.CancelledError:
                trace.append(name)

    task = loop.create_task(child())
    turn(loop, 2)
    for _ in names:
        task.cancel()
        turn(loop, 3)
    assert trace == names


@requirement("cancellation.itself", SHOULD, cite="asyncio-task: Task.cancel")
@each("awaits", ["sleep", "future", "task"])
def test_a_task_can_cancel_itself(loop: Loop, awaits: str) -> None:
    """A task that cancels itself runs on to its next await, where it gets the CancelledError.

    If this fails: look for a request to the running task, which has no future to cancel, that is lost, that is not
    passed to what the task awaits next, or that loses its message on the way; or for a task that is never done if
    no await comes.
    """
    trace: list[object] = []

    def awaited() -> Awaitable[Any]:
        if awaits == "sleep":
            return asyncio.sleep(0)
        return loop.create_future() if awaits == "future" else asyncio.create_task(wait_for_it(loop.create_future()))

    async def child() -> None:
        me = asyncio.current_task()
        assert me is not None
        assert me.cancel("message") is True
        trace.append("went on")
        try:
            await awaited()
        except asyncio.CancelledError as error:
            trace.append(error.args)

    async def end() -> None:
        me = asyncio.current_task()
        assert me is not None
        me.cancel()

    loop.run_until_complete(child())
    assert trace == ["went on", ("message",)]
    task = loop.create_task(end())
    turn(loop, 3)
    assert task.done()


@requirement("cancellation.raised", SHOULD, cite="asyncio-exceptions: CancelledError")
@each("kind", [asyncio.CancelledError, _Withdrawn])
def test_a_coroutine_that_raises_cancelled_error_is_cancelled(loop: Loop, kind: type[BaseException]) -> None:
    """A task whose coroutine raises CancelledError, or a subclass of it, on its own is cancelled.

    If this fails: look for a cancelled state that needs a call of cancel(), for a test of the exact type, or for a
    request that is counted though nobody made one.
    """

    async def child() -> None:
        raise kind

    task = loop.create_task(child())
    turn(loop, 2)
    assert task.cancelled()
    assert task.cancelling() == 0
