"""Connections of the reference loop to itself, and a run in which the loop has nothing to complain of."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.certificates import client_context, server_context
from reference_loop import new_event_loop


def run(coro: Any) -> Any:
    """What the coroutine returns, if nothing was reported to the exception handler."""
    problems: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: problems.append(context))
        result = runner.run(coro)
    assert problems == []
    return result


class Recorder(asyncio.Protocol):
    """Keeps what it is told; `made` and `lost` are done when the transport begins and ends."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport: Any = None
        self.events: list[str] = []
        self.data = bytearray()
        self.made = loop.create_future()
        self.lost = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.events.append("made")
        self.made.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.events.append("eof")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.events.append("lost")
        self.lost.set_result(exc)


async def connected_pair(serving: type[Recorder] = Recorder, **options: Any) -> tuple[Recorder, Recorder]:
    """A client and a server side, connected over TLS."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    server = asyncio.create_task(
        loop.connect_accepted_socket(serving, theirs, ssl=server_context(), **options),
    )
    _, client = await loop.create_connection(
        Recorder, sock=ours, ssl=client_context(), server_hostname="localhost", **options
    )
    return client, (await server)[1]


async def plain_pair() -> tuple[Recorder, Recorder]:
    """The same without TLS."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    _, client = await loop.create_connection(Recorder, sock=ours)
    _, server = await loop.connect_accepted_socket(Recorder, theirs)
    await asyncio.gather(client.made, server.made)
    return client, server
