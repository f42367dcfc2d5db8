"""Chapter tls: the names and timeouts of TLS, for every method that takes them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, listener, tcp_pair, unix_listener, unix_pair
from conformance.kit.protocols import Events
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.secured import SIDES, TIMED_OUT, secured, tls_accept, tls_dial, tls_over
from conformance.kit.servers import Service, accepted, dial, serving, serving_unix, shut
from conformance.kit.threads import in_thread
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SHORT = 0.005


def end_of(peer: socket.socket) -> bytes:
    """b"" if the connection ends, in order or not."""
    try:
        return peer.recv(1)
    except ConnectionResetError:
        return b""


@contextlib.contextmanager
def _listening(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A Unix socket that listens and says nothing, and its path."""
    path = str(tmp_path / "s")
    with unix_listener(path) as listening:
        yield path, listening


@requirement("tls.hostname-empty", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_an_empty_name_is_not_checked(loop: Loop, patience: Patience) -> None:
    """If server_hostname is an empty string, hostname matching is disabled.

    If this fails: look for the empty string taken for "not given", or given to the TLS object as a name.
    """
    context = new_client_context()
    context.check_hostname = False
    ways: list[tuple[Any, Any]] = [(tcp_pair, loop.create_connection)]
    if hasattr(socket, "AF_UNIX"):
        ways.append((unix_pair, loop.create_unix_connection))
    for pair, connect in ways:
        with pair() as (ours, peer):
            helper = tls_over(peer, "server")
            made = loop.run_until_complete(connect(Events, sock=ours, ssl=context, server_hostname=""))
            with drive(loop, patience, helper):
                made[0].abort()
                turn(loop, 4)


@requirement("tls.timeout-none", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_no_timeout_is_the_default(loop: Loop, patience: Patience, side: str) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout may be None, for the default of 60 and of 30 seconds.

    If this fails: look for a comparison of None with a number.
    """
    timeouts: dict[str, Any] = {"ssl_handshake_timeout": None, "ssl_shutdown_timeout": None}
    with secured(loop, patience, side, **timeouts) as (transport, _, _):
        assert not transport.is_closing()


@requirement("tls.timeout-numbers", MUST, cite="PEP 3156: Specifying Times")
@SIDES
@each("kind", [int, float])
def test_timeouts_are_whole_numbers_or_floats(loop: Loop, patience: Patience, side: str, kind: type) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout are in seconds, and may be ints or floats.

    If this fails: look for a check of the type, or a number of another language that only one of them becomes.
    """
    timeouts: dict[str, Any] = {"ssl_handshake_timeout": kind(60), "ssl_shutdown_timeout": kind(30)}
    with secured(loop, patience, side, **timeouts) as (transport, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        assert not transport.is_closing()


@requirement("tls.handshake-waits", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_a_handshake_has_its_time(loop: Loop, watch: Any) -> None:
    """ssl_handshake_timeout is the time to wait for the handshake: it is not given up before.

    If this fails: look for seconds taken for milliseconds.
    """
    watch.allow("reported")
    with listener() as listening:
        connecting = loop.create_connection(
            Events, *listening.getsockname(), ssl=client_context(), server_hostname=NAME, ssl_handshake_timeout=0.1
        )
        started = loop.time()
        with contextlib.suppress(*TIMED_OUT):
            loop.run_until_complete(connecting)
        assert loop.time() - started >= 0.098


@requirement("tls.shutdown-waits", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_a_shutdown_has_its_time(loop: Loop, patience: Patience, side: str) -> None:
    """ssl_shutdown_timeout is the time to wait for the shutdown to complete: the connection is not aborted before.

    If this fails: look for a connection that is closed as soon as close_notify is sent.
    """
    with secured(loop, patience, side, ssl_shutdown_timeout=0.04) as (transport, protocol, _):
        started = loop.time()
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert loop.time() - started >= 0.039


@requirement("tls.server-handshake-timeout", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_server_does_not_wait_for_handshakes(loop: Loop, patience: Patience, watch: Any) -> None:
    """After ssl_handshake_timeout seconds without a handshake a server aborts the connection.

    If this fails: look for a timeout that create_server() does not pass on: silent clients then hold descriptors. Or
    for one that ends the server.
    """
    watch.allow("reported")
    how: Any = {"ssl": server_context(), "ssl_handshake_timeout": SHORT}
    sock = socket.create_server(("127.0.0.1", 0))
    for given in ({}, {"start_serving": False}, {"host": None, "port": None, "sock": sock}):
        with serving(loop, **how, **given) as service:
            loop.run_until_complete(service.server.start_serving())
            with dial(service) as peer:
                assert drive(loop, patience, in_thread(functools.partial(end_of, peer))) == b""
            assert service.server.is_serving()


@requirement("tls.server-refused-not-announced", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_made")
def test_a_server_does_not_announce_whom_it_refuses(loop: Loop, patience: Patience, watch: Any) -> None:
    """A client that lacks the certificate which the server requires is not announced: no connection_made(), no end.

    If this fails: look for a handshake that is complete for the loop before it is for TLS, or for connection_lost() of
    what never was a connection.
    """
    watch.allow("reported")
    with serving(loop, ssl=server_context(client_certificates=True)) as service:
        helper = tls_dial(service.address)
        with contextlib.suppress(OSError), drive(loop, patience, helper) as peer:
            drive(loop, patience, in_thread(lambda: end_of(peer)))
        turn(loop, 4)
        assert [protocol.names for protocol in service.protocols] in ([], [[]])


@requirement("tls.unix-hostname-required", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_a_path_is_no_name_to_verify(loop: Loop, tmp_path: Path) -> None:
    """create_unix_connection() with ssl needs server_hostname, since there is no host: an exception is raised.

    If this fails: look for the path, or nothing, to check the certificate against.
    """
    with _listening(tmp_path) as (path, _), refused():
        loop.run_until_complete(loop.create_unix_connection(Events, path, ssl=client_context()))


@requirement("tls.unix-hostname-unused", SHOULD, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_a_name_without_tls_is_refused_on_unix(loop: Loop, tmp_path: Path) -> None:
    """server_hostname of create_unix_connection() is used only with ssl: without it, an exception is raised.

    If this fails: look for an argument that is ignored, so that the caller believes in TLS.
    """
    with _listening(tmp_path) as (path, _), refused():
        loop.run_until_complete(loop.create_unix_connection(Events, path, server_hostname=NAME))


@requirement("tls.unix-timeouts-unused", MAY, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_timeouts_without_tls_on_unix(loop: Loop, tmp_path: Path, name: str, answer: Answer) -> None:
    """Whether create_unix_connection() refuses its timeouts, which are for TLS, without ssl is left open.

    If this fails: the connection could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with _listening(tmp_path) as (path, _):
        answer(outcome_of(loop, loop.create_unix_connection(Events, path, **arguments)))


@requirement("tls.unix-handshake-timeout", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_a_handshake_over_unix_has_a_timeout(loop: Loop, tmp_path: Path, watch: Any) -> None:
    """create_unix_connection() takes ssl_handshake_timeout, and aborts the connection after it.

    If this fails: look for a timeout that is not passed on.
    """
    watch.allow("reported")
    with _listening(tmp_path) as (path, _):
        connecting = loop.create_unix_connection(
            Events, path, ssl=client_context(), server_hostname=NAME, ssl_handshake_timeout=SHORT
        )
        with pytest.raises(TIMED_OUT):
            loop.run_until_complete(connecting)


@requirement("tls.unix-shutdown-timeout", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_a_shutdown_over_unix_has_a_timeout(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_unix_connection() takes ssl_shutdown_timeout, and aborts a connection whose peer says no goodbye.

    If this fails: look for a timeout that is not passed on.
    """
    with _listening(tmp_path) as (path, listening):
        helper = tls_accept(listening)
        transport, protocol = loop.run_until_complete(
            loop.create_unix_connection(
                Events, path, ssl=client_context(), server_hostname=NAME, ssl_shutdown_timeout=SHORT
            )
        )
        with drive(loop, patience, helper):
            transport.close()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tls.unix-server-timeout", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
def test_a_unix_server_does_not_wait_for_handshakes(loop: Loop, patience: Patience, tmp_path: Path, watch: Any) -> None:
    """create_unix_server() takes ssl_handshake_timeout, and aborts a connection without a handshake after it.

    If this fails: look for a timeout that is not passed on.
    """
    watch.allow("reported")
    service, path = Service(), str(tmp_path / "s")
    service.server = loop.run_until_complete(
        loop.create_unix_server(service, path, ssl=server_context(), ssl_handshake_timeout=SHORT)
    )
    with dial(service, path) as peer:
        assert drive(loop, patience, in_thread(lambda: end_of(peer))) == b""
    shut(loop, service)


@requirement("tls.unix-server-shutdown", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
def test_a_unix_server_does_not_wait_for_goodbyes(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_unix_server() takes ssl_shutdown_timeout, and aborts a connection whose peer says no goodbye.

    If this fails: look for a timeout that is not passed on.
    """
    path = str(tmp_path / "s")
    how: Any = {"ssl": server_context(), "ssl_shutdown_timeout": SHORT}
    with serving_unix(loop, path, **how) as service, dial(service, path) as sock:
        helper = tls_over(sock, "client")
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper):
            protocol.transport.close()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tls.accepted-handshake-timeout", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_an_accepted_socket_has_a_timeout(loop: Loop, watch: Any) -> None:
    """connect_accepted_socket() takes ssl_handshake_timeout, and aborts the connection after it.

    If this fails: look for a timeout that is not passed on.
    """
    watch.allow("reported")
    with tcp_pair() as (ours, _):
        connecting = loop.connect_accepted_socket(Events, ours, ssl=server_context(), ssl_handshake_timeout=SHORT)
        with pytest.raises(TIMED_OUT):
            loop.run_until_complete(connecting)


@requirement("tls.accepted-shutdown-timeout", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_an_accepted_socket_has_a_timeout_for_its_end(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() takes ssl_shutdown_timeout, and aborts a connection whose peer says no goodbye.

    If this fails: look for a timeout that is not passed on.
    """
    protocol = Events()
    with tcp_pair() as (ours, peer):
        helper = tls_over(peer, "client")
        connecting = loop.connect_accepted_socket(
            lambda: protocol, ours, ssl=server_context(), ssl_shutdown_timeout=SHORT
        )
        transport, _ = loop.run_until_complete(connecting)
        with drive(loop, patience, helper):
            transport.close()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tls.accepted-timeouts-unused", MAY, cite="asyncio-eventloop: loop.connect_accepted_socket")
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_timeouts_of_an_accepted_socket_without_tls(loop: Loop, name: str, answer: Answer) -> None:
    """Whether connect_accepted_socket() refuses its timeouts, which are for TLS, without ssl is left open.

    If this fails: the connection could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with tcp_pair() as (ours, _):
        answer(outcome_of(loop, loop.connect_accepted_socket(Events, ours, **arguments)))
