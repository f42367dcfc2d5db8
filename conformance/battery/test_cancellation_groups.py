"""Chapter cancellation: what shields, gather(), wait() and task groups make of a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


async def _ended(task: asyncio.Future[Any]) -> bool:
    """Whether the task was cancelled, once it has ended."""
    await asyncio.wait([task])
    return task.cancelled()


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
