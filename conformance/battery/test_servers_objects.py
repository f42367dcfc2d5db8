"""Chapter servers: what a Server object does, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def ended(waiting: Any, patience: Patience) -> None:
    """The coroutine or task has ended in time, and its exception, if any, is raised."""
    await asyncio.wait_for(waiting, patience.seconds)


@requirement("servers.get-loop", MUST, cite="asyncio-eventloop: Server.get_loop")
def test_a_server_knows_its_loop(loop: Loop) -> None:
    """get_loop() returns the event loop associated with the server object.

    If this fails: look for a method that is missing, or that makes a new wrapper of the loop.
    """
    with serving(loop) as service:
        assert service.server.get_loop() is loop


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
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
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
def test_is_serving_says_whether_connections_are_accepted(loop: Loop) -> None:
    """is_serving() returns True if the server is accepting new connections: not before its start or after its end.

    If this fails: look for an attribute that is set when the object is made.
    """
    with serving(loop, start_serving=False) as service:
        server = service.server
        before = server.is_serving()
        loop.run_until_complete(server.start_serving())
        during = server.is_serving()
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

    If this fails: look for a parameter that is ignored.
    """
    with serving(loop, start_serving=False) as service:
        with contextlib.suppress(OSError):
            dial(service).close()
        turn(loop, 5)
        assert service.protocols == []
        loop.run_until_complete(service.server.start_serving())
        with dial(service):
            accepted(loop, patience, service)


@requirement("servers.start-idempotent", MUST, cite="asyncio-eventloop: Server.start_serving")
def test_starting_a_server_again_changes_nothing(loop: Loop, patience: Patience) -> None:
    """start_serving() is idempotent: it can be called when the server is already serving.

    If this fails: look for a second watcher on the same socket, or an error.
    """
    with serving(loop) as service:
        loop.run_until_complete(service.server.start_serving())
        loop.run_until_complete(service.server.start_serving())
        with dial(service) as peer:
            accepted(loop, patience, service)
            turn(loop, 3)
            assert (len(service.protocols), service.server.is_serving()) == (1, True)
            peer.sendall(b"x")


@requirement("servers.serve-forever", MUST, cite="asyncio-eventloop: Server.serve_forever")
@pytest.mark.parametrize("started", [False, True], ids=["not-started", "started"])
def test_serve_forever_serves_until_it_is_cancelled(loop: Loop, patience: Patience, started: bool) -> None:
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

    with serving(loop, start_serving=started) as service:
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
    """Only one serve_forever task can exist per one Server object: a second is a RuntimeError, and the first goes on.

    If this fails: look for a future that the second call overwrites.
    """

    async def scenario(server: Any) -> bool:
        first = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await ended(server.serve_forever(), patience)
        went_on = not first.done()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended(first, patience)
        return went_on

    with serving(loop) as service:
        assert loop.run_until_complete(scenario(service.server))


@requirement("servers.serve-forever-closed", SHOULD, cite="asyncio-eventloop: Server.serve_forever")
def test_a_closed_server_cannot_serve(loop: Loop, patience: Patience) -> None:
    """serve_forever() of a closed server raises RuntimeError.

    If this fails: look for a task that waits for ever for nothing.
    """
    with serving(loop) as service:
        service.server.close()
        with pytest.raises(RuntimeError):
            loop.run_until_complete(ended(service.server.serve_forever(), patience))


@requirement("servers.close-ends-serve-forever", SHOULD, cite="asyncio-eventloop: Server.serve_forever")
def test_close_ends_serve_forever(loop: Loop, patience: Patience) -> None:
    """close() ends a serve_forever() that waits, with CancelledError.

    If this fails: look for a task that outlives its server.
    """

    async def scenario(server: Any) -> None:
        task = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        with pytest.raises(asyncio.CancelledError):
            await ended(task, patience)

    with serving(loop) as service:
        loop.run_until_complete(scenario(service.server))


@requirement("servers.close-sockets", MUST, cite="asyncio-eventloop: Server.close")
def test_close_closes_the_listening_sockets(loop: Loop) -> None:
    """close() stops serving: it closes the listening sockets, so that nobody can connect any more.

    If this fails: look for a watcher that is removed while the socket goes on queueing connections.
    """
    with serving(loop) as service:
        address = service.address
        service.server.close()
        turn(loop, 2)
        with pytest.raises(ConnectionRefusedError):
            dial(service, address)


@requirement("servers.close-empties-sockets", MUST, cite="asyncio-eventloop: Server.close")
def test_a_closed_server_has_no_sockets(loop: Loop) -> None:
    """close() sets the sockets attribute to None (or to an empty sequence, as asyncio does).

    If this fails: look for sockets that are still told after they were closed.
    """
    with serving(loop) as service:
        service.server.close()
        assert not service.server.sockets


@requirement("servers.close-keeps-connections", MUST, cite="asyncio-eventloop: Server.close")
def test_close_leaves_connections_open(loop: Loop, patience: Patience) -> None:
    """The sockets that represent existing incoming client connections are left open by close(), and go on.

    If this fails: look for connections that are owned by the listener.
    """
    with serving(loop) as service, dial(service) as peer:
        protocol = accepted(loop, patience, service)
        service.server.close()
        turn(loop, 3)
        peer.sendall(b"question")
        patience.run_until(loop, lambda: protocol.received == b"question", "the data")
        protocol.transport.write(b"answer")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"


