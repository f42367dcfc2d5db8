"""Chapter servers: close_clients() and abort_clients(), by which a server ends its connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import tls_over
from conformance.kit.servers import Service, accepted, dial, serving, serving_unix
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ENDS = ("asyncio-eventloop: Server.close_clients", "asyncio-eventloop: Server.abort_clients")
KINDS = each("kind", ("tcp", "unix") if hasattr(socket, "AF_UNIX") else ("tcp",))


def _serving(loop: Loop, kind: str, directory: Path) -> contextlib.AbstractContextManager[Service]:
    """A server at a port, or at a path in the directory; closed at the end, with its connections."""
    return serving_unix(loop, str(directory / "server")) if kind == "unix" else serving(loop)


@requirement("servers.close-clients-only", SHOULD, cite="asyncio-eventloop: Server.close_clients", since="3.13")
@each("how", ["close_clients", "abort_clients"])
def test_closing_clients_does_not_close_the_server(loop: Loop, patience: Patience, how: str) -> None:
    """close_clients() and abort_clients() end the existing connections: the server goes on, and may have none.

    If this fails: look for a close of everything, or an error if there is nothing to close.
    """
    with serving(loop) as service:
        end = getattr(service.server, how)
        end()
        with dial(service):
            protocol = accepted(loop, patience, service)
            end()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        end()
        assert service.server.is_serving()
        with dial(service):
            assert not accepted(loop, patience, service, 2).transport.is_closing()


@requirement("servers.close-clients", MUST, cite="asyncio-eventloop: Server.close_clients", since="3.13")
@KINDS
def test_close_clients_closes_every_connection(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """close_clients() calls close() on the transports of all incoming connections: what was written is still sent.

    If this fails: look for a server that does not know its connections, or that aborts them.
    """
    data = bytes(20_000_000)  # more than the system takes
    with _serving(loop, kind, tmp_path) as service, dial(service) as one, dial(service) as two:
        for protocol in (accepted(loop, patience, service, 2), service.protocols[0]):
            protocol.transport.write(data)
        service.server.close()
        service.server.close_clients()
        for peer in (one, two):
            assert drive(loop, patience, in_thread(lambda peer=peer: receive_all(peer))) == data  # type: ignore[misc]


@requirement("servers.abort-clients", MUST, cite="asyncio-eventloop: Server.abort_clients", since="3.13")
@KINDS
def test_abort_clients_aborts_every_connection(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """abort_clients() closes all connections immediately, without waiting for pending operations to complete.

    If this fails: look for a close that waits for the buffer to drain, a connection that is passed over because it is
    closing, or an abort() that comes in a later turn.
    """
    with _serving(loop, kind, tmp_path) as service, dial(service), dial(service):
        accepted(loop, patience, service, 2)
        for protocol in service.protocols:
            protocol.transport.write(bytes(20_000_000))
        service.protocols[0].transport.close()
        service.server.close()
        service.server.abort_clients()
        assert all(protocol.transport.is_closing() for protocol in service.protocols)
        patience.run_until(loop, lambda: all(p.lost for p in service.protocols), "every connection_lost()")


@requirement("servers.abort-clients-tls", MUST, cite="asyncio-eventloop: Server.abort_clients", since="3.13")
def test_abort_clients_aborts_connections_of_tls(loop: Loop, patience: Patience) -> None:
    """abort_clients() of a server over TLS waits neither for data that is to be sent nor for the peer's goodbye.

    If this fails: look for a list of clients whose abort() is that of a close, or of the transport above TLS only.
    """
    with serving(loop, ssl=server_context()) as service, dial(service) as sock:
        helper = tls_over(sock, "client")
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper):
            protocol.transport.write(bytes(20_000_000))
            service.server.abort_clients()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("servers.clients-of-each", MUST, cite=ENDS, since="3.13")
@each("how", ["close_clients", "abort_clients"])
def test_a_server_ends_its_own_connections(loop: Loop, patience: Patience, how: str) -> None:
    """close_clients() and abort_clients() end the incoming connections of that server, and no other connection.

    If this fails: look for a list of all connections that the loop has.
    """
    with (
        serving(loop) as service,
        serving(loop) as another,
        dial(service),
        dial(another) as theirs,
        tcp_pair() as (ours, peer),
        opened(loop, loop.create_connection(Events, sock=ours)) as (outgoing, _),
    ):
        protocol = accepted(loop, patience, service)
        left = accepted(loop, patience, another).transport
        getattr(service.server, how)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        for transport, end in ((left, theirs), (outgoing, peer)):
            assert not transport.is_closing()
            transport.write(b"answer")
            assert drive(loop, patience, in_thread(functools.partial(receive_exactly, end, 6))) == b"answer"


@requirement("servers.clients-of-any-kind", MUST, cite=ENDS, since="3.13", needs=("unix",))
@each("how", ["close_clients", "abort_clients"])
@each("kind", ["paused", "half-closed", "unix", "tls", "another protocol"])
def test_a_server_ends_connections_of_any_kind(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str, how: str
) -> None:
    """close_clients() and abort_clients() end all incoming connections: quiet ones, those of Unix sockets and of TLS.

    If this fails: look for connections that are ended by their reader, that only a TCP server counts, or that are known
    by their first protocol.
    """
    over_unix, over_tls = kind == "unix", kind == "tls"
    making = serving_unix(loop, str(tmp_path / how[0])) if over_unix else None
    with making or serving(loop, ssl=server_context() if over_tls else None) as service:
        service.make = lambda: Events(keep_open=not over_tls)  # which has no halves
        with dial(service) as sock:
            helper: Any = tls_over(sock, "client") if over_tls else in_thread(lambda: sock)
            protocol = accepted(loop, patience, service)
            with drive(loop, patience, helper) as peer:
                if kind == "another protocol":
                    transport, protocol = protocol.transport, Events()
                    transport.set_protocol(protocol)
                elif kind == "paused":
                    protocol.transport.pause_reading()
                elif kind == "half-closed":
                    peer.shutdown(socket.SHUT_WR)
                    patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
                turn(loop, 2)
                assert not protocol.lost
                getattr(service.server, how)()
                drive(loop, patience, in_thread(lambda: _see_the_end(peer)))
                patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


def _see_the_end(peer: socket.socket) -> None:
    """Wait for the other end to close, and close: over TLS, close() waits for that."""
    with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
        assert peer.recv(1) == b""
    peer.close()


@requirement(
    "servers.clients-told-later", SHOULD, cite=("PEP 3156: Mutual Exclusion of Callbacks", *ENDS), since="3.13"
)
@each("how", ["close_clients", "abort_clients"])
@KINDS
def test_the_ends_of_clients_are_told_by_the_loop(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str, how: str
) -> None:
    """close_clients() and abort_clients() return before connection_lost() of a connection is called.

    If this fails: look for a callback delivered on the caller's stack: no callback starts while another is running.
    """
    with _serving(loop, kind, tmp_path) as service, dial(service), dial(service):
        accepted(loop, patience, service, 2)
        getattr(service.server, how)()
        assert not any(protocol.lost for protocol in service.protocols)
        patience.run_until(loop, lambda: all(p.lost for p in service.protocols), "every connection_lost()")
