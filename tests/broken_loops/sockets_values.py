"""Broken loops of the chapter `sockets`: values that are rare, but not wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.recv")
class GivesLargeReadsAsBytearrays(Stock):
    """sock_recv() returns the bytearray that it has read into if nbytes is more than 64 KiB."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        data = await super().sock_recv(sock, nbytes)
        return bytearray(data) if nbytes > 65536 else data


@breaks("sockets.recv-limit")
class ReceivesAByteForNone(Stock):
    """sock_recv() of 0 bytes receives one."""

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        return await super().sock_recv(sock, nbytes or 1)


@breaks("sockets.recvfrom-empty")
class WaitsPastEmptyDatagrams(Stock):
    """sock_recv() of a datagram socket takes an empty datagram for nothing, and waits on."""

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        while True:
            data = await super().sock_recv(sock, nbytes)
            if data or sock.type != socket.SOCK_DGRAM:
                return data


@breaks("sockets.recvfrom-empty")
class FillsNoBufferWithNothing(Stock):
    """sock_recvfrom_into() takes an empty datagram for nothing, and waits on."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        while True:
            answer = await super().sock_recvfrom_into(sock, buf, nbytes)
            if answer[0]:
                return answer


@breaks("sockets.recvfrom-into-buffers")
class WantsItemsOfOneByte(Stock):
    """sock_recvfrom_into() refuses a buffer whose items are longer than a byte."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        if memoryview(buf).itemsize != 1:
            raise TypeError("the items of a buffer must be bytes")
        return await super().sock_recvfrom_into(sock, buf, nbytes)


@breaks("sockets.connect-name")
class LooksUpNoPort(Stock):
    """sock_connect() takes a name, but no port that is a str."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if isinstance(address, tuple) and not isinstance(address[1], int):
            raise TypeError("a port is a number")
        await super().sock_connect(sock, address)


@breaks("sockets.connect-unix")
class ReturnsTheUnixSocket(Stock):
    """sock_connect() returns the socket that it has connected if that is a Unix socket."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        await super().sock_connect(sock, address)
        return sock if sock.family == socket.AF_UNIX else None


@breaks("sockets.accept-unix")
class AcceptsNoneForNoPath(Stock):
    """The address of a connection of a Unix socket is None if the other end is bound to no path."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        return conn, address or None


@breaks("sockets.accept-ipv6")
class TakesEveryoneForIPv4(Stock):
    """The family of a socket that sock_accept() returns is AF_INET for IPv6, too."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        if conn.family == socket.AF_INET6:
            conn = socket.socket(socket.AF_INET, conn.type, fileno=conn.detach())
            conn.setblocking(False)
        return conn, address


@breaks("sockets.recvfrom-error")
class FillsBuffersInSpiteOfErrors(Stock):
    """sock_recvfrom_into() of a socket whose peer has refused a datagram waits for another one."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        while True:
            try:
                return await super().sock_recvfrom_into(sock, buf, nbytes)
            except ConnectionRefusedError:
                continue


@breaks("sockets.sendto-error-later")
class SendsNothingToNobody(Stock):
    """sock_sendto() returns 0 if an error comes while it waits for room."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        with contextlib.suppress(BlockingIOError):
            return sock.sendto(data, address)  # type: ignore[no-any-return]
        try:
            return await super().sock_sendto(sock, data, address)
        except OSError:
            return 0


@breaks("sockets.connect-datagram")
class ConnectsDatagramsOnce(Stock):
    """sock_connect() of a datagram socket that is connected raises."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if sock.type == socket.SOCK_DGRAM:
            with contextlib.suppress(OSError):
                raise ValueError(f"the socket is connected to {sock.getpeername()}")
        await super().sock_connect(sock, address)


@breaks("sockets.connect-unix")
class ConnectsToNoAbstractName(Stock):
    """sock_connect() refuses a name in the abstract namespace."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if isinstance(address, str) and address.startswith("\0"):
            raise ValueError("embedded null character")
        await super().sock_connect(sock, address)


class _TakesZeroForATimeout(Stock):
    """Refuses, in debug mode, sockets that have a timeout, of which 0 is one."""

    def look(self, sock: Any) -> None:
        if self.get_debug() and sock.gettimeout() is not None:
            raise ValueError("the socket must be non-blocking")


@breaks("sockets.debug-mode")
class AcceptsNothingInDebugMode(_TakesZeroForATimeout):
    """sock_accept() refuses a non-blocking socket in debug mode."""

    async def sock_accept(self, sock: Any) -> Any:
        self.look(sock)
        return await super().sock_accept(sock)


@breaks("sockets.debug-mode")
class FillsNothingInDebugMode(_TakesZeroForATimeout):
    """sock_recv_into() refuses a non-blocking socket in debug mode."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        self.look(sock)
        return await super().sock_recv_into(sock, buf)


@breaks("sockets.debug-mode-datagrams")
class SendsNothingInDebugMode(_TakesZeroForATimeout):
    """sock_sendto() refuses a non-blocking socket in debug mode."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        self.look(sock)
        return await super().sock_sendto(sock, data, address)


@breaks("sockets.accept-usable")
class AcceptsBlockingUnixSockets(Stock):
    """What sock_accept() returns of a Unix socket blocks."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        if conn.family == socket.AF_UNIX:
            conn.setblocking(True)
        return conn, address


@breaks("sockets.recv-into")
class ReceivesOverTheRest(Stock):
    """sock_recv_into() gives back a whole buffer of its own, with zeros behind what was received."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        count = await super().sock_recv_into(sock, buf)
        rest = memoryview(buf).cast("B")[count:]
        rest[:] = bytes(len(rest))
        return count


@breaks("sockets.connect-unix")
class WantsAbstractNamesAsText(Stock):
    """sock_connect() takes bytes for a path, also if they begin with a null."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if isinstance(address, bytes):
            address = address.lstrip(b"\0")
        await super().sock_connect(sock, address)


@breaks("sockets.connect-refused")
class TellsNoNumber(Stock):
    """sock_connect() raises an error of the right class without an errno."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except ConnectionRefusedError:
            raise ConnectionRefusedError("nobody listens there") from None


@breaks("sockets.connect-unix-errors")
class OneErrorForAllPaths(Stock):
    """sock_connect() says of a path where nothing is that the connection was refused."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except FileNotFoundError:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens there") from None


@breaks("sockets.sendto")
class SendsNoArrays(Stock):
    """sock_sendto() takes no bytes-like objects but bytes, bytearrays and memoryviews."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("no bytes")
        return await super().sock_sendto(sock, data, address)


@breaks("sockets.recvfrom-unix")
class WantsPathsAsText(Stock):
    """sock_sendto() takes no path that is bytes."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        if isinstance(address, bytes):
            raise TypeError("a path is a str")
        return await super().sock_sendto(sock, data, address)
