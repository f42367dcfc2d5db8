"""Chapter tcp: how create_connection() finds addresses, in which order it tries them, and what it says of failures.

Without a host, the system gives the loopback of each family: two addresses, and no resolver is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened, silent_listener
from conformance.kit.lookups import Info, info_of, resolved_to, unless_elsewhere
from conformance.kit.peers import free_port, listener
from conformance.kit.protocols import Events
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
LONG = 3600.0


def loopbacks(port: int) -> list[Any]:
    """What the system gives without a host: the order in which the addresses are to be tried."""
    return socket.getaddrinfo(None, port, type=socket.SOCK_STREAM)


@contextlib.contextmanager
def both_families() -> Iterator[list[socket.socket]]:
    """Two listeners on one port, one per family, in the order in which a connection without a host tries them."""
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            first, second = (info[0] for info in loopbacks(1))
            one = stack.enter_context(listener(first))
            two = stack.enter_context(socket.socket(second, socket.SOCK_STREAM))
            if second == socket.AF_INET6:
                two.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                two.bind((loopbacks(1)[1][4][0], one.getsockname()[1]))
            except OSError:
                continue
            two.settimeout(one.gettimeout())
            two.listen()
            yield [one, two]
            return
    pytest.skip("no port is free in both families")


@contextlib.contextmanager
def only_the_second() -> Iterator[socket.socket]:
    """A listener on the address that is tried second; the first refuses."""
    with both_families() as (first, second):
        first.close()
        yield second


@requirement("tcp.connect-family", MUST, cite=CONNECT)
def test_family_chooses_the_address_family(loop: Loop) -> None:
    """family is passed through to getaddrinfo(): only addresses of that family are tried.

    If this fails: look for a hint that is dropped when the host is numeric, or missing.
    """
    with listener() as listening:
        port = listening.getsockname()[1]
        with opened(loop, loop.create_connection(Events, None, port, family=socket.AF_INET)) as (transport, _):  # type: ignore[call-overload]
            assert transport.get_extra_info("peername") == ("127.0.0.1", port)
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
                loop.run_until_complete(loop.create_connection(Events, host, port, family=socket.AF_INET6))


@requirement("tcp.connect-proto", MUST, cite=CONNECT)
def test_proto_is_passed_to_the_resolver(loop: Loop) -> None:
    """proto is passed through to getaddrinfo() for host resolution: a stream of UDP cannot be resolved.

    If this fails: look for a protocol that is replaced by the one that streams usually have.
    """
    with listener() as listening:
        port = listening.getsockname()[1]
        with opened(loop, loop.create_connection(Events, "localhost", port, proto=socket.IPPROTO_TCP)):
            pass
        with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
            loop.run_until_complete(loop.create_connection(Events, "localhost", port, proto=socket.IPPROTO_UDP))


@requirement("tcp.connect-flags", MUST, cite=CONNECT)
def test_flags_are_passed_to_the_resolver(loop: Loop) -> None:
    """flags is passed through to getaddrinfo() for host resolution: AI_NUMERICHOST refuses a name.

    If this fails: look for flags that are replaced by the loop's own.
    """
    with listener() as listening:
        port = listening.getsockname()[1]
        with opened(loop, loop.create_connection(Events, "127.0.0.1", port, flags=socket.AI_NUMERICHOST)):
            pass
        with pytest.raises(socket.gaierror):
            loop.run_until_complete(loop.create_connection(Events, "localhost", port, flags=socket.AI_NUMERICHOST))


@requirement("tcp.connect-unresolvable", MUST, cite=(CONNECT, "socket: socket.gaierror"))
def test_a_host_that_cannot_be_resolved_raises_gaierror(loop: Loop) -> None:
    """A host that cannot be resolved raises socket.gaierror.

    If this fails: look for an empty list of addresses that is taken for a success, or an OSError without a number.
    """
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.create_connection(Events, "256.1.1.1", 80, flags=socket.AI_NUMERICHOST))


@requirement("tcp.connect-order", MUST, cite=CONNECT, needs=("ipv6",))
def test_addresses_are_tried_in_the_order_of_the_resolver(loop: Loop) -> None:
    """Unless interleaved, addresses are tried in the order returned by getaddrinfo().

    If this fails: look for a preference for one family.
    """
    with both_families() as (first, _second):
        port = first.getsockname()[1]
        with opened(loop, loop.create_connection(Events, None, port)) as (transport, _):  # type: ignore[call-overload]
            assert transport.get_extra_info("peername") == first.getsockname()


@requirement("tcp.connect-next-address", MUST, cite=CONNECT, needs=("ipv6",))
def test_the_next_address_is_tried_when_one_fails(loop: Loop) -> None:
    """When one of several addresses refuses, the next one is tried.

    If this fails: look for a loop that connects to the first address only.
    """
    with only_the_second() as second:
        port = second.getsockname()[1]
        with opened(loop, loop.create_connection(Events, None, port)) as (transport, _):  # type: ignore[call-overload]
            assert transport.get_extra_info("peername") == second.getsockname()


@requirement("tcp.connect-all-fail", MUST, cite=(CONNECT, "PEP 3156: Internet name lookups"), needs=("ipv6",))
def test_the_failure_of_every_address_raises_oserror(loop: Loop) -> None:
    """When every address fails, create_connection() raises OSError, not a group of exceptions.

    If this fails: look for the last error lost in a list, or for all_errors taken as given.
    """
    with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
        loop.run_until_complete(loop.create_connection(Events, None, free_port()))  # type: ignore[call-overload]


@requirement("tcp.connect-all-errors", MUST, cite=(CONNECT, "whatsnew 3.12"), since="3.12", needs=("ipv6",))
def test_all_errors_raises_the_errors_of_every_address(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all_errors, create_connection() raises an ExceptionGroup that holds the errors of all attempts.

    If this fails: look for a group that holds the last error only, or one error several times, or one of those whose
    messages are the same.
    """
    connect: Any = loop.create_connection  # its stub does not know the keyword

    def errors(*args: Any, **how: Any) -> Sequence[Exception]:
        with pytest.raises(ExceptionGroup) as caught:
            loop.run_until_complete(connect(Events, *args, all_errors=True, **how))
        found: Sequence[Exception] = caught.value.exceptions
        assert len(set(map(id, found))) == len(found)
        return found

    port = free_port()
    refusals = errors(None, port)
    assert len(refusals) == len(loopbacks(port))
    assert all(isinstance(error, ConnectionRefusedError) for error in refusals)
    infos: list[Info] = [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (f"127.0.0.{number}", port)) for number in (1, 2)
    ]
    with listener() as taken, resolved_to(monkeypatch, infos) as asked:
        found = errors("localhost", port, local_addr=taken.getsockname())
        if asked:  # otherwise the loop has a resolver of its own
            assert [getattr(error, "errno", None) for error in found] == [errno.EADDRINUSE] * 2


