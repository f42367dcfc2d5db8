"""Chapter tcp: the examples of the documentation's page on transports and protocols."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from conformance.kit.patience import Patience
from conformance.kit.waiting import until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


class _EchoServer(asyncio.Protocol):
    transport: Any

    def connection_made(self, transport: Any) -> None:
        assert transport.get_extra_info("peername")[0] == "127.0.0.1"
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


class _EchoClient(asyncio.Protocol):
    def __init__(self, message: str, on_con_lost: asyncio.Future[bool]) -> None:
        self.message = message
        self.on_con_lost = on_con_lost
        self.answer = bytearray()

    def connection_made(self, transport: Any) -> None:
        transport.write(self.message.encode())

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def connection_lost(self, _exc: Exception | None) -> None:
        self.on_con_lost.set_result(True)


@requirement(
    "tcp.example-echo",
    MUST,
    cite=("asyncio-protocol: TCP Echo Server", "asyncio-protocol: TCP Echo Client"),
)
def test_the_echo_client_talks_to_the_echo_server(loop: Loop, patience: Patience) -> None:
    """The documentation's TCP echo server answers and closes, and its client then closes its own transport once more.

    If this fails: look for an answer that close() drops, or for a close() after connection_lost() that is an error.
    """

    # Of one byte: what comes in several parts is answered in part by this server.
    async def tcp_echo_client(address: Any, message: str) -> str:
        on_con_lost = loop.create_future()
        transport, protocol = await loop.create_connection(lambda: _EchoClient(message, on_con_lost), *address)
        try:
            await on_con_lost
        finally:
            transport.close()
        return protocol.answer.decode()

    async def serve(server: Any) -> None:
        async with server:
            await server.serve_forever()

    async def main() -> list[str]:
        server = await loop.create_server(lambda: _EchoServer(), "127.0.0.1", 0)
        serving = loop.create_task(serve(server))
        address = server.sockets[0].getsockname()
        answers = [await tcp_echo_client(address, message) for message in ("H", "a")]
        answers += await asyncio.gather(*(tcp_echo_client(address, message) for message in ("l", "r")))
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert not server.is_serving()
        return answers

    answers = loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert answers == ["H", "a", "l", "r"]


class _Waiting(asyncio.Protocol):
    """Closes its transport when something has come."""

    transport: Any = None

    def __init__(self, on_con_lost: asyncio.Future[bool]) -> None:
        self.on_con_lost = on_con_lost
        self.received: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received.append(data)
        self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.on_con_lost.set_result(True)


@requirement("tcp.example-socket", MUST, cite="asyncio-protocol: Connecting Existing Sockets", needs=("unix",))
def test_an_open_socket_waits_for_data(loop: Loop, patience: Patience) -> None:
    """An open socket waits for data: one of socketpair(), as it comes, with create_connection(sock=…).

    What the loop itself sends through the other end is received, close() leads to connection_lost(), and the socket
    is closed.

    If this fails: look for a blocking socket that stays so, for a family that is refused, or a method of a socket that
    call_soon() takes for something else.
    """

    async def main() -> list[bytes]:
        on_con_lost = loop.create_future()
        rsock, wsock = socket.socketpair()
        transport, protocol = await loop.create_connection(lambda: _Waiting(on_con_lost), sock=rsock)
        loop.call_soon(wsock.send, b"abc")
        try:
            await protocol.on_con_lost
        finally:
            transport.close()
            wsock.close()
        await until(patience, lambda: rsock.fileno() == -1, "the end of the socket")
        return protocol.received

    (received,) = loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert received in (b"a", b"ab", b"abc")
