"""A reader and a writer of asyncio over a connected socket of the loop under test, and the plain socket opposite."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Iterator
from typing import Any, TypeVar

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair

T = TypeVar("T")
BIG = bytes(range(251)) * 32000  # 8 MB, more than loopback takes at once, of a period that no buffer size divides


async def said_goodbye(writer: asyncio.StreamWriter, server: asyncio.AbstractServer) -> None:
    """Close a client's stream and the server, and wait until both are closed."""
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


class Opened:
    """A stream over a connected socket; `peer` is the other end."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, patience: Patience, reader: Any, writer: Any, peer: socket.socket
    ) -> None:
        self.loop, self.patience = loop, patience
        self.reader, self.writer, self.peer = reader, writer, peer

    def run(self, waiting: Awaitable[T]) -> T:
        """The result, which must come in time."""
        return self.loop.run_until_complete(asyncio.wait_for(waiting, self.patience.seconds))

    def sent(self, data: bytes, end: bool = False) -> None:
        """The peer sends data, and the end of the stream, at once."""
        self.peer.sendall(data)
        if end:
            self.peer.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def opened(loop: asyncio.AbstractEventLoop, patience: Patience, **kwargs: Any) -> Iterator[Opened]:
    """What open_connection() makes of a connected socket; aborted at the end."""
    with tcp_pair() as (ours, peer):
        reader, writer = loop.run_until_complete(asyncio.open_connection(sock=ours, **kwargs))
        try:
            yield Opened(loop, patience, reader, writer, peer)
        finally:
            # The stock loop's abort() raises AttributeError after a close() that had data to flush.
            with contextlib.suppress(AttributeError):
                writer.transport.abort()
            turn(loop, 4)
