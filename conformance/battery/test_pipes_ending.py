"""Chapter pipes: what can still be called when a pipe is closed, and what may fail at its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.threads import in_thread
from conformance.kit.transports import received_inside_resume
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Base(asyncio.BaseProtocol):
    """Has no more than every protocol has."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @property
    def lost(self) -> bool:
        return "connection_lost" in self.names

    def connection_made(self, _transport: asyncio.BaseTransport) -> None:
        self.names.append("connection_made")

    def connection_lost(self, _exc: Exception | None) -> None:
        self.names.append("connection_lost")


@requirement("pipes.write-rejects-text", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("data", ["text", 5, [b"list"]])
def test_write_refuses_what_is_no_buffer(loop: Loop, data: Any) -> None:
    """write() of a pipe raises TypeError (or AssertionError, as asyncio does) for what is not bytes-like.

    If this fails: look for text that is encoded, or an error that comes when the data is sent.
    """
    with writing(loop) as (transport, _, _, _), pytest.raises((TypeError, AssertionError)):
        transport.write(data)


@requirement("pipes.write-after-loss-is-quiet", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("end", ["close", "write_eof", "abort", "the reader", "the reader, unnoticed"])
def test_a_write_pipe_that_has_ended_can_be_used(loop: Loop, patience: Patience, end: str) -> None:
    """write() and close() do not raise on a write pipe that is closed or lost: a program may not know it yet.

    If this fails: look for a descriptor that is closed and still written to, or for the error of the first write.
    """
    with writing(loop) as (transport, protocol, _, other):
        if end == "the reader":
            transport.write(BIG)
            other.close()
        elif end == "the reader, unnoticed":
            other.close()
        else:
            getattr(transport, end)()
        for when in ("at once", "later"):
            for _ in range(10):
                transport.write(b"nobody")
            transport.writelines([b"nobody"])
            transport.close()
            if when == "at once":
                lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1
        assert transport.get_write_buffer_size() == 0


@requirement("pipes.failing-connection-lost", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("end", [reading, writing])
def test_an_exception_in_connection_lost_of_a_pipe(loop: Loop, patience: Patience, watch: Any, end: Any) -> None:
    """An exception in connection_lost() is given to the exception handler, and the pipe is closed all the same.

    If this fails: look for a last callback outside of any try, or for a close() behind it that is skipped.
    """
    error = LookupError("in connection_lost()")
    watch.allow("reported")
    watch.reported.clear()
    with end(loop, Reacts("connection_lost", raising(error))) as (transport, protocol, file, _):
        transport.close()
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")
    assert [context["exception"] for context in watch.reported] == [error]


@requirement("pipes.base-protocol", MUST, cite="PEP 3156: Unidirectional Stream Transports")
@each("kind", ["of streams", "base"])
def test_a_pipe_that_is_written_to_receives_nothing(loop: Loop, patience: Patience, kind: str) -> None:
    """A writing transport calls neither data_received() nor eof_received(), also when the reader has gone.

    Its protocol need not have them: connection_made() and connection_lost() of BaseProtocol are enough.

    If this fails: look for a protocol that is refused, or for a reader's end that is told as the end of a stream.
    """
    protocol: Any = _Base() if kind == "base" else Events()
    with writing(loop, protocol) as (transport, _, _, end):
        transport.write(b"data")
        assert drive(loop, patience, in_thread(lambda: end.read_exactly(4))) == b"data"
        end.close()
        transport.write(b"more")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    flow = ("pause_writing", "resume_writing")  # of a loop with low limits
    assert [name for name in protocol.names if name not in flow] == ["connection_made", "connection_lost"]


@requirement("pipes.resume-not-inline", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
def test_resuming_a_pipe_does_not_receive_by_itself(loop: Loop, patience: Patience) -> None:
    """resume_reading() of a pipe returns before data is received: no callback starts while another is still running.

    If this fails: look for what came meanwhile that is read, or handed out, on the spot.
    """
    with reading(loop) as (transport, protocol, _, end):
        transport.pause_reading()
        os.write(end.number, b"data")
        turn(loop, 3)
        assert received_inside_resume(loop, patience, transport, protocol, b"data") == b""


@requirement("pipes.reading-while-closing", SHOULD, cite="asyncio-protocol: ReadTransport.resume_reading")
@each("paused", [False, True])
def test_resuming_a_pipe_that_closes_is_harmless(loop: Loop, patience: Patience, paused: bool) -> None:
    """pause_reading() and resume_reading() do nothing on a pipe that is closing or closed, also if it was paused.

    If this fails: look for an error that a closed pipe raises, or for a descriptor that is watched again after close().
    """
    with reading(loop) as (transport, protocol, _, end):
        if paused:
            transport.pause_reading()
        transport.close()
        for _ in ("closing", "closed"):
            transport.pause_reading()
            transport.resume_reading()
            assert not transport.is_reading()
            if not protocol.lost:
                with contextlib.suppress(BrokenPipeError):  # the descriptor may be closed already
                    os.write(end.number, b"data")
                lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "connection_lost"]


@requirement("pipes.connection-lost-not-inline", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each(("end", "how"), [(reading, "close"), (writing, "close"), (writing, "write_eof"), (writing, "abort")])
def test_the_end_of_a_pipe_is_told_by_the_loop(loop: Loop, patience: Patience, end: Any, how: str) -> None:
    """connection_lost() of a pipe is called from the loop, not from inside close(), write_eof() or abort().

    If this fails: look for a callback delivered on the caller's stack, whose own state is half done.
    """
    with end(loop) as (transport, protocol, _, _):
        if how == "abort":
            transport.write(BIG)
        getattr(transport, how)()
        assert not protocol.lost
        lost(loop, patience, protocol)
