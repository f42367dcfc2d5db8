"""Broken loops of the chapter `sockets`: sock_connect(), sock_accept() and the calls for datagrams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.connect")
class ReturnsTheSocket(Stock):
    """sock_connect() returns the socket that it has connected."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        await super().sock_connect(sock, address)
        return sock


@breaks("sockets.connect-name")
class ConnectsToNumbersOnly(Stock):
    """sock_connect() of a stream takes no name."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if address[0] == "localhost" and sock.type == socket.SOCK_STREAM:
            raise ValueError("the address must be resolved")
        await super().sock_connect(sock, address)


@breaks("sockets.connect-name-ipv6")
class ConnectsToNumbersOnlyOverIpv6(Stock):
    """sock_connect() of a socket of IPv6 takes no name."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if sock.family == socket.AF_INET6:
            socket.inet_pton(sock.family, address[0].partition("%")[0])
        await super().sock_connect(sock, address)


@breaks("sockets.connect-ipv6")
class WantsFourItems(Stock):
    """An IPv6 address of two items is refused by sock_connect()."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if sock.family == socket.AF_INET6 and len(address) != 4:
            raise TypeError("an IPv6 address has four items")
        await super().sock_connect(sock, address)


@breaks("sockets.connect-unix")
class WantsATuple(Stock):
    """sock_connect() refuses an address that is a path."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        host, *_ = address if isinstance(address, tuple) else ()
        await super().sock_connect(sock, (host, *_))


@breaks("sockets.connect-refused")
class TakesWritableForConnected(EventLoop):
    """sock_connect() does not ask for the error of an attempt."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        with contextlib.suppress(ConnectionRefusedError):
            await super().sock_connect(sock, address)


@breaks("sockets.connect-unresolvable")
class ConnectsToWhateverItFinds(Stock):
    """sock_connect() raises LookupError for a name that has no address of the family."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        try:
            await super().sock_connect(sock, address)
        except socket.gaierror as error:
            raise LookupError("no address") from error


@breaks("sockets.connect-in-background")
class ConnectsBlockingASocket(Stock):
    """sock_connect() connects in blocking mode."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if address[0] == "127.0.0.1" and sock.type == socket.SOCK_STREAM:
            sock.settimeout(1.0)
            sock.connect(address)
            sock.setblocking(False)
        else:
            await super().sock_connect(sock, address)


@breaks("sockets.accept")
class GivesItsOwnAddress(Stock):
    """sock_accept() gives the address of the listener."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        return conn, conn.getsockname() if self.__dict__.setdefault("first", conn) is conn else address

    def close(self) -> None:
        self.__dict__.pop("first", None)
        super().close()


@breaks("sockets.accept-usable")
class AcceptsBlockingSockets(Stock):
    """An accepted socket is in blocking mode."""

    async def sock_accept(self, sock: Any) -> Any:
        conn, address = await super().sock_accept(sock)
        conn.settimeout(1.0)
        return conn, address


@breaks("sockets.accept-waits")
class GivesUpAccepting(Stock):
    """sock_accept() raises BlockingIOError if nobody connects within five turns of the loop."""

    async def sock_accept(self, sock: Any) -> Any:
        accepting = asyncio.ensure_future(super().sock_accept(sock))
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            if not accepting.done():
                raise BlockingIOError("try again")
            return await accepting
        finally:
            accepting.cancel()


@breaks("sockets.accept-cancelled")
class AcceptsOnWhenCancelled(Stock):
    """A cancelled sock_accept() takes the next connection and drops it."""

    async def sock_accept(self, sock: Any) -> Any:
        self.orphan = self.create_task(super().sock_accept(sock))
        return await asyncio.shield(self.orphan)

    def close(self) -> None:
        if orphan := self.__dict__.pop("orphan", None):
            if orphan.done() and not orphan.cancelled() and not orphan.exception():
                orphan.result()[0].close()
            orphan.cancel()
            self.call_soon(self.stop)
            self.run_forever()
        super().close()


@breaks("sockets.recvfrom")
class GivesAddressesOfASpecialKind(Stock):
    """sock_recvfrom() gives the data as a memoryview if it is as short as four bytes."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        data, address = await super().sock_recvfrom(sock, bufsize)
        return bytearray(data) if len(data) == 4 else data, address


@breaks("sockets.recvfrom-size")
class GivesTheRestAsAnother(Stock):
    """What of a datagram exceeds bufsize is given as the next one."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        rest = self.__dict__.pop("rest", None)
        data, address = rest or await super().sock_recvfrom(sock, 65536)
        if len(data) > bufsize:
            self.rest = (data[bufsize:], address)
        return data[:bufsize], address


@breaks("sockets.recvfrom-empty")
class WaitsForMoreThanNothing(Stock):
    """An empty datagram has no sender."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        data, address = await super().sock_recvfrom(sock, bufsize)
        return data, address if data else None


@breaks("sockets.recvfrom-waits")
class GivesUpReceivingDatagrams(Stock):
    """sock_recvfrom() returns nothing if nothing comes within five turns of the loop."""

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        receiving = asyncio.ensure_future(super().sock_recvfrom(sock, bufsize))
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            return await receiving if receiving.done() else (b"", None)
        finally:
            receiving.cancel()


@breaks("sockets.recvfrom-into")
class TakesZeroAtItsWord(Stock):
    """sock_recvfrom_into() with nbytes 0 receives nothing."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, *nbytes: int) -> Any:
        if nbytes == (0,):
            buf = bytearray(1)
        count, address = await super().sock_recvfrom_into(sock, buf, *nbytes)
        return 0 if nbytes == (0,) else count, address


@breaks("sockets.recvfrom-into-waits")
class GivesUpFillingBuffers(Stock):
    """sock_recvfrom_into() returns 0 if nothing comes within five turns of the loop."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        receiving = asyncio.ensure_future(super().sock_recvfrom_into(sock, buf, nbytes))
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            return await receiving if receiving.done() else (0, None)
        finally:
            receiving.cancel()


@breaks("sockets.recvfrom-into-waits")
class FillsAllOfTheBuffer(Stock):
    """nbytes is forgotten if sock_recvfrom_into() has to wait."""

    def _sock_recvfrom_into(self, fut: Any, sock: Any, buf: Any, nbytes: int) -> None:
        super()._sock_recvfrom_into(fut, sock, buf, len(buf))  # type: ignore[misc]  # no stub tells of it


@breaks("sockets.sendto")
class ReturnsNoneForADatagram(Stock):
    """sock_sendto() returns None for an empty datagram."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> Any:
        return await super().sock_sendto(sock, data, address) or None


@breaks("sockets.sendto-error")
class CutsDatagrams(Stock):
    """A datagram that is too long is cut."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> Any:
        return await super().sock_sendto(sock, data[:60_000], address)


@breaks("sockets.sendto-waits")
class DropsWhatHasNoRoom(Stock):
    """A datagram for which there is no room is dropped."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> Any:
        if len(data) != 4 or not isinstance(address, str):
            return await super().sock_sendto(sock, data, address)
        with contextlib.suppress(BlockingIOError):
            sock.sendto(data, address)
        return len(data)


@breaks("sockets.connect-datagram")
class ConnectsStreamsOnly(Stock):
    """sock_connect() refuses a datagram socket."""

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if sock.type == socket.SOCK_DGRAM:
            raise ValueError("a stream socket is required")
        await super().sock_connect(sock, address)