@requirement("tcp.connect-local-addr", MUST, cite=CONNECT)
@each("host", ["127.0.0.1", "localhost", None])
def test_local_addr_binds_the_socket(loop: Loop, host: str | None) -> None:
    """local_addr is a (local_host, local_port) pair to bind the socket to, looked up with getaddrinfo().

    If this fails: look for a bind that is left out, or made without looking the name up.
    """
    with listener() as listening:
        port = free_port()
        local: Any = (host, port)
        opening = loop.create_connection(Events, *listening.getsockname(), local_addr=local)
        with opened(loop, opening) as (transport, _), accept(listening) as peer:
            assert peer.getpeername() == ("127.0.0.1", port)
            assert transport.get_extra_info("sockname") == ("127.0.0.1", port)


@requirement("tcp.connect-local-addr-in-use", MUST, cite=CONNECT)
def test_a_local_addr_that_cannot_be_bound_raises(loop: Loop) -> None:
    """If the socket cannot be bound to local_addr, create_connection() raises OSError.

    If this fails: look for a failed bind that is ignored, so that the connection comes from another port.
    """
    with listener() as listening, listener() as taken, pytest.raises(OSError):  # noqa: PT011 (as above)
        loop.run_until_complete(
            loop.create_connection(Events, *listening.getsockname(), local_addr=taken.getsockname())
        )


