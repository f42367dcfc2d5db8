"""Chapter tls: another protocol for a TLS connection, of either kind, whatever state the connection is in."""

from __future__ import annotations

import asyncio

from conformance.kit.buffers import Buffers
from conformance.kit.patience import Patience
from conformance.kit.peers import drive
from conformance.kit.protocols import Events
from conformance.kit.secured import SIDES, secured
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: BaseTransport.set_protocol"


@requirement("tls.set-protocol", MUST, cite=SET)
@SIDES
def test_the_protocol_can_be_replaced(loop: Loop, patience: Patience, side: str) -> None:
    """set_protocol() sets a new protocol, which gets the data from then on; get_protocol() returns it.

    If this fails: look for the protocol of the transport beneath exchanged instead, or for one that is forgotten before
    its connection_lost().
    """
    second = Events()
    with secured(loop, patience, side) as (transport, first, peer):
        assert transport.get_protocol() is first
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        peer.sendall(b"data")
        patience.run_until(loop, lambda: second.received == b"data", "the data")
        transport.set_protocol(first)
        transport.close()
        assert transport.get_protocol() is first


@requirement("tls.set-protocol-ends", MUST, cite=SET)
@SIDES
def test_the_new_protocol_is_told_of_the_end_of_tls(loop: Loop, patience: Patience, side: str) -> None:
    """After set_protocol() it is the new protocol whose eof_received() and connection_lost() are called.

    If this fails: look for callbacks that were bound when the connection was made.
    """
    second = Events()
    with secured(loop, patience, side) as (transport, first, peer):
        transport.set_protocol(second)
        helper = in_thread(peer.unwrap)
        patience.run_until(loop, lambda: second.lost, "connection_lost()")
        drive(loop, patience, helper).close()
        assert second.names == ["eof_received", "connection_lost"]
        assert first.names == ["connection_made"]


@requirement("tls.set-protocol-while-paused", MUST, cite=(SET, "asyncio-protocol: ReadTransport.pause_reading"))
@SIDES
def test_another_protocol_changes_nothing_else(loop: Loop, patience: Patience, side: str) -> None:
    """A new protocol gets no data over TLS while reading is paused; the limits that were set hold as before.

    If this fails: look for a state that is made anew for each protocol.
    """
    second = Events()
    with secured(loop, patience, side) as (transport, first, peer):
        transport.set_write_buffer_limits(high=30_000, low=200)
        transport.pause_reading()
        transport.set_protocol(second)
        peer.sendall(b"data")
        loop.run_until_complete(asyncio.sleep(0.003))
        assert (transport.is_reading(), bytes(second.received)) == (False, b"")
        assert transport.get_write_buffer_limits() == (200, 30_000)
        transport.resume_reading()
        patience.run_until(loop, lambda: second.received == b"data", "the data after resume_reading()")
        assert first.names == ["connection_made"]
        transport.set_protocol(first)


@requirement(
    "tls.set-protocol-buffered", MUST, cite=(SET, "asyncio-protocol: Buffered Streaming Protocols", "gh-77835")
)
@SIDES
def test_tls_changes_between_protocols_of_both_kinds(loop: Loop, patience: Patience, side: str) -> None:
    """set_protocol() can give a TLS connection a protocol with buffers, another one, and one without again.

    If this fails: look for the kind of the protocol looked at when the connection is made only.
    """
    second, third = Buffers(), Buffers()
    with secured(loop, patience, side) as (transport, first, peer):
        for protocol in (second, third, first):
            transport.set_protocol(protocol)
            peer.sendall(b"data")
            patience.run_until(loop, lambda: protocol.received == b"data", "the data")  # noqa: B023
        assert [made.received for made in (first, second, third)] == [b"data"] * 3
