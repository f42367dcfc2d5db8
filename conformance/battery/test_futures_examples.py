"""Chapter futures: the documentation's example of a future, and a sleep that a reader builds of one."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Generator
from typing import Any

from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "futures.example-set-after", MUST, cite=("asyncio-future: Future", "asyncio-future: Future.add_done_callback")
)
def test_a_task_sets_a_future_that_another_awaits(loop: Loop, patience: Patience) -> None:
    """A parallel task, to which nobody refers, sets the result of a future that main() awaits, when it has slept.

    A done callback made by partial() gets the future after what it is bound to.

    If this fails: look for a task that is forgotten while it sleeps, or a future that only its maker can set.
    """
    printed: list[Any] = []

    async def set_after(fut: asyncio.Future[str], delay: float, value: str) -> None:
        await asyncio.sleep(delay)
        fut.set_result(value)

    async def main() -> str:
        given = asyncio.get_running_loop()
        fut = given.create_future()
        fut.add_done_callback(functools.partial(lambda *args: printed.append(args), "Future:"))
        given.create_task(set_after(fut, 0.002, "... world"))  # noqa: RUF006 (as in the documentation)
        value: str = await fut
        await asyncio.sleep(0)  # the order of done callbacks is another's
        assert printed == [("Future:", fut)]
        return value

    assert loop.run_until_complete(asyncio.wait_for(main(), patience.seconds)) == "... world"


class _YieldToEventLoop:
    def __await__(self) -> Generator[None, None, None]:
        yield


@requirement("futures.example-own-sleep", MUST, cite=("asyncio-future: Future", "PEP 492: Await Expression"))
def test_a_sleep_can_be_built_of_a_future(loop: Loop, patience: Patience) -> None:
    """A bare yield in __await__() gives control to the loop, and a task that yields so until a time sets a future.

    While one coroutine waits for such a future, other tasks go on.

    If this fails: look for a task that spins until it is done, or a None that is taken for an awaited object.
    """
    trace: list[str] = []

    async def watcher(future: asyncio.Future[None], time_to_wake: float) -> None:
        while loop.time() < time_to_wake:
            await _YieldToEventLoop()
        future.set_result(None)

    async def async_sleep(seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.Future()
        watching = asyncio.create_task(watcher(future, loop.time() + seconds))
        await future
        assert not watching.cancelled()

    async def other_work() -> None:
        trace.append("other work")

    async def main() -> None:
        work = [asyncio.create_task(other_work()) for _ in range(3)]
        await asyncio.create_task(async_sleep(0.002))
        trace.append("slept")
        await asyncio.gather(*work)

    began = loop.time()
    loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert trace == ["other work"] * 3 + ["slept"]
    assert loop.time() >= began + 0.002  # as it is reckoned above: a difference has a rounding of its own
