"""TLS transports against each other and against blocking peers: large data, both kinds of end, timeouts, nesting."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.certificates import client_context, server_context
from reference_loop import new_event_loop
from tests.reference_loop.connections import Recorder, connected_pair, run


def in_thread(function: Callable[..., Any], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def test_large_data_in_both_directions_and_an_orderly_end() -> None:
    async def main() -> None:
        client, server = await connected_pair()
        upload, download = bytearray(b"u" * 3_000_000), b"d" * 2_000_000
        client.transport.write(upload)
        upload[:] = bytes(len(upload))  # it may be used again
        client.transport.write(b"!")
        server.transport.write(download)
        assert "pause" in client.events
        assert client.transport.get_write_buffer_size() > 1_000_000
        while len(client.data) < len(download) or len(server.data) < len(upload) + 1:
            await asyncio.sleep(0)
        assert bytes(server.data) == b"u" * len(upload) + b"!"
        assert client.transport.get_write_buffer_size() == 0
        assert client.events == ["made", "pause", "resume"]
        server.transport.writelines([b"last ", bytearray(b"words")])
        server.transport.close()
        assert await client.lost is None
        assert await server.lost is None
        assert client.data.endswith(b"last words")
        assert client.events[-2:] == ["eof", "lost"]
        assert server.events[-1] == "lost"
        assert "eof" not in server.events

    run(main())


def test_data_for_a_transport_that_is_closing_is_thrown_away() -> None:
    async def main() -> None:
        client, server = await connected_pair()
        client.transport.close()
        server.transport.write(b"x" * 100_000)
        assert await client.lost is None
        assert await server.lost is None
        assert not client.data

    run(main())


def test_an_end_without_close_notify_is_an_end() -> None:
    async def main() -> None:
        client, server = await connected_pair()
        server.transport.get_extra_info("socket")
        server.transport.write(b"truncated")
        server.transport._lower.close()
        await client.lost
        assert client.data == b"truncated"
        assert client.events == ["made", "eof", "lost"]

    run(main())


def test_paused_reading_holds_the_writer_back_and_the_end_waits_for_its_turn() -> None:
    async def main() -> None:
        client, server = await connected_pair()
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        client.transport.write(b"x" * 10_000_000)
        client.transport.close()
        for _ in range(50):
            await asyncio.sleep(0)
        assert not server.data
        assert client.transport.get_write_buffer_size() > 5_000_000
        server.transport.resume_reading()
        await asyncio.gather(client.lost, server.lost)
        assert len(server.data) == 10_000_000
        assert server.events == ["made", "eof", "lost"]

    run(main())


def test_a_peer_that_never_ends_its_half_is_aborted_after_the_shutdown_timeout() -> None:
    async def main() -> None:
        client, server = await connected_pair(ssl_shutdown_timeout=0.02)
        server.transport._lower.pause_reading()
        client.transport.close()
        assert isinstance(await client.lost, TimeoutError)
        server.transport.abort()
        assert await server.lost is None

    run(main())


def test_a_silent_peer_fails_the_handshake_after_its_timeout() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with theirs, pytest.raises(ConnectionAbortedError):
            await asyncio.get_running_loop().create_connection(
                Recorder, sock=ours, ssl=client_context(), server_hostname="localhost", ssl_handshake_timeout=0.02
            )

    run(main())


@pytest.mark.parametrize("how", ["end", "rubbish", "distrust"])
def test_a_failed_handshake_is_raised_and_closes_the_socket(how: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        context = client_context()
        if how == "distrust":
            context = ssl.create_default_context()
            other_end = loop.create_task(loop.connect_accepted_socket(Recorder, theirs, ssl=server_context()))
        elif how == "end":
            theirs.shutdown(socket.SHUT_WR)
        else:
            theirs.send(b"HTTP/1.0 400 Bad request\r\n\r\n")
        expected = ConnectionResetError if how == "end" else ssl.SSLError
        with pytest.raises(expected):
            await loop.create_connection(Recorder, sock=ours, ssl=context, server_hostname="localhost")
        if how == "distrust":
            with pytest.raises(ssl.SSLError):  # by the alert
                await other_end
        await asyncio.sleep(0)
        assert ours.fileno() == -1
        theirs.close()

    run(main())


def test_what_is_known_of_the_peer() -> None:
    async def main() -> None:
        client, server = await connected_pair()
        transport = client.transport
        assert transport.get_extra_info("peercert")["subjectAltName"] == (("DNS", "localhost"),)
        assert transport.get_extra_info("cipher") == transport.get_extra_info("ssl_object").cipher()
        assert isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext)
        assert transport.get_extra_info("socket").family == socket.AF_UNIX
        assert transport.get_extra_info("compression", 1) is None
        assert transport.get_extra_info("nothing", 1) == 1
        assert not transport.can_write_eof()
        transport.close()
        await asyncio.gather(client.lost, server.lost)

    run(main())


def test_start_tls_twice_is_tls_over_tls() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        client_transport, client = await loop.create_connection(Recorder, sock=ours)
        server_transport, server = await loop.connect_accepted_socket(Recorder, theirs)
        for _ in range(2):
            client_transport, server_transport = await asyncio.gather(
                loop.start_tls(client_transport, client, client_context(), server_hostname="localhost"),
                loop.start_tls(server_transport, server, server_context(), server_side=True),
            )
        client_transport.write(b"x" * 1_000_000)
        client_transport.close()
        assert await asyncio.gather(client.lost, server.lost) == [None, None]
        assert len(server.data) == 1_000_000
        assert server.events == ["made", "eof", "lost"]

    run(main())


def test_start_tls_on_a_transport_that_is_closing_is_none_and_its_protocol_hears_of_its_end() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport, protocol = await loop.create_connection(Recorder, sock=ours)
            transport.close()
            assert await loop.start_tls(transport, protocol, client_context(), server_hostname="localhost") is None
            assert await protocol.lost is None

    run(main())


class Buffered(asyncio.BufferedProtocol):
    """Reads into seven bytes, and counts."""

    def __init__(self) -> None:
        self.memory = bytearray(7)
        self.received = bytearray()
        self.lost = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.memory

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.memory[:nbytes]

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set_result(exc)


def test_a_buffered_protocol_gets_its_data_in_pieces_of_its_memory() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await connected_pair()
        buffered = Buffered()
        server.transport.set_protocol(buffered)
        data = bytes(range(256)) * 100
        client.transport.write(data)
        client.transport.close()
        assert await asyncio.gather(client.lost, buffered.lost) == [None, None]
        assert buffered.received == data
        assert loop.get_debug() is False

    run(main())


def test_a_server_ends_tls_before_it_ends_connections() -> None:
    """close_clients() is an orderly end: the client's SSLSocket does not complain."""
    received: list[bytes] = []

    def client(address: Any) -> None:
        with (
            socket.create_connection(address, timeout=5) as plain,
            client_context().wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as sock,
        ):
            sock.send(b"hello")
            received.append(sock.recv(100))
            sock.unwrap()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        protocol = Recorder()
        server: Any = await loop.create_server(lambda: protocol, "127.0.0.1", ssl=server_context())
        thread = in_thread(client, server.sockets[0].getsockname())
        while protocol.data != b"hello":
            await asyncio.sleep(0.001)
        server.close()
        server.close_clients()
        await server.wait_closed()
        assert await protocol.lost is None
        thread.join()

    run(main())
    assert received == [b""]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_an_abandoned_connection_does_not_keep_its_server_waiting() -> None:
    class Paused(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.pause_reading()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server: Any = await loop.create_server(Paused, "127.0.0.1", ssl=server_context())
        transport, _ = await loop.create_connection(
            Recorder, *server.sockets[0].getsockname(), ssl=client_context(), server_hostname="localhost"
        )
        transport.write(bytes(3_000_000))  # until nothing reads any more, and so nothing holds the connection
        while server._clients:
            await asyncio.sleep(0.01)
            server.close()
            gc.collect()
        await asyncio.wait_for(server.wait_closed(), 5)
        transport.abort()

    run(main())


def test_a_server_side_without_a_certificate_is_refused_and_the_socket_stays_the_callers() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, asyncio.Runner(loop_factory=new_event_loop) as runner:
        loop: Any = runner.get_loop()
        with pytest.raises(TypeError, match="a server needs a certificate"):
            runner.run(loop.connect_accepted_socket(Recorder, ours, ssl=True))
        assert ours.fileno() != -1
        transport, _ = runner.run(loop.connect_accepted_socket(asyncio.Protocol, ours, ssl=False))
        transport.abort()
        runner.run(asyncio.sleep(0))
