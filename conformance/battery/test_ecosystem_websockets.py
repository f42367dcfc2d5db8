"""Chapter ecosystem: websockets over the loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.libraries import complete, library, settled
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, receive_all
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
WEBSOCKETS = ("websockets",)
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


@requirement(
    "ecosystem.websockets-closing-handshake",
    SHOULD,
    cite="websockets/topics/design: Closing handshake",
    needs=WEBSOCKETS,
)
def test_both_sides_see_the_close(loop: Loop, patience: Patience) -> None:
    """Both sides of a connection of websockets get the other's messages, then its close code, and the end.

    If this fails: look for write_eof() or close() that drop what is buffered.
    """
    server_of, client_of = library("websockets.asyncio.server"), library("websockets.asyncio.client")
    message = "x" * 1_000_000

    async def scenario() -> tuple[list[str], Any, Any]:
        closed = loop.create_future()

        async def handler(connection: Any) -> None:
            await connection.send(await connection.recv())
            await connection.send(message)
            await connection.close(4000, "over")
            closed.set_result(connection.close_code)

        how = {"compression": None, "close_timeout": 3600}
        async with server_of.serve(handler, "127.0.0.1", 0, **how) as server:
            host, port = server.sockets[0].getsockname()[:2]
            async with client_of.connect(f"ws://{host}:{port}", proxy=None, **how) as connection:
                await connection.send(message)
                received = [await connection.recv(), await connection.recv()]
                await connection.wait_closed()
                return received, (connection.close_code, connection.close_reason), await closed

    received, client_saw, server_saw = complete(loop, patience, scenario())
    assert received == [message] * 2
    assert (client_saw, server_saw) == ((4000, "over"), 4000)


@requirement(
    "ecosystem.websockets-keepalive",
    SHOULD,
    cite="websockets/topics/keepalive: Keepalive in websockets",
    needs=WEBSOCKETS,
)
def test_a_peer_that_does_not_answer_pings_is_left(loop: Loop, patience: Patience) -> None:
    """websockets sends pings at its interval, and fails a connection whose peer does not answer them in time.

    If this fails: look for timers, and for asyncio's timeouts around a wait.
    """
    server_of = library("websockets.asyncio.server")

    async def scenario() -> tuple[bytes, Any]:
        closed = loop.create_future()

        async def handler(connection: Any) -> None:
            await connection.wait_closed()
            closed.set_result(connection.close_code)

        how = {"ping_interval": 0.01, "ping_timeout": 0.01, "close_timeout": 0.01}
        async with server_of.serve(handler, "127.0.0.1", 0, **how) as server:
            with socket.create_connection(server.sockets[0].getsockname()[:2], timeout=PEER_TIMEOUT) as peer:
                peer.sendall(UPGRADE)
                helper = in_thread(lambda: receive_all(peer))
                code = await closed
                await until(patience, lambda: not helper.is_alive(), "the end of the connection")
                return helper.result().partition(b"\r\n\r\n")[2], code

    frames, _ = complete(loop, patience, scenario())
    assert frames[:1] == b"\x89", f"the first frame is no ping: {frames!r}"
    assert b"\x03\xf3keepalive" in frames, f"no close frame with the code 1011: {frames!r}"


@requirement("ecosystem.websockets-backpressure", SHOULD, cite="websockets/topics/memory: §Buffers", needs=WEBSOCKETS)
def test_a_reader_that_is_late_stops_the_writer(loop: Loop, patience: Patience) -> None:
    """A connection of websockets whose application does not read stops reading, so that its peer has to wait.

    If this fails: look for pause_reading() that goes on reading, or resume_reading() that does not.
    """
    server_of, client_of = library("websockets.asyncio.server"), library("websockets.asyncio.client")
    message, count = b"x" * 262_144, 128

    async def scenario() -> tuple[int, int]:
        sent = 0
        leave, received = asyncio.Event(), loop.create_future()

        async def handler(connection: Any) -> None:
            await leave.wait()
            received.set_result(sum([len(part) async for part in connection]))

        async def send(connection: Any) -> None:
            nonlocal sent
            for _ in range(count):
                await connection.send(message)
                sent += 1

        how = {"compression": None, "ping_interval": None}
        async with server_of.serve(handler, "127.0.0.1", 0, **how) as server:
            host, port = server.sockets[0].getsockname()[:2]
            async with client_of.connect(f"ws://{host}:{port}", proxy=None, **how) as connection:
                sending = loop.create_task(send(connection))
                await until(patience, lambda: sent, "the first message")
                before = await settled(lambda: sent)
                leave.set()
                await sending
            return before, await received

    sent, received = complete(loop, patience, scenario())
    assert sent < count, "every message was sent though the application had read none"
    assert received == count * len(message)


@requirement(
    "ecosystem.websockets-server-close",
    SHOULD,
    cite="websockets/reference/asyncio/server: websockets.asyncio.server.Server.close",
    needs=WEBSOCKETS,
)
def test_closing_a_server_ends_its_connections(loop: Loop, patience: Patience) -> None:
    """When a server of websockets is closed, its connections are closed with code 1001, and wait_closed() returns.

    If this fails: look for Server.wait_closed(), and for connections that a server does not count.
    """
    server_of, client_of = library("websockets.asyncio.server"), library("websockets.asyncio.client")

    async def scenario() -> Any:
        server = await server_of.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        async with client_of.connect(f"ws://{host}:{port}", proxy=None) as connection:
            await (await connection.ping())  # until the server knows of it
            server.close()
            await server.wait_closed()
            await connection.wait_closed()
            return connection.close_code

    assert complete(loop, patience, scenario()) == 1001
