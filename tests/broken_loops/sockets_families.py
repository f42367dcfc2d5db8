"""Broken loops of the chapter `sockets`: families other than IPv4, and errors that are not passed on."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.unix")
class SendsOverInternetOnly(Stock):
    """sock_sendall() to a Unix socket that has no name raises."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        if sock.family == socket.AF_UNIX and not sock.getpeername():
            raise ValueError("the socket has no peer")
        await super().sock_sendall(sock, data)


class _Addresses(Stock):
    """Cuts the address that comes with something to its first two items."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        return conn, address[:2]

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        data, address = await super().sock_recvfrom(sock, bufsize)
        return data, address[:2]


@breaks("sockets.accept-unix")
class AcceptsHalfAPath(_Addresses):
    """The path of who connected is cut to two characters."""

    sock_recvfrom = Stock.sock_recvfrom


@breaks("sockets.accept-ipv6")
class AcceptsPairs(_Addresses):
    """The address of a connection is a pair of host and port."""

    sock_recvfrom = Stock.sock_recvfrom


@breaks("sockets.recvfrom-ipv6")
class ReceivesPairs(_Addresses):
    """The address of a datagram is a pair of host and port."""

    sock_accept = Stock.sock_accept


@breaks("sockets.recvfrom-unix")
class SendsToPairsOnly(Stock):
    """sock_sendto() takes no path that is absolute."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        if str(address).startswith("/") and len(data) == 4:
            raise TypeError("the address must be a pair")
        return await super().sock_sendto(sock, data, address)


class _Waits(EventLoop):
    """Waits for ever where an error should be raised."""

    async def instead(self, operation: Any, *errors: type[OSError]) -> Any:
        try:
            return await operation
        except errors:
            return await self.create_future()


@breaks("sockets.accept-not-listening")
class TakesErrorsForNobody(_Waits):
    """sock_accept() waits when accept() fails."""

    async def sock_accept(self, sock: Any) -> Any:
        return await self.instead(super().sock_accept(sock), OSError)


@breaks("sockets.recvfrom-error")
class IgnoresRefusals(_Waits):
    """sock_recvfrom() waits on when a datagram was refused."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        return await self.instead(super().sock_recvfrom(sock, bufsize), ConnectionRefusedError)


@breaks("sockets.closed-socket")
class WaitsForClosedSockets(_Waits):
    """sock_sendall() to a closed socket waits."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        if sock.fileno() == -1:
            await self.create_future()
        await super().sock_sendall(sock, data)


@breaks("sockets.recv-into-error")
class ReturnsNothingForAReset(EventLoop):
    """sock_recv_into() returns 0 when the connection was reset."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        try:
            return await super().sock_recv_into(sock, buf)
        except ConnectionResetError:
            return 0


@breaks("sockets.connect-resolved")
class AlwaysLooksUp(Stock):
    """sock_connect() looks each address up."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if sock.family == socket.AF_INET:
            await self.getaddrinfo(*address, family=sock.family, type=sock.type)
        await super().sock_connect(sock, address)
