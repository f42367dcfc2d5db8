"""Asynchronous generators that write down that they were closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

Generator = AsyncGenerator[int, None]


async def count(trace: list[str], name: str = "closed") -> Generator:
    """Yields 1 and 2; when it is closed it awaits something before it appends its name to the trace."""
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        trace.append(name)


async def see_the_exit(trace: list[str], name: str = "closed") -> Generator:
    """Like `count`, but appends its name only if GeneratorExit, which aclose() throws, reaches it."""
    try:
        yield 1
    except GeneratorExit:
        await asyncio.sleep(0)
        trace.append(name)
        raise


async def start(*generators: Generator) -> None:
    """Iterate each generator once, which leaves it half-way."""
    for generator in generators:
        assert await anext(generator) == 1
