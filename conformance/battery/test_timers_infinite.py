"""Chapter timers: delays without an end, by which libraries wait until they are cancelled."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import unix_pair
from conformance.kit.waiting import turns
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
INFINITE = ("asyncio-eventloop: loop.call_later", "uvloop#102", "rsloop#48", "anyio#1184")


@requirement("timers.infinite", SHOULD, cite=INFINITE)
@each("method", ["call_later", "call_at"])
def test_an_infinite_delay_does_not_end(loop: Loop, patience: Patience, method: str) -> None:
    """An infinite delay is accepted and does not end: nearer timers run, and a loop that has no other waits for events.

    If this fails: look for a conversion to an integer, which infinity overflows, or which makes a short delay of it, or
    for a timeout that the system call does not take.
    """
    fired: list[str] = []
    far = getattr(loop, method)(math.inf, fired.append, "never")
    for delay in (0.001, 0.002):
        loop.call_later(delay, fired.append, "near")
    patience.run_until(loop, lambda: fired.count("near") == 2, "the near timers")
    with unix_pair() as (ours, peer):

        def readable() -> None:
            loop.remove_reader(ours)
            loop.stop()

        peer.send(b"x")
        loop.add_reader(ours, readable)
        loop.run_forever()
    far.cancel()
    assert (fired, far.cancelled()) == (["near", "near"], True)


@requirement("timers.infinite-waits", SHOULD, cite=(*INFINITE, "asyncio-task: sleep", "asyncio-task: wait_for"))
def test_coroutines_may_wait_without_end(loop: Loop) -> None:
    """sleep() with an infinite delay ends when it is cancelled, and infinite timeouts do not come.

    If this fails: look at what call_later() and call_at() make of infinity.
    """

    async def soon() -> str:
        await asyncio.sleep(0.001)
        return "in time"

    async def main() -> list[Any]:
        asleep = loop.create_task(asyncio.sleep(math.inf))
        answers: list[Any] = [await asyncio.wait_for(soon(), math.inf)]
        async with asyncio.timeout(math.inf):
            answers.append(await soon())
        answers.append(await asyncio.wait([loop.create_task(soon())], timeout=math.inf))
        await turns(2)
        assert not asleep.done()
        asleep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asleep
        return answers

    first, second, (done, pending) = loop.run_until_complete(main())
    assert (first, second, len(done), pending) == ("in time", "in time", 1, set())
