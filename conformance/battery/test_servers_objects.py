"""Chapter servers: what a Server object does, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.places import PLACES, at
from conformance.kit.refusals import refused
from conformance.kit.secured import tls_over
from conformance.kit.servers import accepted, create, dial, ended, serving, serving_unix
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("servers.get-loop", MUST, cite="asyncio-eventloop: Server.get_loop")
@each("place", PLACES)
def test_a_server_knows_its_loop(loop: Loop, place: str, tmp_path: Path) -> None:
    """get_loop() returns the event loop associated with the server object, wherever it is asked.

    If this fails: look for a method that is missing, that makes a new wrapper of the loop, or asks which loop runs.
    """
    makings = [serving(loop)]
    if hasattr(socket, "AF_UNIX"):
        makings.append(serving_unix(loop, str(tmp_path / place[-4:])))
    for making in makings:
        with making as service:
            assert at(place, loop, service.server.get_loop) is loop
            service.server.close()
            assert at(place, loop, service.server.get_loop) is loop


@requirement("servers.sockets", MUST, cite="asyncio-eventloop: Server.sockets")
def test_sockets_are_those_that_the_server_listens_on(loop: Loop) -> None:
    """sockets is a list (or another sequence) of socket objects that the server is listening on.

    If this fails: look for descriptors, or for objects that lack getsockname(), fileno(), family and type.
    """
    with serving(loop) as service:
        (sock,) = service.server.sockets
        assert sock.family == socket.AF_INET
        assert sock.type == socket.SOCK_STREAM
        assert sock.fileno() >= 0
        with contextlib.suppress(OSError):  # macOS does not tell
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert sock.getsockname()[0] == "127.0.0.1"


@requirement("servers.sockets-copy", MUST, cite="asyncio-eventloop: Server.sockets")
def test_sockets_is_a_copy(loop: Loop) -> None:
    """A copy of the internal list of server sockets is returned.

    If this fails: look for the loop's own list, which the caller can empty.
    """
    with serving(loop) as service:
        with contextlib.suppress(AttributeError):
            service.server.sockets.clear()
        assert len(service.server.sockets) == 1


@requirement("servers.is-serving", MUST, cite="asyncio-eventloop: Server.is_serving")
def test_is_serving_says_whether_connections_are_accepted(loop: Loop, patience: Patience) -> None:
    """is_serving() returns True if the server is accepting new connections: not before its start or after its end.

    If this fails: look for an attribute that is set when the object is made, or that lasts as long as connections do.
    """
    with serving(loop, start_serving=False) as service:
        server = service.server
        before = server.is_serving()
        loop.run_until_complete(server.start_serving())
        during = server.is_serving()
        with dial(service):
            accepted(loop, patience, service)
            server.close()
            assert (before, during, server.is_serving()) == (False, True, False)


@requirement("servers.starts-at-once", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_server_serves_at_once_by_default(loop: Loop) -> None:
    """start_serving=True, the default, causes the created server to start accepting connections immediately.

    If this fails: look for a start that needs another turn or another call.
    """
    with serving(loop) as service:
        assert service.server.is_serving()
        dial(service).close()


@requirement("servers.starts-later", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_server_may_be_made_without_serving(loop: Loop, patience: Patience) -> None:
    """With start_serving=False no connection is accepted until start_serving() is awaited.

    If this fails: look for a parameter that is ignored, perhaps by servers over TLS, or a start by `async with`.
    """
    with serving(loop, start_serving=False, ssl=server_context()) as service:
        turn(loop, 2)
        assert not service.server.is_serving()
        loop.run_until_complete(service.server.start_serving())
        assert service.server.is_serving()

    async def only_entered(server: Any) -> bool:
        async with server:
            return bool(server.is_serving())

    with serving(loop, start_serving=False) as service:
        assert not loop.run_until_complete(only_entered(service.server))
    with serving(loop, start_serving=False) as service:
        with contextlib.suppress(OSError):
            dial(service).close()
        turn(loop, 5)
        assert service.protocols == []
        loop.run_until_complete(service.server.start_serving())
        with dial(service):
            accepted(loop, patience, service)


@requirement("servers.starts-later-everywhere", MUST, cite="asyncio-eventloop: Server.start_serving")
@each("start", ["start_serving", "serve_forever"])
@each("where", ["all", "sock", "hosts", "tls"])
def test_a_server_that_starts_later_serves_on_every_socket(
    loop: Loop, patience: Patience, where: str, start: str
) -> None:
    """start_serving() and serve_forever() make a server accept on all its sockets, also on one that was given.

    A server over TLS as well.

    If this fails: look for a start that serves the first socket only, or sockets that serve before it, as of a list of
    hosts.
    """
    given: dict[str, Any] = {"ssl": server_context()} if where == "tls" else {}
    if where == "sock":
        given["sock"] = socket.socket()
        given["sock"].bind(("127.0.0.1", 0))
    hosts = (["127.0.0.1", "::1"] if need_named("ipv6").present() else ["127.0.0.1"]) if where == "hosts" else None
    with serving(loop, hosts, None if where == "sock" else 0, start_serving=False, **given) as service:
        names = {sock.family: sock.getsockname() for sock in service.server.sockets}
        assert not service.server.is_serving()
        task = loop.create_task(getattr(service.server, start)())
        patience.run_until(loop, service.server.is_serving, "the start")
        for count, (family, name) in enumerate(names.items(), 1):
            with socket.socket(family) as peer:
                peer.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", name[1]))
                helper: Any = tls_over(peer, "client") if where == "tls" else in_thread(lambda: peer)
                accepted(loop, patience, service, count)
                drive(loop, patience, helper).close()
        task.cancel()
        turn(loop, 3)


@requirement("servers.start-idempotent", MUST, cite="asyncio-eventloop: Server.start_serving")
def test_starting_a_server_again_changes_nothing(loop: Loop, patience: Patience) -> None:
    """start_serving() is idempotent: it can be called when the server is already serving.

    If this fails: look for a second watcher on the same socket, or an error.
    """
    with serving(loop) as service:
        for _ in range(3):
            loop.run_until_complete(service.server.start_serving())
        with dial(service) as peer:
            accepted(loop, patience, service)
            turn(loop, 3)
            assert (len(service.protocols), service.server.is_serving()) == (1, True)
            peer.sendall(b"x")


@requirement("servers.serve-forever", MUST, cite="asyncio-eventloop: Server.serve_forever")
@each("started", ["not", "at once", "later"])
def test_serve_forever_serves_until_it_is_cancelled(loop: Loop, patience: Patience, started: str) -> None:
    """serve_forever() starts accepting connections, also if the server already does, until it is cancelled.

    If this fails: look for a coroutine that returns at once, or that fails for a server which serves.
    """

    async def scenario(service: Any) -> None:
        task = asyncio.ensure_future(service.server.serve_forever())
        await until(patience, service.server.is_serving, "the start")
        with dial(service):
            await until(patience, service.made, "the connection")
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ended(task, patience)

    with serving(loop, start_serving=started == "at once") as service:
        if started == "later":
            loop.run_until_complete(service.server.start_serving())
        loop.run_until_complete(scenario(service))


@requirement("servers.serve-forever-cancelled", MUST, cite="asyncio-eventloop: Server.serve_forever")
def test_cancelling_serve_forever_closes_the_server(loop: Loop, patience: Patience) -> None:
    """Cancellation of the serve_forever task causes the server to be closed.

    If this fails: look for a task that ends while the sockets stay open.
    """

    async def scenario(server: Any) -> None:
        task = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended(task, patience)

    with serving(loop) as service:
        loop.run_until_complete(scenario(service.server))
        assert not service.server.is_serving()
        assert not service.server.sockets


@requirement("servers.serve-forever-once", MUST, cite="asyncio-eventloop: Server.serve_forever")
def test_there_is_one_serve_forever_at_a_time(loop: Loop, patience: Patience) -> None:
    """Only one serve_forever task can exist per one Server object: a second raises an exception, and the first goes on.

    If this fails: look for a future that the second call overwrites.
    """

    async def scenario(server: Any) -> bool:
        first = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        with refused():
            await ended(server.serve_forever(), patience)
        await asyncio.sleep(0.002)
        went_on = not first.done() and server.is_serving()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended(first, patience)
        return went_on

    with serving(loop) as service:
        assert loop.run_until_complete(scenario(service.server))


@requirement("servers.serve-forever-closed", SHOULD, cite="asyncio-eventloop: Server.serve_forever")
def test_a_closed_server_cannot_serve(loop: Loop, patience: Patience) -> None:
    """serve_forever() of a closed server raises an exception.

    If this fails: look for a task that waits for ever for nothing.
    """
    with serving(loop) as service:
        service.server.close()
        with refused():
            loop.run_until_complete(ended(service.server.serve_forever(), patience))


@requirement("servers.start-in-use", MUST, cite=("asyncio-eventloop: Server.start_serving", "exceptions: OSError"))
def test_a_server_that_cannot_listen_says_so(loop: Loop) -> None:
    """start_serving() raises OSError with errno EADDRINUSE if somebody else listens at the address by now.

    If this fails: look for an error of listen() that is dropped: the server then serves nobody, and nobody knows.
    """
    first = create(loop, "127.0.0.1", 0, start_serving=False)

    async def start_another() -> None:
        address = first.sockets[0].getsockname()
        async with await loop.create_server(
            asyncio.Protocol, *address, start_serving=False
        ) as second:  # or not even so
            await first.start_serving()
            await second.start_serving()

    with pytest.raises(OSError) as caught:  # noqa: PT011 (the number is checked below)
        loop.run_until_complete(start_another())
    assert caught.value.errno == errno.EADDRINUSE
    first.close()
    turn(loop, 3)
