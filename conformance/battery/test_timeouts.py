"""Chapter timeouts: asyncio.timeout() and timeout_at(), which live on the loop's clock, timers and tasks.

Nothing is said about how soon a timeout comes after its deadline. wait_for() is in test_timeouts_wait_for.py.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import tolerance
from conformance.kit.waiting import turns
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop

SHORT = 0.003
EARLY = 0.001
"""How much earlier a timer may fire by the loop's own clock, or else by its ticks: one of milliseconds rounds."""


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


@requirement("timeouts.raises", MUST, cite="asyncio-task: timeout")
def test_a_block_that_takes_too_long_times_out(loop: Loop) -> None:
    """If the block takes longer than the delay, the task in it is cancelled, and TimeoutError leaves the block.

    If this fails: look for the timer, or for a CancelledError that the context manager does not recognise as its own.
    """

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await _forever()

    loop.run_until_complete(main())


@requirement("timeouts.not-early", MUST, cite="asyncio-task: timeout")
@each("delay", [0.002, 0.0105])
def test_a_timeout_does_not_come_early(loop: Loop, delay: float) -> None:
    """timeout() limits the time spent waiting to delay seconds: it does not come before they are over.

    If this fails: look for a delay that is rounded down, or counted from a stale time.
    """

    async def main() -> None:
        start = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(delay):
                await _forever()
        assert loop.time() - start >= delay - max(EARLY, tolerance(loop))

    loop.run_until_complete(main())


@requirement("timeouts.cancels-inside", MUST, cite="asyncio-task: timeout")
def test_inside_the_block_it_is_a_cancellation(loop: Loop) -> None:
    """The task inside is cancelled: the block sees CancelledError, and TimeoutError can only be caught outside of it.

    If this fails: look for a timer that throws TimeoutError into the coroutine.
    """
    trace: list[str] = []

    async def main() -> None:
        try:
            async with asyncio.timeout(SHORT):
                try:
                    await _forever()
                except BaseException as error:
                    trace.append(type(error).__name__)
                    raise
        except TimeoutError:
            trace.append("outside")

    loop.run_until_complete(main())
    assert trace == ["CancelledError", "outside"]


@requirement("timeouts.in-time", MUST, cite="asyncio-task: timeout")
def test_a_block_that_ends_in_time_is_left_alone(loop: Loop) -> None:
    """A block that ends before the deadline is not disturbed, nor is what the task does when the deadline comes.

    If this fails: look for the timer's handle, whose cancellation must be heeded.
    """

    async def main() -> None:
        async with asyncio.timeout(SHORT) as block:
            # Not even one iteration here: on a busy machine it can take longer than the deadline.
            pass
        assert not block.expired()
        await asyncio.sleep(3 * SHORT)
        await turns(2)

    loop.run_until_complete(main())


@requirement("timeouts.when", MUST, cite="asyncio-task: Timeout.when")
def test_when_is_the_deadline_on_the_loops_clock(loop: Loop) -> None:
    """when() returns the deadline on the loop's clock: the time at the start of the block plus the delay.

    If this fails: look for time() running backwards, or in another unit, between two calls.
    """

    async def main() -> None:
        before = loop.time()
        async with asyncio.timeout(1000) as block:
            after = loop.time()
            when = block.when()
            assert when is not None
            assert before + 1000 <= when <= after + 1000
        async with asyncio.timeout_at(before + 2000) as block:
            assert block.when() == before + 2000

    loop.run_until_complete(main())


@requirement("timeouts.at", MUST, cite="asyncio-task: timeout_at")
def test_timeout_at_takes_an_absolute_time(loop: Loop) -> None:
    """timeout_at() takes the absolute time, by loop.time(), at which to stop waiting.

    If this fails: look for call_at(), which takes a time of the loop's clock and not a delay.
    """

    async def main() -> None:
        when = loop.time() + SHORT
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(when):
                await _forever()
        assert loop.time() >= when - max(EARLY, tolerance(loop))

    loop.run_until_complete(main())


@requirement("timeouts.past", MUST, cite="asyncio-task: Timeout.reschedule")
@each("delay", [0, -1, -1e9])
def test_a_deadline_that_is_over_times_out_at_once(loop: Loop, delay: float) -> None:
    """A deadline that is past, or now, comes in the next iteration of the loop: the first await is interrupted.

    If this fails: look for a negative delay that wraps round, or is refused.
    """

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(delay):
                await _forever()

    loop.run_until_complete(main())


@requirement("timeouts.expired", MUST, cite="asyncio-task: Timeout.expired")
def test_expired_tells_whether_the_deadline_was_exceeded(loop: Loop) -> None:
    """expired() returns whether the context manager has exceeded its deadline: False inside, True after a timeout.

    If this fails: look for a request of the timeout that the task does not count.
    """

    async def wait(block: asyncio.Timeout) -> None:
        async with block:
            assert block.expired() is False
            await _forever()

    async def main() -> None:
        block = asyncio.timeout(SHORT)
        with pytest.raises(TimeoutError):
            await wait(block)
        assert block.expired() is True

    loop.run_until_complete(main())


