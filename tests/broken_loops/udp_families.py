"""Broken loops of the chapter `udp`: endpoints over IPv6 and Unix sockets, and what waits for several peers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams

Stock = asyncio.SelectorEventLoop


class _Connects(Stock):
    """Does not connect datagram sockets of the family `without`."""

    without = 0

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if sock.type != socket.SOCK_DGRAM or sock.family != self.without:
            await super().sock_connect(sock, address)


@breaks("udp.remote-addr-families")
class DoesNotConnectIpv6(_Connects):
    """An endpoint over IPv6 only remembers its remote address."""

    without = socket.AF_INET6


@breaks("udp.remote-addr-families")
class DoesNotConnectPaths(_Connects):
    """An endpoint over a Unix socket only remembers its remote address."""

    without = socket.AF_UNIX


@breaks("udp.buffered-addresses")
class HasOneAddressPerBuffer(OverDatagrams):
    """What waits goes to the address that came last."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, addr)
            for index, (waiting, address) in enumerate(self._buffer):
                self._buffer[index] = (waiting, addr or address)


@breaks("udp.connection-made")
class ReadsBeforeItAnnounces(Stock):
    """A datagram that waits in a given socket is received before connection_made()."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:  # type: ignore[override]
        protocol = protocol_factory()
        if how.get("sock") is not None:
            how["sock"].setblocking(False)
            with contextlib.suppress(OSError):
                protocol.datagram_received(*how["sock"].recvfrom(65536))
        return await super().create_datagram_endpoint(lambda: protocol, *args, **how)


class _TakesTheFirst(Stock):
    """Takes the first address of what `side`, local_addr or remote_addr, stands for."""

    side = ""

    async def create_datagram_endpoint(self, protocol_factory: Any, **how: Any) -> Any:  # type: ignore[override]
        if how.get(self.side) and how[self.side][0] is None:
            found = await self.getaddrinfo(*how[self.side], type=socket.SOCK_DGRAM)
            how[self.side] = found[0][4][:2]
        return await super().create_datagram_endpoint(protocol_factory, **how)


@breaks("udp.next-address")
class TriesOneLocalAddress(_TakesTheFirst):
    """Of the addresses that local_addr stands for only the first is tried."""

    side = "local_addr"


@breaks("udp.matching-families")
class TriesOneRemoteAddress(_TakesTheFirst):
    """Of the addresses that remote_addr stands for only the first is tried."""

    side = "remote_addr"


@breaks("udp.ipv6")
class PeersOfIpv6ArePairs(OverDatagrams):
    """datagram_received() of an endpoint that is connected gets the first two items of an address."""

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            received = self._protocol.datagram_received
            if self._connected:
                self._protocol.datagram_received = lambda data, addr: received(data, addr[:2])
            super()._read_ready()
            self._protocol.datagram_received = received


@breaks("udp.scope")
class ConnectsWithoutAZone(Stock):
    """remote_addr is cut to host and port before the endpoint is connected."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await super().sock_connect(sock, address[:2] if sock.family == socket.AF_INET6 else address)


@breaks("udp.scope")
class SendersHaveNoZone(Stock):
    """datagram_received() is told addresses without their zone."""

    async def create_datagram_endpoint(self, factory: Any, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(factory, *args, **how)
        told = protocol.datagram_received
        protocol.datagram_received = lambda data, addr: told(data, (*addr[:3], 0) if len(addr) == 4 else addr)
        return transport, protocol


@breaks("udp.address-in-use-number")
class SaysThatItIsTaken(Stock):
    """The error of a local_addr that is taken has a message only."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_datagram_endpoint(*args, **how)
        except OSError as error:
            raise OSError(str(error)) from None


@breaks("udp.raw-sock")
class KnowsDatagramsByTheirType(EventLoop):
    """create_datagram_endpoint() refuses a sock that is not of the type SOCK_DGRAM."""

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        if (sock := kwargs.get("sock")) and sock.type != socket.SOCK_DGRAM:
            raise ValueError(f"a datagram socket was expected, got {sock!r}")
        return await super().create_datagram_endpoint(*args, **kwargs)


def _sixteen_bits(address: Any) -> Any:
    if isinstance(address, tuple) and isinstance(address[1], int):
        return (address[0], address[1] & 0xFFFF, *address[2:])
    return address


@breaks("udp.sendto-port-range")
class SendsToPortsOfSixteenBits(OverDatagrams):
    """Of the port that a datagram is sent to, the lower sixteen bits count."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, _sixteen_bits(addr))


@breaks("udp.port-range")
class EndpointsOfSixteenBits(Stock):
    """Of the ports of an endpoint, the lower sixteen bits count."""

    async def create_datagram_endpoint(self, factory: Any, *args: Any, **how: Any) -> Any:
        return await super().create_datagram_endpoint(
            factory, *args, **{name: _sixteen_bits(value) for name, value in how.items()}
        )


@breaks("sockets.port-range")
class ConnectsToPortsOfSixteenBits(Stock):
    """Of the port that a socket is connected to, the lower sixteen bits count."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await super().sock_connect(sock, _sixteen_bits(address))


@breaks("sockets.port-range")
class SocketsSendToPortsOfSixteenBits(Stock):
    """Of the port that sock_sendto() sends to, the lower sixteen bits count."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        return await super().sock_sendto(sock, data, _sixteen_bits(address))


@breaks("udp.factory-once")
class MakesAProtocolForEachAddress(EventLoop):
    """protocol_factory is called for each local address that is tried."""

    factory: Any = None

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        self.factory = protocol_factory
        return await super().create_datagram_endpoint(protocol_factory, *args, **how)

    async def _open_first(self, pairs: Any, *options: Any) -> Any:
        for pair in pairs[:-1]:
            try:
                return await super()._open_first([pair], *options)
            except OSError:
                self.factory()
        return await super()._open_first(pairs[-1:], *options)
