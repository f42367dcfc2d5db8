"""A buffered protocol that writes down what a transport tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Buffers(asyncio.BufferedProtocol):
    """Gives a new buffer each time, and keeps what was received into it, the calls' `names`, the `hints` and `updates`.

    `kind` makes the object that get_buffer() returns of a bytearray of `size` bytes; `keep_open` is what
    eof_received() returns.
    """

    def __init__(
        self, size: int = 65536, kind: Callable[[bytearray], Any] = memoryview, keep_open: bool = False
    ) -> None:
        self.size, self.kind, self.keep_open = size, kind, keep_open
        self.names: list[str] = []
        self.hints: list[int] = []
        self.updates: list[int] = []
        self.received = bytearray()
        self.reason: BaseException | None = None
        self.buffer: Any = b""
        self.transport: Any = None

    @property
    def lost(self) -> bool:
        return "connection_lost" in self.names

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.names.append("connection_made")

    def get_buffer(self, sizehint: int) -> Any:
        self.names.append("get_buffer")
        self.hints.append(sizehint)
        self.buffer = self.kind(bytearray(self.size))
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.names.append("buffer_updated")
        self.updates.append(nbytes)
        self.received += memoryview(self.buffer).cast("B")[:nbytes]

    def eof_received(self) -> bool:
        self.names.append("eof_received")
        return self.keep_open

    def connection_lost(self, exc: BaseException | None) -> None:
        self.names.append("connection_lost")
        self.reason = exc
