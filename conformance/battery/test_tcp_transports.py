"""Chapter tcp: a stream transport as an object: what it is, what it knows, and whose it is."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events, Reacts
from conformance.kit.servers import accepted, dial, serving
from conformance.kit.transports import BIG, until_lost
from conformance.kit.ways import TCP_WAYS, WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET_PROTOCOL = "asyncio-protocol: BaseTransport.set_protocol"


@requirement("tcp.connection-made-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@WAYS
def test_connection_made_is_called_once_with_the_transport(loop: Loop, patience: Patience, way: str) -> None:
    """connection_made() is called exactly once, before anything else, with the transport of the connection.

    If this fails: look for a transport that is announced twice, or whose first data overtakes the announcement.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        peer.sendall(b"x")
        turn(loop, 5)
        assert protocol.names.count("connection_made") == 1
        assert protocol.calls[0] == ("connection_made", transport)


@requirement("tcp.set-protocol", MUST, cite=SET_PROTOCOL)
@WAYS
def test_set_protocol_hands_the_connection_over(loop: Loop, patience: Patience, way: str) -> None:
    """set_protocol() sets a new protocol, which gets what comes from then on, and get_protocol() returns it.

    If this fails: look for callbacks bound to the first protocol when the transport was made, or when data came.
    """
    with joined(loop, patience, way) as (transport, first, peer):
        assert transport.get_protocol() is first
        second = Events()
        peer.sendall(b"for the ")  # the loop has not run since: this comes later, too
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        peer.sendall(b"second")
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, second)
        assert first.names == ["connection_made"]
        assert second.received == b"for the second"
        assert second.names[0] == "data_received"
        assert second.names[-2:] == ["eof_received", "connection_lost"]


@requirement("tcp.set-protocol-while-closing", MUST, cite=SET_PROTOCOL)
@WAYS
def test_a_closing_transport_has_a_protocol(loop: Loop, patience: Patience, way: str) -> None:
    """While a transport is closing, get_protocol() returns its protocol, and one that is set then is told of the end.

    If this fails: look for a protocol that close() lets go of, or keeps for connection_lost().
    """
    with joined(loop, patience, way) as (transport, first, _peer):
        transport.write(BIG)  # keeps the transport open while it is closing
        transport.close()
        assert transport.get_protocol() is first
        second = Events()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        transport.abort()
        until_lost(loop, patience, second)
        assert first.names[0] == "connection_made"
        assert not first.lost


@requirement("tcp.set-protocol-while-paused", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
@each("make", [Events, Buffers], ids=["streaming", "buffered"])
def test_set_protocol_does_not_resume(loop: Loop, patience: Patience, way: str, make: Any) -> None:
    """A new protocol gets no data while reading is paused, until resume_reading() is called.

    If this fails: look for reading that starts again for each protocol, or for one with buffers.
    """
    with joined(loop, patience, way) as (transport, first, peer):
        transport.pause_reading()
        second = make()
        transport.set_protocol(second)
        peer.sendall(b"data")
        turn(loop, 20)
        assert transport.is_reading() is False
        assert second.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: second.received == b"data", "the data after resume_reading()")
        transport.set_protocol(first)


