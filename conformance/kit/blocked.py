"""Transports that the kernel takes nothing from, so that every byte that is written to them is buffered.

The room of Unix stream sockets and pipes is known at once, where TCP moves data behind one's back: what it may move
still is made up for by a send buffer that is cut when it is full, and given back when the peer begins to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import mmap
import os
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.connections import opened
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, shrink_buffers, tcp_pair, unix_pair
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, dial, serving

PAGE = mmap.PAGESIZE  # a pipe has room again when a whole one was read


class Peer(contextlib.AbstractContextManager["Peer"]):
    """The other end: `filler` bytes lie in the kernel before the first byte that the transport wrote.

    `cut` is a socket whose send buffer was cut, until the first read or the end of the block.
    """

    def __init__(self, descriptor: int, filler: int, cut: socket.socket | None = None) -> None:
        self.descriptor = descriptor
        self.filler = filler
        self.received = bytearray()
        self.ended = False
        self._cut = cut

    def read(self, count: int = 1 << 20) -> int:
        """Read at most `count` bytes of what is there; how many it were. `received` gets them without the filler."""
        self.give_back()
        if not select.select([self.descriptor], [], [], 0)[0]:
            return 0
        try:
            data = os.read(self.descriptor, count)
        except ConnectionError:  # abort() may reset the connection
            data = b""
        self.ended = not data
        self.received += data[self.filler :]
        self.filler -= min(self.filler, len(data))
        return len(data)

    def __exit__(self, *_error: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Give back the send buffer that was cut; the number of its socket is let go of."""
        if self._cut is not None:
            with self._cut:
                shrink_buffers(self._cut)
            self._cut = None

    def read_until(
        self, loop: asyncio.AbstractEventLoop, patience: Patience, happened: Callable[[], object], what: str
    ) -> None:
        """Read whatever comes, while the loop runs, until something has happened."""
        patience.run_until(loop, lambda: (self.read() and False) or happened(), what)


@contextlib.contextmanager
def blocked(
    loop: asyncio.AbstractEventLoop, kind: str = "socket", protocol: Any = None
) -> Iterator[tuple[Any, Any, Peer]]:
    """(transport, protocol, peer) of a transport whose kernel buffers are full, before connection_made() is called.

    `kind` is one of `KINDS`: one of a pair of Unix sockets given to create_unix_connection(), a socket of TCP given to
    create_connection(), a connection of TCP that a server has accepted, one of a pair of Unix sockets given to
    connect_accepted_socket(), a pipe.
    """
    made = protocol or Events()
    with _MADE_BY[kind](loop, made) as (transport, peer):
        yield transport, made, peer


Made = Iterator[tuple[Any, Peer]]


@contextlib.contextmanager
def _pipe(loop: asyncio.AbstractEventLoop, made: Any) -> Made:
    theirs, number = os.pipe()
    try:
        with os.fdopen(number, "wb", buffering=0) as ours:
            os.set_blocking(number, False)
            peer = Peer(theirs, _fill(lambda data: os.write(number, data)))
            with opened(loop, loop.connect_write_pipe(lambda: made, ours)) as (transport, _):
                yield transport, peer
    finally:
        os.close(theirs)


@contextlib.contextmanager
def _unix(method: str, loop: asyncio.AbstractEventLoop, made: Any) -> Made:
    with unix_pair() as (ours, other):
        peer = Peer(other.fileno(), _fill(ours.send))
        with opened(loop, getattr(loop, method)(lambda: made, sock=ours)) as (transport, _):
            yield transport, peer


@contextlib.contextmanager
def _tcp(loop: asyncio.AbstractEventLoop, made: Any) -> Made:
    with tcp_pair() as (ours, other):
        peer = _filled(ours, other)
        with peer, opened(loop, loop.create_connection(lambda: made, sock=ours)) as (transport, _):
            yield transport, peer


@contextlib.contextmanager
def _accepted(loop: asyncio.AbstractEventLoop, made: Any) -> Made:
    peers: list[Peer] = []
    connection_made = made.connection_made

    def fill_first(transport: Any) -> None:
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as ours:
            peers.append(_filled(ours, other))
        connection_made(transport)

    made.connection_made = fill_first
    with serving(loop) as service:
        service.make = lambda: made
        with dial(service) as other:
            transport = accepted(loop, Patience(PEER_TIMEOUT), service).transport
            with peers[0]:
                yield transport, peers[0]


def _filled(ours: socket.socket, other: socket.socket) -> Peer:
    """The other end of a connection of TCP that is full and stays so until the first read."""
    shrink_buffers(ours, other)
    filler = _fill(lambda data: ours.send(data, socket.MSG_DONTWAIT))
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least that the system has
    return Peer(other.fileno(), filler, socket.socket(fileno=os.dup(ours.fileno())))


def _fill(send: Callable[[bytes], int]) -> int:
    filled = 0
    for size in (PAGE, 256, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += send(bytes(size))
    return filled


_MADE_BY: dict[str, Callable[..., contextlib.AbstractContextManager[tuple[Any, Peer]]]] = {
    "socket": functools.partial(_unix, "create_unix_connection"),
    "tcp": _tcp,
    "accepted": _accepted,
    "wrapped": functools.partial(_unix, "connect_accepted_socket"),
    "pipe": _pipe,
}
KINDS = tuple(_MADE_BY)
SOCKETS = tuple(kind for kind in KINDS if kind != "pipe")
