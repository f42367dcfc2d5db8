"""Pipes between the loop and a descriptor that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tty
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events

Loop = asyncio.AbstractEventLoop
BIG = bytes(range(251)) * 8000  # 2 MB: more than a pipe holds


class End:
    """The other end of the pipe: a descriptor that blocks."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def read_all(self) -> bytes:
        with open(os.dup(self.number), "rb", buffering=0) as file:
            return file.read()

    def read_what_is_there(self) -> bytes:
        """What the pipe holds by now; it is in blocking mode afterwards, as before."""
        data = b""
        os.set_blocking(self.number, False)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.number, len(BIG)):
                data += chunk
        os.set_blocking(self.number, True)
        return data

    def read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (chunk := os.read(self.number, count - len(data))):
            data += chunk
        return data


@contextlib.contextmanager
def reading(loop: Loop, protocol: Any = None) -> Iterator[tuple[Any, Any, Any, End]]:
    """(transport, protocol, file, other end) of a pipe that the loop reads; closed at the end."""
    ours, theirs = os.pipe()
    file, end = open(ours, "rb", buffering=0), End(theirs)  # noqa: SIM115 (the transport owns it)
    transport, made = loop.run_until_complete(
        loop.connect_read_pipe(lambda: Events() if protocol is None else protocol, file)
    )
    try:
        yield transport, made, file, end
    finally:
        end.close()
        transport.close()
        turn(loop, 4)


@contextlib.contextmanager
def writing(loop: Loop, protocol: Any = None) -> Iterator[tuple[Any, Any, Any, End]]:
    """(transport, protocol, file, other end) of a pipe that the loop writes to; aborted at the end."""
    theirs, ours = os.pipe()
    file, end = open(ours, "wb", buffering=0), End(theirs)  # noqa: SIM115 (the transport owns it)
    transport, made = loop.run_until_complete(
        loop.connect_write_pipe(lambda: Events() if protocol is None else protocol, file)
    )
    try:
        yield transport, made, file, end
    finally:
        if not made.lost:
            transport.abort()
        turn(loop, 4)
        end.close()


def lost(loop: Loop, patience: Patience, protocol: Events) -> None:
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


class Plain:
    """A file-like object that is no file: it has fileno() and close() alone, and says nothing if it is forgotten."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.closed = False

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._number)


def _opened(read: str, write: str, buffering: int = -1) -> tuple[Any, Any]:
    ours, theirs = os.pipe()
    return open(ours, read, buffering), open(theirs, write, buffering)


def _objects() -> tuple[Any, Any]:
    ours, theirs = os.pipe()
    return Plain(ours), Plain(theirs)


def _terminal() -> tuple[Any, Any]:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return open(ours, "rb", buffering=0), open(theirs, "wb", buffering=0)


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "raw": lambda: _opened("rb", "wb", 0),
    "buffered": lambda: _opened("rb", "wb"),
    "text": lambda: _opened("r", "w"),
    "object": _objects,
    "sockets": socket.socketpair,
    "terminal": _terminal,
}
"""What can be a pipe: a function that makes the file objects of its two ends, the one to read first."""


@contextlib.contextmanager
def both(loop: Loop, patience: Patience, kind: str) -> Iterator[tuple[Any, Any, Any, Any]]:
    """(reading protocol, writing transport, file to read, file to write) of a pipe between the loop and itself."""
    read_end, write_end = KINDS[kind]()
    writer, writing = loop.run_until_complete(loop.connect_write_pipe(Events, write_end))
    reader, reading = loop.run_until_complete(loop.connect_read_pipe(Events, read_end))
    try:
        yield reading, writer, read_end, write_end
    finally:
        reader.close()
        writer.abort()
        patience.run_until(loop, lambda: reading.lost and writing.lost, "both connection_lost()")
        turn(loop, 2)
