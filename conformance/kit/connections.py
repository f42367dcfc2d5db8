"""Connections that the loop under test opens, closed at the end; and listeners that accept nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest

from conformance.kit.patience import turn
from conformance.kit.peers import PEER_TIMEOUT, free_port, listener


@contextlib.contextmanager
def opened(loop: asyncio.AbstractEventLoop, opening: Awaitable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The transport and the protocol that `opening` gives; aborted at the end, if connection_lost() was not called."""
    transport, protocol = loop.run_until_complete(opening)
    try:
        yield transport, protocol
    finally:
        if not getattr(protocol, "lost", False):
            transport.abort()
        turn(loop, 3)


def accept(listening: socket.socket) -> socket.socket:
    """The next connection of a listener, with a timeout. Raises AssertionError if nobody connects."""
    try:
        peer, _ = listening.accept()
    except TimeoutError:
        raise AssertionError("nobody connected to the listener") from None
    peer.settimeout(PEER_TIMEOUT)
    return peer


@contextlib.contextmanager
def silent_listener(family: int = socket.AF_INET, port: int = 0) -> Iterator[Any]:
    """The address of a listener whose backlog is full: a connection to it is neither made nor refused.

    Where the kernel makes it all the same, the test is not run.
    """
    with listener(family, backlog=0, port=port) as listening, contextlib.ExitStack() as stack:
        address = listening.getsockname()
        for _ in range(8):
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.02)
            try:
                filler.connect(address)
            except TimeoutError:
                yield address
                return
        pytest.skip("this kernel accepts connections beyond a backlog of 0")


def closed_port() -> int:
    """A port where nobody listens, on any address, and where nobody who asks for any port begins to."""
    return free_port()
