"""Chapter udp: create_datagram_endpoint(): what it returns, and its addresses, families and look-ups."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, arrival, endpoint, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ENDPOINT = "asyncio-eventloop: loop.create_datagram_endpoint"


@requirement("udp.pair", MUST, cite=ENDPOINT)
def test_create_datagram_endpoint_returns_a_transport_and_a_protocol(loop: Loop) -> None:
    """A tuple of (transport, protocol) is returned on success.

    If this fails: look for a list, or for a protocol that is not the one that the factory made.
    """
    protocol = Datagrams()
    answer = loop.run_until_complete(loop.create_datagram_endpoint(lambda: protocol, local_addr=HERE))
    answer[0].abort()
    turn(loop, 3)
    assert type(answer) is tuple
    assert len(answer) == 2
    assert answer[1] is protocol


@requirement("udp.transport-class", MUST, cite="asyncio-protocol: DatagramTransport")
def test_an_endpoint_is_a_datagram_transport(loop: Loop) -> None:
    """Instances of asyncio.DatagramTransport are returned from create_datagram_endpoint().

    If this fails: look for a class that was not registered with, or derived from, the public base class.
    """
    with endpoint(loop) as (transport, _):
        assert isinstance(transport, asyncio.DatagramTransport)


@requirement("udp.factory", MUST, cite=ENDPOINT)
def test_the_protocol_factory_of_an_endpoint_is_called_once(loop: Loop) -> None:
    """protocol_factory is called exactly once, without arguments.

    If this fails: look for a factory that is called per address.
    """
    calls: list[Any] = []

    def factory(*args: Any, **kwargs: Any) -> Datagrams:
        calls.append((args, kwargs))
        return Datagrams()

    transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(factory, local_addr=("localhost", 0)))
    transport.abort()
    turn(loop, 3)
    assert calls == [((), {})]


@requirement("udp.connection-made", MUST, cite=(ENDPOINT, "asyncio-protocol: BaseProtocol.connection_made"))
def test_connection_made_is_called_before_the_endpoint_is_returned(loop: Loop, patience: Patience) -> None:
    """connection_made() is called once, first, with the transport, before create_datagram_endpoint() returns.

    If this fails: look for an announcement that is only queued when the future is resolved, or when a datagram is.
    """

    async def main() -> Any:
        transport, protocol = await loop.create_datagram_endpoint(Datagrams, local_addr=HERE)
        assert protocol.names == ["connection_made"]
        assert protocol.transport is transport
        return transport

    loop.run_until_complete(main()).abort()
    turn(loop, 3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, udp_peer() as peer:
        ours.bind(HERE)
        peer.sendto(b"early", ours.getsockname())
        with endpoint(loop, sock=ours) as (_, protocol):
            patience.run_until(loop, lambda: protocol.received, "the datagram that was there before")
            assert protocol.names == ["connection_made", "datagram_received"]


@requirement("udp.local-addr", MUST, cite=ENDPOINT)
@each("host", ["127.0.0.1", "localhost"])
def test_local_addr_binds_the_endpoint(loop: Loop, patience: Patience, host: str) -> None:
    """local_addr, a (host, port) pair that is looked up, is where the endpoint receives.

    If this fails: look for a bind that is left out, or made without looking the name up.
    """
    with endpoint(loop, local_addr=(host, 0), family=socket.AF_INET) as (transport, protocol), udp_peer() as peer:
        address = transport.get_extra_info("sockname")
        assert address[0] == "127.0.0.1"
        assert address[1] != 0
        peer.sendto(b"x", address)
        patience.run_until(loop, lambda: protocol.received, "the datagram")
        how: dict[str, Any] = {"remote_addr": peer.getsockname(), "allow_broadcast": True}
        with endpoint(loop, local_addr=(host, 0), family=socket.AF_INET, **how) as (broadcasting, _):
            assert broadcasting.get_extra_info("sockname")[0] == "127.0.0.1"


@requirement("udp.remote-addr", MUST, cite=ENDPOINT)
@each("host", ["127.0.0.1", "localhost", None])
def test_remote_addr_connects_the_endpoint(loop: Loop, patience: Patience, host: Any) -> None:
    """remote_addr, a (host, port) pair that is looked up, is what the socket is connected to.

    If this fails: look for an address that is only remembered for sendto().
    """
    with udp_peer() as peer:
        remote = (host, peer.getsockname()[1])
        with endpoint(loop, remote_addr=remote, family=socket.AF_INET) as (transport, _):
            assert transport.get_extra_info("peername") == peer.getsockname()
            assert transport.get_extra_info("socket").getpeername() == peer.getsockname()
            transport.sendto(b"hello")
            assert arrival(loop, patience, peer)[0] == b"hello"


@requirement("udp.both-addresses", MUST, cite=ENDPOINT)
def test_an_endpoint_may_be_bound_and_connected(loop: Loop, patience: Patience) -> None:
    """With local_addr and remote_addr, the socket is bound to the one and connected to the other.

    If this fails: look for two look-ups whose answers are confused, or for a local_addr of another family.
    """
    for family, local in ((socket.AF_INET, HERE), (socket.AF_INET, (None, 0)), (socket.AF_INET6, (None, 0))):
        if family == socket.AF_INET6 and not need_named("ipv6").present():
            continue
        with (
            udp_peer(family) as peer,
            endpoint(loop, local_addr=local, remote_addr=peer.getsockname()[:2]) as (transport, _),
        ):
            transport.sendto(b"hello")
            assert arrival(loop, patience, peer) == (b"hello", transport.get_extra_info("sockname"))
            assert transport.get_extra_info("peername") == peer.getsockname()


@requirement("udp.connected-filters", MUST, cite=(ENDPOINT, "socket: socket.socket.connect"))
def test_a_connected_endpoint_receives_from_its_peer_only(loop: Loop, patience: Patience) -> None:
    """A connected endpoint receives datagrams of remote_addr only.

    If this fails: look for a socket that is not connected at all.
    """
    with (
        udp_peer() as peer,
        udp_peer() as stranger,
        endpoint(loop, local_addr=HERE, remote_addr=peer.getsockname()) as (transport, protocol),
    ):
        address = transport.get_extra_info("sockname")
        stranger.sendto(b"stranger", address)
        peer.sendto(b"peer", address)
        patience.run_until(loop, lambda: protocol.received, "the datagram")
        assert protocol.received == [(b"peer", peer.getsockname())]


@requirement("udp.ipv6", MUST, cite=ENDPOINT, needs=("ipv6",))
def test_an_endpoint_may_be_of_ipv6(loop: Loop, patience: Patience) -> None:
    """The family of the socket is AF_INET6 if the host says so; its addresses have four items.

    If this fails: look for an address cut to host and port.
    """
    with endpoint(loop, local_addr=("::1", 0)) as (transport, protocol), udp_peer(socket.AF_INET6) as peer:
        assert transport.get_extra_info("sockname") == transport.get_extra_info("socket").getsockname()
        peer.sendto(b"x", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: protocol.received, "the datagram")
        assert protocol.received == [(b"x", peer.getsockname())]
        transport.sendto(b"answer", protocol.received[0][1])
        assert arrival(loop, patience, peer)[0] == b"answer"
        name = peer.getsockname()
        with endpoint(loop, local_addr=("::1", 0), remote_addr=name[:2]) as (transport, protocol):
            assert transport.get_extra_info("peername") == name
            peer.sendto(b"y", transport.get_extra_info("sockname"))
            patience.run_until(loop, lambda: protocol.received, "the datagram of the peer that it is connected to")
            assert protocol.received == [(b"y", name)]


@requirement("udp.family", MUST, cite=ENDPOINT)
@each("family", [socket.AF_INET, socket.AF_INET6])
def test_family_makes_an_endpoint_without_addresses(loop: Loop, patience: Patience, family: int) -> None:
    """With family and no address, the endpoint is neither bound nor connected, and can send anywhere.

    If this fails: look for an address that is taken as given.
    """
    if family == socket.AF_INET6 and not need_named("ipv6").present():
        return
    with udp_peer(family) as peer, endpoint(loop, family=family) as (transport, _):
        assert transport.get_extra_info("socket").family == family
        transport.sendto(b"hello", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"hello"


@requirement("udp.family-filters", MUST, cite=ENDPOINT)
@each("which", ["local_addr", "remote_addr"])
def test_family_is_passed_to_the_resolver(loop: Loop, which: str) -> None:
    """family is passed through to getaddrinfo(): an address of another family raises OSError.

    If this fails: look for a hint that is overruled by the address.
    """
    with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
        _open(loop, which, "127.0.0.1", family=socket.AF_INET6)


@requirement("udp.flags", MUST, cite=ENDPOINT)
@each("which", ["local_addr", "remote_addr"])
def test_flags_of_an_endpoint_are_passed_to_the_resolver(loop: Loop, which: str) -> None:
    """flags is passed through to getaddrinfo(): AI_NUMERICHOST refuses a name.

    If this fails: look for flags that are replaced by the loop's own.
    """
    with pytest.raises(socket.gaierror):
        _open(loop, which, "localhost", flags=socket.AI_NUMERICHOST)


def _open(loop: Loop, which: str, host: str, **how: Any) -> None:
    """Open an endpoint with a local or remote address at that host, and abort it."""
    with endpoint(loop, **{which: (host, 0 if which == "local_addr" else 9)}, **how):
        pass


@requirement("udp.proto", MUST, cite=ENDPOINT)
@each("which", ["local_addr", "remote_addr"])
def test_proto_of_an_endpoint_is_passed_to_the_resolver(loop: Loop, which: str) -> None:
    """proto is passed through to getaddrinfo(): TCP has no datagrams, and raises OSError.

    If this fails: look for a protocol that is never passed on.
    """
    with endpoint(loop, local_addr=("localhost", 0), proto=socket.IPPROTO_UDP) as (transport, _):
        assert transport.get_extra_info("socket").type == socket.SOCK_DGRAM
    with pytest.raises(OSError):  # noqa: PT011 (as above)
        _open(loop, which, "localhost", proto=socket.IPPROTO_TCP)


@requirement("udp.nothing-given", SHOULD, cite=ENDPOINT)
def test_an_endpoint_without_address_and_family_is_refused(loop: Loop) -> None:
    """Without addresses, family and sock, create_datagram_endpoint() raises an exception.

    If this fails: look for a default family.
    """
    with refused():
        loop.run_until_complete(loop.create_datagram_endpoint(Datagrams))


@requirement("udp.keywords-only", MUST, cite=ENDPOINT)
def test_all_but_the_addresses_are_keywords(loop: Loop) -> None:
    """Everything after local_addr and remote_addr is keyword-only.

    If this fails: look for a signature that takes family by position.
    """

    async def main() -> None:
        connect: Any = loop.create_datagram_endpoint
        transport, _ = await connect(Datagrams, HERE, None, socket.AF_INET)
        transport.abort()

    with pytest.raises(TypeError):
        loop.run_until_complete(main())


@requirement("udp.by-name", MUST, cite="asyncio-eventloop: loop.create_datagram_endpoint")
def test_the_addresses_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """create_datagram_endpoint() takes protocol_factory, local_addr and remote_addr by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    with udp_peer() as peer:
        opening = loop.create_datagram_endpoint(
            protocol_factory=Datagrams, local_addr=HERE, remote_addr=peer.getsockname()
        )
        transport, protocol = loop.run_until_complete(opening)
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
