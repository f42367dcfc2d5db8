"""Datagram endpoints that the loop under test opens, closed at the end, and blocking sockets for their peers."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT
from conformance.kit.protocols import Datagrams

HERE = ("127.0.0.1", 0)


@contextlib.contextmanager
def udp_peer(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """A blocking UDP socket, bound to the loopback."""
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PEER_TIMEOUT)
        peer.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        yield peer


@contextlib.contextmanager
def refusing_peer() -> Iterator[socket.socket]:
    """A UDP socket that is connected elsewhere: what others send to its port is refused, and nobody can take the port.

    It receives from whom it is connected to next.
    """
    with udp_peer() as peer, udp_peer() as elsewhere:
        peer.connect(elsewhere.getsockname())
        yield peer


@contextlib.contextmanager
def endpoint(loop: asyncio.AbstractEventLoop, **how: Any) -> Iterator[tuple[Any, Any]]:
    """The transport and the protocol of create_datagram_endpoint(**how); aborted at the end.

    Without arguments it is bound to the loopback and not connected. `protocol` is the protocol to use.
    """
    protocol = how.pop("protocol", None) or Datagrams()
    opening = loop.create_datagram_endpoint(lambda: protocol, **(how or {"local_addr": HERE}))
    transport, _ = loop.run_until_complete(opening)
    try:
        yield transport, protocol
    finally:
        if not protocol.lost:
            transport.abort()
        turn(loop, 3)


@contextlib.contextmanager
def unix_datagram_pair(directory: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """(ours, peer): two Unix datagram sockets that are bound to paths, and connected to each other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours, socket.socket(ours.family, ours.type) as peer:
        ours.bind(str(directory / "o"))
        peer.bind(str(directory / "p"))
        ours.connect(peer.getsockname())
        peer.connect(ours.getsockname())
        ours.setblocking(False)
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


@contextlib.contextmanager
def blocked_endpoint(
    loop: asyncio.AbstractEventLoop, directory: Path, protocol: Any = None, *, blocking: bool = False
) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer): a connected endpoint whose peer has no room, so that what is sent is buffered.

    UDP drops what it has no room for; only a Unix datagram socket makes its sender wait. It is given to the endpoint
    in blocking mode, if that is asked for.
    """
    with unix_datagram_pair(directory) as (ours, peer):
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(b"filler")
        ours.setblocking(blocking)
        with endpoint(loop, sock=ours, protocol=protocol) as (transport, made):
            yield transport, made, peer


def arrival(loop: asyncio.AbstractEventLoop, patience: Patience, peer: socket.socket) -> tuple[bytes, Any]:
    """The next datagram of a peer, with its sender; the loop runs until it is there."""
    patience.run_until(loop, lambda: select.select([peer], [], [], 0)[0], "the arrival of a datagram at the peer")
    data, sender = peer.recvfrom(1 << 18)
    return data, sender


def receive_after_filler(peer: socket.socket, count: int) -> list[bytes]:
    """The next `count` datagrams that are no filler. Raises AssertionError when they do not come."""
    received: list[bytes] = []
    while len(received) < count:
        try:
            data = peer.recv(1 << 18)
        except TimeoutError:
            raise AssertionError(f"the peer got {len(received)} of {count} datagrams") from None
        if data != b"filler":
            received.append(data)
    return received
