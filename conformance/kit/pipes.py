"""Pipes between the loop and a descriptor that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
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
