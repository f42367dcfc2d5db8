"""The other end of a connection: plain blocking sockets, each with a timeout, used from the test or from a thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from conformance.kit.patience import Patience, turn
from conformance.kit.threads import Helper

PEER_TIMEOUT = 5.0
T = TypeVar("T")


@contextlib.contextmanager
def listener(family: int = socket.AF_INET, backlog: int = 16, port: int = 0) -> Iterator[socket.socket]:
    """A blocking socket that listens on a port of the loopback, by default a free one."""
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.settimeout(PEER_TIMEOUT)
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        listening.listen(backlog)
        yield listening


def free_port() -> int:
    """A TCP port that no address of this machine uses: to listen on, or to be refused at.

    It is none of those that the system gives to who asks for any, so that nobody takes it meanwhile.
    """
    drawn = random.SystemRandom()  # the other generator begins alike in every trial
    while True:
        port = drawn.randrange(20_000, 30_000)
        if _is_free(socket.AF_INET, port) and _is_free(socket.AF_INET6, port):
            return port


def _is_free(family: int, port: int) -> bool:
    try:
        with socket.socket(family) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", port))
    except OSError as error:
        return error.errno != errno.EADDRINUSE  # a machine may have no such family
    return True


@contextlib.contextmanager
def unix_listener(path: str | bytes) -> Iterator[socket.socket]:
    """The same at a path, or an abstract name."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(PEER_TIMEOUT)
        listening.bind(path)
        listening.listen()
        yield listening


@contextlib.contextmanager
def socket_path() -> Iterator[str]:
    """A path for a Unix socket, in a directory that goes at the end."""
    with tempfile.TemporaryDirectory() as directory:
        yield os.path.join(directory, "s")


def dialled(address: Any, family: int = socket.AF_INET) -> socket.socket:
    """A blocking socket that is connected to `address`."""
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.settimeout(PEER_TIMEOUT)
    try:
        peer.connect(address)
    except BaseException:
        peer.close()
        raise
    return peer


@contextlib.contextmanager
def tcp_pair(family: int = socket.AF_INET) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets: one for the loop (non-blocking), one for the peer (blocking, with a timeout)."""
    with listener(family) as listening:
        ours = socket.create_connection(listening.getsockname()[:2], timeout=PEER_TIMEOUT)
        peer, _ = listening.accept()
    with ours, peer:
        ours.setblocking(False)
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


@contextlib.contextmanager
def unix_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The same of a Unix socket: both are writable at once, and neither has a name."""
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.setblocking(False)
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


class Derived(socket.socket):
    """A socket of a program's own class."""


def as_subclass(sock: socket.socket) -> socket.socket:
    """What `sock` was, as an instance of a subclass, in the same mode; `sock` itself is closed."""
    timeout = sock.gettimeout()
    derived = Derived(fileno=sock.detach())
    derived.settimeout(timeout)
    return derived


def receive_exactly(peer: socket.socket, count: int) -> bytes:
    """`count` bytes from a peer. Raises AssertionError with what came if the connection ends or stalls before."""
    received = bytearray()
    while len(received) < count:
        try:
            chunk = peer.recv(min(65536, count - len(received)))
        except TimeoutError:
            chunk = b""
        assert chunk, f"the peer got {len(received)} of {count} bytes: {bytes(received[:60])!r}"
        received += chunk
    return bytes(received)


def receive_all(peer: socket.socket) -> bytes:
    """What a peer gets until the end of the stream. Raises AssertionError if the end does not come."""
    received = bytearray()
    while True:
        try:
            chunk = peer.recv(65536)
        except TimeoutError:
            raise AssertionError(f"the peer saw no end of the stream after {len(received)} bytes") from None
        if not chunk:
            return bytes(received)
        received += chunk


def reset(peer: socket.socket) -> None:
    """Close a TCP socket so that the other end gets a reset instead of an orderly end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def drive(loop: asyncio.AbstractEventLoop, patience: Patience, helper: Helper[T]) -> T:
    """Run the loop until the helper thread has ended; what it returned, or its exception."""
    patience.run_until(loop, lambda: not helper.is_alive(), "the peer's part")
    return helper.result()


def is_stopped(loop: asyncio.AbstractEventLoop, peer: socket.socket, limit: int = 1 << 24) -> bool:
    """Send from the peer while the loop runs: True if it can send no more, False if `limit` bytes went."""
    return are_stopped(loop, [peer], limit) == [True]


def are_stopped(loop: asyncio.AbstractEventLoop, peers: Sequence[socket.socket], limit: int = 1 << 24) -> list[bool]:
    """The same of several at a time, which takes no longer than one."""
    chunk = bytes(65536)
    sent, refused = [0] * len(peers), [0] * len(peers)
    for peer in peers:
        peer.setblocking(False)
    while left := [number for number in range(len(peers)) if refused[number] < 20 and sent[number] < limit]:
        for number in left:
            try:
                sent[number] += peers[number].send(chunk)
                refused[number] = 0
            except (BlockingIOError, ssl.SSLWantWriteError):
                refused[number] += 1
        if any(refused[number] for number in left):
            turn(loop, 2)
            time.sleep(0.001)
    return [times == 20 for times in refused]


def shrink_buffers(*sockets: socket.socket) -> None:
    """Make the kernel take little (below 400 KB), so that a test need not write megabytes to fill it.

    Not less: with buffers of 4 KiB, TCP waits for acknowledgements, and half a megabyte takes ten seconds.
    """
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


def shrink_transport(transport: Any) -> None:
    """The same for the socket of a transport, or of the writer of a stream."""
    with contextlib.suppress(AttributeError):  # a loop that does not tell its socket fails elsewhere
        shrink_buffers(transport.get_extra_info("socket"))
