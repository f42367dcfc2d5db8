"""Broken loops of the chapter `sockets`: sock_recv(), sock_recv_into() and sock_sendall()."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Receives(EventLoop):
    """Changes what sock_recv() returns."""

    def changed(self, data: bytes) -> Any:
        return data

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        return self.changed(await super().sock_recv(sock, nbytes))


@breaks("sockets.recv")
class ReturnsABytearray(_Receives):
    """Received data is a bytearray."""

    def changed(self, data: bytes) -> Any:
        return bytearray(data)


@breaks("sockets.recv-limit")
class DropsTheExcess(EventLoop):
    """What was received beyond nbytes is dropped, if nbytes is small."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        return (await super().sock_recv(sock, nbytes if nbytes == 1 else max(nbytes, 10)))[:nbytes]


@breaks("sockets.recv-waits")
class GivesUpAfterFiveTurns(EventLoop):
    """sock_recv() raises BlockingIOError if nothing comes within five turns of the loop."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        receiving = asyncio.ensure_future(super().sock_recv(sock, nbytes))
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            if nbytes == 100 and not receiving.done():
                raise BlockingIOError("try again")
            return await receiving
        finally:
            receiving.cancel()


@breaks("sockets.recv-waits")
class WaitsForBytearrays(EventLoop):
    """sock_recv() returns a bytearray if it has waited."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        receiving = asyncio.ensure_future(super().sock_recv(sock, nbytes))
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await receiving if receiving.done() else bytearray(await receiving)
        finally:
            receiving.cancel()


@breaks("sockets.recv-end")
class RaisesAtTheEnd(EventLoop):
    """The second time that sock_recv() finds the end of a stream, it raises."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        data = await super().sock_recv(sock, nbytes)
        if not data:
            if sock in self.__dict__.setdefault("ended", []):
                raise EOFError("the stream has ended")
            self.ended.append(sock)
        return data

    def close(self) -> None:
        self.__dict__.pop("ended", None)
        super().close()


@breaks("sockets.recv-error")
class TakesAResetForTheEndOfASocket(EventLoop):
    """sock_recv() of a connection that was reset returns b""."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        try:
            return await super().sock_recv(sock, nbytes)
        except ConnectionResetError:
            return b""


@breaks("sockets.recv-cancelled")
class ReadsOnWhenCancelled(EventLoop):
    """A cancelled sock_recv() reads what comes next."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        if nbytes == 1 or self.__dict__.get("orphan"):
            return await super().sock_recv(sock, nbytes)
        self.orphan = self.create_task(super().sock_recv(sock, nbytes))
        try:
            return await asyncio.shield(self.orphan)
        finally:
            if self.orphan.done():
                self.orphan = None

    def close(self) -> None:
        if orphan := self.__dict__.pop("orphan", None):
            orphan.cancel()
            self.call_soon(self.stop)
            self.run_forever()
        super().close()


@breaks("sockets.cancelled-as-data-comes")
class LosesWhatComesWithACancellation(EventLoop):
    """A sock_recv() that is cancelled takes what is there and drops it."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        try:
            return await super().sock_recv(sock, nbytes)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                sock.recv(nbytes)
            raise


@breaks("sockets.closed-after-cancel")
class RemovesTheWatcherLate(EventLoop):
    """The watcher of a cancelled call is removed when another socket of the same number is waited for."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        try:
            return await super().sock_recv(sock, nbytes)
        except asyncio.CancelledError:
            self.late = sock.fileno()
            raise

    async def _wait_readable(self, sock: Any) -> None:
        if self.__dict__.pop("late", None) == sock.fileno():
            self.call_soon(self._poller.remove_reader, sock.fileno())
        await super()._wait_readable(sock)


@breaks("sockets.recv-into")
class FillsBytearraysOnly(Stock):
    """sock_recv_into() takes no memoryview."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        if isinstance(buf, memoryview):
            raise TypeError("a bytearray is required")
        return await super().sock_recv_into(sock, buf)


@breaks("sockets.recv-into-waits")
class ReturnsZeroForNothingYet(Stock):
    """sock_recv_into() returns 0 when nothing has come."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        try:
            return int(sock.recv_into(buf))
        except BlockingIOError:
            return 0


@breaks("sockets.sendall")
class ReturnsTheNumberOfBytes(Stock):
    """sock_sendall() returns how much it has sent."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        await super().sock_sendall(sock, data)
        return len(data) or None


