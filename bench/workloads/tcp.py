"""TCP: servers in the measured process under load from a client in another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from bench.client import LoadClient
from bench.histogram import merge
from bench.servers import (
    ControlLine,
    Gate,
    SocketControlLine,
    serve_buffered,
    serve_protocol,
    serve_sockets,
    serve_streams,
)
from bench.workload import Workload

SIZES = {"64B": 64, "1KiB": 1024, "16KiB": 16 * 1024, "128KiB": 128 * 1024, "1MiB": 1024 * 1024}
CONNECTIONS = (1, 10, 100, 1000)


def cross() -> dict[str, dict[str, int]]:
    """Every size with every number of connections."""
    return {
        f"{size}.c{connections}": {"size": count, "connections": connections}
        for size, count in SIZES.items()
        for connections in CONNECTIONS
    }


# Every size with ten connections, every number of connections with 1 KiB; the rest of the cross is the sweep.
STANDARD = frozenset({f"{size}.c10" for size in SIZES} | {f"1KiB.c{count}" for count in CONNECTIONS})


class Echo(Workload):
    """What every echo workload has in common: a forked client, a server, a control line."""

    unit = "message echoed"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = cross()
    sweep = frozenset(cross()) - STANDARD
    counted = False
    size: int
    connections: int
    control_line: ClassVar[type[ControlLine]] = ControlLine

    @staticmethod
    async def serve(gate: Gate) -> Any:
        raise NotImplementedError

    def prepare(self) -> None:
        self.client = LoadClient()
        self.histograms: list[dict[int, int]] = []

    async def setup(self) -> None:
        gate = Gate(self.connections)
        self.server = await self.serve(gate)
        self.control = self.control_line()
        await self.control.open()
        self.client.connect(
            self.server.sockets[0].getsockname()[:2],
            self.connections,
            self.size,
            family="inet",
            control=self.control.address,
        )
        await gate.reached
        await self.control.connected

    async def run(self, loops: int) -> None:
        finished: Awaitable[None] = self.control.arm()
        self.client.go(loops)
        await finished

    async def check(self, loops: int) -> None:
        report = self.client.report()
        self.expect(report["messages"], loops, "messages echoed")
        self.histograms.append({int(index): count for index, count in report["latency"].items()})

    def latencies(self) -> dict[int, int]:
        return merge(self.histograms)


_Serve = Callable[[Gate], Awaitable[Any]]


class ProtocolEcho(Echo):
    """Protocol.data_received() and transport.write()."""

    name = "tcp.echo.protocol"
    drives = "loop.create_server, transport.write"
    serve = staticmethod(serve_protocol)


class BufferedEcho(Echo):
    """BufferedProtocol.get_buffer(), buffer_updated() and transport.write()."""

    name = "tcp.echo.buffered"
    drives = "loop.create_server with BufferedProtocol"
    serve = staticmethod(serve_buffered)


class StreamsEcho(Echo):
    """StreamReader.read(), StreamWriter.write() and drain()."""

    name = "tcp.echo.streams"
    drives = "asyncio.start_server"
    serve = staticmethod(serve_streams)


class SocketEcho(Echo):
    """sock_accept(), sock_recv() and sock_sendall()."""

    name = "tcp.echo.sock"
    drives = "loop.sock_recv, loop.sock_sendall"
    serve = staticmethod(serve_sockets)
    control_line = SocketControlLine
