"""Chapter tls: streams with TLS from the start, and StreamWriter.start_tls()."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, listener, receive_exactly
from conformance.kit.secured import TIMED_OUT, tls_accept, tls_dial, tls_over
from conformance.kit.streams import Opened, opened
from conformance.kit.threads import Helper, in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@contextlib.contextmanager
def stream(loop: Loop, patience: Patience, **kwargs: Any) -> Iterator[tuple[Opened, Helper[ssl.SSLSocket]]]:
    """A stream over a plain connection, whose peer answers a handshake of TLS when it comes."""
    with opened(loop, patience) as streams:
        yield streams, tls_over(streams.peer, "server", **kwargs)
        streams.writer.transport.abort()
        turn(loop, 4)


@requirement("tls.stream-client", MUST, cite="asyncio-stream: open_connection")
def test_open_connection_with_tls(loop: Loop, patience: Patience) -> None:
    """open_connection() passes ssl on: what the writer writes and the reader reads goes over TLS.

    If this fails: look for create_connection() that makes a TLS transport for protocols of some classes only.
    """
    with listener() as listening:
        helper = tls_accept(listening)
        opening = asyncio.open_connection(*listening.getsockname(), ssl=client_context(), server_hostname=NAME)
        reader, writer = loop.run_until_complete(opening)
        with drive(loop, patience, helper) as peer:
            peer.sendall(b"in")
            assert loop.run_until_complete(asyncio.wait_for(reader.readexactly(2), PEER_TIMEOUT)) == b"in"
            writer.write(b"out")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
            writer.transport.abort()
            turn(loop, 4)


@requirement("tls.stream-server", MUST, cite="asyncio-stream: start_server")
def test_start_server_with_tls(loop: Loop, patience: Patience) -> None:
    """start_server() passes ssl on: client_connected_cb is called when the handshake is complete.

    If this fails: look for a callback that gets the streams of the TCP connection beneath.
    """
    ciphers: list[Any] = []
    writers: list[Any] = []

    async def answer(reader: Any, writer: Any) -> None:
        ciphers.append(writer.get_extra_info("cipher"))
        writer.write(await reader.readexactly(2))
        writers.append(writer)

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context()))
    helper = tls_dial(server.sockets[0].getsockname())
    with drive(loop, patience, helper) as peer:
        peer.sendall(b"in")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 2))) == b"in"
        writers[0].transport.abort()
    server.close()
    turn(loop, 4)
    assert ciphers != [None]


@requirement("tls.stream-wait-closed", MUST, cite="asyncio-stream: StreamWriter.wait_closed")
def test_a_stream_with_tls_closes(loop: Loop, patience: Patience) -> None:
    """wait_closed() after close() returns when the TLS connection is closed, all data having been flushed.

    If this fails: look for connection_lost() that the streams' protocol is not told.
    """
    with stream(loop, patience) as (streams, helper):
        streams.run(streams.writer.start_tls(client_context(), server_hostname=NAME))
        peer = drive(loop, patience, helper)
        streams.writer.write(b"the last word")
        streams.writer.close()

        def read_to_the_end() -> bytes:
            data = receive_exactly(peer, 13)
            with contextlib.suppress(OSError):
                peer.unwrap()
            return data

        reading = in_thread(read_to_the_end)
        streams.run(streams.writer.wait_closed())
        assert reading.result() == b"the last word"
        peer.close()


@requirement("tls.writer-start", MUST, cite="asyncio-stream: StreamWriter.start_tls")
def test_a_writer_upgrades_its_connection(loop: Loop, patience: Patience) -> None:
    """StreamWriter.start_tls() upgrades an existing stream-based connection: its reader and writer then speak TLS.

    If this fails: look for start_tls() that gives the streams' protocol another transport than it returns.
    """
    with stream(loop, patience) as (streams, helper):
        streams.run(streams.writer.start_tls(client_context(), server_hostname=NAME))
        peer = drive(loop, patience, helper)
        peer.sendall(b"in")
        assert streams.run(streams.reader.readexactly(2)) == b"in"
        streams.writer.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
        streams.writer.transport.abort()
        turn(loop, 4)
        peer.close()


@requirement("tls.writer-transport", MUST, cite="asyncio-stream: StreamWriter.start_tls")
def test_an_upgraded_writer_has_the_new_transport(loop: Loop, patience: Patience) -> None:
    """After StreamWriter.start_tls() the writer's transport is the new one, which tells of TLS.

    If this fails: look for start_tls() that returns the original transport, or nothing.
    """
    with stream(loop, patience) as (streams, helper):
        beneath = streams.writer.transport
        streams.run(streams.writer.start_tls(client_context(), server_hostname=NAME))
        peer = drive(loop, patience, helper)
        assert streams.writer.transport is not beneath
        assert streams.writer.get_extra_info("ssl_object") is not None
        streams.writer.transport.abort()
        turn(loop, 4)
        peer.close()


@requirement("tls.writer-start-server", MUST, cite="asyncio-stream: StreamWriter.start_tls")
def test_a_writer_of_a_server_makes_the_servers_handshake(loop: Loop, patience: Patience) -> None:
    """In client_connected_cb of a server, StreamWriter.start_tls() makes the server's side of the handshake.

    If this fails: look for start_tls() without server_side.
    """

    writers: list[Any] = []

    async def answer(reader: Any, writer: Any) -> None:
        writer.write(b"go")  # a loop may read before the callback runs: nothing may come before the upgrade
        await writer.start_tls(server_context())
        writer.write(await reader.readexactly(2))
        writers.append(writer)

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    address = server.sockets[0].getsockname()
    plain = socket.create_connection(address, PEER_TIMEOUT)
    assert drive(loop, patience, in_thread(lambda: receive_exactly(plain, 2))) == b"go"
    with drive(loop, patience, tls_over(plain, "client")) as peer:
        peer.sendall(b"in")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 2))) == b"in"
        writers[0].transport.abort()
    server.close()
    turn(loop, 4)


@requirement("tls.writer-hostname", MUST, cite="asyncio-stream: StreamWriter.start_tls")
def test_the_upgrade_of_a_writer_checks_the_name(loop: Loop, patience: Patience, watch: Any) -> None:
    """server_hostname of StreamWriter.start_tls() is the name that the certificate is matched against.

    If this fails: look for a name that the loop's start_tls() does not use.
    """
    watch.allow("reported")
    with stream(loop, patience) as (streams, helper):
        with pytest.raises(ssl.SSLCertVerificationError):
            streams.run(streams.writer.start_tls(client_context(), server_hostname="other.example"))
        streams.writer.transport.abort()
        turn(loop, 4)
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.writer-handshake-timeout", MUST, cite="asyncio-stream: StreamWriter.start_tls")
def test_the_upgrade_of_a_writer_has_a_timeout(loop: Loop, patience: Patience, watch: Any) -> None:
    """After ssl_handshake_timeout seconds without a handshake StreamWriter.start_tls() raises an exception.

    If this fails: look for a timeout that the loop's start_tls() does not use.
    """
    watch.allow("reported")
    with opened(loop, patience) as streams:
        upgrading = streams.writer.start_tls(client_context(), server_hostname=NAME, ssl_handshake_timeout=0.005)
        with pytest.raises(TIMED_OUT):
            loop.run_until_complete(upgrading)  # whose own end is a TimeoutError, perhaps


@requirement("tls.writer-shutdown-timeout", MUST, cite="asyncio-stream: StreamWriter.start_tls", since="3.12")
def test_the_upgrade_of_a_writer_has_a_timeout_for_its_end(loop: Loop, patience: Patience) -> None:
    """After ssl_shutdown_timeout seconds without a complete shutdown an upgraded stream is aborted.

    If this fails: look for a timeout that the loop's start_tls() does not use.
    """
    with stream(loop, patience) as (streams, helper):
        upgrading = streams.writer.start_tls(client_context(), server_hostname=NAME, ssl_shutdown_timeout=0.01)
        streams.run(upgrading)
        peer = drive(loop, patience, helper)
        streams.writer.close()
        closed = loop.create_task(streams.writer.wait_closed())
        patience.run_until(loop, closed.done, "the end of wait_closed()")
        closed.exception()  # whether the end is told as a TimeoutError is left open
        peer.close()
