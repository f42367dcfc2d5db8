"""Chapter tls: how a TLS connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, server_context
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, drive, is_stopped, listener, receive_all, reset
from conformance.kit.protocols import Events, Reacts
from conformance.kit.secured import BIG, MADE_SIDES, SIDES, own_context, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("tls.close", MUST, cite="asyncio-protocol: BaseTransport.close")
@SIDES
def test_close_flushes_and_says_goodbye(loop: Loop, patience: Patience, side: str) -> None:
    """close() flushes buffered data and ends the connection in order, with close_notify; then connection_lost(None).

    If this fails: look for a close of the socket beneath, which the peer must take for an attack.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.write(BIG[:700_000])
        transport.close()

        def read_to_the_end() -> bytes:
            data = receive_all(peer)
            with contextlib.suppress(OSError):
                peer.unwrap()
            return data

        assert transport.is_closing()
        assert drive(loop, patience, in_thread(read_to_the_end)) == BIG[:700_000]
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tls.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("how", ["close", "abort", "end", "reset"])
@SIDES
def test_is_closing_tells_of_every_end(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """is_closing() of a TLS transport returns True if it is closing or closed, whoever has closed it.

    If this fails: look for the state of the connection beneath, or for a flag that only close() and abort() set.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        assert transport.is_closing() is False
        if how in ("end", "reset"):
            (peer.close if how == "end" else lambda: reset(peer))()
        else:
            getattr(transport, how)()
            assert transport.is_closing() is True
            peer.close()  # or the end would wait for its word
        until_lost(loop, patience, protocol)
        assert transport.is_closing() is True


@requirement("tls.end-when-made", MUST, cite="asyncio-protocol: BaseTransport.close")
@MADE_SIDES
def test_a_protocol_may_end_tls_as_it_is_made(loop: Loop, patience: Patience, side: str) -> None:
    """close() inside connection_made() of a TLS connection ends it: what was written before is sent.

    If this fails: look for a state of the handshake that is left only after connection_made().
    """

    def leave(transport: Any) -> None:
        transport.write(b"bye")
        transport.close()

    with secured(loop, patience, side, lambda: Reacts("connection_made", leave)) as (_, protocol, peer):
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b"bye"
        peer.close()  # or the end would wait for its word
        until_lost(loop, patience, protocol)
        assert (protocol.names[0], protocol.names[-1]) == ("connection_made", "connection_lost")
        assert "data_received" not in protocol.names
        assert protocol.reason is None


@requirement("tls.peer-closes", MUST, cite="asyncio-protocol: Protocol.eof_received")
@SIDES
def test_a_regular_end_of_the_peer(loop: Loop, patience: Patience, side: str) -> None:
    """When the peer ends with close_notify, all its data arrives, then eof_received(), then connection_lost(None).

    If this fails: look for the end of the socket beneath reported twice, or as an error.
    """
    with secured(loop, patience, side) as (_, protocol, peer):
        peer.sendall(b"last")
        helper = in_thread(peer.unwrap)
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper).close()
        assert protocol.received == b"last"
        assert [name for name in protocol.names if name != "data_received"][1:] == ["eof_received", "connection_lost"]
        assert protocol.reason is None


@requirement("tls.eof-true", MUST, cite="asyncio-protocol: Protocol.eof_received")
@SIDES
def test_tls_connections_do_not_stay_half_open(loop: Loop, patience: Patience, side: str) -> None:
    """SSL doesn't support half-closed connections: returning true from eof_received() results in the connection closed.

    If this fails: look for a transport that is left open and can send to nobody.
    """
    with secured(loop, patience, side, protocol=lambda: Events(keep_open=True)) as (_, protocol, peer):
        helper = in_thread(peer.unwrap)
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper).close()


@requirement("tls.abrupt-end", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_an_end_without_goodbye_is_an_end(loop: Loop, patience: Patience) -> None:
    """When the connection beneath ends without close_notify, what came before arrives, and connection_lost() is called.

    If this fails: look for a wait for a close_notify that does not come.
    """
    with secured(loop, patience) as (_, protocol, peer):
        peer.sendall(b"last")
        with socket.socket(fileno=peer.detach()) as beneath:
            beneath.shutdown(socket.SHUT_WR)
            until_lost(loop, patience, protocol)
        assert protocol.received == b"last"


@requirement("tls.garbage", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_garbage_ends_the_connection_with_an_error(loop: Loop, patience: Patience, watch: Any) -> None:
    """What is no TLS record ends the connection: connection_lost() is called with an ssl.SSLError.

    If this fails: look for an error that is only logged, or the data handed out as it is.
    """
    watch.allow("reported")  # it may be, as a fatal error of the transport
    with secured(loop, patience) as (_, protocol, peer):
        with socket.socket(fileno=peer.detach()) as beneath:
            beneath.sendall(b"this is no TLS record, and it is long enough to be seen as none")
            until_lost(loop, patience, protocol)
        assert isinstance(protocol.reason, ssl.SSLError)
        assert protocol.received == b""


@requirement("tls.refused-afterwards", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_a_client_that_is_refused_after_its_handshake_is_told_so(loop: Loop, patience: Patience, watch: Any) -> None:
    """connection_lost() gets an exception when the server refuses a client that has completed its handshake.

    A server of TLS 1.3 looks at the client's certificate, here none, when the client has said its last word.

    If this fails: look for an alert that is taken for the peer's goodbye, or for a mere end of the connection beneath.
    """
    watch.allow("reported")  # it may be, as a fatal error of the transport
    made = Events()
    with listener() as listening:
        refusing = in_thread(lambda: _refuse(listening))
        with contextlib.suppress(OSError):  # who has heard of it in time may say so here, and need not announce it
            loop.run_until_complete(
                loop.create_connection(
                    lambda: made, *listening.getsockname(), ssl=own_context("client"), server_hostname=NAME
                )
            )
        if made.transport is not None:
            until_lost(loop, patience, made)
            assert isinstance(made.reason, Exception)
        drive(loop, patience, refusing)


def _refuse(listening: socket.socket) -> None:
    """Be a server that wants a certificate of its client; say why there will be no connection, and wait for its end."""
    sock, _ = listening.accept()
    sock.settimeout(PEER_TIMEOUT)
    server = server_context(client_certificates=True).wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    with socket.socket(fileno=server.detach()) as beneath, contextlib.suppress(ConnectionError):
        beneath.settimeout(PEER_TIMEOUT)
        beneath.shutdown(socket.SHUT_WR)
        receive_all(beneath)


@requirement("tls.abort", MUST, cite="asyncio-protocol: WriteTransport.abort")
@each("when", ["reading", "paused", "inside"])
@SIDES
def test_abort_does_not_wait(loop: Loop, patience: Patience, side: str, when: str) -> None:
    """abort() closes immediately: buffered data is lost, and connection_lost() is called with the peer still asleep.

    If this fails: look for a shutdown that waits for the peer's answer, perhaps while reading is paused, or if it is
    called inside pause_writing().
    """
    made = Reacts("pause_writing" if when == "inside" else "", lambda transport: transport.abort())
    with secured(loop, patience, side, lambda: made) as (transport, protocol, _):
        if when == "paused":
            transport.pause_reading()
        transport.set_write_buffer_limits(high=100_000)
        transport.write(BIG)
        transport.write(BIG)
        if when != "inside":
            transport.abort()
        assert not protocol.lost
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tls.shutdown-timeout", MUST, cite="asyncio-eventloop: loop.create_connection")
@each(("paused", "beside"), [(False, {}), (True, {"ssl_handshake_timeout": 60.0})])
@SIDES
def test_a_peer_that_does_not_say_goodbye_is_not_waited_for(
    loop: Loop, patience: Patience, side: str, paused: bool, beside: dict[str, Any]
) -> None:
    """After ssl_shutdown_timeout seconds without a complete shutdown the connection is aborted.

    If this fails: look for a close() that waits 30 seconds, or for ever, for the peer's close_notify, perhaps while
    reading is paused, or where there is a time for the handshake, too.
    """
    with secured(loop, patience, side, ssl_shutdown_timeout=0.01, **beside) as (transport, protocol, _):
        if paused:
            transport.pause_reading()
        transport.close()
        until_lost(loop, patience, protocol)


@requirement("tls.close-when-full", MUST, cite="asyncio-protocol: BaseTransport.close")
@SIDES
def test_a_connection_that_is_full_can_be_closed(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """close() ends a connection whose reading is paused, also if its peer has sent more than is taken meanwhile.

    If this fails: look for a goodbye that is waited for behind data that nobody reads any more.
    """
    watch.allow("reported")  # with what reason it ends is left to tls.close
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        is_stopped(loop, peer)

        def go_on_and_say_goodbye() -> None:
            peer.settimeout(PEER_TIMEOUT)
            with contextlib.suppress(OSError):
                peer.sendall(bytes(65536))  # what it was sending
                peer.unwrap()

        helper = in_thread(go_on_and_say_goodbye)
        transport.close()
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper)
