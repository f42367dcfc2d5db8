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

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, new_server_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import (
    PEER_TIMEOUT,
    dialled,
    drive,
    listener,
    receive_exactly,
    shrink_buffers,
    shrink_transport,
    socket_path,
    tcp_pair,
    unix_listener,
)
from conformance.kit.protocols import Events
from conformance.kit.servers import Service, accepted, serving, serving_unix
from conformance.kit.threads import Helper, in_thread

Loop = asyncio.AbstractEventLoop
# The ways to a TLS connection: to a host, over a given socket, to a path, by an upgrade of one without TLS.
CLIENTS = ("client", "sock", "upgraded") + (("unix",) if hasattr(socket, "AF_UNIX") else ())
SERVERS = ("server", "wrapped", "upgraded-server") + (("unix-server",) if hasattr(socket, "AF_UNIX") else ())
SIDES = each("side", CLIENTS + SERVERS)
VERSIONS = each("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
MADE_SIDES = each("side", [side for side in CLIENTS + SERVERS if not side.startswith("upgraded")])
# What a handshake that has no more time raises: the documentation says no more than that the connection is aborted.
TIMED_OUT = (OSError,)  # ConnectionAbortedError, TimeoutError and ssl.SSLError are some
BEGINNING = 10  # turns of the loop: what has all that it needs to begin has begun then
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
        over_unix = isinstance(address, str)
        sock = dialled(address, socket.AF_UNIX) if over_unix else socket.create_connection(address, PEER_TIMEOUT)
        shrink_buffers(sock)
        return _wrapped(sock, context or client_context(), server_hostname=name)

    return in_thread(dial)


def tls_over(
    sock: socket.socket, side: str, name: str = NAME, context: ssl.SSLContext | None = None
) -> Helper[ssl.SSLSocket]:
    """A thread that makes the handshake of `side`, "client" or "server", over a connected socket; the TLS socket."""
    if side == "server":
        return in_thread(lambda: _wrapped(sock, context or server_context(), server_side=True))
    return in_thread(lambda: _wrapped(sock, context or client_context(), server_hostname=name))


def tls_half(sock: socket.socket, side: str) -> Helper[None]:
    """A thread that is `side` of a handshake until the other side has said something, and then falls silent."""

    def half() -> None:
        if side == "client":
            said = ssl.MemoryBIO()
            client = client_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname=NAME)
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
            sock.sendall(said.read())
        receive_exactly(sock, 1)

    return in_thread(half)


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
    """(transport, protocol, peer) of an open TLS connection, the loop being the client or the server.

    `side` is one of `CLIENTS` or `SERVERS`, the ways that lead to one.
    """
    server = side in SERVERS
    arguments = {
        "ssl": ours or (server_context() if server else client_context()),
        **({} if server else {"server_hostname": NAME}),
        **kwargs,
    }
    with contextlib.ExitStack() as stack:
        if side in ("client", "unix"):
            transport, made, helper = _connected(loop, stack, side, protocol, theirs, arguments)
        elif side in ("server", "unix-server"):
            transport, made, helper = _served(loop, patience, stack, side, protocol, theirs, arguments)
        elif side.startswith("upgraded"):
            transport, made, helper = _upgraded(loop, stack, side, protocol, theirs, arguments)
        else:
            transport, made, helper = _given(loop, stack, side, protocol, theirs, arguments)
        with drive(loop, patience, helper) as peer:
            yield from _until_closed(loop, transport, made, peer)


def own_context(side: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A new context for the loop's part; it speaks no later version than this one."""
    context = new_server_context() if side in SERVERS else new_client_context()
    if version is not None:
        context.maximum_version = version
    return context


def _connected(loop: Loop, stack: Any, side: str, protocol: Any, theirs: Any, arguments: Any) -> tuple[Any, ...]:
    """By create_connection() to a host, or create_unix_connection() to a path."""
    if side == "client":
        listening = stack.enter_context(listener())
        opening: Any = loop.create_connection(protocol, *listening.getsockname(), **arguments)
    else:
        listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
        opening = loop.create_unix_connection(protocol, listening.getsockname(), **arguments)
    helper = tls_accept(listening, theirs)
    return *loop.run_until_complete(opening), helper


def _served(
    loop: Loop, patience: Patience, stack: Any, side: str, protocol: Any, theirs: Any, arguments: Any
) -> tuple[Any, ...]:
    """By a server of the loop that accepts the connection."""
    if side == "server":
        service = stack.enter_context(serving(loop, **arguments))
    else:
        service = stack.enter_context(serving_unix(loop, stack.enter_context(socket_path()), **arguments))
    service.make = protocol
    helper = tls_dial(service.address, theirs)
    made: Any = accepted(loop, patience, service)
    return made.transport, made, helper


def _given(loop: Loop, stack: Any, side: str, protocol: Any, theirs: Any, arguments: Any) -> tuple[Any, ...]:
    """Over a connected socket that is given with `ssl`."""
    sock, peer = stack.enter_context(tcp_pair())
    helper = tls_over(peer, "client" if side in SERVERS else "server", context=theirs)
    give: Any = loop.connect_accepted_socket if side == "wrapped" else loop.create_connection
    factory = Service(make=protocol)
    transport, _ = loop.run_until_complete(give(factory, sock=sock, **arguments))
    # Not the protocol that is returned: if that is another one, a requirement of its own says so.
    return transport, factory.protocols[0], helper


def _upgraded(loop: Loop, stack: Any, side: str, protocol: Any, theirs: Any, arguments: Any) -> tuple[Any, ...]:
    """Over a connection without TLS, upgraded by start_tls()."""
    sock, peer = stack.enter_context(tcp_pair())
    beneath, made = loop.run_until_complete(loop.create_connection(protocol, sock=sock))
    how = {"server_side": True, "server_hostname": None} if side in SERVERS else {}
    beginning = upgrading(loop, beneath, made, sslcontext=arguments.pop("ssl"), **how, **arguments)
    helper = tls_over(peer, "client" if side in SERVERS else "server", context=theirs)
    return loop.run_until_complete(beginning), made, helper


def upgrading(loop: Loop, transport: Any, protocol: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """start_tls(), by default of a client, which has begun: what the peer says before that is no TLS to the loop.

    The protocols, that of the transport and the new one, are then told of the new transport: nobody may use the other.
    """
    arguments = {"sslcontext": client_context(), "server_hostname": NAME, **kwargs}
    first = transport.get_protocol()

    async def upgrade() -> Any:
        made = await loop.start_tls(transport, protocol, **arguments)
        if made is not None:
            first.transport = protocol.transport = made
        return made

    task = loop.create_task(upgrade())
    turn(loop, BEGINNING)
    return task


def _until_closed(loop: Loop, transport: Any, protocol: Any, peer: ssl.SSLSocket) -> Iterator[Any]:
    try:
        shrink_transport(transport)
        shrink_buffers(peer)  # else those of one that has received much grow, and take all that is written at once
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
