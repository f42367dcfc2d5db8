"""Chapter tcp: connect_accepted_socket(), and create_connection() with a socket."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience
from conformance.kit.peers import (
    PEER_TIMEOUT,
    as_subclass,
    drive,
    listener,
    receive_all,
    receive_exactly,
    reset,
    tcp_pair,
)
from conformance.kit.protocols import Events, Reacts
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.servers import dial, serving
from conformance.kit.threads import in_thread
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"


@requirement("tcp.accepted-pair", MUST, cite=ACCEPTED)
@each("derived", [False, True], ids=["socket", "subclass"])
def test_connect_accepted_socket_returns_a_transport_and_a_protocol(
    loop: Loop, patience: Patience, derived: bool
) -> None:
    """connect_accepted_socket() wraps an accepted connection into a (transport, protocol) pair that works.

    The socket may be an instance of a subclass of socket.socket.

    If this fails: look for a transport that never starts reading because only the server does that, or for a type that
    must be socket.socket itself.
    """
    with listener() as listening, socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
        conn = as_subclass(accept(listening)) if derived else accept(listening)
        with opened(loop, loop.connect_accepted_socket(Events, conn)) as (transport, protocol):
            assert protocol.names == ["connection_made"]
            assert protocol.transport is transport
            assert transport.get_extra_info("peername") == peer.getsockname()
            assert transport.get_extra_info("sockname") == peer.getpeername()
            transport.write(b"hello")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 5))) == b"hello"
            peer.sendall(b"x")
            patience.run_until(loop, lambda: protocol.received == b"x", "the data")


@requirement("tcp.accepted-is-owned", MUST, cite=ACCEPTED)
def test_closing_the_transport_closes_the_accepted_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the accepted socket to the transport.

    If this fails: look for a socket object that is kept elsewhere and holds the connection open.
    """
    with listener() as listening, socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
        conn = accept(listening)
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, conn))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""


@requirement("tcp.accepted-datagram-sock", SHOULD, cite=ACCEPTED)
def test_connect_accepted_socket_refuses_a_datagram_socket(loop: Loop) -> None:
    """connect_accepted_socket() raises an exception for a socket that is no stream socket.

    If this fails: look for a check that only create_connection() has.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, refused(OSError):
        loop.run_until_complete(loop.connect_accepted_socket(Events, sock))


@requirement("tcp.accepted-tls-arguments", MAY, cite=ACCEPTED)
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_timeouts_of_tls_for_an_accepted_socket_without_ssl(loop: Loop, name: str, answer: Answer) -> None:
    """Whether connect_accepted_socket() refuses the timeouts of TLS without ssl is left open.

    If this fails: the connection could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with tcp_pair() as (ours, _):
        answer(outcome_of(loop, loop.connect_accepted_socket(Events, ours, **arguments)))


@requirement("tcp.connect-made-given", MUST, cite=(CONNECT, ACCEPTED))
@each("way", ["create_connection", "connect_accepted_socket"])
def test_connection_made_is_called_first_for_a_given_socket(loop: Loop, way: str) -> None:
    """connection_made() is called before the pair is returned, also if the socket was given and is connected.

    If this fails: look for a path without a connection to wait for, which waits for nothing.
    """

    async def main(sock: socket.socket) -> tuple[Any, Any]:
        give: Any = loop.create_connection if way == "create_connection" else loop.connect_accepted_socket
        transport, protocol = await give(Events, sock=sock)
        assert protocol.names == ["connection_made"]
        assert protocol.transport is transport
        return transport, protocol

    with tcp_pair() as (ours, _), opened(loop, main(ours)):
        pass


@requirement("tcp.peer-gone-before", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@each("way", ["sock", "wrapped", "accepted"])
def test_a_connection_may_be_over_before_it_is_made(loop: Loop, patience: Patience, way: str) -> None:
    """'peername' is None on error: a connection whose peer has gone before it is made is made all the same, and lost.

    If this fails: look for getpeername() of a socket that was reset, whose error comes out of the making, or stops a
    server.
    """
    if way == "accepted":
        with serving(loop) as service:
            reset(dial(service))
            with dial(service) as peer:
                peer.sendall(b"question")
                patience.run_until(
                    loop, lambda: any(each.received == b"question" for each in service.protocols), "the next connection"
                )
                over = [protocol for protocol in service.protocols if protocol.received != b"question"]
                patience.run_until(loop, lambda: all(protocol.lost for protocol in over), "connection_lost()")
        return
    told: list[Any] = []
    asks = Reacts("connection_made", lambda transport: told.append(transport.get_extra_info("peername")))
    with tcp_pair() as (ours, peer):
        reset(peer)
        give: Any = loop.connect_accepted_socket if way == "wrapped" else loop.create_connection
        with opened(loop, give(lambda: asks, sock=ours)):
            patience.run_until(loop, lambda: asks.lost, "connection_lost()")
            assert told == [None]
            assert asks.names == ["connection_made", "connection_lost"]
            assert isinstance(asks.reason, ConnectionResetError)
