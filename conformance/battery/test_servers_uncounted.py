"""Chapter servers: connections that came to nothing, for which a server neither waits nor ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience
from conformance.kit.peers import drive
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.secured import tls_dial, tls_over
from conformance.kit.servers import Service, accepted, answers, dial, ended, serving
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
TLS_TOO = each("secure", [False, True], ids=["plain", "tls"])


def serving_or_secured(loop: Loop, secure: bool) -> contextlib.AbstractContextManager[Service]:
    """A server of the loop, over TLS if it is to be `secure`."""
    return serving(loop, ssl=server_context()) if secure else serving(loop)


@contextlib.contextmanager
def attempt(service: Service, secure: bool) -> Iterator[None]:
    """A connection to the server, whose client begins a handshake if it is to be `secure`; given up at the end."""
    with dial(service) as peer:
        if not secure:
            yield
            return
        with socket.socket(fileno=os.dup(peer.fileno())) as held:
            handshake = tls_over(peer, "client")
            yield
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)  # the client may wait for a server that has let go of it
            with contextlib.suppress(OSError):
                handshake.result().close()


def next_one_is_served(loop: Loop, patience: Patience, service: Service, secure: bool, count: int) -> None:
    """Fail unless one more connection gets a protocol, the `count`th, which receives what is sent."""
    if not secure:
        with dial(service) as peer:
            answers(loop, patience, accepted(loop, patience, service, count), peer)
        return
    handshake = tls_dial(service.address)
    protocol = accepted(loop, patience, service, count)
    with drive(loop, patience, handshake) as peer:
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data of the next connection")


@requirement("servers.factory-error", SHOULD, cite="asyncio-eventloop: loop.create_server")
@TLS_TOO
def test_a_factory_that_fails_does_not_end_the_server(loop: Loop, patience: Patience, watch: Any, secure: bool) -> None:
    """If protocol_factory raises an exception for one connection, the server goes on and accepts the next.

    If this fails: look for an exception that leaves the accept callback, and the listening socket with it.
    """
    # Whether it is reported outside debug mode, and whether the connection is closed at once, is left open.
    watch.allow("reported")
    failed: list[bool] = []

    def fail() -> Any:
        failed.append(True)
        raise LookupError("no protocol")

    with serving_or_secured(loop, secure) as service:
        service.make = fail
        with attempt(service, secure):
            patience.run_until(loop, lambda: failed, "the first connection")
            service.make = Events
            next_one_is_served(loop, patience, service, secure, 1)


@requirement("servers.factory-error-closes", SHOULD, cite=("asyncio-eventloop: loop.create_server", "gh-155934"))
@TLS_TOO
def test_a_connection_without_a_protocol_is_closed(loop: Loop, patience: Patience, watch: Any, secure: bool) -> None:
    """If protocol_factory raises an exception for one connection, that one is closed: its client sees the end.

    If this fails: look for a descriptor that nobody owns before there is a transport.
    """
    watch.allow("reported")  # whether the exception is reported is left open

    def fail() -> Any:
        raise LookupError("no protocol")  # another one each time: its traceback may hold what was accepted

    with serving_or_secured(loop, secure) as service:
        service.make = fail
        with dial(service) as peer:
            peer.setblocking(False)
            patience.run_until(loop, lambda: gc.collect() < 0 or _has_ended(peer), "the end of the connection")


def _has_ended(peer: socket.socket) -> bool:
    try:
        return not peer.recv(1000)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@requirement("servers.factory-error-is-finished", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
def test_a_connection_without_a_protocol_has_finished(loop: Loop, patience: Patience, watch: Any) -> None:
    """wait_closed() waits until all active connections have finished: one whose protocol_factory has failed has.

    If this fails: look for connections that are counted when they are accepted, and taken off by connection_lost().
    """
    watch.allow("reported")  # whether the exception is reported is left open
    failed: list[bool] = []

    def fail() -> Any:
        failed.append(True)
        raise LookupError("no protocol")

    with serving(loop) as service:
        service.make = fail
        with dial(service), dial(service):
            patience.run_until(loop, lambda: failed, "the first connection")
        service.server.close()
        loop.run_until_complete(ended(service.server.wait_closed(), patience))


@requirement("servers.failing-connection-made", SHOULD, cite="PEP 3156: I/O Callbacks")
@TLS_TOO
def test_a_connection_that_fails_at_once_does_not_end_the_server(
    loop: Loop, patience: Patience, watch: Any, secure: bool
) -> None:
    """If connection_made() of one connection raises an exception, that is reported; the server accepts the next.

    If this fails: look for an exception of a protocol that ends the callback of the listening socket.
    """
    watch.allow("reported")
    watch.reported.clear()  # of the case before
    with serving_or_secured(loop, secure) as service:
        service.make = lambda: Reacts("connection_made", raising(LookupError("not that one")))
        with attempt(service, secure):
            patience.run_until(loop, lambda: watch.reported, "the report")
            assert isinstance(watch.reported[0]["exception"], LookupError)
            assert service.server.is_serving()
            service.make = Events
            next_one_is_served(loop, patience, service, secure, 2)
