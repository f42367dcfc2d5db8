"""Reading from and writing to pipes, sockets and character devices ("Working with pipes" in the documentation)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from .core import LoopCore
from .pipe_transports import ReadPipeTransport, WritePipeTransport

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class PipesMixin(LoopCore):
    """connect_read_pipe, connect_write_pipe."""

    async def connect_read_pipe(
        self, protocol_factory: Callable[[], ProtocolT], pipe: Any
    ) -> tuple[ReadPipeTransport, ProtocolT]:
        """Read from a file object (asyncio-eventloop: loop.connect_read_pipe).

        Raises ValueError for what is no pipe, socket or character device; `pipe` then stays the caller's.
        """
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        transport = ReadPipeTransport(self, pipe, protocol, waiter)
        await _opened(transport, waiter)
        return transport, protocol

    async def connect_write_pipe(
        self, protocol_factory: Callable[[], ProtocolT], pipe: Any
    ) -> tuple[WritePipeTransport, ProtocolT]:
        """Write to a file object (asyncio-eventloop: loop.connect_write_pipe)."""
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        transport = WritePipeTransport(self, pipe, protocol, waiter)
        await _opened(transport, waiter)
        return transport, protocol


async def _opened(transport: asyncio.BaseTransport, waiter: asyncio.Future[None]) -> None:
    try:
        await waiter
    except BaseException:
        transport.close()
        raise
