"""A TLS connection of the loop under test, and a blocking TLS socket opposite.

The socket tells an end without close_notify (ssl.SSLEOFError) from a regular one.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, listener, shrink_buffers
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, serving
from conformance.kit.threads import Helper, in_thread

Loop = asyncio.AbstractEventLoop
BIG = bytes(range(251)) * 6000  # 1.5 MB: nearly a hundred records, and more than shrunk buffers take at once


def tls_accept(listening: socket.socket, context: ssl.SSLContext | None = None) -> Helper[ssl.SSLSocket]:
    """A thread that accepts one connection and makes the handshake of a server; the TLS socket."""
    shrink_buffers(listening)  # what it accepts inherits them

    def accept() -> ssl.SSLSocket:
        sock, _ = listening.accept()
        return _wrapped(sock, context or server_context(), server_side=True)

    return in_thread(accept)


def tls_dial(address: Any, context: ssl.SSLContext | None = None, name: str = NAME) -> Helper[ssl.SSLSocket]:
    """A thread that connects and makes the handshake of a client; the TLS socket."""

    def dial() -> ssl.SSLSocket:
        sock = socket.create_connection(address, PEER_TIMEOUT)
        shrink_buffers(sock)
        return _wrapped(sock, context or client_context(), server_hostname=name)

    return in_thread(dial)


def tls_over(sock: socket.socket, side: str, name: str = NAME) -> Helper[ssl.SSLSocket]:
    """A thread that makes the handshake of `side`, "client" or "server", over a connected socket; the TLS socket."""
    if side == "server":
        return in_thread(lambda: _wrapped(sock, server_context(), server_side=True))
    return in_thread(lambda: _wrapped(sock, client_context(), server_hostname=name))


def _wrapped(sock: socket.socket, context: ssl.SSLContext, **kwargs: Any) -> ssl.SSLSocket:
    sock.settimeout(PEER_TIMEOUT)
    # A server of TLS 1.3 speaks twice in a row after the handshake: Nagle's algorithm would hold its data for 40 ms.
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(sock, suppress_ragged_eofs=False, **kwargs)
    except BaseException:
        sock.close()
        raise


@contextlib.contextmanager
def secured(
    loop: Loop,
    patience: Patience,
    side: str = "client",
    protocol: Callable[[], Any] = Events,
    ours: ssl.SSLContext | None = None,
    theirs: ssl.SSLContext | None = None,
    **kwargs: Any,
) -> Iterator[tuple[Any, Any, ssl.SSLSocket]]:
    """(transport, protocol, peer) of an open TLS connection, the loop being the client or the server."""
    if side == "client":
        with listener() as listening:
            helper = tls_accept(listening, theirs)
            arguments = {"server_hostname": NAME, "ssl": ours or client_context(), **kwargs}
            transport, made = loop.run_until_complete(
                loop.create_connection(protocol, *listening.getsockname(), **arguments)
            )
            with drive(loop, patience, helper) as peer:
                yield from _until_closed(loop, transport, made, peer)
        return
    with serving(loop, ssl=ours or server_context(), **kwargs) as service:
        service.make = protocol
        helper = tls_dial(service.address, theirs)
        made = accepted(loop, patience, service)
        with drive(loop, patience, helper) as peer:
            yield from _until_closed(loop, made.transport, made, peer)


def _until_closed(loop: Loop, transport: Any, protocol: Any, peer: ssl.SSLSocket) -> Iterator[Any]:
    try:
        with contextlib.suppress(AttributeError):  # a loop that does not tell its socket fails elsewhere
            shrink_buffers(transport.get_extra_info("socket"))
        yield transport, protocol, peer
    finally:
        if not protocol.lost:
            transport.abort()
        turn(loop, 4)


def exchange(peer: ssl.SSLSocket, outgoing: bytes, expected: int) -> bytes:
    """Send and receive at the same time, in one thread: a TLS object must not be used by two."""
    deadline = time.monotonic() + PEER_TIMEOUT
    received, left = bytearray(), memoryview(outgoing)
    peer.setblocking(False)
    while left or len(received) < expected:
        before = len(left), len(received)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if left:
                left = left[peer.send(left[:65536]) :]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            received += peer.recv(65536)
        if before == (len(left), len(received)):
            assert time.monotonic() < deadline, f"{len(left)} bytes could not be sent, {len(received)} came"
            select.select([peer], [peer] if left else [], [], 0.05)
    peer.settimeout(PEER_TIMEOUT)
    return bytes(received)
