"""Chapter tcp: what create_connection() makes of the answers of a resolver: many addresses, local ones, and zones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from conformance.environment import link_local
from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.lookups import Info, info_of, resolved_to, unless_elsewhere
from conformance.kit.peers import PEER_TIMEOUT, free_port, listener
from conformance.kit.protocols import Events
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
LONG = 3600.0
UNKNOWN_FAMILY = 250
FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}


def _order_of(loop: Loop, monkeypatch: pytest.MonkeyPatch, resolved: str, **how: Any) -> str:
    """In which order the addresses of a host are tried: who is connected to, while one after the other is closed.

    `resolved` has a letter per address, in the order of the resolver: a capital one for IPv6.
    """
    order = ""
    with contextlib.ExitStack() as stack:
        listening = [
            stack.enter_context(listener(socket.AF_INET6 if name.isupper() else socket.AF_INET, port=free_port()))
            for name in resolved
        ]
        infos = [info_of(each) for each in listening]
        names = {info[4]: name for info, name in zip(infos, resolved, strict=True)}
        for _ in infos:
            opening = loop.create_connection(Events, "localhost", free_port(), **how)
            with (
                resolved_to(monkeypatch, infos) as asked,
                unless_elsewhere(asked),
                opened(loop, opening) as (transport, _),
            ):
                peername = transport.get_extra_info("peername")
            order += names[peername]
            next(each for each, info in zip(listening, infos, strict=True) if info[4] == peername).close()
    return order


@requirement("tcp.connect-interleave-order", MUST, cite=CONNECT, needs=("ipv6",))
@each(
    ("count", "expected"),
    [(0, "abcABd"), (1, "aAbBcd"), (2, "abAcBd"), (3, "abcAdB"), (4, "abcdAB"), (9, "abcdAB")],
)
def test_interleaving_begins_with_so_many_of_the_first_family(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, count: int, expected: str
) -> None:
    """interleave is the First Address Family Count: so many addresses of the first family, then families take turns.

    If this fails: look for a count that is one too large or too small, for addresses that are lost when one family has
    none left, or when the count is larger than their number, or for families whose own addresses change places.
    """
    assert _order_of(loop, monkeypatch, "abcABd", interleave=count) == expected
    if count == 2:
        assert _order_of(loop, monkeypatch, "abcABd", interleave=count, happy_eyeballs_delay=LONG) == expected


@requirement("tcp.connect-missing-family", SHOULD, cite=CONNECT)
@each("how", [{}, {"happy_eyeballs_delay": LONG}, {"interleave": 1}])
def test_an_address_of_an_unknown_family_is_passed_over(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """An address of a family that the machine does not have is one that failed: the next one is tried.

    If this fails: look for a socket that is made where errors of connecting are not looked for.
    """
    missing: Info = (UNKNOWN_FAMILY, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    with listener() as listening, resolved_to(monkeypatch, [missing, info_of(listening)]) as asked:
        opening = loop.create_connection(Events, "localhost", free_port(), **how)
        with unless_elsewhere(asked), opened(loop, opening) as (transport, _):
            assert transport.get_extra_info("peername") == listening.getsockname()


@requirement("tcp.connect-local-lookup", SHOULD, cite=CONNECT)
def test_local_addr_is_looked_up_like_the_host(loop: Loop) -> None:
    """The local host and port are looked up similarly to host and port: flags counts for both.

    If this fails: look for a look-up of local_addr that is made without what was asked for.
    """
    with listener() as listening:
        address, numeric = listening.getsockname(), socket.AI_NUMERICHOST
        for local in ("127.0.0.1", 0), ("127.0.0.1", "0"):
            opening = loop.create_connection(Events, *address, local_addr=local, flags=numeric)  # type: ignore[arg-type]
            with opened(loop, opening):
                pass
        with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
            loop.run_until_complete(
                loop.create_connection(Events, *address, local_addr=("localhost", 0), flags=numeric)
            )


@requirement("tcp.connect-next-local-address", SHOULD, cite=CONNECT)
@each("how", [{}, {"happy_eyeballs_delay": LONG}])
def test_the_next_local_address_is_tried_when_one_cannot_be_bound(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """When the local host has several addresses, and the socket cannot be bound to one, the next one is tried.

    If this fails: look for a loop that binds to the first local address only.
    """
    with listener() as listening, listener() as taken:
        port = free_port()
        free: Info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))
        with resolved_to(monkeypatch, [info_of(taken), free]) as asked:
            # A resolver that is not asked finds the port that is taken.
            local = ("localhost", taken.getsockname()[1])
            opening = loop.create_connection(Events, *listening.getsockname(), local_addr=local, **how)
            with unless_elsewhere(asked), opened(loop, opening), accept(listening) as peer:
                assert peer.getpeername() == ("127.0.0.1", port)


@requirement("tcp.connect-scope", MUST, cite=(CONNECT, "socket: Socket families"), needs=("link-local",))
@each("how", [{}, {"happy_eyeballs_delay": LONG}])
def test_the_zone_of_a_host_is_kept(loop: Loop, how: dict[str, Any]) -> None:
    """An address that is local to a link is reached through the interface that its zone names, as is a local_addr.

    If this fails: look for an address that is cut to host and port on its way from the resolver to connect() or bind().
    """
    found = link_local()
    assert found
    host, scope = found
    with socket.socket(socket.AF_INET6) as listening:
        listening.bind((host, 0, 0, scope))
        listening.listen()
        listening.settimeout(PEER_TIMEOUT)
        address = f"{host}%{socket.if_indextoname(scope)}", listening.getsockname()[1]
        for local in (None, (address[0], 0)):
            opening = loop.create_connection(Events, *address, local_addr=local, **how)
            with opened(loop, opening) as (transport, _), accept(listening) as peer:
                assert transport.get_extra_info("peername") == listening.getsockname()
                assert transport.get_extra_info("sockname") == peer.getpeername()


@requirement("tcp.nodelay-attempts", MUST, cite=CONNECT)
@each("how", [{"local_addr": ("127.0.0.1", 0)}, {"interleave": 1}, {"happy_eyeballs_delay": 0.25}])
def test_nagles_algorithm_is_off_however_the_address_was_tried(loop: Loop, how: dict[str, Any]) -> None:
    """TCP_NODELAY is set by default for all TCP connections, whichever way their addresses were tried.

    If this fails: look for a socket that is made in another place, for attempts that race or sockets that are bound.
    """
    with (
        listener() as listening,
        opened(loop, loop.create_connection(Events, *listening.getsockname(), **how)) as (transport, _),
    ):
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@requirement("tcp.connect-matching-families", MUST, cite=(CONNECT, "PEP 3156: Internet connections"), needs=("ipv6",))
@each("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_addresses_of_the_family_of_local_addr_are_tried(loop: Loop, family: int) -> None:
    """With local_addr, all combinations of addresses with matching family are tried: others are passed over.

    If this fails: look for a local address that is bound, or looked up, for the first address of the host only.
    """
    with listener(family) as listening:
        host, port = listening.getsockname()[:2]
        opening: Any = loop.create_connection(Events, None, port, local_addr=(host, 0))  # type: ignore[call-overload]
        with opened(loop, opening) as (transport, _), accept(listening) as peer:
            assert transport.get_extra_info("sockname") == peer.getpeername()
            assert peer.getpeername()[0] == host
