"""A reader and a writer of asyncio over a TLS connection of the loop under test, and a blocking TLS socket opposite."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, shrink_buffers, shrink_transport
from conformance.kit.secured import BEGINNING, tls_accept, tls_dial, tls_over
from conformance.kit.streams import Opened, opened, opening_to, stream_listener, stream_server
from conformance.kit.threads import Helper

Loop = asyncio.AbstractEventLoop
Made = tuple[Any, Any, Helper[ssl.SSLSocket]]

UNIX = ("unix", "unix-accepted", "pair-upgraded") if hasattr(socket, "AF_UNIX") else ()
TLS_WAYS = ("host", "accepted", "sock-upgraded", "accepted-upgraded", *UNIX)
SECURED = each("way", TLS_WAYS)


@contextlib.contextmanager
def secured_stream(loop: Loop, patience: Patience, way: str, **kwargs: Any) -> Iterator[Opened]:
    """A stream over TLS, with buffers that fill soon; aborted at the end.

    `way` is one of `TLS_WAYS`: open_connection() to a host, start_server(), the same of a path, and what
    StreamWriter.start_tls() makes of a stream without TLS. `kwargs` go to the function that makes the stream.
    """
    with contextlib.ExitStack() as stack:
        if way.endswith("-upgraded"):
            reader, writer, helper = _upgraded(loop, patience, stack, way.removesuffix("-upgraded"), kwargs)
        elif way.endswith("accepted"):
            reader, writer, helper = _accepted(loop, patience, stack, way, kwargs)
        else:
            reader, writer, helper = _connected(loop, stack, way, kwargs)
        with drive(loop, patience, helper) as peer:
            shrink_transport(writer)
            shrink_buffers(peer)
            try:
                yield Opened(loop, patience, reader, writer, peer)
            finally:
                writer.transport.abort()
                turn(loop, 4)


def _connected(loop: Loop, stack: contextlib.ExitStack, way: str, kwargs: Any) -> Made:
    how: Any = {"ssl": client_context(), "server_hostname": NAME, **kwargs}
    listening = stack.enter_context(stream_listener(way))
    opening = opening_to(listening, **how)
    helper = tls_accept(listening)
    return *loop.run_until_complete(opening), helper


def _accepted(loop: Loop, patience: Patience, stack: contextlib.ExitStack, way: str, kwargs: Any) -> Made:
    server, connected = stack.enter_context(stream_server(loop, way, ssl=server_context(), **kwargs))
    helper = tls_dial(server.sockets[0].getsockname())
    patience.run_until(loop, lambda: connected, "client_connected_cb")
    return *connected[0], helper


def _upgraded(loop: Loop, patience: Patience, stack: contextlib.ExitStack, way: str, kwargs: Any) -> Made:
    plain = stack.enter_context(opened(loop, patience, way, **kwargs))
    context, name = (server_context(), None) if way == "accepted" else (client_context(), NAME)
    upgrading = loop.create_task(plain.writer.start_tls(context, server_hostname=name))
    turn(loop, BEGINNING)  # it has begun: what a client says before that is no TLS to the loop
    helper = tls_over(plain.peer, "client" if way == "accepted" else "server")
    plain.run(upgrading)
    return plain.reader, plain.writer, helper
