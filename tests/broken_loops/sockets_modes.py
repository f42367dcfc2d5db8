"""Broken loops of the chapter `sockets`: zones, sizes of nothing, and what becomes of sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.connect-scope")
class ConnectsToHostAndPort(Stock):
    """sock_connect() uses host and port of an address only."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        cut = address[:2] if sock.family == socket.AF_INET6 else address
        await super().sock_connect(sock, cut)


@breaks("sockets.connect-scope")
class AcceptsWithoutZones(Stock):
    """sock_accept() tells an address without its zone."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        return conn, (*address[:2], 0, 0) if sock.family == socket.AF_INET6 else address


@breaks("sockets.recvfrom-scope")
class ReceivesWithoutZones(Stock):
    """sock_recvfrom_into() tells an address without its zone."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        count, address = await super().sock_recvfrom_into(sock, buf, nbytes)
        return count, (*address[:2], 0, 0) if sock.family == socket.AF_INET6 else address


@breaks("sockets.recvfrom-nothing")
class WantsNothing(Stock):
    """sock_recvfrom() of no bytes returns at once."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        return await super().sock_recvfrom(sock, bufsize) if bufsize else (b"", None)


@breaks("sockets.negative-sizes")
class LessThanNothing(Stock):
    """sock_recv() of a negative number of bytes returns none."""

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        return await super().sock_recv(sock, max(nbytes, 0))


@breaks("sockets.open-after-errors")
class ClosesWhatCannotConnect(Stock):
    """A socket that is refused is closed."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except OSError:
            sock.close()
            raise


@breaks("sockets.open-after-errors")
class ClosesWhatCannotSend(Stock):
    """A socket whose connection was reset is closed when something is sent."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        try:
            await super().sock_sendall(sock, data)
        except ConnectionError:
            sock.close()
            raise


@breaks("sockets.accept-mode")
class BlocksOverUnixSockets(Stock):
    """A Unix socket that was accepted is in blocking mode."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        conn.setblocking(conn.family != socket.AF_INET)
        return conn, address


@breaks("sockets.accept-mode")
class AcceptsInTheDefaultMode(Stock):
    """An accepted socket has the default timeout, if there is one."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        conn.settimeout(socket.getdefaulttimeout() or 0)
        return conn, address


@breaks("sockets.connect-unresolvable")
class SaysOnlyThatItFailed(Stock):
    """A name that cannot be resolved raises ConnectionError."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except socket.gaierror as error:
            raise ConnectionError("no such host") from error


@breaks("sockets.both-directions")
class OneCallAtATime(Stock):
    """sock_recv() and sock_sendall() of a socket wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[int, asyncio.Lock] = {}

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        async with self.locks.setdefault(sock.fileno(), asyncio.Lock()):
            return await super().sock_recv(sock, nbytes)

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        async with self.locks.setdefault(sock.fileno(), asyncio.Lock()):
            await super().sock_sendall(sock, data)


@breaks("sockets.recv-into-nothing")
class TakesAByteForNothing(Stock):
    """sock_recv_into() of an empty buffer takes a byte."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        return await super().sock_recv_into(sock, buf) if len(buf) else len(await self.sock_recv(sock, 1))


@breaks("sockets.recv-into-nothing")
class FillsNothing(Stock):
    """sock_recv_into() of a buffer that cannot be written to returns 0."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        try:
            return await super().sock_recv_into(sock, buf)
        except (TypeError, BufferError):
            return 0


@breaks("sockets.cancelled-one-way")
class CancelsBothWays(EventLoop):
    """A sock_recv() that is cancelled takes the watcher of a sock_sendall() along."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        try:
            return await super().sock_recv(sock, nbytes)
        except asyncio.CancelledError:
            self.remove_writer(sock)
            raise
