"""TCP echo: servers in the measured process under load from a client in another.

Four ways to write a server, five sizes of message, four numbers of connections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from bench.client import LoadClient
from bench.histogram import merge
from bench.servers import (
    ControlLine,
    Gate,
    SocketControlLine,
    SplittingEcho,
    created,
    serve_buffered,
    serve_protocol,
    serve_sockets,
    serve_streams,
)
from bench.workload import Workload

SIZES = {"64B": 64, "1KiB": 1024, "16KiB": 16 * 1024, "128KiB": 128 * 1024, "1MiB": 1024 * 1024}
CONNECTIONS = (1, 10, 100, 1000)


WAVE_BYTES = 32 * 1024 * 1024
"""A repetition is one message on each connection, or so many as make up this."""


def cross() -> dict[str, dict[str, int]]:
    """Every size with every number of connections."""
    return {
        f"{size}.c{connections}": {
            "size": count,
            "connections": connections,
            "inner": min(connections, WAVE_BYTES // count),
        }
        for size, count in SIZES.items()
        for connections in CONNECTIONS
    }


def only(**values: Any) -> Mapping[str, Mapping[str, Any]]:
    """One variant without a suffix; a repetition is one message on each connection unless `inner` says otherwise."""
    return MappingProxyType({"": {"inner": values["connections"]} | values})


# Every size with ten connections, every number of connections with 1 KiB; the rest of the cross is the sweep.
STANDARD = frozenset({f"{size}.c10" for size in SIZES} | {f"1KiB.c{count}" for count in CONNECTIONS})
# A thousand connections take as long as ten other workloads: the two ways at the ends, transports and sockets, do.
LIGHT = STANDARD - {"1KiB.c1000"}


class Loaded(Workload):
    """What workloads under a load client have in common: the fork, the server, the control line."""

    unit = "message echoed"
    counted = False
    size: int = 1024
    connections: int = 10
    family: ClassVar[str] = "inet"
    mode: ClassVar[str] = "echo"
    control_line: ClassVar[type[ControlLine]] = ControlLine

    async def serve(self, gate: Gate) -> Any:
        """Start the server; returns something with the `sockets` of a Server."""
        raise NotImplementedError

    def address(self) -> Any:
        return self.server.sockets[0].getsockname()[:2]

    def how(self) -> dict[str, Any]:
        """What else the client has to know."""
        return {}

    def prepare(self) -> None:
        self.client = LoadClient()
        self.histograms: list[dict[int, int]] = []

    async def setup(self) -> None:
        gate = self.gate = Gate(self.connections)
        self.server = await self.serve(gate)
        self.control = self.control_line()
        await self.control.open()
        self.client.connect(
            self.address(),
            self.connections,
            self.size,
            family=self.family,
            mode=self.mode,
            control=self.control.address,
            **self.how(),
        )
        await self.control.connected
        await gate.reached

    async def run(self, loops: int) -> None:
        finished: Awaitable[None] = self.control.arm()
        self.client.go(loops * self.inner)
        await finished

    def check(self, loops: int) -> None:
        report = self.client.report()
        self.expect(report["messages"], loops * self.inner, "messages")
        self.histograms.append({int(index): count for index, count in report["latency"].items()})

    def latencies(self) -> dict[int, int]:
        return merge(self.histograms)


class ProtocolEcho(Loaded):
    """Protocol.data_received() and transport.write()."""

    name = "tcp.echo.protocol"
    drives = "loop.create_server, transport.write"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = cross()
    sweep = frozenset(cross()) - STANDARD

    async def serve(self, gate: Gate) -> Any:
        return await serve_protocol(gate)


class BufferedEcho(Loaded):
    """BufferedProtocol.get_buffer(), buffer_updated() and transport.write()."""

    name = "tcp.echo.buffered"
    drives = "loop.create_server with BufferedProtocol"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = cross()
    sweep = frozenset(cross()) - LIGHT

    async def serve(self, gate: Gate) -> Any:
        return await serve_buffered(gate)


class StreamsEcho(Loaded):
    """StreamReader.read(), StreamWriter.write() and drain()."""

    name = "tcp.echo.streams"
    drives = "asyncio.start_server"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = cross()
    sweep = frozenset(cross()) - LIGHT

    async def serve(self, gate: Gate) -> Any:
        return await serve_streams(gate)


class SocketEcho(Loaded):
    """sock_accept(), sock_recv() and sock_sendall()."""

    name = "tcp.echo.sock"
    drives = "loop.sock_recv, loop.sock_sendall"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = cross()
    sweep = frozenset(cross()) - STANDARD
    control_line = SocketControlLine

    async def serve(self, gate: Gate) -> Any:
        return await serve_sockets(gate)


class FreshEcho(ProtocolEcho):
    """The same in a process whose malloc was not primed: what a server pays until its first big block is freed."""

    name = "tcp.fresh.protocol"
    variants = only(size=1024, connections=10)
    sweep = frozenset()
    primed = False


class PipelinedEcho(Loaded):
    """Clients send 32 messages of 64 bytes at once; the server answers each with a write of its own."""

    name = "tcp.pipelined"
    drives = "transport.write, many small"
    variants = only(size=64, connections=10, inner=320)
    mode = "pipeline"

    async def serve(self, gate: Gate) -> Any:
        return await created(lambda: SplittingEcho(gate, self.size))


class HalfSlow(ProtocolEcho):
    """Of 100 connections, 50 send one byte at a time; timed per message of the other 50."""

    name = "tcp.half_slow"
    variants = only(size=1024, connections=100, inner=50)
    sweep = frozenset()
    mode = "half_slow"


class Paced(ProtocolEcho):
    """2,000 messages a second at fixed times over 20 connections: latency without coordinated omission."""

    name = "tcp.paced"
    variants = only(size=1024, connections=20)
    sweep = frozenset()
    mode = "paced"

    def how(self) -> dict[str, Any]:
        return {"rate": 2000}
