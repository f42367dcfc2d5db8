"""Chapter dns: what else callers rely on: any form of an address, the order of an answer, and that it is theirs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ASKS = "asyncio-eventloop: loop.getaddrinfo"
NAMES = "asyncio-eventloop: loop.getnameinfo"


def _outcome(ask: Callable[[], Any]) -> Any:
    """The answer, or the number of the resolver's error."""
    try:
        return ask()
    except socket.gaierror as error:
        return error.errno


@requirement("dns.getaddrinfo-order", MUST, cite=(ASKS, "asyncio-eventloop: loop.create_connection"))
@each(
    ("host", "hints"),
    [("127.0.0.1", {}), (None, {}), (None, {"type": socket.SOCK_STREAM}), (None, {"flags": socket.AI_PASSIVE})],
    ids=["numeric", "no host", "no host, streams", "passive"],
)
def test_the_order_of_an_answer_is_kept(loop: Loop, host: Any, hints: dict[str, Any]) -> None:
    """The answer is in the order of socket.getaddrinfo(), in which the addresses are to be tried.

    If this fails: look for an answer that is sorted, or for families that are asked one by one.
    """
    assert loop.run_until_complete(loop.getaddrinfo(host, 80, **hints)) == socket.getaddrinfo(host, 80, **hints)


@requirement("dns.getaddrinfo-forms", MUST, cite=(ASKS, "socket: socket.getaddrinfo", "zuvloop#14"))
@each(
    ("host", "port"),
    [
        ("127.1", 80),
        ("0x7f.1", 80),
        ("::ffff:127.0.0.1", 80),
        ("127.0.0.1", ""),
        ("127.0.0.1", -1),
        ("", 80),
        (None, None),
    ],
)
def test_an_address_may_have_any_form(loop: Loop, host: Any, port: Any) -> None:
    """getaddrinfo() answers as socket.getaddrinfo() does, also for addresses in other forms, no name, or nothing.

    If this fails: look for addresses that the loop tells from names by itself, or an empty name taken for none.
    """
    hints: dict[str, Any] = {"type": socket.SOCK_STREAM}
    expected = _outcome(lambda: socket.getaddrinfo(host, port, **hints))
    assert _outcome(lambda: loop.run_until_complete(loop.getaddrinfo(host, port, **hints))) == expected


@requirement("dns.getaddrinfo-own-answer", SHOULD, cite=ASKS)
def test_an_answer_belongs_to_who_asked(loop: Loop) -> None:
    """Who asked may change the list that he was given: whoever asks next gets the whole answer.

    If this fails: look for a cache that hands out what it keeps.
    """
    expected = socket.getaddrinfo("127.0.0.1", 80)
    for _ in range(2):
        found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80))
        assert found == expected
        found.clear()


@requirement("dns.scope", MUST, cite=(ASKS, NAMES, "socket: Socket families"), needs=("ipv6", "linux"))
def test_the_zone_of_an_address_is_kept(loop: Loop) -> None:
    """The zone of an address that is local to a link is the scope id of getaddrinfo(), and getnameinfo() tells it.

    If this fails: look for an address of which only host and port are kept.
    """
    (number, name) = socket.if_nameindex()[0]
    host, numeric = f"fe80::1%{name}", socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    found = loop.run_until_complete(loop.getaddrinfo(host, 80, type=socket.SOCK_STREAM))
    assert [info[4] for info in found] == [("fe80::1", 80, 0, number)]
    assert loop.run_until_complete(loop.getnameinfo(("fe80::1", 80, 0, number), numeric)) == (host, "80")
