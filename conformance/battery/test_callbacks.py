"""Chapter callbacks: call_soon(), handles, and the order in which callbacks run."""

from __future__ import annotations

import asyncio

from conformance.kit.patience import turn
from conformance.requirement import MUST, requirement


@requirement("callbacks.fifo", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_callbacks_run_in_the_order_they_were_scheduled(loop: asyncio.AbstractEventLoop) -> None:
    """call_soon() runs callbacks in the order in which they were scheduled.

    If this fails: look for a ready queue that is not first-in first-out, or a fast path round it.
    """
    trace: list[int] = []
    for number in range(100):
        loop.call_soon(trace.append, number)
    turn(loop)
    assert trace == list(range(100))