@requirement("tcp.extra-info-addresses", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@TCP_WAYS
def test_the_addresses_of_a_connection_are_extra_information(loop: Loop, patience: Patience, way: str) -> None:
    """get_extra_info() gives 'peername' and 'sockname' as socket.getpeername() and socket.getsockname() return them.

    If this fails: look for address objects that are not tuples, or for addresses as text.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("sockname") == peer.getpeername()
        assert isinstance(transport.get_extra_info("peername"), tuple)


@requirement("tcp.extra-info-ipv6", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info", needs=("ipv6",))
@each("side", ["client", "server"])
def test_the_addresses_of_ipv6_are_whole(loop: Loop, patience: Patience, side: str) -> None:
    """'peername' and 'sockname' of IPv6 connections have the four items of getpeername() and getsockname().

    If this fails: look for addresses that are cut to host and port.
    """
    with serving(loop, "::1") as service, dial(service) as peer:
        protocol = accepted(loop, patience, service)
        if side == "server":
            told = [protocol.transport.get_extra_info(name) for name in ("peername", "sockname")]
            assert told == [peer.getsockname(), peer.getpeername()]
            return
        with opened(loop, loop.create_connection(Events, *service.address[:2])) as (transport, _):
            other = accepted(loop, patience, service, 2).transport.get_extra_info("socket")
            told = [transport.get_extra_info(name) for name in ("peername", "sockname")]
            assert told == [other.getsockname(), other.getpeername()]


@requirement("tcp.extra-info-socket", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@WAYS
def test_the_socket_of_a_connection_is_extra_information(loop: Loop, patience: Patience, way: str) -> None:
    """get_extra_info('socket') gives a socket.socket-like object of this connection, whose options can be read and set.

    If this fails: look for a missing key, or a stand-in that lacks getsockopt(), fileno() or family.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        sock = transport.get_extra_info("socket")
        assert (sock.family, sock.type) == (peer.family, socket.SOCK_STREAM)
        assert sock.fileno() >= 0
        assert (sock.getsockname(), sock.getpeername()) == (peer.getpeername(), peer.getsockname())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


@requirement("tcp.extra-info-when-made", MUST, cite="asyncio-protocol: TCP Echo Server")
@WAYS
def test_extra_information_is_there_when_the_connection_is_made(loop: Loop, patience: Patience, way: str) -> None:
    """get_extra_info() gives 'peername', 'sockname' and 'socket' inside connection_made() as it does later.

    If this fails: look for a transport that is announced before it knows whose it is.
    """
    names = ("peername", "sockname", "socket")

    class Asks(Events):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.told = [transport.get_extra_info(name, "nothing") for name in names]

    with joined(loop, patience, way, Asks()) as (transport, protocol, _):
        assert protocol.told[:2] == [transport.get_extra_info(name) for name in names[:2]]
        assert protocol.told[2].fileno() == transport.get_extra_info("socket").fileno()


@requirement("tcp.extra-info-default", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@WAYS
def test_unknown_extra_information_is_the_default(loop: Loop, patience: Patience, way: str) -> None:
    """get_extra_info(name, default) returns default if the information is not available, and None by default.

    If this fails: look for a KeyError, or a default that is dropped because it is false.
    """
    with joined(loop, patience, way) as (transport, _, _):
        marker = object()
        assert transport.get_extra_info("no such thing") is None
        assert transport.get_extra_info("no such thing", marker) is marker
        assert transport.get_extra_info(name="no such thing", default=marker) is marker
        assert [transport.get_extra_info("no such thing", false) for false in (0, "", ())] == [0, "", ()]
        assert transport.get_extra_info("sslcontext") is None


@requirement("tcp.extra-info-lasts", SHOULD, cite="asyncio-protocol: BaseTransport.get_extra_info")
@TCP_WAYS
@each("end", ["close", "abort", "peer"])
def test_addresses_are_told_to_the_end(loop: Loop, patience: Patience, way: str, end: str) -> None:
    """A transport that is closed, by whom ever, still tells its addresses: connection_lost() may write them down.

    If this fails: look for addresses that are asked of a socket that is no longer there.
    """
    told: list[Any] = []

    class Writes(Events):
        def connection_lost(self, exc: BaseException | None) -> None:
            told.append([self.transport.get_extra_info(name) for name in ("peername", "sockname")])
            super().connection_lost(exc)

    with joined(loop, patience, way, Writes()) as (transport, protocol, peer):
        expected = [transport.get_extra_info(name) for name in ("peername", "sockname")]
        peer.close() if end == "peer" else getattr(transport, end)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert told == [expected]
        assert [transport.get_extra_info(name) for name in ("peername", "sockname")] == expected


@requirement("tcp.nodelay", MUST, cite="asyncio-protocol: §Transports")
@TCP_WAYS
def test_nagles_algorithm_is_off(loop: Loop, patience: Patience, way: str) -> None:
    """The socket option TCP_NODELAY is set for TCP transports by default.

    If this fails: look for a connection path that forgets the option (sock=, accepted sockets), or that sets it late,
    when connection_made() may have decided otherwise.
    """
    seen: list[bool] = []

    def is_off(transport: Any) -> bool:
        return bool(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def turn_on(transport: Any) -> None:
        seen.append(is_off(transport))
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    with joined(loop, patience, way) as (transport, _, _):
        assert is_off(transport)
    with joined(loop, patience, way, Reacts("connection_made", turn_on)) as (transport, _, _):
        assert seen == [True]
        assert not is_off(transport)


@requirement("tcp.nodelay-ipv6", MUST, cite="asyncio-eventloop: loop.create_connection", needs=("ipv6",))
@each("side", ["client", "server"])
def test_nagles_algorithm_is_off_for_ipv6(loop: Loop, patience: Patience, side: str) -> None:
    """The socket option TCP_NODELAY is set by default for all TCP connections, those of IPv6 among them.

    If this fails: look for a condition that asks for the family AF_INET.
    """
    with serving(loop, "::1") as service:
        opening = loop.create_connection(Events, *service.address[:2])
        with opened(loop, opening) as (transport, _):
            if side == "server":
                transport = accepted(loop, patience, service).transport
            assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@requirement("tcp.transport-is-a-transport", MUST, cite="asyncio-protocol: Transport")
@WAYS
def test_a_connection_is_an_asyncio_transport(loop: Loop, patience: Patience, way: str) -> None:
    """create_connection() returns an instance of asyncio.Transport: both a ReadTransport and a WriteTransport.

    If this fails: look for a class that was not registered with, or derived from, the public base classes.
    """
    with joined(loop, patience, way) as (transport, _, _):
        assert isinstance(transport, asyncio.Transport)
        assert isinstance(transport, asyncio.ReadTransport)
        assert isinstance(transport, asyncio.WriteTransport)


@requirement("tcp.extra-info-closed", SHOULD, cite="asyncio-protocol: BaseTransport.get_extra_info")
@each("name", ["socket", "sockname", "peername", "sslcontext", "of nobody"])
@WAYS
def test_a_closed_transport_can_be_asked(loop: Loop, patience: Patience, way: str, name: str) -> None:
    """get_extra_info() raises nothing when the transport is closed: it gives what is known, or the default.

    If this fails: look for a question to a socket that is gone.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        transport.close()
        until_lost(loop, patience, protocol)
        transport.get_extra_info(name)
        assert transport.get_extra_info("of nobody", default="default") == "default"


class _Plain:
    """A protocol that inherits from nothing: it has the methods of one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.received = b""
        self.transport: Any = None
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.names.append("connection_made")

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> None:
        self.names.append("eof_received")

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True
        self.names.append("connection_lost")


@requirement("tcp.plain-protocol", SHOULD, cite="PEP 3156: Stream Protocols")
@WAYS
def test_a_protocol_needs_no_base_class(loop: Loop, patience: Patience, way: str) -> None:
    """A stream protocol must implement its methods, and need not inherit from a class of asyncio's.

    If this fails: look for a check of the protocol's type.
    """
    with joined(loop, patience, way, _Plain()) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        peer.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.names == ["connection_made", "eof_received", "connection_lost"]
