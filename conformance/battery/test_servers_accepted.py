"""Chapter servers: connections that were accepted, by a server or outside of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.refusals import refused
from conformance.kit.secured import tls_over
from conformance.kit.servers import Service, accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("servers.accepted-socket", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_connect_accepted_socket_gives_a_pair(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() wraps an accepted connection into a (transport, protocol) pair, which is returned.

    If this fails: look for an order of the pair, or a protocol that is made twice.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(factory, ours))
        assert made == [protocol]
        assert protocol.transport is transport
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.close()
        turn(loop, 3)


@requirement("servers.accepted-socket-ownership", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_the_transport_owns_the_accepted_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the transport: its close() closes it.

    If this fails: look for a duplicate that is closed instead.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, ours))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert drive(loop, patience, in_thread(lambda: peer.recv(1))) == b""
        patience.in_turns.run_until(loop, lambda: ours.fileno() == -1, "the end of the socket")


@requirement("servers.accepted-socket-blocking", SHOULD, cite="asyncio-eventloop: loop.connect_accepted_socket")
@each(("timeout", "secure"), [(None, False), (PEER_TIMEOUT, False), (None, True), (PEER_TIMEOUT, True)])
def test_the_accepted_socket_may_be_blocking(
    loop: Loop, patience: Patience, timeout: float | None, secure: bool
) -> None:
    """A socket as socket.accept() returns it, blocking or with a timeout, will do: the loop goes on meanwhile.

    If this fails: look for a recv(), or a send() of more than there is room for, that blocks the loop.
    """
    with tcp_pair() as (ours, peer):
        ours.settimeout(timeout)
        service = Service()
        opening: Any = loop.connect_accepted_socket(service, ours, ssl=server_context() if secure else None)
        helper = tls_over(peer, "client") if secure else None
        transport, _ = loop.run_until_complete(opening)
        with drive(loop, patience, helper) if helper else contextlib.nullcontext(peer) as peer:
            loop.run_until_complete(asyncio.sleep(0.001))
            transport.write(bytes(8 << 20))  # more than the kernel takes from anybody
            peer.sendall(b"in")
            patience.run_until(loop, lambda: service.protocols[0].received == b"in", "the data")
            transport.abort()
            turn(loop, 4)


@requirement(
    "servers.accepted-socket-unix", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket", needs=("unix",)
)
def test_the_accepted_socket_may_be_a_unix_socket(loop: Loop, patience: Patience) -> None:
    """A connection of a Unix socket that was accepted outside of asyncio can be handled, too.

    If this fails: look for options of TCP that are set without asking, or a family that is refused.
    """
    ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, peer:
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, ours))
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.close()
        turn(loop, 3)


@requirement("servers.accepted-socket-type", SHOULD, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_the_accepted_socket_must_be_a_stream(loop: Loop) -> None:
    """A socket that is no SOCK_STREAM socket is refused.

    If this fails: look for a stream transport over a datagram socket.
    """
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        refused(),
    ):
        loop.run_until_complete(loop.connect_accepted_socket(Events, sock))


@requirement("servers.by-name", MUST, cite="asyncio-eventloop: Creating network servers")
def test_where_to_listen_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """create_server() takes protocol_factory, host and port by name, too, and connect_accepted_socket() sock.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    server = loop.run_until_complete(loop.create_server(protocol_factory=Events, host="127.0.0.1", port=0))
    assert server.sockets
    server.close()
    turn(loop, 2)
    with tcp_pair() as (ours, _):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(protocol_factory=Events, sock=ours))
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("servers.peername-ipv6", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info", needs=("ipv6",))
def test_an_accepted_ipv6_transport_knows_both_ends(loop: Loop, patience: Patience) -> None:
    """An accepted transport of IPv6 tells 'peername' and 'sockname' as the socket would: tuples of four items.

    If this fails: look for addresses that are cut to host and port.
    """
    with serving(loop, "::1") as service, dial(service) as peer:
        transport = accepted(loop, patience, service).transport
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("sockname") == peer.getpeername()