@requirement("timeouts.reschedule-later", MUST, cite="asyncio-task: Timeout.reschedule")
@each("to_none", [False, True], ids=["later", "never"])
def test_a_deadline_can_be_put_off(loop: Loop, to_none: bool) -> None:
    """reschedule() puts the deadline off, or removes it with None: the former one does not count any more.

    If this fails: look for a timer that fires although its handle was cancelled.
    """

    async def main() -> None:
        async with asyncio.timeout(SHORT) as block:
            block.reschedule(None if to_none else loop.time() + 1000)
            await asyncio.sleep(3 * SHORT)
            await turns(2)
        assert not block.expired()

    loop.run_until_complete(main())


@requirement("timeouts.reschedule-earlier", MUST, cite="asyncio-task: Timeout.reschedule")
def test_a_deadline_can_be_brought_forward(loop: Loop) -> None:
    """reschedule() brings a deadline forward, or sets one where there was none.

    If this fails: look for a poll that sleeps until the deadline it knew when it began.
    """

    async def wait(delay: float | None) -> None:
        async with asyncio.timeout(delay) as block:
            await asyncio.sleep(0)
            block.reschedule(loop.time() + SHORT)
            await _forever()

    async def main() -> None:
        for delay in (1000, None):
            with pytest.raises(TimeoutError):
                await wait(delay)

    loop.run_until_complete(main())


@requirement("timeouts.nested-inner", MUST, cite="asyncio-task: timeout")
def test_an_inner_timeout_ends_the_inner_block(loop: Loop) -> None:
    """Timeout context managers can be safely nested: if the inner deadline comes, the outer block goes on.

    If this fails: look for uncancel(), by which each block takes back its own request.
    """
    trace: list[str] = []

    async def main() -> None:
        async with asyncio.timeout(1000) as outer:
            try:
                async with asyncio.timeout(SHORT):
                    await _forever()
            except TimeoutError:
                trace.append("inner")
            await asyncio.sleep(0)
            trace.append("outer")
        assert not outer.expired()

    loop.run_until_complete(main())
    assert trace == ["inner", "outer"]


@requirement("timeouts.nested-outer", MUST, cite="asyncio-task: timeout")
def test_an_outer_timeout_passes_through_the_inner_block(loop: Loop) -> None:
    """If the outer deadline comes first, the inner block is cancelled, does not expire, and the outer one times out.

    If this fails: look for the order of the two timers.
    """
    trace: list[str] = []

    async def main() -> None:
        try:
            async with asyncio.timeout(SHORT):
                try:
                    async with asyncio.timeout(1000) as inner:
                        await _forever()
                except BaseException as error:
                    trace.append(type(error).__name__)
                    raise
        except TimeoutError:
            trace.append("outer")
        assert not inner.expired()

    loop.run_until_complete(main())
    assert trace == ["CancelledError", "outer"]


@requirement("timeouts.goes-on", MUST, cite="asyncio-task: Task.uncancel")
def test_a_task_goes_on_after_a_timeout(loop: Loop) -> None:
    """A timeout takes its cancellation request back: the task has none pending, and what follows runs undisturbed.

    If this fails: look for cancelling() and uncancel() of the loop's own tasks.
    """

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await _forever()
        me = asyncio.current_task()
        assert me is not None
        assert me.cancelling() == 0
        await turns(3)

    loop.run_until_complete(main())


@requirement("timeouts.cancelled-by-others", MUST, cite="asyncio-task: timeout")
def test_a_cancellation_by_others_is_no_timeout(loop: Loop) -> None:
    """Only the context manager's own cancellation becomes TimeoutError: any other stays a CancelledError.

    If this fails: look for a task that does not count who asked for its cancellation.
    """

    async def child() -> None:
        async with asyncio.timeout(1000):
            await _forever()

    async def main() -> None:
        task = asyncio.create_task(child())
        await turns(2)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    loop.run_until_complete(main())


@requirement("timeouts.error", MUST, cite="asyncio-task: timeout")
def test_an_exception_of_the_block_passes(loop: Loop) -> None:
    """An exception that the block raises leaves it as it is, and the timer does nothing afterwards.

    If this fails: look for a timer left behind by a block that did not end well.
    """
    raised: list[Any] = []

    async def main() -> None:
        with pytest.raises(LookupError):
            async with asyncio.timeout(SHORT):
                raise LookupError("of the block")
        await asyncio.sleep(3 * SHORT)
        raised.append("went on")

    loop.run_until_complete(main())
    assert raised == ["went on"]