@requirement("servers.close-again", SHOULD, cite="asyncio-eventloop: Server.close")
def test_closing_a_server_again_has_no_effect(loop: Loop) -> None:
    """close() of a closed server has no effect.

    If this fails: look for a descriptor that is closed twice, and may belong to somebody else by then.
    """
    with serving(loop) as service:
        service.server.close()
        turn(loop, 2)
        with socket.socket() as newcomer:  # likely to get the number that became free
            service.server.close()
            turn(loop, 2)
            newcomer.getsockname()


@requirement("servers.close-pending", SHOULD, cite="asyncio-eventloop: Server.close")
def test_no_connection_is_made_after_close_has_completed(loop: Loop, patience: Patience) -> None:
    """After close() and a turn of the loop, no further connection reaches a protocol.

    If this fails: look for connections that were accepted ahead and are announced later.
    """
    with serving(loop) as service:
        peers = [dial(service) for _ in range(3)]
        service.server.close()
        turn(loop, 3)
        made = service.made()
        loop.run_until_complete(asyncio.sleep(0.003))
        assert service.made() == made
        for peer in peers:
            peer.close()


@requirement("servers.wait-closed", MUST, cite="asyncio-eventloop: Server.wait_closed")
def test_wait_closed_returns_after_close(loop: Loop, patience: Patience) -> None:
    """wait_closed() waits until close() completes; without connections it then returns, whenever it is called.

    If this fails: look for a waiter that is woken only if it was there before close().
    """

    async def scenario(server: Any) -> None:
        server.close()
        await ended(server.wait_closed(), patience)
        await ended(server.wait_closed(), patience)

    with serving(loop) as service:
        loop.run_until_complete(scenario(service.server))


@requirement("servers.wait-closed-waits", MUST, cite="gh-79033", since="3.12")
def test_wait_closed_waits_for_close(loop: Loop, patience: Patience) -> None:
    """wait_closed() of a server that is not closed waits until it is.

    If this fails: look for a wait that ends at once because there is no connection.
    """

    async def scenario(server: Any) -> None:
        waiter = asyncio.ensure_future(server.wait_closed())
        await asyncio.sleep(0.002)
        assert not waiter.done()
        server.close()
        await ended(waiter, patience)

    with serving(loop) as service:
        loop.run_until_complete(scenario(service.server))


@requirement("servers.wait-closed-connections", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
def test_wait_closed_waits_for_connections(loop: Loop, patience: Patience) -> None:
    """wait_closed() waits until the close() method completes and all active connections have finished.

    If this fails: look for a wait for the listening socket only.
    """

    async def scenario(service: Any) -> None:
        with dial(service) as peer:
            await until(patience, service.made, "the connection")
            service.server.close()
            waiter = asyncio.ensure_future(service.server.wait_closed())
            await asyncio.sleep(0.002)
            assert not waiter.done()
            peer.close()
            await ended(waiter, patience)
            assert service.protocols[0].lost

    with serving(loop) as service:
        loop.run_until_complete(scenario(service))


@requirement("servers.async-with", MUST, cite="asyncio-eventloop: asyncio.Server")
def test_a_server_is_an_async_context_manager(loop: Loop) -> None:
    """async with gives the server itself, and guarantees that it is closed and accepts nothing when the block is done.

    If this fails: look for __aexit__() that waits and does not close.
    """

    async def scenario(server: Any) -> None:
        async with server as same:
            assert same is server
            assert server.is_serving()

    with serving(loop) as service:
        address = service.address
        loop.run_until_complete(scenario(service.server))
        assert not service.server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            dial(service, address)


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


@requirement("servers.accepted-socket", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_connect_accepted_socket_gives_a_pair(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() wraps an accepted connection into a (transport, protocol) pair, which is returned.

    If this fails: look for an order of the pair, or a protocol that is made twice.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(factory, ours))
        assert made == [protocol]
        assert protocol.transport is transport
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.close()
        turn(loop, 3)


@requirement("servers.accepted-socket-ownership", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_the_transport_owns_the_accepted_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the transport: its close() closes it.

    If this fails: look for a duplicate that is closed instead.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, ours))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert peer.recv(1) == b""
        turn(loop, 2)
        assert ours.fileno() == -1


@requirement("servers.accepted-socket-blocking", SHOULD, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_the_accepted_socket_may_be_blocking(loop: Loop, patience: Patience) -> None:
    """A socket as socket.accept() returns it, blocking, will do: the loop goes on while nothing comes.

    If this fails: look for a recv() that blocks the loop.
    """
    with tcp_pair() as (ours, peer):
        ours.setblocking(True)
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, ours))
        loop.run_until_complete(asyncio.sleep(0.001))
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.close()
        turn(loop, 3)


@requirement("servers.accepted-socket-type", SHOULD, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_the_accepted_socket_must_be_a_stream(loop: Loop) -> None:
    """A socket that is no SOCK_STREAM socket is refused with ValueError.

    If this fails: look for a stream transport over a datagram socket.
    """
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(ValueError),  # noqa: PT011 (no message is part of the contract)
    ):
        loop.run_until_complete(loop.connect_accepted_socket(Events, sock))
