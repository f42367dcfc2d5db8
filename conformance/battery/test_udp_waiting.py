"""Chapter udp: datagrams that wait for room: those that cannot be sent, and an endpoint that closes meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conformance.kit.datagrams import blocked_endpoint, receive_after_filler
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
ERROR = "asyncio-protocol: DatagramProtocol.error_received"
SENDTO = "asyncio-protocol: DatagramTransport.sendto"


@requirement(
    "udp.error-among-buffered", MUST, cite=(ERROR, "asyncio-protocol: DatagramTransport.sendto"), needs=("linux",)
)
def test_the_error_of_one_datagram_keeps_no_other_back(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """If one of the datagrams that wait cannot be sent, error_received() is called for it, and the others are sent.

    If this fails: look for a buffer that is thrown away at the first error, or not looked at again.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(bytes(1 << 24))  # longer than any buffer
        transport.sendto(b"two")
        transport.sendto(b"three")
        receiving = in_thread(lambda: receive_after_filler(peer, 3))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the others")
        assert receiving.result() == [b"one", b"two", b"three"]
        assert [type(error) for error in protocol.errors] == [OSError]
        assert not transport.is_closing()


@requirement("udp.close-flushes-errors", SHOULD, cite=(CLOSE, ERROR), needs=("linux",))
def test_what_cannot_be_sent_does_not_keep_a_closing_endpoint(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """A closing endpoint whose datagrams cannot be sent tells error_received(); connection_lost() gets None.

    If this fails: look for an error that ends the endpoint while it closes, or that keeps it waiting for ever.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(b"two")
        transport.close()
        turn(loop, 3)
        assert not protocol.lost
        peer.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert protocol.lost == [None]
        assert all(isinstance(error, OSError) for error in protocol.errors)
        assert len(protocol.errors) == 2


@requirement("udp.close-receives-nothing", MUST, cite=CLOSE, needs=("unix",))
def test_an_endpoint_that_flushes_receives_nothing(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """No more data will be received after close(), also while datagrams wait to be sent.

    If this fails: look for reading that ends when the buffer is empty.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"waits")
        peer.send(b"came before")
        transport.close()
        peer.send(b"came after")
        turn(loop, 10)
        assert not protocol.lost
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: protocol.lost and not receiving.is_alive(), "the end")
        assert protocol.received == []
        assert protocol.lost == [None]
