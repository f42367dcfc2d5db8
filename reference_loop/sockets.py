"""Coroutines for sockets that the application owns ("Working with socket objects directly").

Each operation is tried at once; if it would block, its task sleeps until the socket is ready and tries again. Data is
read by the waiting task itself, so that cancelling a `sock_recv()` never loses any.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .core import LoopCore
from .dns import is_numeric

T = TypeVar("T")
Ready = Coroutine[Any, Any, T]

# A Unix server whose backlog is full lets connect() fail instead of queueing it; no event says when there is room.
_BACKLOG_RETRY_DELAY = 0.005


class SocketsMixin(LoopCore):
    """sock_recv, sock_recv_into, sock_recvfrom, sock_recvfrom_into, sock_sendall, sock_sendto, sock_connect,
    sock_accept."""

    def sock_recv(self, sock: socket.socket, nbytes: int) -> Ready[bytes]:
        """Receive up to `nbytes` bytes; b"" at the end (asyncio-eventloop: loop.sock_recv)."""
        return self._try_or_wait(sock, True, lambda: sock.recv(nbytes))

    def sock_recv_into(self, sock: socket.socket, buf: Any) -> Ready[int]:
        """Receive into a buffer; return the number of bytes (asyncio-eventloop: loop.sock_recv_into)."""
        return self._try_or_wait(sock, True, lambda: sock.recv_into(buf))

    def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> Ready[tuple[bytes, Any]]:
        """Receive a datagram: (data, address) (asyncio-eventloop: loop.sock_recvfrom)."""
        return self._try_or_wait(sock, True, lambda: sock.recvfrom(bufsize))

    def sock_recvfrom_into(self, sock: socket.socket, buf: Any, nbytes: int = 0) -> Ready[tuple[int, Any]]:
        """Receive a datagram into a buffer: (size, address) (asyncio-eventloop: loop.sock_recvfrom_into)."""
        return self._try_or_wait(sock, True, lambda: sock.recvfrom_into(buf, nbytes or memoryview(buf).nbytes))

    def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> Ready[int]:
        """Send a datagram; return its size (asyncio-eventloop: loop.sock_sendto)."""
        return self._try_or_wait(sock, False, lambda: sock.sendto(data, address))

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """Send all of `data` to a connected socket (asyncio-eventloop: loop.sock_sendall)."""
        self._check_socket(sock)
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if isinstance(data, bytes) and sent == len(data):
            return
        rest = memoryview(data).cast("B")[sent:]
        while rest:
            await self._wait_writable(sock)
            try:
                rest = rest[sock.send(rest) :]
            except (BlockingIOError, InterruptedError):
                continue

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect to `address`, resolving a host name first (asyncio-eventloop: loop.sock_connect)."""
        self._check_socket(sock)
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_numeric(address[0]):
            found = await self.getaddrinfo(address[0], address[1], family=sock.family, type=sock.type, proto=sock.proto)
            address = found[0][4]
        while True:
            try:
                sock.connect(address)
                return
            except (BlockingIOError, InterruptedError) as exc:
                if exc.errno != errno.EAGAIN or sock.family != socket.AF_UNIX:
                    break
            await asyncio.sleep(_BACKLOG_RETRY_DELAY)
        await self._wait_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, f"Connect call failed {address}")

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accept a connection: (non-blocking socket, address) (asyncio-eventloop: loop.sock_accept)."""
        connection, address = await self._try_or_wait(sock, True, lambda: sock.accept())
        connection.setblocking(False)
        return connection, address

    async def _try_or_wait(self, sock: socket.socket, reading: bool, operation: Callable[[], T]) -> T:
        self._check_socket(sock)
        while True:
            try:
                return operation()
            except (BlockingIOError, InterruptedError):
                pass
            await (self._wait_readable(sock) if reading else self._wait_writable(sock))

    async def _wait_readable(self, sock: socket.socket) -> None:
        fd = sock.fileno()
        self._check_unowned(fd)
        ready = self.create_future()
        slot = self._handle(_set_ready, (ready,))
        self._poller.set_reader(fd, slot)
        try:
            await ready
        finally:
            # Cancelled: somebody else has taken the slot, or closed the loop.
            if not slot.cancelled() and not self._closed:
                self._poller.remove_reader(fd)

    async def _wait_writable(self, sock: socket.socket) -> None:
        fd = sock.fileno()
        self._check_unowned(fd)
        ready = self.create_future()
        slot = self._handle(_set_ready, (ready,))
        self._poller.set_writer(fd, slot)
        try:
            await ready
        finally:
            if not slot.cancelled() and not self._closed:
                self._poller.remove_writer(fd)

    def _check_socket(self, sock: socket.socket) -> None:
        if isinstance(sock, ssl.SSLSocket):
            raise TypeError("Socket cannot be of type SSLSocket: use start_tls() or the `ssl` argument of a connection")
        if self._debug and sock.gettimeout() != 0:
            raise ValueError(f"the socket must be non-blocking: call setblocking(False) on {sock!r}")


def _set_ready(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
