"""Chapter tls: TLS over Unix sockets that were given, connected ones and those that listen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.connections import opened
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_exactly, unix_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import TIMED_OUT, tls_dial, tls_over
from conformance.kit.servers import accepted, serving_unix
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_unix_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"
SERVE = "asyncio-eventloop: loop.create_unix_server"
SIDES = each("side", ["client", "server"])


def opening_over(
    loop: Loop, sock: socket.socket, side: str, protocol: Events | None = None, **timeouts: Any
) -> Awaitable[Any]:
    """create_unix_connection() of a client, or connect_accepted_socket(), with ssl."""
    made = protocol or Events()
    if side == "client":
        how: dict[str, Any] = {"ssl": client_context(), "server_hostname": NAME, **timeouts}
        return loop.create_unix_connection(lambda: made, sock=sock, **how)
    return loop.connect_accepted_socket(lambda: made, sock, ssl=server_context(), **timeouts)


def other(side: str) -> str:
    return "server" if side == "client" else "client"


@requirement("tls.unix-given", MUST, cite=(CONNECT, ACCEPTED), needs=("unix",))
@SIDES
def test_tls_over_a_unix_socket_that_was_given(loop: Loop, patience: Patience, side: str) -> None:
    """create_unix_connection() takes ssl with sock, too, and connect_accepted_socket() with a Unix socket.

    If this fails: look for TLS that only a path leads to, or only a socket of TCP.
    """
    with unix_pair() as (ours, peer):
        opening = opening_over(loop, ours, side)
        helper = tls_over(peer, other(side))
        with opened(loop, opening) as (transport, _), drive(loop, patience, helper) as secure:
            assert transport.get_extra_info("cipher") is not None
            transport.write(b"out")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(secure, 3))) == b"out"


@requirement("tls.unix-given-handshake-timeout", MUST, cite=(CONNECT, ACCEPTED), needs=("unix",))
@SIDES
def test_a_handshake_over_a_given_unix_socket_has_a_timeout(loop: Loop, side: str, watch: Any) -> None:
    """ssl_handshake_timeout counts for a Unix socket that was given: an exception is raised after it.

    If this fails: look for a timeout that is passed on for a path only, or for TCP only.
    """
    watch.allow("reported")
    with unix_pair() as (ours, _), pytest.raises(TIMED_OUT):
        loop.run_until_complete(opening_over(loop, ours, side, ssl_handshake_timeout=0.005))


@requirement("tls.unix-given-shutdown-timeout", MUST, cite=(CONNECT, ACCEPTED), needs=("unix",))
@SIDES
def test_a_shutdown_over_a_given_unix_socket_has_a_timeout(loop: Loop, patience: Patience, side: str) -> None:
    """ssl_shutdown_timeout counts for a Unix socket that was given: the connection ends in time.

    If this fails: look for a timeout that is passed on for a path only, or for TCP only.
    """
    with unix_pair() as (ours, peer):
        # Not the protocol that is returned: if that is another one, a requirement of its own says so.
        protocol = Events()
        opening = opening_over(loop, ours, side, protocol, ssl_shutdown_timeout=0.01)
        helper = tls_over(peer, other(side))
        with opened(loop, opening) as (transport, _), drive(loop, patience, helper):
            transport.close()
            patience.run_until(loop, lambda: protocol.lost, "the end of a connection whose peer says nothing")


@requirement("tls.unix-server-given", MUST, cite=SERVE, needs=("unix",))
@each("how", ["sock", "start_serving"])
def test_a_unix_server_has_tls_however_it_begins(loop: Loop, patience: Patience, tmp_path: Path, how: str) -> None:
    """create_unix_server() takes ssl with sock, too, and with start_serving=False: its connections have TLS.

    If this fails: look for a context that is dropped where the socket was given, or where a server starts later.
    """
    path = str(tmp_path / "s")
    arguments: dict[str, Any] = {"ssl": server_context(), "start_serving": how == "sock"}
    if how == "sock":
        arguments["sock"] = socket.socket(socket.AF_UNIX)
        arguments["sock"].bind(path)
    else:
        arguments["path"] = path
    with serving_unix(loop, **arguments) as service:
        loop.run_until_complete(service.server.start_serving())
        helper = tls_dial(path)
        protocol = accepted(loop, patience, service)
        assert protocol.transport.get_extra_info("cipher") is not None
        with drive(loop, patience, helper) as peer:
            peer.sendall(b"in")
            patience.run_until(loop, lambda: protocol.received == b"in", "the data")
