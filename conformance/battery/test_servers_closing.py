"""Chapter servers: how a server ends: close(), wait_closed(), and its clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, free_port, receive_exactly
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, answers, dial, ended, serving, serving_unix, waits_for_close
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns, until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("servers.close-ends-serve-forever", SHOULD, cite="asyncio-eventloop: Server.serve_forever")
def test_close_ends_serve_forever(loop: Loop, patience: Patience) -> None:
    """close() ends a serve_forever() that waits: it returns, or raises CancelledError.

    If this fails: look for a task that outlives its server.
    """

    async def scenario(server: Any) -> None:
        task = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        with contextlib.suppress(asyncio.CancelledError):
            await ended(task, patience)

    with serving(loop) as service:
        loop.run_until_complete(scenario(service.server))


@requirement("servers.close-sockets", MUST, cite="asyncio-eventloop: Server.close")
def test_close_closes_the_listening_sockets(loop: Loop, patience: Patience) -> None:
    """close() stops serving: it closes the listening sockets, so that nobody can connect any more.

    If this fails: look for a watcher that is removed while the socket goes on queueing connections, or for a socket
    that is left because it is not the first.
    """
    hosts = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
    with serving(loop, None, free_port()) as service:
        addresses = [(hosts[sock.family], sock.getsockname()[1]) for sock in service.server.sockets]
        service.server.close()
        loop.run_until_complete(ended(service.server.wait_closed(), patience))
        turn(loop, 2)
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, PEER_TIMEOUT).close()
    with serving(loop, port=free_port(), start_serving=False) as service:
        address = service.address
        service.server.close()
        loop.run_until_complete(ended(service.server.wait_closed(), patience))
        turn(loop, 2)
        with socket.socket() as other:
            other.bind(address)  # nobody has it any more


@requirement("servers.close-empties-sockets", MUST, cite="asyncio-eventloop: Server.close")
def test_a_closed_server_has_no_sockets(loop: Loop) -> None:
    """close() sets the sockets attribute to None (or to an empty sequence, as asyncio does).

    If this fails: look for sockets that are still told after they were closed.
    """
    for serves in (True, False):
        with serving(loop, start_serving=serves) as service:
            assert service.server.sockets
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
        answers(loop, patience, protocol, peer)


@requirement(
    "servers.serve-forever-keeps-connections",
    MUST,
    cite=("asyncio-eventloop: Server.serve_forever", "asyncio-eventloop: Server.close"),
)
def test_cancelling_serve_forever_leaves_connections_open(loop: Loop, patience: Patience) -> None:
    """Cancellation of serve_forever() causes the server to be closed, not its connections: they are left open.

    If this fails: look for a clean-up of serve_forever() that ends more than close() does.
    """
    with serving(loop) as service, dial(service) as peer:
        task = loop.create_task(service.server.serve_forever())
        protocol = accepted(loop, patience, service)
        task.cancel()
        patience.run_until(loop, lambda: not service.server.is_serving(), "the end of the server")
        turn(loop, 3)
        answers(loop, patience, protocol, peer)
        protocol.transport.abort()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(ended(task, patience))


@requirement("servers.close-keeps-quiet-connections", MUST, cite="asyncio-eventloop: Server.close")
@each("quiet", ["paused", "half-closed"])
def test_close_leaves_quiet_connections_open(loop: Loop, patience: Patience, quiet: str) -> None:
    """Connections that do not read, or whose peer has sent all it had, are left open by Server.close() as well.

    If this fails: look for a server that ends what looks idle, or that waits for a reader to end.
    """

    class Keeps(Events):
        def eof_received(self) -> bool:
            super().eof_received()
            return True

    with serving(loop) as service:
        service.make = Keeps
        with dial(service) as peer:
            protocol = accepted(loop, patience, service)
            if quiet == "paused":
                protocol.transport.pause_reading()
            else:
                peer.shutdown(socket.SHUT_WR)
                patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
            service.server.close()
            turn(loop, 3)
            assert not protocol.transport.is_closing()
            protocol.transport.write(b"answer")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"


@requirement("servers.close-inside", MUST, cite="asyncio-eventloop: Server.close")
def test_a_connection_may_close_its_server(loop: Loop, patience: Patience) -> None:
    """close() inside connection_made() of a connection stops serving, and leaves that connection open.

    If this fails: look for a listener that is freed while it accepts.
    """

    class Last(Events):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            service.server.close()

    with serving(loop) as service:
        service.make = Last
        with dial(service) as peer:
            protocol = accepted(loop, patience, service)
            assert not service.server.is_serving()
            answers(loop, patience, protocol, peer)


@requirement("servers.close-again", SHOULD, cite="asyncio-eventloop: Server.close")
def test_closing_a_server_again_has_no_effect(loop: Loop, patience: Patience) -> None:
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
        with serving(loop) as other:
            service.server.close()
            turn(loop, 2)
            with dial(other):
                accepted(loop, patience, other)


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

    If this fails: look for a waiter that is woken only if it was there before close(), or if it was the first, or that
    shares the cancellation of another.
    """

    async def scenario(server: Any) -> None:
        server.close()
        await ended(server.wait_closed(), patience)
        await ended(server.wait_closed(), patience)

    async def several(server: Any) -> None:
        waiting = [asyncio.ensure_future(server.wait_closed()) for _ in range(4)]
        await asyncio.sleep(0)
        waiting.pop(0).cancel()
        await asyncio.sleep(0)
        server.close()
        for task in waiting:
            await ended(task, patience)

    for case in (scenario, several):
        with serving(loop) as service:
            loop.run_until_complete(case(service.server))


