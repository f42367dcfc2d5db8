"""A stream transport of the loop under test over a plain socket pair, with buffers that fill soon."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from array import array
from collections.abc import Iterator
from typing import Any

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import shrink_buffers, tcp_pair
from conformance.kit.protocols import Events

# More than the shrunk buffers take at once, and without a period that would hide a wrong order.
BIG = array("I", range(256 * 1024)).tobytes()
_HIGH_ENOUGH = 65_536  # the default of asyncio


@contextlib.contextmanager
def connected(loop: asyncio.AbstractEventLoop, protocol: Any = None) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer) of a connection that is open; closed at the end, and run until it is."""
    with tcp_pair() as (ours, peer):
        shrink_buffers(ours, peer)
        transport, made = loop.run_until_complete(
            loop.create_connection(lambda: Events() if protocol is None else protocol, sock=ours)
        )
        try:
            yield transport, made, peer
        finally:
            if not getattr(made, "lost", False):
                transport.abort()
            turn(loop, 3)


def until_lost(loop: asyncio.AbstractEventLoop, patience: Patience, protocol: Events) -> None:
    """Run the loop until it has called connection_lost()."""
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


def keep_limits_low(transport: Any) -> None:
    """Lower the default high watermark, which is the loop's own affair, if it is more than a test wants to buffer.

    The documentation gives datagram transports no such methods: one that has none is left as it is.
    """
    if hasattr(transport, "get_write_buffer_limits") and transport.get_write_buffer_limits()[1] > _HIGH_ENOUGH:
        transport.set_write_buffer_limits(high=_HIGH_ENOUGH)


def until_paused(loop: asyncio.AbstractEventLoop, patience: Patience, protocol: Any) -> None:
    """Run the loop until it has called pause_writing(): that may come some turns after the write that was too much."""
    patience.in_turns.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")


def write_until_lost(loop: asyncio.AbstractEventLoop, patience: Patience, transport: Any, protocol: Events) -> None:
    """Write every millisecond until connection_lost() is called: writing finds out, if nothing else does."""

    def write() -> None:
        if not protocol.lost:
            transport.write(b"x" * 1000)
            loop.call_later(0.001, write)

    write()
    until_lost(loop, patience, protocol)


def received_inside_resume(
    loop: asyncio.AbstractEventLoop, patience: Patience, transport: Any, protocol: Events, data: bytes
) -> bytes:
    """What of the `data` that waits for a paused transport has been received when resume_reading() returns.

    That is called by the loop, as from a callback; all of the data has come when this returns.
    """
    seen: list[bytes] = []

    def resume() -> None:
        transport.resume_reading()
        seen.append(bytes(protocol.received))

    loop.call_soon(resume)
    patience.run_until(loop, lambda: protocol.received == data, "the data")
    return seen[0]


def told_inside_resume(
    loop: asyncio.AbstractEventLoop, patience: Patience, transport: Any, protocol: Events
) -> list[str]:
    """What the protocol of a paused transport, whose peer has ended, is told until resume_reading() returns.

    That is called by the loop, as from a callback; connection_lost() has been called when this returns.
    """
    seen: list[list[str]] = []

    def resume() -> None:
        before = len(protocol.names)
        transport.resume_reading()
        seen.append(protocol.names[before:])

    loop.call_soon(resume)
    patience.run_until(loop, lambda: seen and protocol.lost, "connection_lost()")
    return seen[0]


def lost_inside_write(
    loop: asyncio.AbstractEventLoop, patience: Patience, transport: Any, protocol: Events, method: str = "write"
) -> bool:
    """Whether connection_lost() was called when a write() inside a callback returned that finds the peer gone.

    A first write may still be taken: the loop writes until the connection is about to end.
    """
    seen: list[bool] = []

    def write() -> None:
        if not transport.is_closing():
            getattr(transport, method)([b"x" * 1000] * 3 if method == "writelines" else b"x" * 1000)
            seen.append(protocol.lost)
            loop.call_later(0.001, write)

    loop.call_soon(write)
    until_lost(loop, patience, protocol)
    return any(seen)
