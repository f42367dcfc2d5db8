"""A reader and a writer of asyncio over a connection of the loop under test, and the plain socket opposite.

The documentation describes streams once: what it says holds for those that open_connection() opens, those that a
server has accepted, and those of Unix sockets alike, and a loop may have a path of its own for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from conformance.kit.cases import each
from conformance.kit.connections import accept
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import (
    dialled,
    listener,
    shrink_buffers,
    shrink_transport,
    socket_path,
    tcp_pair,
    unix_listener,
    unix_pair,
)

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop
BIG = bytes(range(251)) * 8000  # 2 MB: more than shrunk buffers take at once, of a period that no buffer size divides
AT_ONCE = 10  # turns of the loop: what is written at once needs no timer for that, but may take the end of one
LONG = BIG[:300_000]  # to be read: a loop may take it in small pieces, and in some turns each

TCP = ("sock", "host", "accepted")
UNIX = ("unix", "unix-accepted", "pair") if hasattr(socket, "AF_UNIX") else ()
WAYS = each("way", TCP + UNIX)
TCP_WAYS = each("way", TCP)
SERVED = each("way", [way for way in TCP + UNIX if way.endswith("accepted")])


async def answer_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handler that gives one line back, in upper case, and closes."""
    writer.write((await reader.readline()).upper())
    writer.close()


async def answer_to_line(server: asyncio.AbstractServer, opening: Awaitable[Any]) -> bytes:
    """All that a server sends to a client of a stream that has sent `line`; both are closed."""
    reader, writer = await opening
    writer.write(b"line\n")
    data: bytes = await reader.read()
    await said_goodbye(writer, server)
    return data


async def said_goodbye(writer: asyncio.StreamWriter, server: asyncio.AbstractServer) -> None:
    """Close a client's stream and the server, and wait until both are closed."""
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


class Opened:
    """A stream over a connected socket; `peer` is the other end."""

    def __init__(self, loop: Loop, patience: Patience, reader: Any, writer: Any, peer: Any) -> None:
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
def opened(loop: Loop, patience: Patience, way: str = "sock", **kwargs: Any) -> Iterator[Opened]:
    """A stream with buffers that fill soon; aborted at the end.

    `way` is one of `WAYS`: open_connection() with a connected socket, to a host; what client_connected_cb of
    start_server() was given; the same two of a path; open_connection() with one of a pair of Unix sockets. `kwargs`
    go to the function that makes the stream.
    """
    with contextlib.ExitStack() as stack:
        if way.endswith("accepted"):
            reader, writer, peer = _accepted(loop, patience, stack, way, kwargs)
        elif way in ("sock", "pair"):
            reader, writer, peer = _given(loop, stack, way, kwargs)
        else:
            reader, writer, peer = _connected(loop, stack, way, kwargs)
        shrink_transport(writer)
        shrink_buffers(peer)
        try:
            yield Opened(loop, patience, reader, writer, peer)
        finally:
            # The stock loop's abort() raises AttributeError after a close() that had data to flush.
            with contextlib.suppress(AttributeError):
                writer.transport.abort()
            turn(loop, 4)


def _given(loop: Loop, stack: contextlib.ExitStack, way: str, kwargs: Any) -> tuple[Any, Any, socket.socket]:
    ours, peer = stack.enter_context(tcp_pair() if way == "sock" else unix_pair())
    return *loop.run_until_complete(asyncio.open_connection(sock=ours, **kwargs)), peer


def _connected(loop: Loop, stack: contextlib.ExitStack, way: str, kwargs: Any) -> tuple[Any, Any, socket.socket]:
    listening = stack.enter_context(stream_listener(way))
    reader, writer = loop.run_until_complete(opening_to(listening, **kwargs))
    return reader, writer, stack.enter_context(accept(listening))


def _accepted(
    loop: Loop, patience: Patience, stack: contextlib.ExitStack, way: str, kwargs: Any
) -> tuple[Any, Any, socket.socket]:
    server, connected = stack.enter_context(stream_server(loop, way, **kwargs))
    peer = stack.enter_context(dialled_stream(server))
    patience.run_until(loop, lambda: connected, "client_connected_cb")
    return *connected[0], peer


@contextlib.contextmanager
def stream_listener(way: str) -> Iterator[socket.socket]:
    """A plain socket that listens for the way "unix" or "host"; its path, if it has one, is removed at the end."""
    with contextlib.ExitStack() as stack:
        if way == "unix":
            yield stack.enter_context(unix_listener(stack.enter_context(socket_path())))
        else:
            yield stack.enter_context(listener())


def opening_to(listening: socket.socket, **kwargs: Any) -> Any:
    """open_unix_connection() or open_connection() to where a socket listens."""
    address = listening.getsockname()
    if isinstance(address, str):
        return asyncio.open_unix_connection(address, **kwargs)
    return asyncio.open_connection(*address, **kwargs)


def dialled_stream(server: Any) -> socket.socket:
    """A blocking socket that is connected to a server of streams."""
    listening = server.sockets[0]
    return dialled(listening.getsockname(), listening.family)


@contextlib.contextmanager
def stream_server(
    loop: Loop, way: str = "accepted", connected_cb: Callable[..., Any] | None = None, **kwargs: Any
) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """A server of streams, "accepted" of TCP or "unix-accepted", and the pairs that it made; closed at the end.

    The pairs are kept if there is no `connected_cb`.
    """
    connected: list[tuple[Any, Any]] = []

    def keep(reader: Any, writer: Any) -> None:
        connected.append((reader, writer))

    with contextlib.ExitStack() as stack:
        if way == "unix-accepted":
            path = stack.enter_context(socket_path())
            starting: Any = asyncio.start_unix_server(connected_cb or keep, path, **kwargs)
        else:
            starting = asyncio.start_server(connected_cb or keep, "127.0.0.1", 0, **kwargs)
        server = loop.run_until_complete(starting)
        try:
            yield server, connected
        finally:
            server.close()
            turn(loop, 4)
