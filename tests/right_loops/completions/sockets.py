"""Watched descriptors and the sock_ methods over the ring: it says what is ready, and the loop's thread does it."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import weakref
from asyncio import base_events, events
from collections.abc import Callable
from typing import Any

from tests.right_loops.completions.ring import AGAIN, READ, WRITE, Operation, Ring

_MEGABYTE = 1 << 20


class SocketsMixin(base_events.BaseEventLoop):
    """add_reader() and its like, sock_recv() and its like."""

    ring: Ring
    transports: weakref.WeakValueDictionary[int, Any]
    _watched: dict[tuple[int, int], Any]

    # ---- watching ----------------------------------------------------------------------------------------------------

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self._watch(fd, READ, callback, args)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        self._watch(fd, WRITE, callback, args)

    def remove_reader(self, fd: Any) -> bool:
        return self._unwatch(fd, READ)

    def remove_writer(self, fd: Any) -> bool:
        return self._unwatch(fd, WRITE)

    def _watch(self, fd: Any, side: int, callback: Any, args: Any) -> None:
        self._check_closed()
        number = self._number(fd)
        handle = events.Handle(callback, args, self, None)
        operation: Operation | None = None

        def ask() -> None:
            nonlocal operation
            operation = self.ring.submit(number, side, lambda: None, run, handle._context)

        def run(*_outcome: object) -> None:
            if not handle.cancelled():
                try:
                    callback(*args)
                finally:
                    if not handle.cancelled() and not self.is_closed():
                        ask()

        def end() -> None:
            handle.cancel()
            if operation is not None:
                operation.cancel()

        self._unwatch(fd, side)
        ask()
        self._watched[number, side] = fd, end

    def _unwatch(self, fd: Any, side: int) -> bool:
        if self.is_closed():
            return False
        _, end = self._watched.pop((self._number(fd), side), (None, None))
        if end is not None:
            end()
        return end is not None

    def _number(self, fd: Any) -> int:
        try:
            number = fd if isinstance(fd, int) else int(fd.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fd!r}") from None
        if number < 0:
            number = next((known for (known, _), (file, _) in self._watched.items() if file is fd), number)
        owner = self.transports.get(number)
        if number < 0 or (owner is not None and not owner.is_closing()):
            error = ValueError if number < 0 else RuntimeError
            raise error(f"File descriptor {number} is invalid, or belongs to {owner!r}")
        return number

    # ---- sockets -----------------------------------------------------------------------------------------------------

    async def when_ready(self, sock: Any, side: int, attempt: Callable[[], Any]) -> Any:
        """What `attempt` returns when the socket is ready for it."""
        while True:
            ready = self.create_future()
            operation = self.ring.submit(sock.fileno(), side, lambda: None, functools.partial(_resolve, ready))
            try:
                await ready
            except asyncio.CancelledError:
                operation.cancel()
                raise
            try:
                return attempt()
            except AGAIN:
                continue

    def _check(self, sock: Any) -> None:
        base_events._check_ssl_socket(sock)
        self._number(sock)
        if self.get_debug() and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")

    async def sock_recv(self, sock: Any, nbytes: int) -> Any:
        self._check(sock)
        return await self.when_ready(sock, READ, lambda: sock.recv(nbytes))

    async def sock_recv_into(self, sock: Any, buf: Any) -> Any:
        self._check(sock)
        return await self.when_ready(sock, READ, lambda: sock.recv_into(buf))

    async def sock_recvfrom(self, sock: Any, bufsize: int) -> Any:
        self._check(sock)
        return await self.when_ready(sock, READ, lambda: sock.recvfrom(bufsize))

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        self._check(sock)
        return await self.when_ready(sock, READ, lambda: sock.recvfrom_into(buf, nbytes or memoryview(buf).nbytes))

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        self._check(sock)
        rest = memoryview(data).cast("B")
        while rest:
            sent = await self.when_ready(sock, WRITE, lambda: sock.send(rest))  # noqa: B023 (awaited here)
            rest = rest[sent:]

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> Any:
        self._check(sock)
        return await self.when_ready(sock, WRITE, lambda: sock.sendto(data, address))

    async def sock_accept(self, sock: Any) -> Any:
        self._check(sock)
        connection, address = await self.when_ready(sock, READ, sock.accept)
        connection.setblocking(False)
        return connection, address

    async def sock_connect(self, sock: Any, address: Any) -> None:
        self._check(sock)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            found = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            address = found[0][4]

        def finish() -> None:
            if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, f"Connect call failed {address}")

        try:
            sock.connect(address)
        except AGAIN:
            await self.when_ready(sock, WRITE, finish)

    # ---- files -------------------------------------------------------------------------------------------------------

    async def _sock_sendfile_native(self, sock: Any, file: Any, offset: int, count: int | None) -> int:
        self._check_sendfile_params(sock, file, offset, count)
        try:
            number = file.fileno()
            end = os.fstat(number).st_size if count is None else offset + count
        except (AttributeError, OSError):
            raise asyncio.SendfileNotAvailableError("not a regular file") from None
        begin = offset
        try:
            while offset < end:
                sent = await self.when_ready(
                    sock,
                    WRITE,
                    lambda: os.sendfile(sock.fileno(), number, offset, min(_MEGABYTE, end - offset)),  # noqa: B023 (awaited here)
                )
                if not sent:
                    break
                offset += sent
        except OSError as error:
            if offset > begin or isinstance(error, ConnectionError):
                raise
            raise asyncio.SendfileNotAvailableError("os.sendfile() failed") from None
        finally:
            if offset > begin:
                os.lseek(number, offset, os.SEEK_SET)
        return offset - begin

    async def _sendfile_native(self, transport: Any, file: Any, offset: int, count: int | None) -> int:
        resume = transport.is_reading()
        transport.pause_reading()
        await transport._make_empty_waiter()
        try:
            return await self._sock_sendfile_native(transport._file, file, offset, count)
        finally:
            transport._reset_empty_waiter()
            if resume:
                transport.resume_reading()


def _resolve(future: asyncio.Future[None], *_outcome: object) -> None:
    if not future.done():
        future.set_result(None)
