"""Chapter cancellation: counting requests, and what shields, gather(), wait() and task groups make of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


async def _ended(task: asyncio.Future[Any]) -> bool:
    """Whether the task was cancelled, once it has ended."""
    await asyncio.wait([task])
    return task.cancelled()


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

    If this fails: look for a count returned as it was before, or for a flag in its place.
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
    task = loop.create_task(_wait(loop.create_future()))
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
        return loop.create_future() if awaits == "future" else asyncio.create_task(_wait(loop.create_future()))

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


@requirement("cancellation.shield", MUST, cite="asyncio-task: shield")
def test_a_shielded_task_is_not_cancelled(loop: Loop) -> None:
    """If the coroutine that awaits shield() is cancelled, the task in it is not, and the await raises CancelledError.

    If this fails: look for a cancellation passed on to what a future waits for.
    """

    async def main() -> None:
        released = loop.create_future()
        inner = asyncio.create_task(_wait(released))

        async def protect() -> object:
            return await asyncio.shield(inner)

        outer = asyncio.create_task(protect())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        outer.cancel()
        assert await _ended(outer)
        assert not inner.done()
        released.set_result("value")
        assert await inner == "value"

    loop.run_until_complete(main())


@requirement("cancellation.shield-inner", MUST, cite="asyncio-task: shield")
def test_a_shield_is_cancelled_with_its_task(loop: Loop) -> None:
    """If the shielded task is cancelled by other means, that also cancels shield(); its result is that of shield().

    If this fails: look for done callbacks of tasks that are cancelled.
    """

    async def main() -> None:
        inner = asyncio.create_task(_wait(loop.create_future()))
        outer = asyncio.ensure_future(asyncio.shield(inner))
        await asyncio.sleep(0)
        inner.cancel()
        assert await _ended(outer)
        assert await asyncio.shield(asyncio.create_task(asyncio.sleep(0, "value"))) == "value"

    loop.run_until_complete(main())


@requirement("cancellation.gather", MUST, cite="asyncio-task: gather")
@each("return_exceptions", [False, True])
@each("by_its_task", [False, True])
def test_cancelling_gather_cancels_all(loop: Loop, return_exceptions: bool, by_its_task: bool) -> None:
    """If gather() is cancelled, all submitted awaitables that are not done are cancelled, whatever return_exceptions.

    If this fails: look for a cancellation that stops at the first of several futures, or that a task which awaits
    gather() does not hand on.
    """

    async def main() -> None:
        done = loop.create_future()
        done.set_result(1)
        children = [asyncio.create_task(_wait(loop.create_future())) for _ in range(3)]
        gathering = asyncio.gather(done, *children, return_exceptions=return_exceptions)
        waiting = asyncio.create_task(_wait(gathering))
        await asyncio.sleep(0)
        waiting.cancel() if by_its_task else gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [child.cancelled() for child in children] == [True, True, True]
        assert not done.cancelled()

    loop.run_until_complete(main())


@requirement("cancellation.gathered", MUST, cite="asyncio-task: gather")
def test_a_cancelled_child_does_not_cancel_gather(loop: Loop) -> None:
    """If an awaitable of gather() is cancelled, that is as if it raised CancelledError: the others are not cancelled.

    If this fails: look for a cancellation that spreads through a common future.
    """

    async def main() -> None:
        released = loop.create_future()
        first, second = asyncio.create_task(_wait(loop.create_future())), asyncio.create_task(_wait(released))
        gathering = asyncio.gather(first, second)
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering
        assert not second.done()
        released.set_result("value")
        assert await second == "value"

    loop.run_until_complete(main())


@requirement("cancellation.wait", SHOULD, cite="asyncio-task: wait")
def test_cancelling_wait_leaves_the_futures_alone(loop: Loop) -> None:
    """If a task that awaits wait() is cancelled, the futures that it waits for are not.

    If this fails: look for a wait that hands its cancellation down.
    """

    async def main() -> None:
        future = loop.create_future()
        waiting = asyncio.create_task(asyncio.wait([future]))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await _ended(waiting)
        assert not future.done()

    loop.run_until_complete(main())


@requirement("cancellation.group-fails", MUST, cite="asyncio-task: Task Groups")
def test_a_failing_task_cancels_its_group(loop: Loop) -> None:
    """The first task of a group that fails cancels the others and interrupts the body; all ends in an ExceptionGroup.

    If this fails: look for uncancel() of the loop's tasks, or done callbacks that come too late.
    """
    trace: list[str] = []

    async def fail() -> None:
        raise LookupError("of the child")

    async def sibling() -> None:
        try:
            await loop.create_future()
        finally:
            trace.append("sibling")

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sibling())
            await asyncio.sleep(0)
            group.create_task(fail())
            try:
                await loop.create_future()
            finally:
                trace.append("body")

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await body()
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        me = asyncio.current_task()
        assert me is not None
        assert me.cancelling() == 0
        await asyncio.sleep(0)
        trace.append("went on")

    loop.run_until_complete(main())
    assert sorted(trace[:2]) == ["body", "sibling"]
    assert trace[2:] == ["went on"]


@requirement("cancellation.group-cancelled", MUST, cite="asyncio-task: Task Groups")
def test_cancelling_the_task_of_a_group_cancels_the_group(loop: Loop) -> None:
    """If the task that holds a group is cancelled, the tasks of the group are, too, and waited for.

    If this fails: look for a cancellation delivered while the task waits for its group.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            await asyncio.sleep(0)
            trace.append("child")

    async def holder() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
        finally:
            trace.append("holder")

    async def main() -> None:
        task = asyncio.create_task(holder())
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        assert await _ended(task)

    loop.run_until_complete(main())
    assert trace == ["child", "holder"]
