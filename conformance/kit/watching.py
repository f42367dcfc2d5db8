"""A pair of sockets to watch, and the loop's methods for watching by the side that is meant."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from conformance.kit.peers import PEER_TIMEOUT


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A non-blocking socket to watch, always writable, and a blocking one to make it readable."""
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.setblocking(False)
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


def add(loop: asyncio.AbstractEventLoop, side: str) -> Any:
    """add_reader() or add_writer(); `side` is "reader" or "writer"."""
    return loop.add_reader if side == "reader" else loop.add_writer


def remove(loop: asyncio.AbstractEventLoop, side: str) -> Any:
    """remove_reader() or remove_writer(); `side` is "reader" or "writer"."""
    return loop.remove_reader if side == "reader" else loop.remove_writer
