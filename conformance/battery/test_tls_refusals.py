"""Chapter tls: upgrades that fail, are given up, or are asked for in a way that cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Any

import pytest

from conformance.battery.test_tls_upgrade import SIDES, as_, plain, upgrade, upgraded
from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.connections import accept
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import (
    drive,
    listener,
    receive_all,
    socket_path,
    tcp_pair,
    unix_listener,
)
from conformance.kit.protocols import Events
from conformance.kit.refusals import REFUSALS, refused
from conformance.kit.secured import TIMED_OUT, tls_half, tls_over, upgrading
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def answered(sock: socket.socket, words: bytes) -> None:
    """Wait for the first byte of a handshake, say something else, and close if there is nothing to say."""
    sock.recv(1)
    if words:
        sock.sendall(words)
    else:
        sock.close()


@requirement("tls.start-context-type", SHOULD, cite="asyncio-eventloop: loop.start_tls")
@each("context", [None, True], ids=repr)
def test_an_upgrade_needs_a_context(loop: Loop, context: Any) -> None:
    """sslcontext is an instance of SSLContext: None and True, which say "default" elsewhere, raise an exception.

    If this fails: look for a context made up, which trusts other authorities than the caller thinks.
    """
    with plain(loop) as (beneath, protocol, _), refused():
        upgrade(loop, beneath, protocol, sslcontext=context)


@requirement("tls.cancelled", SHOULD, cite="asyncio-task: Task.cancel")
@each("way", ["host", "sock", "wrapped", "path"] if hasattr(socket, "AF_UNIX") else ["host", "sock", "wrapped"])
def test_a_handshake_that_is_given_up_is_closed(loop: Loop, patience: Patience, way: str, watch: Any) -> None:
    """create_connection() that is cancelled during the handshake raises CancelledError, and closes the connection.

    So do create_unix_connection() and connect_accepted_socket().

    If this fails: look for a handshake that goes on for its 60 seconds when nobody waits for it.
    """
    watch.allow("reported")
    arguments: Any = {"ssl": client_context(), "server_hostname": NAME}
    with contextlib.ExitStack() as stack:
        if way == "path":
            listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
            opening: Any = loop.create_unix_connection(Events, listening.getsockname(), **arguments)
        elif way == "host":
            listening = stack.enter_context(listener())
            opening = loop.create_connection(Events, *listening.getsockname(), **arguments)
        else:
            ours, theirs = stack.enter_context(tcp_pair())
            if way == "sock":
                opening = loop.create_connection(Events, sock=ours, **arguments)
            else:
                opening = loop.connect_accepted_socket(Events, ours, ssl=server_context())
        connecting = loop.create_task(opening)
        if way in ("host", "path"):
            theirs = stack.enter_context(drive(loop, patience, in_thread(lambda: accept(listening))))
        peer = theirs
        drive(loop, patience, tls_half(peer, "client" if way == "wrapped" else "server"))
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(connecting)

        def ended() -> bool:
            with contextlib.suppress(ConnectionResetError):
                receive_all(peer)
            return True

        assert drive(loop, patience, in_thread(ended))


@requirement("tls.start-transport-type", SHOULD, cite="asyncio-eventloop: loop.start_tls")
def test_a_pipe_cannot_be_upgraded(loop: Loop) -> None:
    """The transport is one of create_connection() and create_server(): the write end of a pipe raises an exception.

    If this fails: look for a handshake that waits for ever for an answer.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as pipe:
        transport, protocol = loop.run_until_complete(loop.connect_write_pipe(asyncio.BaseProtocol, pipe))
        try:
            with refused():
                upgrade(loop, transport, protocol)
        finally:
            transport.abort()
            turn(loop, 3)


@requirement("tls.start-hostname", MUST, cite="asyncio-eventloop: loop.start_tls")
def test_an_upgrade_checks_the_name(loop: Loop, patience: Patience, watch: Any) -> None:
    """server_hostname is the name that the server's certificate is matched against: another one is refused.

    If this fails: look for a name that does not reach the TLS object, or an error of another type.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        helper = tls_over(sock, "server")
        with pytest.raises(ssl.SSLCertVerificationError):
            upgrade(loop, beneath, protocol, server_hostname="other.example")
        beneath.abort()
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.start-unknown-authority", MUST, cite="ssl: ssl.SSLCertVerificationError")
def test_an_upgrade_checks_the_authority(loop: Loop, patience: Patience, watch: Any) -> None:
    """An upgrade to a server whose certificate cannot be verified raises ssl.SSLCertVerificationError.

    If this fails: look for an error that only connection_lost() is told.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        helper = tls_over(sock, "server")
        with pytest.raises(ssl.SSLCertVerificationError):
            upgrade(loop, beneath, protocol, sslcontext=client_context(trusting=False))
        beneath.abort()
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.start-failure-closes", SHOULD, cite="asyncio-eventloop: loop.start_tls")
def test_a_failed_upgrade_closes_the_connection(loop: Loop, patience: Patience, watch: Any) -> None:
    """After a handshake that failed, the original transport is closing: nothing more can be said on it.

    If this fails: look for a transport left open, with half a handshake on the wire.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        helper = tls_over(sock, "server")
        with contextlib.suppress(OSError):
            upgrade(loop, beneath, protocol, sslcontext=client_context(trusting=False))
        patience.run_until(loop, beneath.is_closing, "the end of the original transport")
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.start-eof", MUST, cite="exceptions: OSError")
def test_an_end_during_an_upgrade_is_an_error(loop: Loop, watch: Any) -> None:
    """A peer that closes instead of answering the handshake of an upgrade is an OSError.

    If this fails: look for start_tls() that waits for its timeout, or that returns.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        helper = in_thread(lambda: answered(sock, b""))
        with pytest.raises(OSError):  # noqa: PT011 (which one depends on how far the handshake was)
            upgrade(loop, beneath, protocol)
        helper.result()


