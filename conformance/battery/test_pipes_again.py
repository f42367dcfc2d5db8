"""Chapter pipes: what is asked for twice, at the very beginning, or of a pipe that has ended already."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
LOST = "asyncio-protocol: BaseProtocol.connection_lost"


@requirement("pipes.close-again", MUST, cite=CLOSE)
@each("first", ["close", "write_eof"])
def test_closing_a_write_pipe_again_changes_nothing(loop: Loop, patience: Patience, first: str) -> None:
    """A second close() of a write pipe, or one after write_eof(), changes nothing: buffered data is flushed.

    If this fails: look for a close() that takes what is closing already for closed, and cuts it off.
    """
    with writing(loop) as (transport, protocol, file, end):
        transport.write(BIG)
        getattr(transport, first)()
        transport.close()
        turn(loop)
        transport.close()
        assert drive(loop, patience, in_thread(end.read_all)) == BIG
        lost(loop, patience, protocol)
        assert protocol.reason is None
        patience.run_until(loop, lambda: file.closed, "the end of the file")


@requirement("pipes.lost-once", MUST, cite=LOST)
@each("end", [reading, writing], ids=["read", "write"])
def test_a_pipe_is_lost_once(loop: Loop, patience: Patience, watch: Any, end: Any) -> None:
    """connection_lost() of a pipe is called once, as its last callback, however often and by whom it is ended.

    If this fails: look for an end of this side and one of the other side that are both told.
    """
    watch.allow("reported")  # the stock loop's abort() stumbles over its close(), and tells the protocol once
    with end(loop) as (transport, protocol, _, other):
        other.close()
        transport.close()
        (transport.abort if end is writing else transport.close)()
        transport.close()
        lost(loop, patience, protocol)
        transport.close()
        turn(loop, 5)
        assert protocol.names.count("connection_lost") == 1
        assert protocol.names[-1] == "connection_lost"


@requirement("pipes.close-while-paused", MUST, cite=CLOSE)
def test_a_paused_pipe_can_be_closed(loop: Loop, patience: Patience) -> None:
    """close() of a pipe that is paused calls connection_lost(None), without what has come, and closes the file.

    If this fails: look for an end that is noticed by reading only.
    """
    with reading(loop) as (transport, protocol, file, end):
        transport.pause_reading()
        os.write(end.number, b"unread")
        transport.close()
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")
        assert (protocol.names, protocol.reason) == (["connection_made", "connection_lost"], None)


@requirement("pipes.ended-before", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("last", [b"", b"last words"])
def test_a_pipe_may_have_ended_before_it_is_connected(loop: Loop, patience: Patience, last: bytes) -> None:
    """A pipe whose other end was closed before connect_read_pipe() gives what is in it, then its end.

    If this fails: look for an edge of the poller that lies before the registration.
    """
    ours, theirs = os.pipe()
    os.write(theirs, last)
    os.close(theirs)
    file = open(ours, "rb", buffering=0)  # noqa: SIM115 (the transport owns it)
    transport, protocol = loop.run_until_complete(loop.connect_read_pipe(Events, file))
    lost(loop, patience, protocol)
    transport.close()
    turn(loop, 2)
    assert protocol.received == last
    pieces = ["data_received"] * protocol.names.count("data_received")  # in as many as the loop likes
    assert protocol.names == ["connection_made", *pieces, "eof_received", "connection_lost"]
    assert protocol.reason is None


@requirement("pipes.failing-eof-received", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_in_eof_received_of_a_pipe(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception in eof_received() of a pipe is given to the exception handler, and the pipe is closed.

    If this fails: look for a return value read from a call that failed.
    """
    error = LookupError("in eof_received()")
    watch.allow("reported")
    with reading(loop, Reacts("eof_received", raising(error))) as (_, protocol, file, end):
        end.close()
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")
        assert [context["exception"] for context in watch.reported] == [error]


