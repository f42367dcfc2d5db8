"""Chapter pipes: what transports promise whatever is beneath them, asked of pipes as well."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.protocols import Events, Reacts
from conformance.kit.threads import in_thread
from conformance.kit.transports import lost_inside_write, told_inside_resume
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


@requirement("pipes.lost-not-inside-write", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
@each("method", ["write", "writelines"])
def test_a_write_to_a_pipe_that_fails_returns_before_the_loss_is_told(
    loop: Loop, patience: Patience, method: str
) -> None:
    """write() to a pipe that finds the reader gone returns before connection_lost() is called.

    If this fails: look for an error of the system call that is told where it was found, on the caller's stack.
    """
    with writing(loop) as (transport, protocol, _, other):
        turn(loop, 2)
        other.close()
        assert not lost_inside_write(loop, patience, transport, protocol, method)


@requirement("pipes.resume-tells-no-end", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
def test_resuming_a_pipe_does_not_tell_of_an_end_by_itself(loop: Loop, patience: Patience) -> None:
    """resume_reading() of a pipe returns before the protocol is told that its other end was closed meanwhile.

    If this fails: look for a read that is tried on the spot, whose outcome is told on the caller's stack if it is no
    data.
    """
    with reading(loop) as (transport, protocol, _, other):
        transport.pause_reading()
        turn(loop, 2)
        other.close()
        assert told_inside_resume(loop, patience, transport, protocol) == []
