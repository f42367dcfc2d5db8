"""Chapter errors: the exceptions of a protocol that end the program, and are not reported."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import value_of
from conformance.kit.datagrams import endpoint
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair
from conformance.kit.protocols import Datagrams, Events, raising
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def _failing(kind: type[Any], method: str, error: BaseException) -> Any:
    """A protocol whose method raises the error, the first time, when it has noted the call."""
    protocol = kind()
    noting, raise_it = getattr(protocol, method), raising(error)

    def once(*args: Any) -> Any:
        before = protocol.names.count(method)
        answer = noting(*args)
        return answer if before else raise_it()

    setattr(protocol, method, once)
    return protocol


def _connection(method: str, act: Callable[[Any, socket.socket], object], loop: Loop, error: BaseException) -> Any:
    with tcp_pair() as (ours, peer):
        protocol = _failing(Events, method, error)
        ours = ours.dup()
        opening = loop.create_task(loop.create_connection(lambda: protocol, sock=ours))
        if method != "connection_made":
            loop.run_until_complete(opening)
            act(protocol.transport, peer)
        yield
        protocol.transport.abort()
        turn(loop, 3)
        opening.cancel()
        turn(loop, 2)


def _datagrams(loop: Loop, error: BaseException) -> Any:
    protocol = _failing(Datagrams, "datagram_received", error)
    with endpoint(loop, local_addr=("127.0.0.1", 0), protocol=protocol) as (transport, _):
        transport.sendto(b"to itself", transport.get_extra_info("sockname"))
        yield


def _pipe(loop: Loop, error: BaseException) -> Any:
    protocol = _failing(Events, "data_received", error)
    ours, theirs = os.pipe()
    with open(theirs, "wb", buffering=0) as end:
        transport, _ = loop.run_until_complete(
            loop.connect_read_pipe(lambda: protocol, open(ours, "rb", buffering=0))  # noqa: SIM115 (the loop owns it)
        )
        end.write(b"data")
        yield
        transport.close()
        turn(loop, 3)


_CALLBACKS: dict[str, Callable[[Loop, BaseException], Any]] = {
    "connection_made": lambda *how: _connection("connection_made", lambda *_: None, *how),
    "data_received": lambda *how: _connection("data_received", lambda _, peer: peer.send(b"data"), *how),
    "eof_received": lambda *how: _connection("eof_received", lambda _, peer: peer.shutdown(socket.SHUT_WR), *how),
    "connection_lost": lambda *how: _connection("connection_lost", lambda transport, _: transport.close(), *how),
    "datagram_received": _datagrams,
    "data_received of a pipe": _pipe,
}


@requirement("errors.exits-of-protocols", SHOULD, cite=("gh-66894", "uvloop#295"))
@each("callback", _CALLBACKS)
@each("kind", [SystemExit, KeyboardInterrupt], ids=lambda kind: kind.__name__)
def test_exits_of_protocols_leave_the_loop(
    loop: Loop, patience: Patience, watch: Any, callback: str, kind: type[BaseException]
) -> None:
    """SystemExit and KeyboardInterrupt that a callback of a protocol raises come out of the loop, as any.

    If this fails: look for a catch of everything round the calls of a protocol's methods: Ctrl-C would end one
    connection, and the program goes on.
    """
    watch.allow("reported", "unraisable")  # also of the connection that was left half-way
    error = kind("of a protocol")
    for _ in _CALLBACKS[callback](loop, error):
        alarm = loop.call_later(patience.seconds, loop.stop)
        with pytest.raises(kind) as caught:
            loop.run_forever()
        alarm.cancel()
        assert caught.value is error
        assert not loop.is_running()
        assert loop.run_until_complete(value_of()) == "value"
