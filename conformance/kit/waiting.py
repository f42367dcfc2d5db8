"""Waiting inside the loop, for tests whose subject must happen while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

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


def assert_waits(task: asyncio.Future[Any]) -> None:
    """Fail if `task` is done: with its own exception, if it has one, which says more than that it did not wait."""
    if task.done():
        raise AssertionError(f"it did not wait, and returned {task.result()!r}")
