"""Chapter unix: the methods are coroutines, which begin when they are awaited, and hold nobody up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from conformance.kit.coroutines import call_only
from conformance.kit.peers import unix_listener
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "unix.coroutines",
    SHOULD,
    cite=("asyncio-eventloop: loop.create_unix_connection", "asyncio-eventloop: loop.create_unix_server"),
    needs=("unix",),
)
def test_both_methods_are_coroutines(loop: Loop, tmp_path: Path) -> None:
    """create_unix_connection() and create_unix_server() are coroutines: nothing is done before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    path = tmp_path / "s"
    call_only(loop, lambda: loop.create_unix_server(asyncio.Protocol, str(path)))
    assert not path.exists()
    with unix_listener(str(path)) as listening:
        listening.setblocking(False)
        call_only(loop, lambda: loop.create_unix_connection(asyncio.Protocol, str(path)))
        with pytest.raises(BlockingIOError):
            listening.accept()


@requirement("unix.connect-in-background", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_the_loop_runs_while_a_path_is_connected_to(loop: Loop, tmp_path: Path) -> None:
    """create_unix_connection() does not block: the loop runs on though the server's backlog is full.

    What becomes of the connection is left open: some systems refuse it, where others let it wait.

    If this fails: look for a blocking connect().
    """
    path = str(tmp_path / "s")
    ran: list[int] = []

    async def main() -> None:
        task = asyncio.ensure_future(loop.create_unix_connection(asyncio.Protocol, path))
        for number in range(5):
            loop.call_soon(ran.append, number)
            await turns(1)
        task.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            transport, _ = await task
            transport.abort()
        await turns(5)

    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(path)
        listening.listen(0)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            for _ in range(8):
                filler = stack.enter_context(socket.socket(socket.AF_UNIX))
                filler.setblocking(False)
                filler.connect(path)
        loop.run_until_complete(main())
    assert ran == list(range(5))
