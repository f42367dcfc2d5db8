"""The shortest coroutines that return, and that raise; and a future that has nothing to wait for."""

from __future__ import annotations

import asyncio


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
