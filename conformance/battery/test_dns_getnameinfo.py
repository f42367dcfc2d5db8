"""Chapter dns: getnameinfo(), with numeric addresses and the name localhost only: nobody is asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


NAMES = "asyncio-eventloop: loop.getnameinfo"


@requirement("dns.getnameinfo", MUST, cite=(NAMES, "socket: socket.getnameinfo"))
def test_getnameinfo_answers_as_socket_getnameinfo_does(loop: Loop) -> None:
    """getnameinfo(sockaddr) is an asynchronous version of socket.getnameinfo(): a tuple (host, port) of strings.

    If this fails: look for a port given as a number, or for a list.
    """
    answer = loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 80)))
    assert answer == socket.getnameinfo(("127.0.0.1", 80), 0)
    assert isinstance(answer, tuple)


@requirement("dns.getnameinfo-flags", MUST, cite=NAMES)
def test_getnameinfo_obeys_flags(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """getnameinfo() obeys its second argument, flags, given by position or by name: here NI_NUMERICHOST.

    If this fails: look for flags that are keyword-only, or dropped on the way to the resolver.
    """
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 80), numeric)) == ("127.0.0.1", "80")
    assert loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 81), flags=numeric)) == ("127.0.0.1", "81")
    for flags in (0, socket.NI_DGRAM):  # the service of this number has another name for datagrams
        expected = socket.getnameinfo(("127.0.0.1", 514), flags | socket.NI_NUMERICHOST)
        answer = loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 514), flags | socket.NI_NUMERICHOST))
        assert answer == expected
    asked: list[int] = []

    def name_of(_address: Any, given: int) -> tuple[str, str]:
        asked.append(given)
        return "name", "service"

    monkeypatch.setattr(socket, "getnameinfo", name_of)
    with contextlib.suppress(socket.gaierror):  # a loop with a resolver of its own may find no name
        loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 80), socket.NI_NAMEREQD))
    assert asked in ([socket.NI_NAMEREQD], [])


@requirement("dns.getnameinfo-error", MUST, cite=(NAMES, "socket: socket.getnameinfo"))
def test_getnameinfo_raises_gaierror_for_a_name(loop: Loop) -> None:
    """getnameinfo() takes numeric addresses: for anything else it raises socket.gaierror.

    If this fails: look for a name that is resolved first, or for a ValueError of the loop's own.
    """
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.getnameinfo(("no.numeric.address", 80), socket.NI_NUMERICHOST))


@requirement("dns.getnameinfo-ipv6", MUST, cite=(NAMES, "socket: socket.getnameinfo"), needs=("ipv6",))
@each("address", [("::1", 80), ("::1", 80, 0), ("::1", 80, 0, 0)], ids=["two", "three", "four"])
def test_getnameinfo_takes_ipv6_addresses(loop: Loop, address: Any) -> None:
    """getnameinfo() takes an IPv6 address of two, three or four items.

    If this fails: look for an address whose flow info and scope are taken for granted, or cut off.
    """
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert loop.run_until_complete(loop.getnameinfo(address, numeric)) == ("::1", "80")
