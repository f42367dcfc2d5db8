"""TCP beyond echo: accepting, idling, and moving bulk data one way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

from bench.client import LoadClient
from bench.servers import Echo, Gate, Sink, Source, created, serve_protocol
from bench.traffic import CHUNK
from bench.workload import Workload, sizes
from bench.workloads.tcp import Loaded, ProtocolEcho, only


class AcceptRate(Loaded):
    """A client connects, exchanges one message and closes."""

    name = "tcp.accept_rate"
    drives = "loop.create_server, connection_made, connection_lost"
    unit = "connection"
    variants = only(size=64, connections=1)
    mode = "reconnect"

    async def serve(self, gate: Gate) -> Any:
        return await serve_protocol(gate)


class Idle(ProtocolEcho):
    """Ten connections echo while many others are open and silent."""

    name = "tcp.idle"
    variants = sizes("idle", idle_1000=1000, idle_10000=10_000)
    sweep = frozenset({"idle-10000"})
    seconds = 30.0
    inner = 10
    idle: int

    def prepare(self) -> None:
        super().prepare()
        # The silent ends live in a process of their own, or this one would need twice as many descriptors.
        self.silent = LoadClient()

    async def setup(self) -> None:
        await super().setup()
        gate = Gate(self.idle)
        self.silent_server = await created(lambda: Echo(gate))
        self.silent.connect(self.silent_server.sockets[0].getsockname()[:2], self.idle, 4, family="inet")
        await gate.reached


class InOneLoop(Workload):
    """Client and server are protocols of the same loop, 1 KiB round trips: what instructions can be counted of.

    Not for ranking: half of what is timed is the client.
    """

    name = "tcp.in_one_loop"
    drives = "loop.create_server, loop.create_connection"
    unit = "round trip"

    class Client(asyncio.Protocol):
        def __init__(self, workload: InOneLoop) -> None:
            self.workload = workload

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def data_received(self, data: bytes) -> None:
            workload = self.workload
            workload.seen += len(data)
            if workload.seen == workload.wanted:
                workload.finished.set_result(None)
            elif workload.seen % 1024 == 0:
                self.transport.write(workload.message)

    async def setup(self) -> None:
        self.message = b"x" * 1024
        gate = Gate(1)
        self.server = await serve_protocol(gate)
        host, port = self.server.sockets[0].getsockname()[:2]
        loop = asyncio.get_running_loop()
        _, self.client = await loop.create_connection(lambda: InOneLoop.Client(self), host, port)
        await gate.reached

    async def run(self, loops: int) -> None:
        self.seen, self.wanted = 0, loops * 1024
        self.finished = asyncio.get_running_loop().create_future()
        self.client.transport.write(self.message)
        await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * 1024, "bytes received")


class Upload(Loaded):
    """One connection receives 64 KiB chunks."""

    name = "tcp.bulk.receive"
    drives = "data_received"
    unit = "64 KiB"
    variants = only(size=64, connections=1)
    mode = "upload"

    async def serve(self, gate: Gate) -> Any:
        def make() -> Sink:
            self.sink = Sink(gate)
            return self.sink

        return await created(make)

    async def run(self, loops: int) -> None:
        finished: Awaitable[None] = self.control.arm()
        received = self.sink.expect_bytes(loops * len(CHUNK))
        self.client.go(loops)
        await finished
        await received

    def check(self, loops: int) -> None:
        super().check(loops)
        self.expect(self.sink.seen, loops * len(CHUNK), "bytes received")


class Download(Loaded):
    """One connection sends 64 KiB chunks, waiting whenever the transport asks to."""

    name = "tcp.bulk.send"
    drives = "transport.write, pause_writing"
    unit = "64 KiB"
    variants = only(size=64, connections=1)
    mode = "download"

    async def serve(self, gate: Gate) -> Any:
        def make() -> Source:
            self.source = Source(gate)
            return self.source

        return await created(make)

    async def run(self, loops: int) -> None:
        finished: Awaitable[None] = self.control.arm()
        self.client.go(loops)
        await self.send(loops)
        await finished

    async def send(self, loops: int) -> None:
        write, drain = self.source.transport.write, self.source.drain
        for _ in range(loops):
            write(CHUNK)
            await drain()


class WriteLines(Download):
    """The same 64 KiB as 64 pieces handed to writelines()."""

    name = "tcp.writelines"
    drives = "transport.writelines"

    async def send(self, loops: int) -> None:
        pieces = [CHUNK[start : start + 1024] for start in range(0, len(CHUNK), 1024)]
        writelines, drain = self.source.transport.writelines, self.source.drain
        for _ in range(loops):
            writelines(pieces)
            await drain()


class SendFile(Download):
    """loop.sendfile() of a file of 1 MiB."""

    name = "tcp.sendfile"
    drives = "loop.sendfile"
    unit = "file of 1 MiB"

    def prepare(self) -> None:
        super().prepare()
        path = self.scratch / f"1MiB-{os.getpid()}"
        path.write_bytes(CHUNK * 16)
        self.file = path.open("rb")
        path.unlink()

    def how(self) -> dict[str, Any]:
        return {"chunks": 16}

    async def send(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(loops):
            await loop.sendfile(self.source.transport, self.file, 0)
