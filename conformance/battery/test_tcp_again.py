"""Chapter tcp: second connections, after one that failed or of the same number, and sockets that were used before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import free_port, listener
from conformance.kit.protocols import Events
from conformance.kit.servers import answers
from conformance.kit.transports import connected
from conformance.kit.waiting import turns
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"


@requirement("tcp.connect-after-failure", MUST, cite=CONNECT)
def test_a_connection_is_tried_again(loop: Loop, patience: Patience) -> None:
    """create_connection() opens a connection to an address that refused one before, when somebody listens there.

    If this fails: look for a failure, or an address, that the loop remembers.
    """
    port = free_port()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            loop.run_until_complete(loop.create_connection(Events, "127.0.0.1", port))
    with listener(port=port) as listening:
        opening = loop.create_connection(Events, "127.0.0.1", port)
        with opened(loop, opening) as (_, protocol), accept(listening) as peer:
            peer.sendall(b"at last")
            patience.run_until(loop, lambda: protocol.received == b"at last", "the data")


@requirement("tcp.protocol-again", MUST, cite=("asyncio-protocol: Base Protocol", CONNECT))
@each("at_once", [False, True], ids=["one after the other", "at once"])
def test_a_protocol_may_have_several_connections(loop: Loop, patience: Patience, at_once: bool) -> None:
    """connection_made() and connection_lost() are called once per connection, also of a protocol that has several.

    If this fails: look for protocols that are kept by their identity, or asked whether they have a transport.
    """
    protocol = Events()

    def lose(transport: Any, count: int) -> None:
        transport.abort()
        patience.run_until(loop, lambda: protocol.names.count("connection_lost") == count, "connection_lost()")

    with connected(loop, protocol) as (one, _, first):
        if not at_once:
            lose(one, 1)
        with connected(loop, protocol) as (two, _, second):
            assert [argument for name, argument in protocol.calls if name == "connection_made"] == [one, two]
            if at_once:
                first.sendall(b"1")
                patience.run_until(loop, lambda: protocol.received == b"1", "the data of the first connection")
            second.sendall(b"2")
            patience.run_until(loop, lambda: protocol.received.endswith(b"2"), "the data of the second connection")
            lose(two, 1 if at_once else 2)
        if at_once:
            lose(one, 2)
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 2


@requirement(
    "tcp.number-again", MUST, cite=("asyncio-protocol: BaseTransport.close", "asyncio-eventloop: loop.add_reader")
)
@each("how", ["sock_recv", "add_reader"])
def test_the_number_of_a_closed_transport_is_free(loop: Loop, patience: Patience, how: str) -> None:
    """When a transport is closed, the number of its descriptor is anybody's: sockets that get it can be used.

    If this fails: look for a table of transports, or of registered descriptors, from which a closed one is not taken.
    """
    with connected(loop) as (transport, protocol, _):
        number = transport.get_extra_info("socket").fileno()
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
    one, peer = socket.socketpair()
    if peer.fileno() == number:
        one, peer = peer, one
    with peer:
        if one.fileno() != number:
            with contextlib.suppress(OSError):
                os.fstat(number)
                pytest.skip("something else has got the number already")
            with one:
                os.dup2(one.fileno(), number)
            one = socket.socket(fileno=number)
        with one:
            one.setblocking(False)
            peer.sendall(b"data")
            if how == "sock_recv":
                receiving = asyncio.wait_for(loop.sock_recv(one, 10), patience.seconds)
                assert loop.run_until_complete(receiving) == b"data"
            else:
                calls: list[str] = []
                loop.add_reader(one, calls.append, "readable")
                patience.run_until(loop, lambda: calls, "the callback of add_reader()")
                loop.remove_reader(one)


async def _receives(loop: Loop, sock: socket.socket, peer: socket.socket) -> None:
    receiving = loop.create_task(loop.sock_recv(sock, 7))
    await turns(2)
    peer.sendall(b"welcome")
    assert await receiving == b"welcome"


async def _is_cancelled(loop: Loop, sock: socket.socket, peer: socket.socket) -> None:
    receiving = loop.create_task(loop.sock_recv(sock, 7))
    await turns(2)
    receiving.cancel()
    await asyncio.wait([receiving])


async def _is_watched(loop: Loop, sock: socket.socket, peer: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_writer(sock, ready.set)
    loop.add_reader(sock, lambda: None)
    await ready.wait()
    loop.remove_reader(sock)
    loop.remove_writer(sock)


_BEFORE: dict[str, Any] = {
    "connects": lambda *_: turns(0),
    "receives": _receives,
    "is cancelled": _is_cancelled,
    "is watched": _is_watched,
}


@requirement("tcp.handed-over", MUST, cite=(CONNECT, "asyncio-eventloop: loop.connect_accepted_socket"))
@each("before", _BEFORE)
@each("opens", ["create_connection", "connect_accepted_socket"])
def test_a_socket_goes_from_the_loop_to_a_transport(loop: Loop, patience: Patience, opens: str, before: str) -> None:
    """sock may be one with which the loop has just done something: connected it, received from it, or watched it.

    If this fails: look for a poll from which a descriptor is taken later than the call that ends its use returns.
    """
    with listener() as listening, socket.socket() as sock:
        sock.setblocking(False)

        async def scenario(peers: contextlib.ExitStack) -> Any:
            await loop.sock_connect(sock, listening.getsockname())
            peer = peers.enter_context(accept(listening))
            await _BEFORE[before](loop, sock, peer)
            if opens == "create_connection":
                return (await loop.create_connection(Events, sock=sock))[1], peer
            return (await loop.connect_accepted_socket(Events, sock))[1], peer

        with contextlib.ExitStack() as peers:
            protocol, peer = loop.run_until_complete(scenario(peers))
            answers(loop, patience, protocol, peer)
            protocol.transport.abort()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