@requirement("pipes.broken-while-closing", MUST, cite=LOST)
@each("how", ["close", "write_eof"])
def test_a_reader_may_leave_what_is_being_flushed(loop: Loop, patience: Patience, how: str) -> None:
    """connection_lost() is called when the reader goes while the data of a closed pipe is still to be sent.

    If this fails: look for a flush that nobody ends.
    """
    with writing(loop) as (transport, protocol, file, end):
        transport.write(BIG)
        getattr(transport, how)()
        turn(loop, 2)
        assert not protocol.lost
        end.close()
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")


@requirement("pipes.writelines-order", MUST, cite="asyncio-protocol: WriteTransport.writelines")
def test_lines_come_after_what_waits(loop: Loop, patience: Patience) -> None:
    """writelines() of a pipe is equivalent to write() on each element: after what waits, and in their order.

    If this fails: look for a way of writing several pieces at once that goes past the buffer.
    """
    with writing(loop) as (transport, _, _, end):
        transport.write(BIG)
        transport.writelines([b"first", bytearray(b" second"), memoryview(b" third")])
        transport.writelines([])
        transport.write(b" last")
        helper = in_thread(lambda: end.read_exactly(len(BIG) + 23))
        assert drive(loop, patience, helper)[len(BIG) :] == b"first second third last"


@requirement("pipes.set-protocol-when-made", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_a_pipe_may_change_hands_as_it_is_made(loop: Loop, patience: Patience) -> None:
    """set_protocol() inside connection_made() of a pipe takes effect: all data goes to the new protocol.

    If this fails: look for data_received() that is bound when the announcement is over, to what was bound before.
    """
    second = Events()

    hands_over = Reacts("connection_made", lambda transport: transport.set_protocol(second))
    with reading(loop, hands_over) as (transport, _, _, end):
        assert transport.get_protocol() is second
        os.write(end.number, b"data")
        end.close()
        patience.run_until(loop, lambda: second.lost or hands_over.lost, "connection_lost()")
        assert second.received == b"data"
        assert second.names[-2:] == ["eof_received", "connection_lost"]
        assert hands_over.names == ["connection_made"]


@requirement("pipes.set-protocol-while-paused", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_another_protocol_of_a_pipe_does_not_resume(loop: Loop, patience: Patience) -> None:
    """A new protocol of a pipe gets no data while reading is paused, until resume_reading() is called.

    If this fails: look for reading that starts again for each protocol.
    """
    second = Events()
    with reading(loop) as (transport, first, _, end):
        transport.pause_reading()
        transport.set_protocol(second)
        os.write(end.number, b"data")
        loop.run_until_complete(asyncio.sleep(0.003))
        assert (transport.is_reading(), bytes(second.received)) == (False, b"")
        transport.resume_reading()
        patience.run_until(loop, lambda: second.received == b"data", "the data after resume_reading()")
        assert first.names == ["connection_made"]


@requirement("pipes.named", SHOULD, cite="asyncio-eventloop: loop.connect_read_pipe")
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR], ids=["read-only", "read-write"])
def test_a_named_pipe_is_a_pipe(loop: Loop, patience: Patience, tmp_path: Path, flags: int) -> None:
    """pipe is a file-like object: one that was opened by the name of a pipe, in either mode, can be read and written.

    If this fails: look for a test of the file's name, or of the mode of its descriptor.
    """
    path = tmp_path / "fifo"
    os.mkfifo(path)
    source: Any = open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 (the transport owns it)
    target = open(path, "wb", buffering=0)  # noqa: SIM115 (the same)
    reader, protocol = loop.run_until_complete(loop.connect_read_pipe(Events, source))
    writer, _ = loop.run_until_complete(loop.connect_write_pipe(Events, target))
    writer.write(b"through a name")
    patience.run_until(loop, lambda: protocol.received == b"through a name", "the data")
    protocol.received.clear()
    reader.pause_reading()
    writer.write(BIG)  # more than it holds, which stops no loop
    turn(loop, 3)
    reader.resume_reading()
    patience.run_until(loop, lambda: len(protocol.received) == len(BIG), "what the pipe could not hold")
    writer.close()
    if flags == os.O_RDONLY:  # otherwise it is a writer itself, and has no end
        lost(loop, patience, protocol)
    reader.close()
    patience.run_until(loop, lambda: source.closed and target.closed, "the end of both files")
