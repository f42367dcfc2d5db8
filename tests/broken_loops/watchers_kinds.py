"""Broken loops of the chapters `watchers`, `sockets` and `sendfile`: right for the usual descriptors and files only."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import stat
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _number(fd: Any) -> int:
    number: int = fd if isinstance(fd, int) else fd.fileno()
    return number


@breaks("watchers.high-numbers")
class HasATableOfWriters(Stock):
    """A writer of a descriptor above 1023 is not called."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        if _number(fd) < 1024:
            super().add_writer(fd, callback, *args)


@breaks("watchers.kinds")
class WatchesSocketsAndPipes(Stock):
    """What is neither a socket nor a pipe is refused."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if _number(fd) >= 0:
            mode = os.fstat(_number(fd)).st_mode
            if not (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)):
                raise ValueError("a socket or a pipe is expected")
        super().add_reader(fd, callback, *args)


@breaks("watchers.kinds")
class WatchesStreamsOnly(Stock):
    """add_reader() refuses a datagram socket."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if isinstance(fd, socket.socket) and fd.type == socket.SOCK_DGRAM:
            raise ValueError("a stream socket is expected")
        super().add_reader(fd, callback, *args)


@breaks("sockets.high-numbers")
class HasATableOfReceivers(Stock):
    """sock_recv() of a descriptor above 1023 is never done."""

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        if sock.fileno() >= 1024:
            await self.create_future()
        return await super().sock_recv(sock, nbytes)


@breaks("sockets.left-as-they-were")
class BlocksWhatItHasConnected(Stock):
    """sock_connect() leaves the socket in blocking mode."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        await super().sock_connect(sock, address)
        sock.setblocking(True)


@breaks("sockets.sendto")
class SendsItemsOfViews(Stock):
    """sock_sendto() takes the length of a view for its number of bytes."""

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        given = bytes(data)[: len(data)] if isinstance(data, memoryview) else data
        return await super().sock_sendto(sock, given, address)


@breaks("sockets.connect-unix")
class ConnectsToText(Stock):
    """sock_connect() refuses a path of bytes."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if isinstance(address, bytes):
            raise TypeError("a str is expected")
        await super().sock_connect(sock, address)


@breaks("sendfile.sock-from-the-start")
class SocketsGetTheRest(Stock):
    """sock_sendfile() takes an offset of 0 for the position of the file."""

    async def sock_sendfile(
        self, sock: socket.socket, file: Any, offset: int = 0, count: int | None = None, **how: Any
    ) -> int:
        return await super().sock_sendfile(sock, file, offset or file.tell(), count, **how)


@breaks("sendfile.modes")
class FilesAreForReading(Stock):
    """sendfile() takes a file whose mode is "rb" and no other."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **how: Any) -> Any:
        if getattr(file, "mode", "rb") != "rb":
            raise ValueError("not opened in binary mode")
        return await super().sendfile(transport, file, *args, **how)


@breaks("sendfile.modes")
class FilesHaveBuffers(Stock):
    """sock_sendfile() refuses a file that was opened without a buffer."""

    async def sock_sendfile(self, sock: socket.socket, file: Any, *args: Any, **how: Any) -> int:
        if isinstance(file, io.FileIO):
            raise ValueError("a buffered file is expected")
        return await super().sock_sendfile(sock, file, *args, **how)
