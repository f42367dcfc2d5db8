"""Broken loops of the chapter `sockets`: what a call leaves for the next one, and memory that is not its own."""

from __future__ import annotations

import asyncio
import ctypes
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.in-a-row")
class LosesTheNextReader(Stock):
    """sock_recv() removes its reader a turn after it has ended, whosever that is by then."""

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        data = await super().sock_recv(sock, nbytes)
        self.call_soon(self.remove_reader, sock.fileno())
        return data


@breaks("sockets.in-a-row")
class LosesTheNextAccept(Stock):
    """sock_accept() removes its reader a turn after it has ended, whosever that is by then."""

    async def sock_accept(self, sock: Any) -> Any:
        pair = await super().sock_accept(sock)
        self.call_soon(self.remove_reader, sock.fileno())
        return pair


@breaks("sockets.in-a-row-sending")
class LosesTheFirstWriter(Stock):
    """sock_connect() removes its writer a turn after it has ended, whosever that is by then."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await super().sock_connect(sock, address)
        self.call_soon(self.remove_writer, sock.fileno())


@breaks("sockets.recvfrom-into-too-many")
class ReceivesAsMuchAsItIsTold(Stock):
    """sock_recvfrom_into() gives the system the address of the buffer, and nbytes for its size."""

    async def sock_recvfrom_into(self, sock: Any, buf: Any, nbytes: int = 0) -> Any:
        if nbytes <= memoryview(buf).nbytes:
            return await super().sock_recvfrom_into(sock, buf, nbytes)
        data, address = await self.sock_recvfrom(sock, nbytes)
        ctypes.memmove((ctypes.c_char * 1).from_buffer(buf), data, len(data))
        return len(data), address
