"""Chapter streams: streams over Unix sockets that exist already, and what the writer tells of its transport."""

from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop as Loop
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_all
from conformance.kit.streams import said_goodbye
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

T = TypeVar("T")


def _run(loop: Loop, patience: Patience, scenario: Coroutine[Any, Any, T]) -> T:
    return loop.run_until_complete(asyncio.wait_for(scenario, patience.seconds))


@requirement("streams.unix-sock", MUST, cite="asyncio-stream: open_unix_connection", needs=("unix",))
def test_open_unix_connection_takes_a_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument of open_unix_connection() transfers ownership to the StreamWriter, whose close() closes it.

    If this fails: look for a duplicate of the descriptor, or a path that is asked for all the same.
    """
    ours, theirs = socket.socketpair()
    theirs.settimeout(patience.seconds)

    async def scenario() -> bytes:
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.write(b"to the peer")
        theirs.send(b"line\n")
        data = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return data

    with theirs:
        assert _run(loop, patience, scenario()) == b"line\n"
        assert drive(loop, patience, in_thread(lambda: receive_all(theirs))) == b"to the peer"
    patience.run_until(loop, lambda: ours.fileno() == -1, "the end of the socket")


@requirement("streams.unix-server-sock", MUST, cite="asyncio-stream: start_unix_server", needs=("unix",))
def test_start_unix_server_takes_a_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """The sock argument of start_unix_server() transfers ownership to the server, whose close() closes the socket.

    If this fails: look for a listener that is made anew, or left open.
    """
    path = tmp_path / "s"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))

    async def scenario() -> bytes:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"welcome")
            writer.close()

        server = await asyncio.start_unix_server(connected, sock=listening)
        reader, writer = await asyncio.open_unix_connection(path)
        data = await reader.read()
        await said_goodbye(writer, server)
        return data

    assert _run(loop, patience, scenario()) == b"welcome"
    patience.run_until(loop, lambda: listening.fileno() == -1, "the end of the listening socket")


@requirement("streams.writer-transport", MUST, cite="asyncio-stream: StreamWriter.transport")
def test_the_writers_transport_is_the_one_of_the_stream(loop: Loop, patience: Patience) -> None:
    """transport returns the underlying asyncio transport: what is written to it goes the way of the stream, in order.

    If this fails: look for a wrapper that is made anew each time, or buffers apart from write().
    """
    ours, theirs = socket.socketpair()
    theirs.settimeout(patience.seconds)

    async def scenario() -> None:
        _, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"one ")
        writer.transport.write(b"two ")
        writer.write(b"three")
        writer.transport.close()
        assert writer.is_closing()
        await writer.wait_closed()

    with theirs:
        _run(loop, patience, scenario())
        assert drive(loop, patience, in_thread(lambda: receive_all(theirs))) == b"one two three"
