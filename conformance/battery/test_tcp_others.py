"""Chapter tcp: what a protocol does inside its callbacks to another connection, and to the loop's run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly
from conformance.kit.protocols import Events
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, connected
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
RECEIVED = "asyncio-protocol: Protocol.data_received"


class _Acts(Events):
    """Does `act` to the other of two connections when it gets data first, and notes what that one has got by then."""

    other: Any = None

    def __init__(self, act: Callable[[Events], object]) -> None:
        super().__init__()
        self.act = act
        self.got_before: bytes | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.got_before is None and self.other.got_before is None:
            self.other.got_before = bytes(self.other.received)
            self.act(self.other)


def _after_both_got_data(
    loop: Loop, patience: Patience, act: Callable[[Events], object], receiver: Events | None = None
) -> _Acts:
    """The one of two connections to which the other has done `act`, when there was data for both at once.

    A protocol that must receive the data of that one is waited for, until it has all.
    """
    one, two = _Acts(act), _Acts(act)
    one.other, two.other = two, one
    with connected(loop, one) as (_, _, first), connected(loop, two) as (_, _, second):
        turn(loop, 2)
        for peer in (first, second):
            peer.sendall(b"data")  # the loop has not run since: it finds both at once
        patience.run_until(loop, lambda: one.received or two.received, "data")
        if receiver:
            patience.run_until(loop, lambda: receiver.received == b"data", "the data of the other connection")
        else:
            turn(loop, 10)
    acted_on = one if one.got_before is not None else two
    assert acted_on.got_before == b""
    return acted_on


@requirement(
    "tcp.stopped-by-another",
    MUST,
    cite=("asyncio-protocol: ReadTransport.pause_reading", "asyncio-protocol: BaseTransport.close"),
)
@each("how", ["pause_reading", "close", "abort"])
def test_a_connection_may_be_stopped_by_another(loop: Loop, patience: Patience, how: str) -> None:
    """After pause_reading(), close() or abort() inside a callback of another connection, no data is received.

    If this fails: look for all that one poll has found readable being read, whatever happens in between.
    """
    stopped = _after_both_got_data(loop, patience, lambda other: getattr(other.transport, how)())
    assert stopped.received == b""


@requirement("tcp.switched-by-another", MUST, cite=("asyncio-protocol: BaseTransport.set_protocol", RECEIVED))
def test_a_connection_may_be_handed_over_by_another(loop: Loop, patience: Patience) -> None:
    """After set_protocol() inside a callback of another connection, it is the new protocol that receives data.

    If this fails: look for protocols that are looked up for all that one poll has found readable, before the first is
    called.
    """
    new = Events()
    left = _after_both_got_data(loop, patience, lambda other: other.transport.set_protocol(new), new)
    assert left.received == b""
    assert new.received == b"data"


@requirement("tcp.written-by-another", MUST, cite=("asyncio-protocol: WriteTransport.write", RECEIVED))
def test_a_connection_passes_on_what_another_receives(loop: Loop, patience: Patience) -> None:
    """What is written inside the callbacks of another connection, as a proxy does, is buffered and sent in order.

    If this fails: look for a buffer, or a flag, that belongs to the loop instead of the transport.
    """

    class PassesOn(Events):
        def data_received(self, data: bytes) -> None:
            to.write(data)

    with connected(loop, PassesOn()) as (_, _, source), connected(loop) as (to, _, sink):
        sending = in_thread(lambda: source.sendall(BIG))
        patience.run_until(loop, to.get_write_buffer_size, "a buffer that is in use")
        receiving = in_thread(lambda: receive_exactly(sink, len(BIG)))
        drive(loop, patience, sending)
        assert drive(loop, patience, receiving) == BIG


@requirement("tcp.stop-inside", MUST, cite=("asyncio-eventloop: loop.stop", RECEIVED))
def test_a_stop_loses_no_data(loop: Loop, patience: Patience) -> None:
    """After stop() inside a callback of one connection, what another has got is received, in this run or the next.

    If this fails: look for a batch of events that is not worked off when the loop stops, and not reported again.
    """

    class Stops(Events):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            loop.stop()

    with connected(loop, Stops()) as (_, one, first), connected(loop, Stops()) as (_, two, second):
        turn(loop, 2)
        for peer in (first, second):
            peer.sendall(b"data")  # the loop has not run since: it finds both at once
        patience.run_through_stops(loop, lambda: one.received == two.received == b"data", "the arrival of both")
