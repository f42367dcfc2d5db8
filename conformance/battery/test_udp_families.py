"""Chapter udp: endpoints over IPv6 and over Unix sockets: connected ones, and what waits for several peers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.environment import link_local
from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, arrival, endpoint, receive_after_filler, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, free_port
from conformance.kit.protocols import Datagrams
from conformance.kit.refusals import REFUSALS, refused
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ENDPOINT = "asyncio-eventloop: loop.create_datagram_endpoint"
SENDTO = "asyncio-protocol: DatagramTransport.sendto"


def _bound(path: Path) -> socket.socket:
    """A Unix datagram socket at a path."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.settimeout(PEER_TIMEOUT)
    peer.bind(str(path))
    return peer


@requirement("udp.remote-addr-families", MUST, cite=ENDPOINT, needs=("ipv6", "unix"))
@each("family", [socket.AF_INET6, socket.AF_UNIX], ids=["ipv6", "unix"])
def test_endpoints_of_any_family_are_connected(loop: Loop, tmp_path: Path, family: int) -> None:
    """remote_addr connects the socket to a remote address, over IPv6 and over a Unix socket, too.

    If this fails: look for an address that is only remembered for sendto().
    """
    with udp_peer(family) if family == socket.AF_INET6 else _bound(tmp_path / "peer") as peer:
        name = peer.getsockname()
        how: dict[str, Any] = {"remote_addr": name if family == socket.AF_UNIX else name[:2], "family": family}
        with endpoint(loop, **how) as (transport, _):
            assert transport.get_extra_info("socket").getpeername() == name
            assert transport.get_extra_info("peername") == name


