"""Chapter tcp: arguments of create_connection() that stand beside each other: none makes the loop forget another."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import Any

import pytest

from conformance.battery.test_tcp_attempts import failure
from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context
from conformance.kit.connections import accept, silent_listener
from conformance.kit.lookups import resolved_to, unless_elsewhere
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, free_port
from conformance.kit.protocols import Events
from conformance.kit.secured import tls_accept
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ALL_ERRORS: dict[str, Any] = {"all_errors": True} if sys.version_info >= (3, 12) else {}
BESIDE: dict[str, dict[str, Any]] = {
    "happy_eyeballs_delay": {"happy_eyeballs_delay": 10.0},
    "interleave": {"interleave": 1},
    "local_addr": {"local_addr": ("127.0.0.1", 0)},
    "ssl": {"ssl": client_context(), "server_hostname": NAME},
    "all_errors": ALL_ERRORS,
}


@requirement("tcp.connect-lookup-beside", MUST, cite=CONNECT)
@each("beside", BESIDE)
@each("hints", [{"family": socket.AF_INET6}, {"proto": socket.IPPROTO_UDP}, {"flags": socket.AI_NUMERICHOST}])
def test_what_is_asked_of_a_lookup_counts_beside_other_arguments(
    loop: Loop, beside: str, hints: dict[str, Any]
) -> None:
    """family, proto and flags are passed through to getaddrinfo(), whichever other arguments stand beside them.

    If this fails: look for a way to connect, as over TLS or from a local address, that has a look-up of its own.
    """
    others = dict(BESIDE[beside])
    if beside == "local_addr" and "family" in hints:
        others["local_addr"] = ("::1", 0)  # what is found for the host is the question
    host = "127.0.0.1" if "family" in hints else "localhost"
    error: BaseException = failure(loop, host, free_port(), **others, **hints)
    if isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    # No address refuses a connection, since none is found.
    assert isinstance(error, OSError)
    assert not isinstance(error, ConnectionError)


@requirement("tcp.connect-all-errors-beside", MUST, cite=(CONNECT, "whatsnew 3.12"), since="3.12")
@each("beside", [*BESIDE, "family"])
def test_all_errors_counts_beside_other_arguments(loop: Loop, beside: str) -> None:
    """With all_errors an ExceptionGroup is raised, whichever other arguments stand beside it.

    If this fails: look for a way to connect, as over TLS or from a local address, that has errors of its own.
    """
    others = {**BESIDE.get(beside, {"family": socket.AF_INET}), **ALL_ERRORS}
    group = failure(loop, "127.0.0.1", free_port(), **others)
    assert isinstance(group, ExceptionGroup)
    (error,) = group.exceptions
    assert isinstance(error, ConnectionRefusedError)


@requirement("tcp.connect-race-beside", MUST, cite=CONNECT, needs=("linux",))
@each("beside", [*BESIDE, "family"])
def test_addresses_race_beside_other_arguments(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    """happy_eyeballs_delay lets the next attempt begin while one is not answered, whatever stands beside it.

    If this fails: look for a way to connect, as over TLS or from a local address, that tries addresses in turn.
    """
    others = {**BESIDE.get(beside, {"family": socket.AF_INET}), "happy_eyeballs_delay": 0.002}
    with silent_listener() as silent, socket.socket() as second, contextlib.ExitStack() as stack:
        second.settimeout(PEER_TIMEOUT)
        second.bind(("127.0.0.2", silent[1]))
        second.listen()
        infos = [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
            for address in (silent, second.getsockname())
        ]
        asked = stack.enter_context(resolved_to(monkeypatch, infos))
        helper = tls_accept(second) if beside == "ssl" else None
        opening: Any = loop.create_connection(Events, "localhost", silent[1], **others)
        with unless_elsewhere(asked):
            transport, protocol = loop.run_until_complete(asyncio.wait_for(opening, patience.seconds))
        with helper.result() if helper else accept(second):
            assert transport.get_extra_info("peername") == second.getsockname()
            transport.abort()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            turn(loop, 2)
