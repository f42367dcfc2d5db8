"""Chapter servers: servers over TLS and over Unix sockets, and servers whose clients are closed by them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all
from conformance.kit.secured import tls_over
from conformance.kit.servers import accepted, answers, dial, ended, serving, serving_unix
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-eventloop: Server.close"


@requirement("servers.close-keeps-any-connection", MUST, cite=CLOSE, needs=("unix",))
@each("way", ["unix", "tls"])
def test_close_leaves_connections_of_any_kind_open(loop: Loop, patience: Patience, tmp_path: Path, way: str) -> None:
    """Connections over Unix sockets and over TLS are left open by Server.close(), too, and go on both ways.

    If this fails: look for a listener that owns what it has accepted, or a TLS transport that is tied to its server.
    """
    path = str(tmp_path / "s")
    over_unix = way == "unix"
    with (
        serving_unix(loop, path) if over_unix else serving(loop, ssl=server_context()) as service,
        dial(service, path if over_unix else None) as sock,
    ):
        helper: Any = in_thread(lambda: sock) if over_unix else tls_over(sock, "client")
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper) as peer:
            service.server.close()
            turn(loop, 3)
            answers(loop, patience, protocol, peer)
            protocol.transport.abort()
            turn(loop, 4)


@requirement("servers.async-with-keeps", MUST, cite=(CLOSE, "asyncio-eventloop: asyncio.Server"))
def test_the_end_of_a_block_leaves_connections_open(loop: Loop, patience: Patience) -> None:
    """async with closes the server, as close() does: existing connections are left open, and end when they end.

    If this fails: look for connections that are ended so that the block can be left.
    """

    async def block(server: Any) -> None:
        async with server:
            pass

    with serving(loop) as service, dial(service) as peer:
        protocol = accepted(loop, patience, service)
        leaving = loop.create_task(block(service.server))
        turn(loop, 5)
        assert not service.server.is_serving()
        peer.sendall(b"question")
        patience.run_until(loop, lambda: protocol.received == b"question", "the data")
        protocol.transport.close()
        loop.run_until_complete(ended(leaving, patience))


@requirement("servers.wait-closed-tls", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
def test_wait_closed_waits_for_tls_connections(loop: Loop, patience: Patience) -> None:
    """wait_closed() waits until all active connections have finished, those over TLS among them.

    If this fails: look for transports beneath TLS that are not counted, or never taken from the count.
    """
    with serving(loop, ssl=server_context()) as service, dial(service) as sock:
        helper = tls_over(sock, "client")
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper):
            service.server.close()
            waiting = loop.create_task(service.server.wait_closed())
            turn(loop, 5)
            assert not waiting.done()
            protocol.transport.abort()
            loop.run_until_complete(ended(waiting, patience))
            assert protocol.lost


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
def test_close_clients_closes_every_connection(loop: Loop, patience: Patience) -> None:
    """close_clients() calls close() on the transports of all incoming connections: what was written is still sent.

    If this fails: look for a server that does not know its connections, or that aborts them.
    """
    data = bytes(20_000_000)  # more than the system takes
    with serving(loop) as service, dial(service) as one, dial(service) as two:
        for protocol in (accepted(loop, patience, service, 2), service.protocols[0]):
            protocol.transport.write(data)
        service.server.close()
        service.server.close_clients()
        for peer in (one, two):
            assert drive(loop, patience, in_thread(lambda peer=peer: receive_all(peer))) == data  # type: ignore[misc]


@requirement("servers.abort-clients", MUST, cite="asyncio-eventloop: Server.abort_clients", since="3.13")
def test_abort_clients_aborts_every_connection(loop: Loop, patience: Patience) -> None:
    """abort_clients() closes all connections immediately, without waiting for pending operations to complete.

    If this fails: look for a close that waits for the buffer to drain.
    """
    with serving(loop) as service, dial(service), dial(service):
        accepted(loop, patience, service, 2)
        for protocol in service.protocols:
            protocol.transport.write(bytes(20_000_000))
        service.server.close()
        service.server.abort_clients()
        patience.run_until(loop, lambda: all(p.lost for p in service.protocols), "every connection_lost()")
