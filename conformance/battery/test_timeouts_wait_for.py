"""Chapter timeouts: asyncio.wait_for().

It is asyncio's own, made of timers before Python 3.12 and of asyncio.timeout() since; what it promises is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import tolerance
from conformance.kit.waiting import turns
from conformance.requirement import MAY, MUST, requirement

Loop = asyncio.AbstractEventLoop

SHORT = 0.003
EARLY = 0.001
"""How much earlier a timer may fire by the loop's own clock, or else by its ticks: one of milliseconds rounds."""


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


@requirement("timeouts.wait-for", MUST, cite="asyncio-task: wait_for")
@each("timeout", [None, 1000])
def test_wait_for_returns_the_result(loop: Loop, timeout: float | None) -> None:
    """wait_for() waits for an awaitable, a coroutine or a future, and returns its result.

    If this fails: look for a future whose end does not wake its waiter while a timer is pending.
    """

    async def main() -> None:
        future = loop.create_future()
        loop.call_soon(loop.call_soon, future.set_result, "future")
        assert await asyncio.wait_for(future, timeout) == "future"
        assert await asyncio.wait_for(asyncio.sleep(0, "coroutine"), timeout) == "coroutine"

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-raises", MUST, cite="asyncio-task: wait_for")
@each("kind", ["coroutine", "task", "future"])
def test_wait_for_cancels_and_raises(loop: Loop, kind: str) -> None:
    """If a timeout occurs, wait_for() cancels what it waits for and raises TimeoutError, not before the time is over.

    If this fails: look for the timer, and for the cancellation of a task by another one.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await _forever()
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise

    async def main() -> None:
        future = loop.create_future()
        future.add_done_callback(lambda future: trace.append("cancelled") if future.cancelled() else None)
        make: dict[str, Callable[[], Awaitable[None]]] = {
            "coroutine": child,
            "task": lambda: loop.create_task(child()),
            "future": lambda: future,
        }
        start = loop.time()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(make[kind](), SHORT)
        assert loop.time() - start >= SHORT - max(EARLY, tolerance(loop))
        await turns(2)

    loop.run_until_complete(main())
    assert trace == ["cancelled"]


@requirement("timeouts.wait-for-cleanup", MUST, cite="asyncio-task: wait_for")
def test_wait_for_waits_until_the_task_has_ended(loop: Loop) -> None:
    """wait_for() waits until the future is actually cancelled, so the total time may exceed the timeout.

    If this fails: look for a task that is done before its coroutine has cleaned up.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await _forever()
        finally:
            await turns(5)
            trace.append("cleaned up")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(child(), SHORT)
        trace.append("timed out")

    loop.run_until_complete(main())
    assert trace == ["cleaned up", "timed out"]


@requirement("timeouts.wait-for-error", MUST, cite="asyncio-task: wait_for")
def test_an_exception_during_the_cancellation_is_propagated(loop: Loop) -> None:
    """If an exception happens during the cancellation, wait_for() propagates it in place of TimeoutError.

    If this fails: look for the end of a task with a pending request, taken for a cancellation whatever it is.
    """

    async def child() -> None:
        try:
            await _forever()
        finally:
            raise LookupError("while cleaning up")

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.wait_for(child(), SHORT)

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-no-time", MUST, cite="asyncio-task: wait_for")
@each("timeout", [0, -1])
def test_wait_for_with_no_time(loop: Loop, timeout: float) -> None:
    """With a timeout of 0 or less, the result of a future that is done is returned, any other is cancelled.

    If this fails: look for negative delays, and for a result that is ready but not seen.
    """

    async def main() -> None:
        done, pending = loop.create_future(), loop.create_future()
        done.set_result("value")
        assert await asyncio.wait_for(done, timeout) == "value"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pending, timeout)
        assert pending.cancelled()

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-cancelled", MUST, cite="asyncio-task: wait_for")
def test_cancelling_wait_for_cancels_what_it_waits_for(loop: Loop) -> None:
    """If the wait is cancelled, the future that it waits for is cancelled, too, and that is no timeout.

    If this fails: look for a request that reaches the waiting task only.
    """

    async def main() -> None:
        future = loop.create_future()
        waiting = asyncio.create_task(asyncio.wait_for(future, 1000))
        await turns(3)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert future.cancelled()

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-shield", MUST, cite="asyncio-task: wait_for")
def test_a_shield_keeps_wait_for_from_cancelling(loop: Loop) -> None:
    """To avoid the cancellation of the task, it is wrapped in shield(): it goes on after the timeout.

    If this fails: look for a cancellation that passes through the future of shield().
    """

    async def main() -> None:
        released = loop.create_future()

        async def child() -> object:
            return await released

        task = asyncio.create_task(child())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), SHORT)
        assert not task.done()
        released.set_result("value")
        assert await task == "value"

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-result-kept", MUST, cite="gh-86296", since="3.12")
def test_a_result_does_not_swallow_a_cancellation(loop: Loop) -> None:
    """If the wait is cancelled at the moment at which the result is there, the cancellation is not swallowed.

    If this fails: look for a request that is swallowed when the future is done.
    """

    async def main() -> None:
        future = loop.create_future()
        waiting = asyncio.create_task(asyncio.wait_for(future, 1000))
        await turns(3)
        future.set_result("value")
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert future.result() == "value"

    loop.run_until_complete(main())


@requirement("timeouts.wait-for-swallowed", MAY, cite="asyncio-task: wait_for")
def test_a_task_that_ends_well_after_the_timeout(loop: Loop, answer: Callable[[object], None]) -> None:
    """What wait_for() does if the task suppresses its cancellation and returns a value is left open.

    If this fails: nothing is forbidden here; the answer is the value, or the exception in its place.
    """

    async def child() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await _forever()
        return "the value"

    async def main() -> None:
        try:
            answer(await asyncio.wait_for(child(), SHORT))
        except TimeoutError:
            answer("TimeoutError")

    loop.run_until_complete(main())
