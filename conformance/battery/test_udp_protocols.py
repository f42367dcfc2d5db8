"""Chapter udp: which protocol an endpoint has: any that the factory returns, or the one that was set last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from conformance.kit.datagrams import (
    HERE,
    arrival,
    blocked_endpoint,
    endpoint,
    receive_after_filler,
    refusing_peer,
    udp_peer,
)
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET_PROTOCOL = "asyncio-protocol: BaseTransport.set_protocol"


@requirement("udp.false-protocol", MUST, cite="asyncio-eventloop: loop.create_datagram_endpoint")
def test_protocols_of_an_endpoint_may_be_false(loop: Loop, patience: Patience) -> None:
    """protocol_factory may return any protocol, also one that is false, as an object without items is.

    If this fails: look for a test for truth where one for None was meant.
    """

    class Empty(Datagrams):
        def __len__(self) -> int:
            return 0

    given = Empty()
    transport, protocol = loop.run_until_complete(loop.create_datagram_endpoint(lambda: given, local_addr=HERE))
    assert protocol is given
    with udp_peer() as peer:
        peer.sendto(b"in", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: given.received, "the datagram")
    transport.close()
    patience.run_until(loop, lambda: given.lost, "connection_lost()")


@requirement("udp.plain-protocol", MUST, cite="asyncio-protocol: UDP Echo Server")
def test_a_protocol_of_an_endpoint_may_be_of_a_class_of_its_own(loop: Loop, patience: Patience) -> None:
    """The protocol of an endpoint need not be derived from asyncio.DatagramProtocol: the documentation's is not.

    If this fails: look for a check of the class where the methods are what is called.
    """
    lost: list[BaseException | None] = []

    class Echo:
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

        def connection_lost(self, exc: BaseException | None) -> None:
            lost.append(exc)

    opening: Any = loop.create_datagram_endpoint(Echo, local_addr=HERE)
    transport, protocol = loop.run_until_complete(opening)
    assert type(protocol) is Echo
    with udp_peer() as peer:
        peer.sendto(b"data", transport.get_extra_info("sockname"))
        assert arrival(loop, patience, peer)[0] == b"data"
    transport.close()
    patience.run_until(loop, lambda: lost, "connection_lost()")


@requirement(
    "udp.set-protocol-errors",
    MUST,
    cite=(SET_PROTOCOL, "asyncio-protocol: DatagramProtocol.error_received"),
    needs=("linux",),
)
def test_errors_go_to_the_protocol_that_was_set_last(loop: Loop, patience: Patience) -> None:
    """After set_protocol(), error_received() of the new protocol is called, for what is received and what is sent.

    If this fails: look for callbacks bound to the first protocol when the transport was made.
    """
    with refusing_peer() as nobody, endpoint(loop, remote_addr=nobody.getsockname()) as (transport, first):
        second = Datagrams()
        transport.set_protocol(second)
        transport.sendto(b"nobody is there")
        patience.run_until(loop, lambda: second.errors, "error_received() for a datagram that was refused")
        transport.sendto(bytes(70_000))
        patience.run_until(loop, lambda: len(second.errors) > 1, "error_received() for a datagram that is too long")
        assert first.names == ["connection_made"]
        transport.abort()
        turn(loop, 3)


@requirement(
    "udp.set-protocol-flow",
    SHOULD,
    cite=(SET_PROTOCOL, "asyncio-protocol: BaseProtocol.pause_writing"),
    needs=("unix",),
)
def test_the_protocol_that_was_set_last_is_paused(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """After set_protocol(), it is the new protocol of an endpoint that is told to pause and to resume.

    If this fails: look for callbacks bound to the first protocol when the transport was made.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, first, peer):
        second = Datagrams()
        transport.set_protocol(second)
        keep_limits_low(transport)
        for _ in range(200):
            transport.sendto(bytes(1000))
        patience.run_until(loop, lambda: second.names == ["pause_writing"], "pause_writing()")
        receiving = in_thread(lambda: receive_after_filler(peer, 200))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagrams")
        patience.run_until(loop, lambda: second.names[1:] == ["resume_writing"], "resume_writing()")
        assert first.names == ["connection_made"]
        transport.abort()
        turn(loop, 3)
