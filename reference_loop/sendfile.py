"""Sending files ("Transferring files" in the documentation), by os.sendfile() where it works, else by reading them.

The position of the file is afterwards that of the first byte which was not sent, also after an error: it is the one
way to learn how much was.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from .core import LoopCore
from .flow import FlowControlledTransport
from .streams import StreamTransport
from .tls import SSLTransport

# Each read costs a round trip through a thread, which a small block would not repay.
_BLOCK_SIZE = 256 * 1024


class SendfileMixin(LoopCore):
    """sendfile, sock_sendfile."""

    async def sendfile(
        self,
        transport: asyncio.WriteTransport,
        file: Any,
        offset: int = 0,
        count: int | None = None,
        *,
        fallback: bool = True,
    ) -> int:
        """Send a file over a transport; return the number of bytes (asyncio-eventloop: loop.sendfile).

        Raises SendfileNotAvailableError if `fallback` is false and os.sendfile() cannot be used: for TLS, or a file
        that is none of the file system. The protocol receives nothing meanwhile.
        """
        _check_arguments(file, offset, count)
        if transport.is_closing():
            raise RuntimeError(f"Transport is closing: no file can be sent on {transport!r}")
        if not isinstance(transport, (StreamTransport, SSLTransport)):
            raise RuntimeError(f"sendfile is not supported for {transport!r}: it needs a stream transport of this loop")
        was_reading = transport.is_reading()
        transport.pause_reading()
        try:
            if isinstance(transport, StreamTransport):
                try:
                    return await _send_natively_on(transport, file, offset, count)
                except asyncio.SendfileNotAvailableError:
                    if not fallback:
                        raise
            elif not fallback:
                raise asyncio.SendfileNotAvailableError("os.sendfile() cannot encrypt: leave `fallback` true for TLS")
            return await self._send_by_writing(transport, file, offset, count)
        finally:
            if was_reading:
                transport.resume_reading()

    async def sock_sendfile(
        self, sock: socket.socket, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> int:
        """Send a file over a connected stream socket; return the number of bytes (asyncio-eventloop:
        loop.sock_sendfile)."""
        self._check_socket(sock)
        _check_arguments(file, offset, count)
        if sock.type != socket.SOCK_STREAM:
            raise ValueError(f"only SOCK_STREAM type sockets are supported, not {sock!r}")
        try:
            return await _send_natively(sock, file, offset, count, lambda: self._wait_writable(sock))
        except asyncio.SendfileNotAvailableError:
            if not fallback:
                raise
        return await self._copy(file, offset, count, lambda block: self.sock_sendall(sock, block))

    async def _send_by_writing(
        self, transport: FlowControlledTransport, file: Any, offset: int, count: int | None
    ) -> int:
        stand_in = _Drain(transport)
        try:
            return await self._copy(file, offset, count, stand_in.write)
        finally:
            stand_in.leave()

    async def _copy(
        self, file: Any, offset: int, count: int | None, send: Callable[[memoryview], Awaitable[None]]
    ) -> int:
        """Read blocks in the default executor and await `send(block)` of each."""
        buffer = memoryview(bytearray(min(count or _BLOCK_SIZE, _BLOCK_SIZE)))
        seekable = _is_seekable(file)
        if offset or seekable:
            file.seek(offset)
        total = 0
        try:
            while count is None or total < count:
                room = buffer if count is None else buffer[: count - total]
                size = await self.run_in_executor(None, file.readinto, room)
                if not size:
                    break
                await send(buffer[:size])
                total += size
        finally:
            if seekable:
                file.seek(offset + total)
        return total


async def _send_natively_on(transport: StreamTransport, file: Any, offset: int, count: int | None) -> int:
    flushed = transport._suspend_writing()
    try:
        await flushed
        if transport._lost:
            raise ConnectionError("the transport was closed before the file was sent")
        sock: Any = transport._sock
        return await _send_natively(sock, file, offset, count, transport._until_writable)
    finally:
        transport._resume_writing()


async def _send_natively(
    sock: socket.socket, file: Any, offset: int, count: int | None, until_writable: Callable[[], Awaitable[None]]
) -> int:
    try:
        fileno = file.fileno()
        status = os.fstat(fileno)
        sendfile = os.sendfile
    except (AttributeError, io.UnsupportedOperation, OSError):
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise asyncio.SendfileNotAvailableError(f"os.sendfile() cannot send {file!r}: it is no file of a file system")
    total = 0
    try:
        while count is None or total < count:
            # Again at once, until the socket is full, without a turn of the loop for each piece: a file of 1 MiB takes
            # 0.70 of asyncio's time (CPU). One that has grown is sent to its present end.
            wanted = max(status.st_size - offset - total, _BLOCK_SIZE) if count is None else count - total
            try:
                sent = sendfile(sock.fileno(), fileno, offset + total, wanted)
            except (BlockingIOError, InterruptedError):
                await until_writable()
                continue
            except ConnectionError:
                raise
            except OSError as exc:
                if total:
                    raise
                raise asyncio.SendfileNotAvailableError(f"os.sendfile() failed for {file!r}: {exc}") from exc
            if not sent:
                break
            total += sent
    finally:
        file.seek(offset + total)
    return total


class _Drain(asyncio.Protocol):
    """Stands in for a transport's protocol while a file is copied, and writes when there is room."""

    def __init__(self, transport: FlowControlledTransport) -> None:
        self._transport = transport
        self._protocol: Any = transport.get_protocol()
        self._told_to_pause = transport._flow.paused
        self._room: asyncio.Future[None] | None = None
        self._lost = False
        transport.set_protocol(self)

    async def write(self, data: memoryview) -> None:
        if self._transport._flow.paused and not self._lost:
            self._room = self._transport._loop.create_future()
            await self._room
        if self._lost or self._transport.is_closing():
            raise ConnectionError("The connection was closed while a file was being sent")
        self._transport.write(data)

    def leave(self) -> None:
        """Give the transport back to its protocol, which may have to pause or to go on."""
        if self._lost:
            return
        self._transport.set_protocol(self._protocol)
        if self._transport._flow.paused != self._told_to_pause:
            self._transport._tell("resume_writing" if self._told_to_pause else "pause_writing")

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._lost = True
        self.resume_writing()
        self._protocol.connection_lost(exc)


def _is_seekable(file: Any) -> bool:
    return bool(file.seekable()) if hasattr(file, "seekable") else hasattr(file, "seek")


def _check_arguments(file: Any, offset: int, count: int | None) -> None:
    if "b" not in str(getattr(file, "mode", "b")):
        raise ValueError(f"file should be opened in binary mode: {file!r}")
    if not isinstance(offset, int):
        raise TypeError(f"offset must be a non-negative integer (got {offset!r})")
    if offset < 0:
        raise ValueError(f"offset must be a non-negative integer (got {offset!r})")
    if count is not None and not isinstance(count, int):
        raise TypeError(f"count must be a positive integer (got {count!r})")
    if count is not None and count <= 0:
        raise ValueError(f"count must be a positive integer (got {count!r})")