@requirement("tcp.connect-happy-eyeballs", MUST, cite=CONNECT, needs=("ipv6",))
@each("delay", [0.002, 0.0, 0])
def test_happy_eyeballs_starts_the_next_attempt_after_the_delay(loop: Loop, delay: float) -> None:
    """With happy_eyeballs_delay, the next attempt starts in parallel when one has not completed within the delay.

    If this fails: look for a keyword that is ignored, perhaps if it is 0, or attempts made strictly one after another.
    """
    with both_families() as (first, second):
        family, port = first.family, first.getsockname()[1]
        first.close()
        with silent_listener(family, port):
            opening = loop.create_connection(Events, None, port, happy_eyeballs_delay=delay)  # type: ignore[call-overload]
            with opened(loop, opening) as (transport, _):
                assert transport.get_extra_info("peername") == second.getsockname()


@requirement("tcp.connect-happy-eyeballs-failure", SHOULD, cite=CONNECT, needs=("ipv6",))
def test_happy_eyeballs_does_not_wait_after_a_failure(loop: Loop) -> None:
    """An attempt that fails is followed by the next one at once: the delay is for attempts that do not complete.

    If this fails: look for a delay that is slept through in any case.
    """
    with only_the_second() as second:
        opening = loop.create_connection(Events, None, second.getsockname()[1], happy_eyeballs_delay=LONG)  # type: ignore[call-overload]
        with opened(loop, opening) as (transport, _):
            assert transport.get_extra_info("peername") == second.getsockname()


@requirement("tcp.connect-happy-eyeballs-all-fail", MUST, cite=CONNECT, needs=("ipv6",))
def test_happy_eyeballs_raises_oserror_when_every_address_fails(loop: Loop) -> None:
    """With happy_eyeballs_delay too, OSError is raised when every address fails: if it is the only one, its own.

    If this fails: look for an exception group of the race, or for None taken as a socket.
    """
    with pytest.raises(ConnectionRefusedError) as caught:
        loop.run_until_complete(loop.create_connection(Events, "127.0.0.1", free_port(), happy_eyeballs_delay=0.001))
    assert caught.value.errno == errno.ECONNREFUSED
    port = free_port()
    with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
        loop.run_until_complete(loop.create_connection(Events, None, port, happy_eyeballs_delay=0.001))  # type: ignore[call-overload]


def _winner_of(loop: Loop, monkeypatch: pytest.MonkeyPatch, **how: Any) -> str:
    """Which of three addresses is connected to: the first one, 4a, refuses; then come 4b and 6 as resolved."""
    with listener() as dead, listener() as next_one, listener(socket.AF_INET6) as other_family:
        with resolved_to(monkeypatch, [info_of(each) for each in (dead, next_one, other_family)]) as asked:
            dead.close()
            opening = loop.create_connection(Events, "localhost", free_port(), **how)
            with unless_elsewhere(asked), opened(loop, opening) as (transport, _):
                peername = transport.get_extra_info("peername")
        return {next_one.getsockname(): "4b", other_family.getsockname(): "6"}[peername]


@requirement("tcp.connect-interleave", MUST, cite=CONNECT, needs=("ipv6",))
@each(("count", "expected"), [(1, "6"), (2, "4b"), (0, "4b")])
def test_interleave_reorders_addresses_by_family(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, count: int, expected: str
) -> None:
    """interleave, if positive, is the First Address Family Count: after so many of the first, families take turns.

    If this fails: look for a keyword that is accepted and ignored, or a count that is taken as a boolean, perhaps only
    if there is a happy_eyeballs_delay.
    """
    assert _winner_of(loop, monkeypatch, interleave=count) == expected
    assert _winner_of(loop, monkeypatch, interleave=count, happy_eyeballs_delay=3.0) == expected


@requirement("tcp.connect-interleave-default", MUST, cite=CONNECT, needs=("ipv6",))
def test_the_default_of_interleave_depends_on_happy_eyeballs(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default of interleave is 0 if happy_eyeballs_delay is not specified, and 1 if it is; 0 is 0.

    If this fails: look for addresses that are always, or never reordered, or a 0 that is taken for none.
    """
    assert _winner_of(loop, monkeypatch) == "4b"
    assert _winner_of(loop, monkeypatch, happy_eyeballs_delay=LONG) == "6"
    assert _winner_of(loop, monkeypatch, happy_eyeballs_delay=LONG, interleave=0) == "4b"
