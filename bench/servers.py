"""The servers under load: one per way in which asyncio lets a program talk to a socket.

Each echoes what it gets and counts connections. `ControlLine` is how the client says that a sample is over:
a byte on a connection that the same loop serves.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any

BACKLOG = 4096


class Gate:
    """Waits until a number of connections is there."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.reached = asyncio.get_running_loop().create_future()

    def one(self) -> None:
        self.count += 1
        if self.count == self.wanted and not self.reached.done():
            self.reached.set_result(None)


class Echo(asyncio.Protocol):
    """transport.write() of what data_received() got."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.gate.one()

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """The same through get_buffer() and buffer_updated(); the copy keeps the buffer free for the next read."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.buffer = bytearray(65536)
        self.view = memoryview(self.buffer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.gate.one()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.view[:nbytes]))


class DatagramEcho(asyncio.DatagramProtocol):
    """transport.sendto() of what datagram_received() got."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class SplittingEcho(Echo):
    """One transport.write() per message of fixed size, however many arrived together."""

    def __init__(self, gate: Gate, size: int) -> None:
        super().__init__(gate)
        self.size = size
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        data, size, write = self.rest + data, self.size, self.transport.write
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            write(data[start : start + size])
        self.rest = data[whole:]


class Sink(Echo):
    """Counts bytes and sets `reached` at `wanted`."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self.expect_bytes(0)

    def expect_bytes(self, wanted: int) -> asyncio.Future[None]:
        self.seen, self.wanted = 0, wanted
        self.reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self.reached

    def data_received(self, data: bytes) -> None:
        self.seen += len(data)
        if self.seen == self.wanted:
            self.reached.set_result(None)


class Source(Echo):
    """Keeps what it takes to write and wait: the transport, and drain() over pause_writing()."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._flowing = asyncio.Event()
        self._flowing.set()

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    async def drain(self) -> None:
        if not self._flowing.is_set():
            await self._flowing.wait()


class _Finish(asyncio.Protocol):
    def __init__(self, line: ControlLine) -> None:
        self.line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.line.connected.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.line.finished.done():
            self.line.finished.set_result(None)


class ControlLine:
    """Where the client connects to say that a sample is over. Served by a protocol of the same loop."""

    address: tuple[str, int]

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.connected = loop.create_future()
        server = await loop.create_server(lambda: _Finish(self), "127.0.0.1", 0)
        self.server = server
        self.address = server.sockets[0].getsockname()[:2]

    def arm(self) -> Awaitable[None]:
        """The future of the next byte."""
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self.finished


class SocketControlLine(ControlLine):
    """The same for sock_* workloads, so that a loop without transports can still be measured."""

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        listener = listening()
        self.address = listener.getsockname()
        self.connected = loop.create_future()
        self._accepting = loop.create_task(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        connection.setblocking(False)
        self._connection = connection
        self.connected.set_result(None)

    def arm(self) -> Awaitable[None]:
        return self._byte()

    async def _byte(self) -> None:
        await asyncio.get_running_loop().sock_recv(self._connection, 1)


def listening() -> socket.socket:
    """A non-blocking listening socket on loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


async def serve_protocol(gate: Gate) -> Any:
    """create_server() with `Echo`."""
    return await created(lambda: Echo(gate))


async def serve_buffered(gate: Gate) -> Any:
    """create_server() with `BufferedEcho`."""
    return await created(lambda: BufferedEcho(gate))


async def created(make: Callable[[], asyncio.BaseProtocol], ssl: SSLContext | None = None) -> Any:
    """create_server() on loopback."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(make, "127.0.0.1", 0, backlog=BACKLOG, ssl=ssl)


def stream_echo(gate: Gate) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A client_connected_cb that echoes."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gate.one()
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    return echo


async def serve_streams(gate: Gate) -> Any:
    """asyncio.start_server() with read() and drain()."""
    return await asyncio.start_server(stream_echo(gate), "127.0.0.1", 0, backlog=BACKLOG)


class SocketServer:
    """sock_accept() in one task, sock_recv() and sock_sendall() in one task per connection."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.listener = listening()
        self.sockets = (self.listener,)
        self._tasks = {asyncio.get_running_loop().create_task(self._accept())}

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.listener)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._tasks.add(loop.create_task(self._echo(connection)))
            self.gate.one()

    async def _echo(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(connection, 65536):
            await loop.sock_sendall(connection, data)


async def serve_sockets(gate: Gate) -> Any:
    """sock_accept(), sock_recv() and sock_sendall()."""
    return SocketServer(gate)
