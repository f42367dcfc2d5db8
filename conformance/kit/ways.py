"""A stream connection of the loop under test in each of the ways that lead to one.

The documentation describes transports once: what it says holds for connections to a host, accepted ones, and those of
Unix sockets alike, and a loop may have a path of its own for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience
from conformance.kit.peers import listener, shrink_buffers, shrink_transport, socket_path, tcp_pair, unix_listener
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, dial, serving, serving_unix

Loop = asyncio.AbstractEventLoop
Joined = Iterator[tuple[Any, Any, socket.socket]]

TCP = ("sock", "host", "accepted", "wrapped")
IPV6 = ("ipv6",) if need_named("ipv6").present() else ()
UNIX = ("unix", "unix-accepted") if hasattr(socket, "AF_UNIX") else ()
WAYS = each("way", TCP + IPV6 + UNIX)
TCP_WAYS = each("way", TCP)


@contextlib.contextmanager
def joined(loop: Loop, patience: Patience, way: str, protocol: Any = None) -> Joined:
    """(transport, protocol, peer) of an open connection, with buffers that fill soon; closed at the end.

    `way` is one of `WAYS`: a connected socket given to create_connection(), a host; a connection that a server has
    accepted, one that was accepted outside of the loop; a host of IPv6; a path, a connection that a server has accepted
    there.
    """
    made = Events() if protocol is None else protocol
    if way in ("accepted", "unix-accepted"):
        how = _accepted(loop, patience, way, made)
    elif way in ("sock", "wrapped"):
        how = _given(loop, way, made)
    else:
        how = _connected(loop, way, made)
    with how as (transport, peer):
        shrink_transport(transport)
        shrink_buffers(peer)
        yield transport, made, peer


@contextlib.contextmanager
def _given(loop: Loop, way: str, made: Any) -> Iterator[tuple[Any, socket.socket]]:
    with tcp_pair() as (ours, peer):
        give = loop.connect_accepted_socket if way == "wrapped" else loop.create_connection
        with opened(loop, functools.partial(give, sock=ours)(lambda: made)) as (transport, _):
            yield transport, peer


@contextlib.contextmanager
def _connected(loop: Loop, way: str, made: Any) -> Iterator[tuple[Any, socket.socket]]:
    with contextlib.ExitStack() as stack:
        if way in ("host", "ipv6"):
            listening = stack.enter_context(listener(socket.AF_INET if way == "host" else socket.AF_INET6))
            opening: Any = loop.create_connection(lambda: made, *listening.getsockname()[:2])
        else:
            listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
            opening = loop.create_unix_connection(lambda: made, listening.getsockname())
        transport, _ = stack.enter_context(opened(loop, opening))
        yield transport, stack.enter_context(accept(listening))


@contextlib.contextmanager
def _accepted(loop: Loop, patience: Patience, way: str, made: Any) -> Iterator[tuple[Any, socket.socket]]:
    with contextlib.ExitStack() as stack:
        if way == "accepted":
            service = stack.enter_context(serving(loop))
        else:
            service = stack.enter_context(serving_unix(loop, stack.enter_context(socket_path())))
        service.make = lambda: made
        peer = stack.enter_context(dial(service))
        yield accepted(loop, patience, service).transport, peer
