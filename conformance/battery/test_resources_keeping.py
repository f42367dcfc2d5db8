"""Chapter resources: what nobody but the loop refers to, and is needed all the same."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context
from conformance.kit.datagrams import HERE, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import dialled, drive, receive_exactly, tcp_pair
from conformance.kit.secured import tls_over
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


class Echo(asyncio.Protocol):
    """Sends back what comes; nobody refers to it but its transport. `lost` counts the connections that ended."""

    lost = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data == b"bye":
            self.transport.close()
        else:
            self.transport.sendto(data, addr)

    def connection_lost(self, exc: BaseException | None) -> None:
        type(self).lost += 1


@requirement("resources.open-kept", MUST, cite="asyncio-protocol: TCP Echo Server")
@each("way", ["client", "tls", "server"])
def test_an_open_connection_is_kept(loop: Loop, patience: Patience, way: str) -> None:
    """A connection goes on while it is open, though nobody but the loop refers to its transport and its protocol.

    If this fails: look for transports that the loop refers to weakly.
    """
    Echo.lost = 0
    with contextlib.ExitStack() as stack:
        if way == "server":
            server = loop.run_until_complete(loop.create_server(Echo, "127.0.0.1", 0))
            peer = stack.enter_context(dialled(server.sockets[0].getsockname()))
            stack.callback(server.close)
            turn(loop, 5)
        else:
            ours, peer = stack.enter_context(tcp_pair())
            how: dict[str, Any] = {"ssl": client_context(), "server_hostname": NAME} if way == "tls" else {}
            helper = tls_over(peer, "server") if way == "tls" else None
            opening: Any = loop.create_connection(Echo, sock=ours.dup(), **how)
            loop.run_until_complete(opening)
            ours.close()
            if helper is not None:
                peer = drive(loop, patience, helper)
        gc.collect()
        peer.sendall(b"anybody there?")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 14))) == b"anybody there?"
        peer.close()
        patience.run_until(loop, lambda: Echo.lost, "connection_lost()")
        turn(loop, 2)


@requirement("resources.open-endpoint-kept", MUST, cite="asyncio-protocol: UDP Echo Server")
def test_an_open_endpoint_is_kept(loop: Loop, patience: Patience) -> None:
    """An endpoint goes on while it is open, though nobody but the loop refers to its transport and its protocol.

    If this fails: look for transports that the loop refers to weakly.
    """
    Echo.lost = 0
    opening: Any = loop.create_datagram_endpoint(Echo, local_addr=HERE)
    address = loop.run_until_complete(opening)[0].get_extra_info("sockname")
    gc.collect()
    with udp_peer() as peer:
        peer.sendto(b"anybody there?", address)
        assert drive(loop, patience, in_thread(lambda: peer.recv(100))) == b"anybody there?"
        peer.sendto(b"bye", address)
        patience.run_until(loop, lambda: Echo.lost, "connection_lost()")
        turn(loop, 2)
