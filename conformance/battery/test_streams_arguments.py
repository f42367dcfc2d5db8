"""Chapter streams: the arguments that open_connection() and start_server() pass on, and the examples of their page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import trusted_by_default
from conformance.kit.connections import accept
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, free_port, listener
from conformance.kit.secured import tls_accept
from conformance.kit.streams import stream_server
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("streams.open-arguments", MUST, cite="asyncio-stream: open_connection")
def test_open_connection_passes_its_arguments_on(loop: Loop) -> None:
    """The rest of the arguments of open_connection() are passed to create_connection(), and do what they say.

    If this fails: look for a path of its own for streams, which knows a host and a port only.
    """
    with listener() as listening:
        address = listening.getsockname()
        port = free_port()
        numeric: Any = {"family": socket.AF_INET, "proto": socket.IPPROTO_TCP, "flags": socket.AI_NUMERICHOST}
        opening = asyncio.open_connection(*address, local_addr=("127.0.0.1", port), ssl=None, **numeric)
        _, writer = loop.run_until_complete(opening)
        with accept(listening) as peer:
            assert peer.getpeername() == ("127.0.0.1", port)
            writer.transport.abort()
            turn(loop, 4)
        for wrong in ({"family": socket.AF_INET6}, {"host": "localhost", "flags": socket.AI_NUMERICHOST}):
            with pytest.raises(OSError):  # noqa: PT011 (socket.gaierror, of several numbers)
                loop.run_until_complete(asyncio.open_connection(**{"host": address[0], "port": address[1], **wrong}))


@requirement("streams.open-happy-eyeballs", MUST, cite="asyncio-stream: open_connection")
def test_open_connection_passes_happy_eyeballs_on(loop: Loop) -> None:
    """open_connection() takes happy_eyeballs_delay and interleave, added in Python 3.8, and passes them on.

    If this fails: look for a create_connection() that does not know them.
    """
    with listener() as listening:
        opening = asyncio.open_connection(*listening.getsockname(), happy_eyeballs_delay=0.1, interleave=1)
        _, writer = loop.run_until_complete(opening)
        with accept(listening):
            writer.transport.abort()
            turn(loop, 4)


@requirement(
    "streams.server-arguments", MUST, cite=("asyncio-stream: start_server", "asyncio-stream: start_unix_server")
)
def test_start_server_passes_its_arguments_on(loop: Loop) -> None:
    """The rest of the arguments of start_server() and start_unix_server() are passed to the loop.

    If this fails: look for a path of its own for streams, which knows some of the arguments only.
    """
    how: Any = {
        "family": socket.AF_INET,
        "flags": socket.AI_PASSIVE | socket.AI_NUMERICHOST,
        "backlog": 7,
        "reuse_address": True,
        "reuse_port": False,
        "ssl": None,
        "start_serving": True,
    }
    with stream_server(loop, **how) as (server, _):
        assert {sock.family for sock in server.sockets} == {socket.AF_INET}
        assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    if hasattr(socket, "AF_UNIX"):
        with stream_server(loop, "unix-accepted", backlog=7, ssl=None, start_serving=True) as (server, _):
            assert server.is_serving()
    with pytest.raises(OSError):  # noqa: PT011 (socket.gaierror, of several numbers)
        loop.run_until_complete(asyncio.start_server(print, "127.0.0.1", 0, family=socket.AF_INET6))


@requirement(
    "streams.example-echo",
    MUST,
    cite=(
        "asyncio-stream: TCP echo client using streams",
        "asyncio-stream: TCP echo server using streams",
    ),
)
def test_the_echo_client_talks_to_the_echo_server(loop: Loop, patience: Patience) -> None:
    """The documentation's TCP echo client and server understand each other, one client after another.

    If this fails: look for a handler that is not run while serve_forever() waits, or for an end that does not come.
    """

    async def handle_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(100)
        assert writer.get_extra_info("peername")[0] == "127.0.0.1"
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def tcp_echo_client(address: Any, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(message)
        await writer.drain()
        data = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return data

    async def serve(server: Any) -> None:
        async with server:
            await server.serve_forever()

    async def main() -> list[bytes]:
        server = await asyncio.start_server(handle_echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        serving = asyncio.ensure_future(serve(server))
        answers = [await tcp_echo_client(address, message) for message in (b"H", b"a")]  # one byte is one piece
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert not server.is_serving()
        return answers

    assert loop.run_until_complete(asyncio.wait_for(main(), patience.seconds)) == [b"H", b"a"]


@requirement(
    "streams.example-socket",
    MUST,
    cite="asyncio-stream: Register an open socket to wait for data using streams",
    needs=("unix",),
)
def test_an_open_socket_waits_for_data(loop: Loop, patience: Patience) -> None:
    """An open socket, one of socketpair(), is registered with open_connection(sock=…), whose writer then owns it.

    If this fails: look for a socket of the family AF_UNIX that is refused or asked for what TCP has, for one that was
    blocking, or for a duplicate of its descriptor.
    """

    async def wait_for_data() -> bytes:
        rsock, wsock = socket.socketpair()
        with wsock:
            reader, writer = await asyncio.open_connection(sock=rsock)
            loop.call_soon(wsock.send, b"a")
            data = await reader.read(100)
            writer.close()
            await writer.wait_closed()
            await until(patience, lambda: rsock.fileno() == -1, "the end of the socket")
        return data

    assert loop.run_until_complete(asyncio.wait_for(wait_for_data(), patience.seconds)) == b"a"


@requirement("streams.example-headers", MUST, cite="asyncio-stream: Get HTTP headers")
@each("scheme", ["http", "https"])
def test_headers_are_read_line_by_line(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The documentation's client asks for HTTP headers, with ssl=True for https, and reads lines until the end.

    If this fails: look for a default context that trusts nobody, or an end that readline() is not told.
    """
    monkeypatch.setenv("SSL_CERT_FILE", trusted_by_default(tmp_path))

    async def headers(port: int) -> list[str]:
        reader, writer = await asyncio.open_connection("localhost", port, **how)
        writer.write(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        lines = []
        while line := await reader.readline():
            lines.append(line.decode("latin1").rstrip())
        writer.close()
        with contextlib.suppress(OSError):  # the server's end may be told as an error where TLS is
            await writer.wait_closed()
        return lines

    how: Any = {"ssl": True} if scheme == "https" else {}
    with listener() as listening:
        accepting: Any = tls_accept(listening) if scheme == "https" else in_thread(lambda: accept(listening))

        def serve() -> None:
            with accepting.result() as peer:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += peer.recv(100)
                peer.sendall(b"HTTP/1.0 200 OK\r\nServer: none\r\n\r\n")
                with contextlib.suppress(OSError):
                    peer.unwrap() if scheme == "https" else peer.shutdown(socket.SHUT_WR)

        helper = in_thread(serve)
        asking = headers(listening.getsockname()[1])
        lines = loop.run_until_complete(asyncio.wait_for(asking, patience.seconds))
        assert lines == ["HTTP/1.0 200 OK", "Server: none", ""]
        drive(loop, patience, helper)
