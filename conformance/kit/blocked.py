"""Transports that the kernel takes nothing from, so that every byte that is written to them is buffered.

Unix stream sockets and pipes: their room is known at once, where TCP moves data behind one's back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.connections import opened
from conformance.kit.patience import Patience
from conformance.kit.protocols import Events

KINDS = ("socket", "pipe")
PAGE = 4096


class Peer:
    """The other end: `filler` bytes lie in the kernel before the first byte that the transport wrote."""

    def __init__(self, descriptor: int, filler: int) -> None:
        self.descriptor = descriptor
        self.filler = filler
        self.received = bytearray()

    def read(self, count: int = 1 << 20) -> int:
        """Read at most `count` bytes of what is there; how many it were. `received` gets them without the filler."""
        if not select.select([self.descriptor], [], [], 0)[0]:
            return 0
        data = os.read(self.descriptor, count)
        self.received += data[self.filler :]
        self.filler -= min(self.filler, len(data))
        return len(data)

    def read_until(
        self, loop: asyncio.AbstractEventLoop, patience: Patience, happened: Callable[[], object], what: str
    ) -> None:
        """Read whatever comes, while the loop runs, until something has happened."""
        patience.run_until(loop, lambda: (self.read() and False) or happened(), what)


@contextlib.contextmanager
def blocked(
    loop: asyncio.AbstractEventLoop, kind: str = "socket", protocol: Any = None
) -> Iterator[tuple[Any, Any, Peer]]:
    """(transport, protocol, peer) of a transport whose kernel buffers are full."""
    made = protocol or Events()
    if kind == "pipe":
        theirs, number = os.pipe()
        ours: Any = os.fdopen(number, "wb", buffering=0)
        os.set_blocking(number, False)
    else:
        ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        theirs, number = other.detach(), ours.fileno()
    try:
        with contextlib.closing(ours):
            peer = Peer(theirs, _fill(number))
            opening: Any = (
                loop.connect_write_pipe(lambda: made, ours)
                if kind == "pipe"
                else loop.create_unix_connection(lambda: made, sock=ours)
            )
            with opened(loop, opening) as (transport, _):
                yield transport, made, peer
    finally:
        os.close(theirs)


def _fill(number: int) -> int:
    filled = 0
    for size in (PAGE, 256, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(number, bytes(size))
    return filled
