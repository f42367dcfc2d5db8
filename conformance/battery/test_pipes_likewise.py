"""Chapter pipes: what transports promise whatever is beneath them, asked of pipes as well."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.protocols import Events, Reacts
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("pipes.pause-and-resume-inside", MUST, cite="asyncio-protocol: ReadTransport.resume_reading")
def test_resuming_a_pipe_inside_data_received_takes_effect(loop: Loop, patience: Patience) -> None:
    """resume_reading() inside data_received(), after pause_reading() there, is obeyed: more data is received.

    If this fails: look for a read that is not started again because one is still being delivered.
    """

    def pause_for_a_moment(transport: Any) -> None:
        transport.pause_reading()
        transport.resume_reading()

    with reading(loop, Reacts("data_received", pause_for_a_moment)) as (_, protocol, _, other):
        for number in range(3):
            os.write(other.number, b"x")
            patience.run_until(loop, lambda: len(protocol.received) == number + 1, "the next byte")  # noqa: B023


@requirement("pipes.close-inside-eof-received", MUST, cite="asyncio-protocol: Protocol.eof_received")
def test_a_protocol_may_close_a_pipe_inside_eof_received(loop: Loop, patience: Patience) -> None:
    """A protocol may close the transport of a pipe inside eof_received(): it ends, once.

    If this fails: look for the end that the transport makes of the pipe's, though it has ended meanwhile.
    """
    with reading(loop, Reacts("eof_received", lambda transport: transport.close())) as (_, protocol, _, other):
        other.close()
        lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "eof_received", "connection_lost"]
        assert protocol.reason is None


@requirement("pipes.write-while-closing-is-quiet", SHOULD, cite="asyncio-protocol: BaseTransport.close")
def test_writing_to_a_closing_pipe_does_not_raise(loop: Loop, patience: Patience) -> None:
    """write() does not raise after close(), while what was written before is flushed: others may not know of it yet.

    If this fails: look for a check of the state where write() had better do nothing.
    """
    with writing(loop) as (transport, protocol, _, other):
        transport.write(BIG)
        transport.close()
        for _ in range(10):
            transport.write(b"late")
            transport.writelines([b"late"])
        received = drive(loop, patience, in_thread(other.read_all))
        assert received.startswith(BIG)  # what becomes of the rest is left open
        lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement(
    "pipes.stop-inside", MUST, cite=("asyncio-eventloop: loop.stop", "asyncio-protocol: Protocol.data_received")
)
def test_a_stop_loses_no_data_of_pipes(loop: Loop, patience: Patience) -> None:
    """After stop() inside a callback of one pipe, what another has got is received, in this run or the next.

    If this fails: look for a batch of events that is not worked off when the loop stops, and not reported again.
    """

    class Stops(Events):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            loop.stop()

    with reading(loop, Stops()) as (_, one, _, first), reading(loop, Stops()) as (_, two, _, second):
        turn(loop, 2)
        for other in (first, second):
            os.write(other.number, b"data")  # the loop has not run since: it finds both at once
        patience.run_through_stops(loop, lambda: one.received == two.received == b"data", "the arrival of both")