@requirement("tls.start-handshake-timeout", MUST, cite="asyncio-eventloop: loop.start_tls")
@SIDES
def test_an_upgrade_that_takes_too_long_is_aborted(loop: Loop, patience: Patience, watch: Any, side: str) -> None:
    """After ssl_handshake_timeout seconds without a handshake the upgrade is aborted, with an exception.

    If this fails: look for a timeout that is not passed on, or for one that leaves the connection as it is.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        with pytest.raises(TIMED_OUT):
            upgrade(loop, beneath, protocol, ssl_handshake_timeout=0.005, **as_(side))
        with contextlib.suppress(ConnectionResetError):
            drive(loop, patience, in_thread(lambda: receive_all(sock)))


@requirement("tls.start-shutdown-timeout", MUST, cite="asyncio-eventloop: loop.start_tls")
@SIDES
def test_an_upgraded_connection_does_not_wait_for_goodbyes(loop: Loop, patience: Patience, side: str) -> None:
    """After ssl_shutdown_timeout seconds without a complete shutdown an upgraded connection is aborted.

    If this fails: look for a timeout that is not passed on, so that close() takes 30 seconds.
    """
    with upgraded(loop, patience, side, ssl_shutdown_timeout=0.01) as (transport, protocol, _, _):
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tls.start-timeout-value", MUST, cite="asyncio-eventloop: loop.start_tls")
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_no_time_for_an_upgrade_is_not_the_default(loop: Loop, patience: Patience, name: str, watch: Any) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout of an upgrade are times to wait: zero is refused, or no time.

    If this fails: look for zero taken for the default.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        beginning = upgrading(loop, beneath, protocol, **{name: 0})
        if name == "ssl_handshake_timeout":
            with refused(*TIMED_OUT):
                loop.run_until_complete(beginning)
            return
        helper = tls_over(sock, "server")
        try:
            loop.run_until_complete(beginning).close()
        except NotImplementedError:
            raise
        except REFUSALS:
            beneath.abort()
        else:
            patience.in_turns.run_until(loop, lambda: protocol.lost, "connection_lost() without the peer's goodbye")
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.start-timeout-none", MUST, cite="asyncio-eventloop: loop.start_tls")
def test_no_timeout_is_the_default_of_an_upgrade(loop: Loop, patience: Patience) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout may be None, for the default.

    If this fails: look for a comparison of None with a number.
    """
    with upgraded(loop, patience, ssl_handshake_timeout=None, ssl_shutdown_timeout=None) as (transport, _, _, _):
        assert not transport.is_closing()


@requirement("tls.start-cancelled", SHOULD, cite="asyncio-task: Task Cancellation")
@SIDES
def test_an_upgrade_can_be_cancelled(loop: Loop, patience: Patience, watch: Any, side: str) -> None:
    """start_tls() that is cancelled raises CancelledError, and closes the original transport.

    If this fails: look for a handshake that goes on behind the caller's back.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        task = upgrading(loop, beneath, protocol, **as_(side))
        drive(loop, patience, tls_half(sock, "server" if side == "client" else "client"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        patience.run_until(loop, beneath.is_closing, "the end of the original transport")


@requirement("tls.start-garbage", MUST, cite="ssl: ssl.SSLError")
def test_an_upgrade_of_a_peer_without_tls_fails(loop: Loop, watch: Any) -> None:
    """A peer that answers the handshake of an upgrade in plain text is an ssl.SSLError.

    If this fails: look for an error that ends the transport only, so that the caller waits.
    """
    watch.allow("reported")
    with plain(loop) as (beneath, protocol, sock):
        helper = in_thread(lambda: answered(sock, b"550 we speak no TLS here, at some length\r\n"))
        with pytest.raises(ssl.SSLError):
            upgrade(loop, beneath, protocol)
        helper.result()
