"""Chapter unix: the Server objects of create_unix_server(), which are those of create_server()."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, unix_listener
from conformance.kit.protocols import Events, raising
from conformance.kit.refusals import refused
from conformance.kit.servers import accepted, answers, dial, ended, serving_unix, waits_for_close
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_unix_connection"
SERVE = "asyncio-eventloop: loop.create_unix_server"


@requirement("unix.async-with", MUST, cite="asyncio-eventloop: asyncio.Server", needs=("unix",))
def test_a_unix_server_is_an_async_context_manager(loop: Loop, tmp_path: Path) -> None:
    """async with closes a Unix server, and it accepts no connections any more.

    If this fails: look for a class of its own, whose __aexit__() does nothing.
    """

    async def scenario(server: Any) -> None:
        async with server as same:
            assert same is server
            assert server.is_serving()

    with serving_unix(loop, str(tmp_path / "s")) as service:
        address = service.address
        loop.run_until_complete(scenario(service.server))
        assert not service.server.is_serving()
        with socket.socket(socket.AF_UNIX) as peer, pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            peer.connect(address)


@requirement("unix.serve-forever", MUST, cite="asyncio-eventloop: Server.serve_forever", needs=("unix",))
def test_a_unix_server_serves_until_it_is_cancelled(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """serve_forever() of a Unix server accepts connections; cancellation of its task causes the server to be closed.

    If this fails: look for a task that ends while the socket stays open.
    """

    async def begin() -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(service.server.serve_forever())
        await asyncio.sleep(0)
        return task

    async def end(task: asyncio.Task[Any]) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended(task, patience)

    with serving_unix(loop, str(tmp_path / "s"), start_serving=False) as service:
        assert not service.server.is_serving()
        task = loop.run_until_complete(begin())
        patience.in_turns.run_until(loop, service.server.is_serving, "the start of the server")
        with dial(service):
            accepted(loop, patience, service).transport.abort()
        loop.run_until_complete(end(task))
        assert not service.server.is_serving()
        assert not service.server.sockets


@requirement("unix.protocol-factory", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
def test_every_unix_connection_gets_a_protocol_of_its_own(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """protocol_factory of a Unix server is called once for each connection, and not before one comes.

    If this fails: look for a protocol that is made when the server is, or shared between connections.
    """
    with serving_unix(loop, str(tmp_path / "s")) as service:
        turn(loop)
        assert service.protocols == []
        with dial(service) as one, dial(service) as two:
            accepted(loop, patience, service, 2)
            one.sendall(b"one")
            two.sendall(b"two")
            patience.run_until(
                loop, lambda: all(len(protocol.received) == 3 for protocol in service.protocols), "the data"
            )
            assert sorted(bytes(protocol.received) for protocol in service.protocols) == [b"one", b"two"]


@requirement("unix.wait-closed", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12", needs=("unix",))
def test_wait_closed_of_a_unix_server_waits(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """wait_closed() of a Unix server that is not closed waits until it is.

    If this fails: look for a wait that ends at once because there is no connection.
    """
    with serving_unix(loop, str(tmp_path / "s")) as service:
        loop.run_until_complete(waits_for_close(service.server, patience))


@requirement(
    "unix.defaults",
    MUST,
    cite=("asyncio-eventloop: loop.create_unix_connection", "asyncio-eventloop: loop.create_unix_server"),
    needs=("unix",),
)
def test_defaults_of_unix_sockets_may_be_given(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """Keyword arguments of both methods may be None, the default, as if they were left out, and ssl of a client false.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    both = ("sock", "ssl", "ssl_handshake_timeout", "ssl_shutdown_timeout")
    path = str(tmp_path / "s")
    for name in both:
        with serving_unix(loop, path, **{name: None}) as service, dial(service, path):
            accepted(loop, patience, service)
        Path(path).unlink(missing_ok=True)
    with unix_listener(path) as listening:
        clients: list[tuple[str, Any]] = [(name, None) for name in (*both, "server_hostname")]
        for name, value in [*clients, ("ssl", False)]:
            given: dict[str, Any] = {name: value}
            opening = loop.create_unix_connection(Events, path, **given)
            with opened(loop, opening) as (_, protocol), accept(listening) as peer:
                answers(loop, patience, protocol, peer)


@requirement("unix.server-sock-family", SHOULD, cite=SERVE, needs=("unix",))
@each("family", ["inet", "datagram"])
def test_a_server_needs_a_unix_stream_socket(loop: Loop, family: str) -> None:
    """A sock that is no stream socket of AF_UNIX is refused by create_unix_server(), too.

    If this fails: look for a server that listens on whatever socket is given.
    """
    with socket.socket() if family == "inet" else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if family == "inet":
            sock.bind(("127.0.0.1", 0))
        with refused(OSError):
            loop.run_until_complete(loop.create_unix_server(Events, sock=sock)).close()


@requirement("unix.connect-failing-factory", SHOULD, cite=("gh-153133", CONNECT), needs=("unix",))
def test_a_failing_factory_closes_a_unix_connection(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """An exception of protocol_factory comes out of create_unix_connection(), too, and the connection is closed.

    If this fails: look for a socket that nobody owns between the connection and the transport.
    """

    async def main(path: str) -> None:
        with contextlib.suppress(LookupError):
            await loop.create_unix_connection(raising(LookupError("in the factory")), path)

    with unix_listener(str(tmp_path / "s")) as listening:
        loop.run_until_complete(main(listening.getsockname()))
        gc.collect()  # counts as closing: what comes out of it is what the requirement is about
        listening.setblocking(False)
        with contextlib.suppress(BlockingIOError), accept(listening) as peer:
            assert drive(loop, patience, in_thread(functools.partial(receive_all, peer))) == b""