@requirement("servers.wait-closed-waits", MUST, cite="gh-79033", since="3.12")
@each("serves", [True, False])
def test_wait_closed_waits_for_close(loop: Loop, patience: Patience, serves: bool) -> None:
    """wait_closed() of a server that is not closed waits until it is, whether it serves yet or not, for all who wait.

    If this fails: look for a wait that ends at once because there is no connection, or another who waits, or for one
    that is cancelled and closes the server.
    """
    with serving(loop, start_serving=serves) as service:
        loop.run_until_complete(waits_for_close(service.server, patience))


@requirement("servers.wait-closed-connections", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
@each("called", ["before connections", "before close", "after close"])
@each("way", ["tcp", "unix"])
def test_wait_closed_waits_for_connections(
    loop: Loop, patience: Patience, tmp_path: Path, called: str, way: str
) -> None:
    """wait_closed() waits until the close() method completes and all active connections have finished.

    If this fails: look for a wait for the listening socket, or for the first connection only, or for those that there
    are when it is called, for waiters that close() wakes whatever there is, for a connection that counts as finished
    while it flushes its buffer, or for a wait that ends the connections when it is cancelled.
    """

    async def scenario(service: Any) -> None:
        if called == "before connections":
            waiter = asyncio.ensure_future(service.server.wait_closed())
            await asyncio.sleep(0)
        with dial(service) as one, dial(service) as two:
            await until(patience, lambda: service.made() == 2, "the connections")
            if called == "before close":
                waiter = asyncio.ensure_future(service.server.wait_closed())
                await asyncio.sleep(0)
            service.server.close()
            if called == "after close":
                waiter = asyncio.ensure_future(service.server.wait_closed())
            impatient = asyncio.ensure_future(service.server.wait_closed())
            await asyncio.sleep(0.002)
            impatient.cancel()  # as wait_for() does
            await turns(3)
            assert not waiter.done()
            assert not any(protocol.transport.is_closing() for protocol in service.protocols)
            one.close()
            await until(patience, lambda: any(protocol.lost for protocol in service.protocols), "the first end")
            await turns(3)
            assert not waiter.done()
            (last,) = [protocol for protocol in service.protocols if not protocol.lost]
            last.transport.write(bytes(8 << 20))  # more than the system takes
            last.transport.close()
            await turns(3)
            assert not waiter.done()
            two.close()
            await ended(waiter, patience)
            assert last.lost

    with serving(loop) if way == "tcp" else serving_unix(loop, str(tmp_path / called[-8:])) as service:
        loop.run_until_complete(scenario(service))


@requirement("servers.async-with", MUST, cite="asyncio-eventloop: asyncio.Server")
def test_a_server_is_an_async_context_manager(loop: Loop) -> None:
    """async with gives the server itself, and guarantees that it is closed and accepts nothing when the block is done.

    If this fails: look for __aexit__() that waits and does not close, closes in a later turn, or only what serves.
    """

    async def scenario(server: Any) -> None:
        async with server as same:
            assert same is server
            assert server.is_serving()
        assert not server.is_serving()
        assert not server.sockets

    async def closed_inside(server: Any) -> None:
        async with server:
            server.close()
            await server.wait_closed()

    async def never_begun(server: Any) -> None:
        async with server:
            assert server.sockets

    for case in (scenario, closed_inside, never_begun):
        with serving(loop, port=free_port(), start_serving=case is not never_begun) as service:
            address = service.address
            loop.run_until_complete(case(service.server))
            assert not service.server.is_serving()
            assert not service.server.sockets
            with pytest.raises(ConnectionRefusedError):
                dial(service, address)


@requirement("servers.async-with-error", MUST, cite="asyncio-eventloop: asyncio.Server")
@each("error", [LookupError, asyncio.CancelledError])
def test_a_server_is_closed_however_its_block_ends(loop: Loop, error: type[BaseException]) -> None:
    """A block of async with that raises, or is cancelled, closes the server too, and its exception comes out.

    If this fails: look for __aexit__() that returns something true, or looks at the exception.
    """

    async def scenario(server: Any) -> None:
        async with server:
            raise error

    with serving(loop) as service:
        with pytest.raises(error):
            loop.run_until_complete(scenario(service.server))
        assert not service.server.is_serving()
        assert not service.server.sockets