@breaks("sockets.sendall-items")
class CountsItems(EventLoop):
    """sock_sendall() sends as many bytes as the object has items."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        await super().sock_sendall(sock, memoryview(data).cast("B")[: len(data)])


@breaks("sockets.sendall-big")
class ContinuesFromAWrongPlace(EventLoop):
    """The rest of a short write is sent again from its first byte."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        if len(data) > 65536 and sock not in self.__dict__.setdefault("sent", []):
            self.sent.append(sock)
            sock.send(data[:1])
        await super().sock_sendall(sock, data)

    def close(self) -> None:
        self.__dict__.pop("sent", None)
        super().close()


@breaks("sockets.sendall-nothing")
class HasNothingToSay(EventLoop):
    """sock_sendall() of nothing raises."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        if not len(data):
            raise ValueError("there is nothing to send")
        await super().sock_sendall(sock, data)


@breaks("sockets.sendall-error")
class ForgetsErrorsOfSending(EventLoop):
    """sock_sendall() returns when the connection is reset."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        with contextlib.suppress(ConnectionError):
            await super().sock_sendall(sock, data)


@breaks("sockets.sendall-cancelled")
class SendsWhatWasCancelled(EventLoop):
    """What a cancelled sock_sendall() had to send goes out with the next one."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        cancelled = self.__dict__.pop("cancelled", b"")
        try:
            await super().sock_sendall(sock, cancelled + data if cancelled else data)
        except asyncio.CancelledError:
            self.cancelled = bytes(data)
            raise


@breaks("sockets.both-directions")
class HasOneWaiterPerSocket(EventLoop):
    """sock_sendall() takes the place of a sock_recv() that waits."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        self.waiter = asyncio.current_task()
        return await super().sock_recv(sock, nbytes)

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        waiter = self.__dict__.pop("waiter", None)
        if waiter is not None and not waiter.done():
            waiter.cancel()
        await super().sock_sendall(sock, data)

    def close(self) -> None:
        self.__dict__.pop("waiter", None)
        super().close()


@breaks("sockets.coroutines")
class ReturnsFutures(EventLoop):
    """sock_accept() returns a task."""

    def sock_accept(self, sock: Any) -> Any:
        return self.create_task(super().sock_accept(sock))


@breaks("sockets.blocking-in-debug-mode")
class NeverChecksBlockingMode(EventLoop):
    """A blocking socket is not refused by sock_sendto()."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> Any:
        if isinstance(sock, ssl.SSLSocket):
            return await super().sock_sendto(sock, data, address)
        sock.setblocking(False)
        return await super().sock_sendto(sock, data, address)


@breaks("sockets.tls-sockets-refused")
class UsesTlsSocketsByTheirNumber(EventLoop):
    """sock_recv() of an ssl.SSLSocket reads what is on the wire."""

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        if not isinstance(sock, ssl.SSLSocket):
            return await super().sock_recv(sock, nbytes)
        with socket.socket(fileno=sock.detach()) as plain:
            return await super().sock_recv(plain, nbytes)


@breaks("sockets.tls-sockets-refused")
class TlsSocketsAreBadValues(EventLoop):
    """sock_connect() of an ssl.SSLSocket raises ValueError."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if isinstance(sock, ssl.SSLSocket):
            raise ValueError("a TLS socket cannot be connected")
        await super().sock_connect(sock, address)


@breaks("sockets.transports-are-private")
class ReadsForTransports(EventLoop):
    """The socket of a transport may be read by anybody."""

    def _check_unowned(self, fd: int) -> None:
        pass

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        if sock.fileno() in self._transports:
            return await asyncio.wait_for(super().sock_recv(sock, nbytes), 0.01)
        return await super().sock_recv(sock, nbytes)


@breaks("sockets.recv-into-items")
class CountsItemsReceived(Stock):
    """sock_recv_into() returns the number of items, and not of bytes."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        return await super().sock_recv_into(sock, buf) // memoryview(buf).itemsize


@breaks("sockets.sendall-big")
class TellsHowMuchWasSent(Stock):
    """sock_sendall() returns the number of bytes if they did not go out at once."""

    async def sock_sendall(self, sock: Any, data: Any) -> Any:
        await super().sock_sendall(sock, data)
        return len(data) if len(data) > 100_000 else None


@breaks("sockets.both-directions")
class DropsTheReaderWithTheWriter(asyncio.SelectorEventLoop):
    """sock_sendall() that has waited stops whatever else waits for the socket."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        await super().sock_sendall(sock, data)
        if len(data) > 1000:
            self.remove_reader(sock)
