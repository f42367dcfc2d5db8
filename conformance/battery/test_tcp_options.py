"""Chapter tcp: where connections come from, which of them have TCP_NODELAY, and what protocol factories may be."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.peers import PEER_TIMEOUT, free_port, listener, tcp_pair
from conformance.kit.protocols import Events
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"


class _Empty(Events):
    """A protocol, and a factory of such, that is false: it has no items."""

    def __len__(self) -> int:
        return 0

    __hash__ = None  # type: ignore[assignment]  # nor can it be the key of a table

    def __call__(self) -> _Empty:
        return _Empty()


@requirement("tcp.connect-local-host", MUST, cite=CONNECT, needs=("linux",))
@each("any_port", [False, True])
def test_the_socket_is_bound_to_the_local_host(loop: Loop, any_port: bool) -> None:
    """local_addr binds the socket to its local_host, too, and not to its local_port only, which may be 0.

    If this fails: look for a bind to any address with the port, or for a port that counts as not given.
    """
    local = ("127.0.0.2", 0 if any_port else free_port())
    with listener() as listening:
        opening = loop.create_connection(Events, *listening.getsockname(), local_addr=local)
        with opened(loop, opening), accept(listening) as peer:
            host, port = peer.getpeername()
            assert host == local[0]
            assert port == local[1] or any_port


@requirement("tcp.connect-local-addr-race", MUST, cite=CONNECT)
def test_addresses_that_race_are_bound_to_the_local_addr(loop: Loop) -> None:
    """local_addr binds the socket, with happy_eyeballs_delay as without.

    If this fails: look for attempts that are not told everything that was asked for.
    """
    local = ("127.0.0.1", free_port())
    with listener() as listening:
        address = listening.getsockname()
        opening = loop.create_connection(Events, *address, local_addr=local, happy_eyeballs_delay=10.0)
        with opened(loop, opening), accept(listening) as peer:
            assert peer.getpeername() == local


@requirement("tcp.connect-local-addr-ipv6", MUST, cite=CONNECT, needs=("ipv6",))
def test_an_ipv6_socket_is_bound_to_its_local_addr(loop: Loop) -> None:
    """local_addr binds the socket of a connection over IPv6 as well.

    If this fails: look for a local address that is looked up, or bound, as AF_INET only.
    """
    for host in ("::1", None):
        port = free_port()
        with listener(socket.AF_INET6) as listening:
            local: Any = (host, port)
            opening = loop.create_connection(Events, *listening.getsockname()[:2], local_addr=local)
            with opened(loop, opening), accept(listening) as peer:
                assert peer.getpeername()[:2] == ("::1", port)


@requirement("tcp.connect-factory-once", MUST, cite=CONNECT, needs=("ipv6",))
def test_the_protocol_is_made_for_the_connection_and_not_for_attempts(loop: Loop) -> None:
    """protocol_factory is called once for a connection, however many addresses were tried.

    If this fails: look for a protocol that is made for each attempt.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    family, other = [info[0] for info in socket.getaddrinfo(None, 1, type=socket.SOCK_STREAM)][:2]
    with listener(other) as listening:
        port = listening.getsockname()[1]
        with opened(loop, loop.create_connection(factory, None, port)) as (_, protocol):  # type: ignore[call-overload]
            assert made == [protocol], f"{family!r} refuses, {other!r} accepts"


@requirement("tcp.nodelay-everywhere", MUST, cite=(CONNECT, "asyncio-protocol: §Transports"), needs=("ipv6",))
@each("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def test_nagles_algorithm_is_off_for_every_tcp_connection(loop: Loop, family: int) -> None:
    """TCP_NODELAY is set by default for all TCP connections: over IPv6, over a given and over an accepted socket.

    If this fails: look for an option that depends on the family, or on how the connection was made.
    """

    def is_off(transport: Any) -> bool:
        sock = transport.get_extra_info("socket")
        return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    # With the protocol said: asyncio does not take a stream over IP whose protocol is 0 for TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.settimeout(PEER_TIMEOUT)
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listening.listen()
        address = listening.getsockname()[:2]
        with opened(loop, loop.create_connection(Events, *address)) as (transport, _), accept(listening) as conn:
            assert is_off(transport)
            with opened(loop, loop.connect_accepted_socket(Events, conn)) as (accepted, _):
                assert is_off(accepted)
    with tcp_pair(family) as (ours, _), opened(loop, loop.create_connection(Events, sock=ours)) as (transport, _):
        assert is_off(transport)


@requirement("tcp.false-protocol", MUST, cite=(CONNECT, ACCEPTED))
@each("way", ["create_connection", "connect_accepted_socket"])
def test_factories_and_protocols_may_be_false(loop: Loop, way: str) -> None:
    """protocol_factory is any callable that returns a protocol: both may be false, as objects without items are.

    If this fails: look for a test for truth where one for None was meant, or a table that must hash a factory.
    """
    with tcp_pair() as (ours, _):
        opening = (
            loop.create_connection(_Empty(), sock=ours)
            if way == "create_connection"
            else loop.connect_accepted_socket(_Empty(), ours)
        )
        with opened(loop, opening) as (transport, protocol):
            assert isinstance(protocol, _Empty)
            assert protocol.transport is transport
