"""Waiting inside the loop, for tests whose subject must happen while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from conformance.kit.patience import Patience


async def until(patience: Patience, happened: Callable[[], object], what: str) -> None:
    """Sleep in steps of a millisecond until `happened()`. Raises AssertionError saying that `what` did not."""
    deadline = time.monotonic() + patience.seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen within {patience.seconds:g} s"
        await asyncio.sleep(0.001)


async def turns(count: int) -> None:
    """Let the loop go round `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)
