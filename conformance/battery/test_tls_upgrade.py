"""Chapter tls: loop.start_tls(), which turns a plain connection into one of TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, shrink_buffers, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import tls_over, upgrading
from conformance.kit.threads import in_thread
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SIDES = each("side", ["client", "server"])


@contextlib.contextmanager
def plain(loop: Loop) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer) of a connection without TLS; what became of it is aborted at the end.

    That is the protocol's transport: once a connection was upgraded, nobody may use the original.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
        try:
            yield transport, protocol, peer
        finally:
            if not protocol.lost:
                (protocol.transport or transport).abort()
            turn(loop, 4)


def as_(side: str) -> dict[str, Any]:
    """The arguments of start_tls() that say that the loop is this side, if they are not the usual ones."""
    if side == "server":
        return {"sslcontext": server_context(), "server_side": True, "server_hostname": None}
    return {}


def upgrade(loop: Loop, transport: Any, protocol: Any, **kwargs: Any) -> Any:
    """What start_tls() gives to a client."""
    return loop.run_until_complete(upgrading(loop, transport, protocol, **kwargs))


@contextlib.contextmanager
def upgraded(
    loop: Loop, patience: Patience, side: str = "client", **kwargs: Any
) -> Iterator[tuple[Any, Any, ssl.SSLSocket, Any]]:
    """(TLS transport, protocol, peer, the transport beneath) of a connection that was upgraded."""
    with plain(loop) as (beneath, protocol, sock):
        beginning = upgrading(loop, beneath, protocol, **as_(side), **kwargs)
        helper = tls_over(sock, "server" if side == "client" else "client")
        transport = loop.run_until_complete(beginning)
        with drive(loop, patience, helper) as peer:
            try:
                yield transport, protocol, peer, beneath
            finally:
                if not protocol.lost:
                    protocol.transport.abort()
                turn(loop, 4)


@requirement("tls.start-data", MUST, cite="asyncio-eventloop: loop.start_tls")
@SIDES
def test_an_upgraded_connection_carries_data(loop: Loop, patience: Patience, side: str) -> None:
    """start_tls() upgrades a connection to TLS, as a client or, with server_side, as a server.

    If this fails: look for server_side that is not passed on, or for plain text after the handshake.
    """
    with upgraded(loop, patience, side) as (transport, protocol, peer, _):
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"


@requirement("tls.start-returns", MUST, cite="asyncio-eventloop: loop.start_tls")
@SIDES
def test_the_transport_of_an_upgrade_is_another(loop: Loop, patience: Patience, side: str) -> None:
    """start_tls() returns a new transport, which the protocol uses instead of the original one.

    If this fails: look for the original transport returned, whose write() sends plain text.
    """
    with upgraded(loop, patience, side) as (transport, _, _, beneath):
        assert transport is not beneath


@requirement("tls.start-protocol", MUST, cite="asyncio-eventloop: loop.start_tls")
@SIDES
def test_the_new_transport_has_the_protocol(loop: Loop, patience: Patience, side: str) -> None:
    """The protocol given to start_tls() is that of the new transport.

    If this fails: look for get_protocol() that returns the coder between transport and protocol.
    """
    with upgraded(loop, patience, side) as (transport, protocol, _, _):
        assert transport.get_protocol() is protocol


@requirement("tls.start-other-protocol", MUST, cite="asyncio-eventloop: loop.start_tls")
def test_an_upgrade_may_bring_another_protocol(loop: Loop, patience: Patience) -> None:
    """What is received after start_tls() goes to the protocol that it was given, whatever the transport had before.

    If this fails: look for the protocol of the original transport used instead of the argument.
    """
    second = Events()
    with plain(loop) as (beneath, first, sock):
        helper = tls_over(sock, "server")
        transport = upgrade(loop, beneath, second)
        with drive(loop, patience, helper) as peer:
            peer.sendall(b"in")
            patience.run_until(loop, lambda: second.received == b"in", "the data")
            assert first.received == b""
            transport.abort()
            turn(loop, 4)


@requirement("tls.start-made-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@SIDES
def test_an_upgrade_is_no_new_connection(loop: Loop, patience: Patience, side: str) -> None:
    """An upgrade does not call connection_made() again, nor connection_lost() for the original transport.

    If this fails: look for the coder that announces its transport as that of create_connection() does.
    """
    with upgraded(loop, patience, side) as (_, protocol, _, _):
        turn(loop, 3)
        assert protocol.names == ["connection_made"]


@requirement("tls.start-lost-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@SIDES
def test_an_upgraded_connection_ends_once(loop: Loop, patience: Patience, side: str) -> None:
    """The end of an upgraded connection is told once to the protocol: connection_lost().

    If this fails: look for both transports, or neither, that call it.
    """
    with upgraded(loop, patience, side) as (transport, protocol, _, _):
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 4)
        assert protocol.names.count("connection_lost") == 1


@requirement("tls.start-flushes-before", MUST, cite="asyncio-protocol: WriteTransport.write")
def test_what_was_written_before_an_upgrade_goes_first(loop: Loop, patience: Patience) -> None:
    """Data written before start_tls() is sent as it is, and before the handshake.

    If this fails: look for a buffer that the upgrade drops, encrypts or overtakes.
    """
    words = bytes(1_000_000)  # more than the kernel takes at once
    with plain(loop) as (beneath, protocol, sock):
        shrink_buffers(sock, beneath.get_extra_info("socket"))
        beneath.set_write_buffer_limits(high=2 * len(words))  # nobody is paused: that is not asked here
        beneath.write(words)

        def answer() -> ssl.SSLSocket:
            assert receive_exactly(sock, len(words)) == words
            return server_context().wrap_socket(sock, server_side=True)

        helper = in_thread(answer)
        transport = upgrade(loop, beneath, protocol)
        with drive(loop, patience, helper):
            transport.abort()
            turn(loop, 4)


@requirement("tls.start-paused", SHOULD, cite="asyncio-eventloop: loop.start_tls")
def test_a_paused_transport_can_be_upgraded(loop: Loop, patience: Patience) -> None:
    """A transport whose reading is paused, so that no TLS record goes astray, can be upgraded.

    If this fails: look for a handshake that waits for data which nobody reads.
    """
    with plain(loop) as (beneath, protocol, sock):
        beneath.pause_reading()
        helper = tls_over(sock, "server")
        transport = upgrade(loop, beneath, protocol)
        with drive(loop, patience, helper):
            transport.abort()
            turn(loop, 4)


@requirement("tls.start-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_an_upgraded_transport_tells_of_tls(loop: Loop, patience: Patience) -> None:
    """The new transport tells 'sslcontext', the one that was given, and 'ssl_object', as any TLS transport does.

    If this fails: look for extra information that only create_connection() fills in.
    """
    context = new_client_context()
    with upgraded(loop, patience, sslcontext=context) as (transport, _, _, _):
        assert transport.get_extra_info("sslcontext") is context
        assert transport.get_extra_info("ssl_object") is not None


@requirement("tls.start-socket-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@SIDES
def test_an_upgraded_transport_tells_of_the_socket(loop: Loop, patience: Patience, side: str) -> None:
    """The new transport tells 'peername', as the original one did.

    If this fails: look for extra information that stays with the transport beneath.
    """
    with upgraded(loop, patience, side) as (transport, _, peer, _):
        assert transport.get_extra_info("peername") == peer.getsockname()


@requirement("tls.start-over-tls", SHOULD, cite="gh-81360")
def test_tls_over_tls(loop: Loop, patience: Patience) -> None:
    """A TLS transport can be upgraded once more, as a client does that speaks HTTPS through an HTTPS proxy.

    What it tells, as 'ssl_object' and 'sslcontext', is of the connection within.

    If this fails: look for start_tls() that takes nothing but plain socket transports, or for questions that are passed
    on to the transport beneath.
    """
    with upgraded(loop, patience) as (outer, protocol, peer, _):
        beneath = outer.get_extra_info("ssl_object")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = server_context().wrap_bio(incoming, outgoing, server_side=True)

        def answer() -> bytes:
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    inner.do_handshake()
                    peer.sendall(outgoing.read())
                    break
                peer.sendall(outgoing.read())
                incoming.write(peer.recv(65536))
            data = b""
            while len(data) < 11:
                with contextlib.suppress(ssl.SSLWantReadError):
                    data += inner.read(11 - len(data))
                    continue
                incoming.write(peer.recv(65536))
            return data

        helper = in_thread(answer)
        context = new_client_context()
        transport = upgrade(loop, outer, protocol, sslcontext=context)
        assert transport.get_extra_info("sslcontext") is context
        assert transport.get_extra_info("ssl_object") is not beneath
        transport.write(b"in a tunnel")
        assert drive(loop, patience, helper) == b"in a tunnel"
        transport.abort()
        turn(loop, 4)


@requirement("tls.start-closing", MAY, cite="asyncio-eventloop: loop.start_tls")
def test_an_upgrade_of_a_closing_transport(loop: Loop, answer: Any, watch: Any) -> None:
    """What start_tls() does with a transport that is closing is left open.

    If this fails: nothing is forbidden; the answer is recorded.
    """
    with plain(loop) as (beneath, protocol, _):
        watch.allow("reported")
        beneath.close()
        task = loop.create_task(loop.start_tls(beneath, protocol, client_context(), server_hostname=NAME))
        turn(loop, 20)
        if not task.done():
            answer("waits for the end of the handshake")
            task.cancel()
            turn(loop, 3)
        elif error := task.exception():
            answer(f"raises {type(error).__name__}")
        else:
            protocol.transport = task.result()
            answer(f"returns {protocol.transport and 'a transport'}")


@requirement("tls.start-by-name", MUST, cite="asyncio-eventloop: loop.start_tls")
def test_what_to_upgrade_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """start_tls() takes transport, protocol and sslcontext by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    with plain(loop) as (beneath, protocol, sock):
        helper = tls_over(sock, "server")
        starting = loop.start_tls(
            transport=beneath, protocol=protocol, sslcontext=client_context(), server_hostname=NAME
        )
        transport: Any = loop.run_until_complete(starting)
        protocol.transport = transport
        assert transport.get_extra_info("ssl_object") is not None
        drive(loop, patience, helper).close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
