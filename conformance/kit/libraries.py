"""Libraries over the loop under test: imported only where a requirement needs one, and run with patience.

The libraries are both ends of what they do here, so these tests say how a loop serves them, and not whose fault it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from conformance.kit.patience import Patience, turn

T = TypeVar("T")


def library(name: str) -> Any:
    """The module; the requirement's `needs` say that it can be imported."""
    return importlib.import_module(name)


def complete(loop: asyncio.AbstractEventLoop, patience: Patience, scenario: Coroutine[Any, Any, T]) -> T:
    """Run the scenario to its end, as far as patience goes; what it returned, or its exception."""
    task = loop.create_task(scenario)
    patience.run_until(loop, task.done, "the end of the scenario")
    turn(loop, 2)  # anyio's worker threads are told to end by a callback of the task
    return task.result()


async def settled(count: Callable[[], int]) -> int:
    """What `count()` is when it has stayed so for fifty sleeps of half a millisecond."""
    before = -1
    while before != count():
        before = count()
        for _ in range(50):
            await asyncio.sleep(0.0005)
    return before


@contextlib.asynccontextmanager
async def aiohttp_server(
    handler: Callable[[Any], Any], *, path: str | None = None, tls: Any = None, **options: Any
) -> AsyncIterator[Any]:
    """The runner of an aiohttp server for every path, on the loopback or at `path`; `options` are the runner's."""
    web = library("aiohttp.web")
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, access_log=None, **options)
    await runner.setup()
    try:
        site = web.UnixSite(runner, path) if path else web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield runner
    finally:
        await runner.cleanup()


def url_of(runner: Any, scheme: str = "http", path: str = "/") -> str:
    """Where the runner's server listens."""
    host, port = runner.addresses[0][:2]
    return f"{scheme}://{host}:{port}{path}"
