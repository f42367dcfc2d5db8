"""Chapter flow: flow control of every kind of connection, and of protocols with buffers."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import Any

from conformance.kit.blocked import SOCKETS, blocked
from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, reset
from conformance.kit.protocols import Events, Reacts
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, keep_limits_low, until_lost
from conformance.kit.ways import TCP_WAYS, WAYS, joined
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: WriteTransport.set_write_buffer_limits"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"
RESUME = "asyncio-protocol: BaseProtocol.resume_writing"


class Flowing(Buffers):
    """A protocol with buffers that notes flow control as well."""

    def pause_writing(self) -> None:
        self.names.append("pause_writing")

    def resume_writing(self) -> None:
        self.names.append("resume_writing")


@requirement("flow.every-connection", MUST, cite=(PAUSE, RESUME))
@WAYS
@each("make", [Events, Flowing], ids=["streaming", "buffered"])
def test_every_connection_has_flow_control(loop: Loop, patience: Patience, way: str, make: Any) -> None:
    """Whichever way a connection came about, and whichever kind its protocol is, it is paused once, and resumed.

    If this fails: look for a transport that is made without limits, or callbacks that are looked up for one kind only.
    """
    with joined(loop, patience, way, make()) as (transport, protocol, peer):
        keep_limits_low(transport)
        transport.write(BIG)
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        assert transport.get_write_buffer_size() > 0
        transport.write(b"more")
        expected = BIG + b"more"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]


@requirement("flow.limits-when-made", MUST, cite=SET)
@WAYS
def test_limits_can_be_set_when_the_connection_is_made(loop: Loop, patience: Patience, way: str) -> None:
    """Limits that a protocol sets inside connection_made() hold from then on, whichever way the connection came about.

    If this fails: look for limits that are set to their defaults when connection_made() has returned.
    """

    sets = Reacts("connection_made", lambda transport: transport.set_write_buffer_limits(high=2 * len(BIG), low=5))
    with joined(loop, patience, way, sets) as (transport, protocol, peer):
        assert transport.get_write_buffer_limits() == (5, 2 * len(BIG))
        transport.write(BIG)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG
        assert protocol.names == ["connection_made"]


@requirement("flow.limits-everywhere", MUST, cite=SET)
@WAYS
def test_the_rules_of_limits_hold_for_every_connection(loop: Loop, patience: Patience, way: str) -> None:
    """high comes first, neither mark can be negative, low is not above high, and a high of zero forces low to zero.

    If this fails: look for marks that one kind of connection stores as they are, or in the order in which it tells
    them.
    """
    with joined(loop, patience, way) as (transport, _, _):
        transport.set_write_buffer_limits(2000, 100)
        assert transport.get_write_buffer_limits() == (100, 2000)
        for high, low in ((-1, None), (None, -1), (10, -1), (10, 11)):
            with refused():
                transport.set_write_buffer_limits(high=high, low=low)
        transport.set_write_buffer_limits(high=10)
        low, high = transport.get_write_buffer_limits()
        assert 0 <= low <= high == 10
        transport.set_write_buffer_limits(high=0)
        assert transport.get_write_buffer_limits() == (0, 0)


@requirement("flow.lost-while-paused", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each("closing", [False, True])
@TCP_WAYS
def test_a_paused_protocol_is_told_of_a_lost_connection(
    loop: Loop, patience: Patience, way: str, closing: bool
) -> None:
    """connection_lost() is called, last, when the peer resets a connection whose buffer is full, also if it is closing.

    If this fails: look for an end that waits for a buffer to drain, or for resume_writing(), or for an error that is
    passed over because the transport is closing.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        keep_limits_low(transport)
        transport.write(BIG)
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        if closing:
            transport.close()
        reset(peer)
        until_lost(loop, patience, protocol)
        assert isinstance(protocol.reason, ConnectionError) or closing
        turn(loop, 3)
        assert protocol.names[-1] == "connection_lost"


@requirement("flow.halves-independent", MUST, cite=(PAUSE, RESUME))
@each("when", ["pause_reading", "end", "write_eof"])
def test_flow_control_does_not_depend_on_reading(loop: Loop, patience: Patience, when: str) -> None:
    """Writing is paused and resumed though reading is paused, the peer has sent its end, or write_eof() was called.

    If this fails: look for one flag, or one watcher, for both directions, or for an end that is taken for close().
    """
    with joined(loop, patience, "sock", Events(keep_open=True)) as (transport, protocol, peer):
        if when == "pause_reading":
            transport.pause_reading()
        elif when == "end":
            peer.shutdown(socket.SHUT_WR)
            patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        keep_limits_low(transport)
        transport.write(BIG)
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        if when == "write_eof":
            transport.write_eof()
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert [name for name in protocol.names if name.endswith("_writing")] == ["pause_writing", "resume_writing"]


@requirement("flow.resume-at-low-sockets", MUST, cite=(RESUME, SET), needs=("unix",))
@each("kind", SOCKETS)
def test_a_socket_that_drains_to_the_low_watermark_resumes(loop: Loop, patience: Patience, kind: str) -> None:
    """resume_writing() is called when the buffer of a socket has become equal to the low watermark, not only below it.

    The watermark is set to what is left when the kernel takes no more, as the time before has shown it: the kernel
    mostly takes the same again.

    If this fails: look for < in place of <=.
    """
    low = 0
    for _ in range(4):
        with blocked(loop, kind) as (transport, protocol, peer):
            transport.set_write_buffer_limits(high=low, low=low)
            transport.write(bytes(1 << 20))
            while peer.read():
                pass
            turn(loop, 20)
            left = transport.get_write_buffer_size()
            if "pause_writing" in protocol.names and left <= low:
                resumed = functools.partial(protocol.names.__contains__, "resume_writing")
                patience.in_turns.run_until(loop, resumed, "resume_writing()")
            if left == low:
                break
            low = left
