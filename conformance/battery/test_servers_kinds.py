"""Chapter servers: servers over TLS and over Unix sockets, and what is left of them when they end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, free_port
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


@requirement("servers.sock-unix", SHOULD, cite="asyncio-eventloop: loop.create_server", needs=("unix",))
def test_a_unix_socket_may_be_given(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_server() takes any stream socket as sock, a Unix one too, as servers do that inherit their sockets.

    If this fails: look for a host and a port that are read from the name of whatever is given.
    """
    path = str(tmp_path / "s")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    with serving(loop, None, None, sock=sock) as service, dial(service, path) as peer:
        answers(loop, patience, accepted(loop, patience, service), peer)


@requirement(
    "servers.port-string", SHOULD, cite=("asyncio-eventloop: loop.create_server", "socket: socket.getaddrinfo")
)
@each("host", ["127.0.0.1", "localhost", ["127.0.0.1"]])
def test_the_port_of_a_server_is_looked_up(loop: Loop, host: Any) -> None:
    """port may be the string of a number, as getaddrinfo() takes it.

    If this fails: look for a port that must be a number because the look-up of a numeric host is left out.
    """
    port = free_port()
    with serving(loop, host, str(port), family=socket.AF_INET) as service:
        assert service.address == ("127.0.0.1", port)


@requirement("servers.keep-alive-tls", MUST, cite="asyncio-eventloop: loop.create_server", since="3.13")
def test_connections_over_tls_are_kept_alive(loop: Loop, patience: Patience) -> None:
    """keep_alive set to True keeps connections active, those over TLS, too.

    If this fails: look for an option that is lost on the way to the transport below.
    """
    with serving(loop, ssl=server_context(), keep_alive=True) as service, dial(service) as sock:
        helper: Any = tls_over(sock, "client")
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper):
            ours = protocol.transport.get_extra_info("socket")
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@requirement("servers.defaults", MUST, cite="asyncio-eventloop: loop.create_server")
@each(
    "given",
    [
        {"family": socket.AF_UNSPEC},
        {"flags": socket.AI_PASSIVE},
        {"sock": None},
        {"backlog": 100},
        {"ssl": None},
        {"ssl_handshake_timeout": None},
        {"ssl_shutdown_timeout": None},
        {"start_serving": True},
    ],
)
def test_defaults_of_a_server_may_be_given(loop: Loop, patience: Patience, given: dict[str, Any]) -> None:
    """A keyword argument of create_server() may be given its default: it is as if it were left out.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    with serving(loop, **given) as service, dial(service):
        accepted(loop, patience, service)