@requirement("udp.buffered-addresses", SHOULD, cite="asyncio-protocol: DatagramTransport.sendto", needs=("linux",))
def test_datagrams_that_wait_keep_their_addresses(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() buffers the data for its own addr: datagrams that wait for room go each to its own peer.

    If this fails: look for one address per buffer.
    """
    with _bound(tmp_path / "one") as one, _bound(tmp_path / "two") as two:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling, contextlib.suppress(BlockingIOError):
            filling.setblocking(False)
            while True:
                filling.sendto(b"filler", one.getsockname())
        with endpoint(loop, local_addr=str(tmp_path / "ours"), family=socket.AF_UNIX) as (transport, _):
            transport.sendto(b"for one", one.getsockname())
            transport.sendto(b"for two", two.getsockname())
            turn(loop, 2)
            reading = in_thread(lambda: receive_after_filler(one, 1))
            assert drive(loop, patience, reading) == [b"for one"]
            assert drive(loop, patience, in_thread(lambda: receive_after_filler(two, 1))) == [b"for two"]


@requirement("udp.reuse-port-ipv6", MUST, cite=ENDPOINT, needs=("ipv6", "reuse-port"))
def test_endpoints_over_ipv6_share_a_port(loop: Loop) -> None:
    """reuse_port tells the kernel to allow endpoints over IPv6 to be bound to the same port, too.

    If this fails: look for an option that is set for one family.
    """
    with endpoint(loop, local_addr=("::1", 0), reuse_port=True) as (first, _):
        address = first.get_extra_info("sockname")
        with endpoint(loop, local_addr=address[:2], reuse_port=True) as (second, _):
            assert second.get_extra_info("sockname") == address


@requirement("udp.port-string", MUST, cite=(ENDPOINT, "socket: socket.getaddrinfo"))
@each("host", ["127.0.0.1", "localhost"])
def test_ports_of_an_endpoint_are_looked_up(loop: Loop, host: str) -> None:
    """local_port and remote_port are looked up with getaddrinfo(): they may be strings of numbers.

    If this fails: look for a port that must be a number because the look-up of a numeric host is left out.
    """
    with udp_peer() as peer:
        remote = (host, str(peer.getsockname()[1]))
        with endpoint(loop, local_addr=(host, "0"), remote_addr=remote, family=socket.AF_INET) as (transport, _):
            assert transport.get_extra_info("socket").getpeername() == peer.getsockname()


@requirement("udp.defaults", MUST, cite=ENDPOINT)
@each(
    "given",
    [
        {"remote_addr": None},
        {"family": 0},
        {"proto": 0},
        {"flags": 0},
        {"reuse_port": None},
        {"allow_broadcast": None},
        {"allow_broadcast": False},
        {"sock": None},
    ],
)
def test_defaults_of_an_endpoint_may_be_given(loop: Loop, given: dict[str, Any]) -> None:
    """An argument of create_datagram_endpoint() may be given its default: None, or 0, is as if it were left out.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    with endpoint(loop, local_addr=HERE, **given) as (transport, _):
        sock = transport.get_extra_info("socket")
        assert sock.getsockname()[0] == HERE[0]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0
    with udp_peer() as peer, endpoint(loop, local_addr=None, remote_addr=peer.getsockname()) as (transport, _):
        assert transport.get_extra_info("peername") == peer.getsockname()


@requirement("udp.next-address", MUST, cite="PEP 3156: Internet connections", needs=("ipv6",))
def test_the_next_local_address_is_tried(loop: Loop) -> None:
    """If local_addr stands for several addresses, they are tried in turn: one that is in use gives way to the next.

    If this fails: look for the first address alone, or for an error that ends the attempts.
    """
    with _second_free() as (host, port), endpoint(loop, local_addr=(None, port)) as (transport, _):
        assert transport.get_extra_info("sockname")[:2] == (host, port)


@contextlib.contextmanager
def _second_free() -> Iterator[tuple[str, int]]:
    """A port that is in use at the first address of the loopback, and free at the last, which is returned with it."""
    (first, _, _, _, (host, *_)), *_, last = socket.getaddrinfo(None, 0, type=socket.SOCK_DGRAM)
    for _ in range(20):
        port = free_port()  # none that the system gives to anybody else meanwhile
        with socket.socket(first, socket.SOCK_DGRAM) as sock, socket.socket(last[0], socket.SOCK_DGRAM) as other:
            try:
                sock.bind((host, port))
                other.bind((last[4][0], port))
            except OSError:
                continue  # somebody has it: another port
            other.close()
            yield str(last[4][0]), port
            return
    pytest.skip("no port is free on both loopbacks")


@requirement("udp.factory-once", MUST, cite=("PEP 3156: Internet connections", ENDPOINT), needs=("ipv6",))
def test_the_protocol_factory_is_not_called_for_each_address(loop: Loop) -> None:
    """protocol_factory is called exactly once, however many addresses are tried before one can be used.

    If this fails: look for a protocol that is made before its socket is, for each attempt anew.
    """
    made: list[Datagrams] = []

    def factory() -> Datagrams:
        made.append(Datagrams())
        return made[-1]

    with _second_free() as (_, port), contextlib.suppress(OSError):  # who tries one address only has another fault
        opening: Any = loop.create_datagram_endpoint(factory, local_addr=(None, port))  # type: ignore[arg-type]
        transport, protocol = loop.run_until_complete(opening)
        transport.abort()
        turn(loop, 3)
        assert made == [protocol]
    assert len(made) <= 1


@requirement("udp.matching-families", MUST, cite="PEP 3156: Internet connections", needs=("ipv6",))
@each("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_addresses_of_one_family_are_combined(loop: Loop, patience: Patience, family: int) -> None:
    """With local_addr and remote_addr, all combinations of their addresses with matching family are tried.

    If this fails: look for the first of each, or for a family that only one of them decides.
    """
    with udp_peer(family) as peer:
        host, port = peer.getsockname()[:2]
        with endpoint(loop, local_addr=(host, 0), remote_addr=(None, port)) as (transport, _):
            transport.sendto(b"hello")
            assert arrival(loop, patience, peer) == (b"hello", transport.get_extra_info("sockname"))


@requirement("udp.scope", MUST, cite=(ENDPOINT, "socket: Socket families"), needs=("link-local",))
def test_the_zones_of_an_endpoints_addresses_are_kept(loop: Loop, patience: Patience) -> None:
    """Addresses that are local to a link keep their zone: those looked up, and that of who sent a datagram.

    If this fails: look for an address that is cut to host and port before connect() or bind(), or in a callback.
    """
    found = link_local()
    assert found
    host, scope = found
    zoned = f"{host}%{socket.if_indextoname(scope)}"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PEER_TIMEOUT)
        peer.bind((host, 0, 0, scope))
        name = peer.getsockname()
        with endpoint(loop, remote_addr=(zoned, name[1])) as (transport, _):
            assert transport.get_extra_info("peername") == name
        with endpoint(loop, local_addr=(zoned, 0)) as (transport, protocol):
            transport.sendto(b"data", name)
            data, sender = arrival(loop, patience, peer)
            assert (data, sender) == (b"data", transport.get_extra_info("sockname"))
            peer.sendto(b"answer", sender)
            patience.run_until(loop, lambda: protocol.received, "the datagram")
            assert protocol.received == [(b"answer", name)]


@requirement("udp.address-in-use-number", SHOULD, cite=(ENDPOINT, "exceptions: OSError"))
@each("other", [{}, {"remote_addr": ("127.0.0.1", 9)}, {"allow_broadcast": True}])
def test_the_error_of_binding_has_its_number(loop: Loop, other: dict[str, Any]) -> None:
    """The OSError of a local_addr that cannot be bound has the number that the system gave: EADDRINUSE, if it is taken.

    If this fails: look for an error that is made of a message only.
    """
    with udp_peer() as taken, pytest.raises(OSError) as caught:  # noqa: PT011 (no message is part of the contract)
        loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, taken.getsockname(), **other))
    assert caught.value.errno == errno.EADDRINUSE


@requirement("udp.sendto-port-range", MUST, cite=(SENDTO, "zuvloop#18"))
@each("beside", [65536, -65536])
def test_nothing_is_sent_to_another_port(loop: Loop, patience: Patience, watch: Any, beside: int) -> None:
    """sendto() sends the data to addr: if that has a number that is no port, to nobody, however the loop says so.

    If this fails: look for an integer of the language below, of 16 bits.
    """
    watch.allow("reported")  # asyncio's way, which also ends the endpoint
    with udp_peer() as peer:
        host, port = peer.getsockname()
        with endpoint(loop) as (transport, _):
            with contextlib.suppress(*REFUSALS, OSError):
                transport.sendto(b"for another port", (host, port + beside))
            turn(loop, 5)
        with endpoint(loop) as (transport, _):
            transport.sendto(b"for this one", peer.getsockname())
            assert arrival(loop, patience, peer)[0] == b"for this one"


@requirement("udp.port-range", SHOULD, cite=(ENDPOINT, "zuvloop#18"))
@each("which", ["local_addr", "remote_addr"])
def test_a_number_that_is_no_port_is_refused(loop: Loop, which: str) -> None:
    """A number that is no port is refused: an endpoint is neither bound nor connected to another port instead.

    If this fails: look for an integer of the language below, of 16 bits.
    """
    port = free_port()
    for number in (port + 65536, port - 65536):
        how: dict[str, Any] = {which: ("127.0.0.1", number)}
        with refused(OSError), endpoint(loop, **how):
            pass
