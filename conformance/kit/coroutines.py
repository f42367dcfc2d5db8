"""The shortest coroutines that return, and that raise; one that is only called; a future with nothing to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.patience import turn


async def value_of(result: object = "value") -> object:
    """Returns `result` after one turn of the loop."""
    await asyncio.sleep(0)
    return result


async def failing() -> None:
    """Raises LookupError."""
    raise LookupError


def done_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
    """A future of the loop whose result is None."""
    future = loop.create_future()
    future.set_result(None)
    return future


def call_only(loop: asyncio.AbstractEventLoop, method: Callable[[], Any]) -> None:
    """Call a coroutine method and never await it: what has begun all the same had the time for it.

    Raises AssertionError if what the call returns is no coroutine, as a future is none: no task can be made of it.
    """
    made: Any = method()
    drop: Callable[[], object] = made.close if hasattr(made, "close") else made.cancel
    try:
        assert asyncio.iscoroutine(made), f"the call returned {made!r}"
        turn(loop, 5)
    finally:
        drop()
        turn(loop, 2)
