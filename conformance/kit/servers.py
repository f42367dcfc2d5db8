"""A server of the loop under test, the protocols of its connections, and plain sockets that connect to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import dialled, drive, receive_exactly
from conformance.kit.protocols import Events
from conformance.kit.threads import in_thread


@dataclass
class Service:
    """A protocol factory that keeps what it made (with `make`), and the server that calls it."""

    protocols: list[Events] = field(default_factory=list)
    server: Any = None
    make: Callable[[], Events] = Events

    def __call__(self) -> Events:
        self.protocols.append(self.make())
        return self.protocols[-1]

    @property
    def address(self) -> Any:
        return self.server.sockets[0].getsockname()

    @property
    def port(self) -> int:
        port: int = self.address[1]
        return port

    def made(self) -> int:
        """How many connections were announced to their protocols."""
        return sum(protocol.transport is not None for protocol in self.protocols)


def serving(
    loop: asyncio.AbstractEventLoop, host: Any = "127.0.0.1", port: Any = 0, **kwargs: Any
) -> contextlib.AbstractContextManager[Service]:
    """A TCP server of the loop; closed at the end, with its connections."""
    return _serving(loop, loop.create_server, host, port, **kwargs)


def serving_unix(
    loop: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any
) -> contextlib.AbstractContextManager[Service]:
    """A Unix server of the loop; closed at the end, with its connections."""
    return _serving(loop, loop.create_unix_server, *args, **kwargs)


@contextlib.contextmanager
def _serving(
    loop: asyncio.AbstractEventLoop, create: Callable[..., Any], *args: Any, **kwargs: Any
) -> Iterator[Service]:
    service = Service()
    service.server = loop.run_until_complete(create(service, *args, **kwargs))
    try:
        yield service
    finally:
        shut(loop, service)


def shut(loop: asyncio.AbstractEventLoop, service: Service) -> None:
    """Close the server and its connections, and let the loop finish with them."""
    service.server.close()
    for protocol in service.protocols:
        if protocol.transport is not None and not protocol.lost:
            protocol.transport.abort()
    turn(loop, 4)


def dial(service: Service, address: Any = None) -> socket.socket:
    """A plain socket connected to the server's first address, or to `address`."""
    family = service.server.sockets[0].family if service.server.sockets else socket.AF_INET
    return dialled(service.address if address is None else address, family)


def accepted(loop: asyncio.AbstractEventLoop, patience: Patience, service: Service, count: int = 1) -> Events:
    """Run the loop until `count` connections were made; the protocol of the last."""
    patience.run_until(loop, lambda: service.made() >= count, f"connection_made() of connection {count}")
    return service.protocols[count - 1]


def answers(loop: asyncio.AbstractEventLoop, patience: Patience, protocol: Events, peer: socket.socket) -> None:
    """Assert that bytes go both ways between a connection on which nothing has come yet and its peer."""
    peer.sendall(b"question")
    patience.run_until(loop, lambda: protocol.received == b"question", "the data")
    protocol.transport.write(b"answer")
    assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"


def create(loop: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any) -> Any:
    """The server that create_server() makes of these arguments; the caller closes it."""
    return loop.run_until_complete(loop.create_server(asyncio.Protocol, *args, **kwargs))


async def ended(waiting: Any, patience: Patience) -> None:
    """The coroutine or task has ended in time, and its exception, if any, is raised."""
    await asyncio.wait_for(waiting, patience.seconds)


async def waits_for_close(server: Any, patience: Patience) -> None:
    """wait_closed() of the server waits until close() is called, for each who waits, also if one of them gives up."""
    waiters = [asyncio.ensure_future(server.wait_closed()) for _ in range(3)]
    await asyncio.sleep(0.002)
    assert [waiter.done() for waiter in waiters] == [False] * 3
    waiters.pop().cancel()
    await asyncio.sleep(0.002)
    assert [waiter.done() for waiter in waiters] == [False] * 2
    assert server.sockets
    server.close()
    for waiter in waiters:
        await ended(waiter, patience)
