"""TLS, Unix sockets and datagrams under a load client."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from bench import certificates
from bench.servers import DatagramEcho, Echo, Gate, created, stream_echo
from bench.workloads.tcp import Loaded, only


class TlsEcho(Loaded):
    """An echo server over TLS with protocols, 1 KiB messages."""

    name = "tls.echo.protocol"
    drives = "loop.create_server(ssl=…)"
    variants = only(size=1024, connections=10)
    family = "tls"

    async def serve(self, gate: Gate) -> Any:
        return await created(lambda: Echo(gate), ssl=certificates.server_context(self.scratch))

    def how(self) -> dict[str, Any]:
        return {"ca": str(self.scratch / certificates.AUTHORITY)}


class TlsStreamsEcho(TlsEcho):
    """An echo server over TLS with streams, 16 KiB messages."""

    name = "tls.echo.streams"
    drives = "asyncio.start_server(ssl=…)"
    variants = only(size=16 * 1024, connections=10)

    async def serve(self, gate: Gate) -> Any:
        context = certificates.server_context(self.scratch)
        return await asyncio.start_server(stream_echo(gate), "127.0.0.1", 0, ssl=context)


class TlsHandshake(TlsEcho):
    """A client connects, shakes hands, exchanges one message and closes."""

    name = "tls.handshake"
    drives = "TLS handshake of a server"
    unit = "connection"
    variants = only(size=64, connections=1)
    mode = "reconnect"


class UnixEcho(Loaded):
    """An echo server on a Unix socket."""

    name = "unix.echo.protocol"
    drives = "loop.create_unix_server"
    variants = only(size=1024, connections=10)
    family = "unix"

    async def serve(self, gate: Gate) -> Any:
        self.path = str(self.scratch / f"echo-{os.getpid()}")
        return await asyncio.get_running_loop().create_unix_server(lambda: Echo(gate), self.path, backlog=100)

    def address(self) -> Any:
        return self.path


class UdpEcho(Loaded):
    """DatagramProtocol.datagram_received() and transport.sendto(), 1 KiB from ten sockets."""

    name = "udp.echo"
    drives = "loop.create_datagram_endpoint"
    unit = "datagram echoed"
    variants = only(size=1024, connections=10)
    family = "udp"

    async def serve(self, gate: Gate) -> Any:
        loop = asyncio.get_running_loop()
        self.endpoint, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=("127.0.0.1", 0))
        # Datagram sockets do not announce themselves.
        gate.reached.set_result(None)

    def address(self) -> Any:
        return self.endpoint.get_extra_info("sockname")[:2]


class UdpFresh(UdpEcho):
    """The same in a process whose malloc was not primed. Nothing ever heals it: datagrams have no end of file."""

    name = "udp.fresh"
    primed = False
