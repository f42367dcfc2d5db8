"""The shortest coroutines that return, and that raise."""

from __future__ import annotations

import asyncio


async def value_of(result: object = "value") -> object:
    """Returns `result` after one turn of the loop."""
    await asyncio.sleep(0)
    return result


async def failing() -> None:
    """Raises LookupError."""
    raise LookupError
