"""Chapter threads: protocols, and what makes them, are called in the thread that the loop runs in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents
from conformance.kit.connections import accept
from conformance.kit.datagrams import HERE, udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import dialled, listener
from conformance.kit.protocols import Datagrams, Events
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
Made = list[Any]
Factory = Callable[[], Any]


def _watched(protocol: Any, called: dict[str, int]) -> Any:
    """The protocol, of which each method writes down the thread in which it is called."""

    def watch(name: str) -> None:
        method = getattr(protocol, name)

        def call(*args: Any) -> Any:
            called[name] = threading.get_ident()
            return method(*args)

        setattr(protocol, name, call)

    for name in dir(protocol):
        if name.startswith(("connection_", "data_", "eof_", "datagram_", "pipe_", "process_")):
            watch(name)
    return protocol


def _client(loop: Loop, patience: Patience, factory: Factory, made: Made) -> None:
    with listener() as listening:
        loop.run_until_complete(loop.create_connection(factory, "localhost", listening.getsockname()[1]))
        with accept(listening) as peer:
            peer.sendall(b"data")
        patience.run_until(loop, lambda: made[0].lost, "connection_lost()")


def _server(loop: Loop, patience: Patience, factory: Factory, made: Made) -> None:
    server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
    with dialled(server.sockets[0].getsockname()) as peer:
        peer.sendall(b"data")
    patience.run_until(loop, lambda: made and made[0].lost, "connection_lost()")
    server.close()


def _endpoint(loop: Loop, patience: Patience, factory: Factory, made: Made) -> None:
    transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(factory, HERE))
    with udp_peer() as peer:
        peer.sendto(b"data", transport.get_extra_info("sockname"))
    patience.run_until(loop, lambda: made[0].received, "the datagram")
    transport.close()
    patience.run_until(loop, lambda: made[0].lost, "connection_lost()")


def _pipe(loop: Loop, patience: Patience, factory: Factory, made: Made) -> None:
    read, write = os.pipe()
    with contextlib.closing(os.fdopen(read, "rb", 0)) as file:
        loop.run_until_complete(loop.connect_read_pipe(factory, file))
        os.write(write, b"data")
        os.close(write)
        patience.run_until(loop, lambda: made[0].lost, "connection_lost()")


def _child(loop: Loop, patience: Patience, factory: Factory, made: Made) -> None:
    transport, _ = loop.run_until_complete(loop.subprocess_exec(factory, "/bin/sh", "-c", "echo data", stdin=None))
    patience.run_until(loop, lambda: made[0].lost, "connection_lost()")
    transport.close()


_KINDS: dict[str, tuple[Any, Any, set[str]]] = {
    "client": (_client, Events, {"connection_made", "data_received", "connection_lost"}),
    "server": (_server, Events, {"connection_made", "data_received", "connection_lost"}),
    "endpoint": (_endpoint, Datagrams, {"connection_made", "datagram_received", "connection_lost"}),
    "pipe": (_pipe, Events, {"connection_made", "data_received", "connection_lost"}),
    "child": (_child, ChildEvents, {"connection_made", "pipe_data_received", "process_exited", "connection_lost"}),
}


@requirement("threads.protocols", MUST, cite="asyncio-dev: Concurrency and Multithreading")
@each("kind", _KINDS)
def test_protocols_live_in_the_thread_of_the_loop(loop: Loop, patience: Patience, kind: str) -> None:
    """A loop executes all callbacks in its thread: those of protocols, and the factories that make them, too.

    If this fails: look for a thread of lookups, of a completion port or of a child's end that calls by itself.
    """
    go, protocol, names = _KINDS[kind]
    made: Made = []
    called: dict[str, int] = {}

    def factory() -> Any:
        called["factory"] = threading.get_ident()
        made.append(_watched(protocol(), called))
        return made[-1]

    go(loop, patience, factory, made)
    assert {"factory", *names} <= set(called)
    assert set(called.values()) == {threading.get_ident()}
