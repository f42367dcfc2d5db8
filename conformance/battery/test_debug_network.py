"""Chapter debug: look-ups, connections, endpoints and files are in debug mode what they are without it."""

from __future__ import annotations

import asyncio
import io
import socket
from typing import Any

import pytest

from conformance.battery.test_tls_upgrade import upgraded
from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.datagrams import HERE, arrival, endpoint, udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, free_port, listener, receive_exactly, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.servers import answers, serving
from conformance.kit.threads import in_thread
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
DEBUG = "asyncio-dev: Debug Mode"


@requirement("debug.lookups", MUST, cite=(DEBUG, "asyncio-eventloop: §DNS"))
@each(
    "hints",
    [
        {},
        {"family": socket.AF_INET},
        {"type": socket.SOCK_DGRAM},
        {"proto": socket.IPPROTO_TCP},
        {"flags": socket.AI_CANONNAME},
    ],
)
def test_lookups_answer_the_same_in_debug_mode(loop: Loop, hints: dict[str, int]) -> None:
    """In debug mode getaddrinfo() and getnameinfo() answer as without it, and obey their keyword arguments.

    If this fails: look for a way of its own that measures a look-up, and does not pass everything on.
    """
    loop.set_debug(True)
    expected = socket.getaddrinfo("127.0.0.1", 80, **hints)
    assert sorted(loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, **hints))) == sorted(expected)
    flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 80), flags)) == ("127.0.0.1", "80")
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.getaddrinfo("::1", 80, **{**hints, "family": socket.AF_INET}))


@requirement("debug.connections", MUST, cite=(DEBUG, "asyncio-eventloop: §Opening network connections"))
@WAYS
def test_connections_are_made_in_debug_mode(loop: Loop, patience: Patience, way: str) -> None:
    """In debug mode connections of every kind are made, accepted and used as without it.

    If this fails: look for a log line that asks an address, or a socket, for what not every kind has.
    """
    loop.set_debug(True)
    with joined(loop, patience, way) as (_, protocol, peer):
        answers(loop, patience, protocol, peer)


@requirement("debug.endpoints", MUST, cite=(DEBUG, "asyncio-eventloop: loop.create_datagram_endpoint"))
@each("side", ["local_addr", "remote_addr"])
def test_endpoints_are_made_in_debug_mode(loop: Loop, patience: Patience, side: str) -> None:
    """In debug mode datagram endpoints are made, bound or connected, and used as without it.

    If this fails: look for a log line that takes an address for granted.
    """
    loop.set_debug(True)
    with udp_peer() as peer:
        bound = side == "local_addr"
        given: dict[str, Any] = {"local_addr": HERE} if bound else {"remote_addr": peer.getsockname()}
        with endpoint(loop, **given) as (transport, _):
            transport.sendto(b"data", *([peer.getsockname()] if bound else []))
            assert arrival(loop, patience, peer)[0] == b"data"


@requirement(
    "debug.files", MUST, cite=(DEBUG, "asyncio-eventloop: loop.sendfile", "asyncio-eventloop: loop.sock_sendfile")
)
def test_files_are_sent_in_debug_mode(loop: Loop, patience: Patience) -> None:
    """In debug mode sendfile() and sock_sendfile() send files as without it.

    If this fails: look for a check of the socket's timeout that takes 0 for one.
    """
    loop.set_debug(True)
    with joined(loop, patience, "host") as (transport, _, peer):
        receiving = in_thread(lambda: receive_exactly(peer, 4))
        assert loop.run_until_complete(loop.sendfile(transport, io.BytesIO(b"data"))) == 4
        assert drive(loop, patience, receiving) == b"data"
    with tcp_pair() as (ours, peer):
        assert loop.run_until_complete(loop.sock_sendfile(ours, io.BytesIO(b"data"))) == 4
        assert receive_exactly(peer, 4) == b"data"


@requirement("debug.upgrades", MUST, cite=(DEBUG, "asyncio-eventloop: loop.start_tls"))
def test_connections_are_upgraded_in_debug_mode(loop: Loop, patience: Patience) -> None:
    """In debug mode start_tls() upgrades a connection as without it.

    If this fails: look for a log line about the handshake that asks for what is not there yet.
    """
    loop.set_debug(True)
    with upgraded(loop, patience) as (_, protocol, peer, _beneath):
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")


@requirement("debug.network-arguments", MUST, cite=(DEBUG, "asyncio-eventloop: §Opening network connections"))
def test_arguments_of_connections_count_in_debug_mode(loop: Loop) -> None:
    """In debug mode local_addr, start_serving and allow_broadcast count, and a refused connection raises as without it.

    If this fails: look for a way of its own that writes a log line, and does not pass everything on.
    """
    loop.set_debug(True)
    with listener() as listening:
        local = ("127.0.0.1", free_port())
        opening = loop.create_connection(Events, *listening.getsockname(), local_addr=local)
        with opened(loop, opening) as (transport, _):
            assert transport.get_extra_info("sockname") == local
    with pytest.raises(ConnectionRefusedError):
        loop.run_until_complete(loop.create_connection(Events, "127.0.0.1", free_port()))
    with serving(loop, start_serving=False) as service:
        assert not service.server.is_serving()
    with endpoint(loop, local_addr=HERE, allow_broadcast=True) as (transport, _):
        assert transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
