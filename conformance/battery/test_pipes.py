"""Chapter pipes: what connect_read_pipe() and connect_write_pipe() make of the ends of a pipe."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.pipes import BIG, KINDS, both, lost, reading, writing
from conformance.kit.protocols import Events, Reacts
from conformance.kit.refusals import REFUSALS, Answer
from conformance.kit.threads import in_thread
from conformance.requirement import MAY, MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("pipes.read-pair", MUST, cite="asyncio-eventloop: loop.connect_read_pipe")
def test_connect_read_pipe_gives_a_pair(loop: Loop) -> None:
    """connect_read_pipe() returns a pair of a transport that supports ReadTransport, and what protocol_factory made.

    If this fails: look for missing methods, or a protocol that is not announced yet.
    """
    with reading(loop) as (transport, protocol, _, _):
        assert protocol.calls == [("connection_made", transport)]
        absent = [name for name in dir(asyncio.ReadTransport) if name[0] != "_" and not hasattr(transport, name)]
        assert absent == []


@requirement("pipes.non-blocking", MUST, cite="asyncio-protocol: WriteTransport.write")
@each("kind", KINDS)
def test_the_pipe_does_not_block_the_loop(loop: Loop, patience: Patience, kind: str) -> None:
    """write() does not block, whichever kind of file the pipe is, and though nobody reads; nor does an empty pipe.

    If this fails: look for a read or write that stops the loop until the other end moves.
    """
    with both(loop, patience, kind) as (reading, writer, *_):
        turn(loop, 3)
        reading.transport.pause_reading()
        writer.write(BIG)
        turn(loop, 3)
        writer.write(b"more")
        turn(loop, 3)
        assert reading.received == b""


@requirement("pipes.mode", MUST, cite="asyncio-eventloop: loop.connect_read_pipe")
@each("kind", KINDS)
def test_the_pipe_is_set_to_non_blocking_mode(loop: Loop, patience: Patience, kind: str) -> None:
    """With SelectorEventLoop the pipe is set to non-blocking mode, whichever kind of file it is.

    Nothing is said of loops that are no SelectorEventLoop: they may leave it as it was.

    If this fails: look for a kind of file whose mode is not set, or is set back.
    """
    with both(loop, patience, kind) as (_, _, *ends):
        if isinstance(loop, asyncio.SelectorEventLoop):
            assert [os.get_blocking(end.fileno()) for end in ends] == [False, False]


@requirement("pipes.data", MUST, cite="asyncio-protocol: Protocol.data_received")
def test_what_is_written_into_the_pipe_arrives(loop: Loop, patience: Patience) -> None:
    """data_received() gets, as bytes, everything that was written into the pipe, in order.

    If this fails: look for chunks that are lost, given as memoryviews, or taken for text.
    """
    with reading(loop) as (_, protocol, _, end):
        lines = b"\xef\xbb\xbfone\r\ntwo\n\rthree\r\n\x1a\0\n"
        os.write(end.number, lines)
        patience.run_until(loop, lambda: protocol.received == lines, "the lines")
        protocol.received.clear()
        helper = in_thread(lambda: os.write(end.number, BIG))
        patience.run_until(loop, lambda: len(protocol.received) == len(BIG), "the last byte")
        assert helper.result() == len(BIG)
        assert protocol.received == BIG
        assert {type(data) for name, data in protocol.calls if name == "data_received"} == {bytes}


@requirement("pipes.end", MUST, cite="asyncio-protocol: Protocol.eof_received")
def test_the_end_of_the_pipe_is_told(loop: Loop, patience: Patience) -> None:
    """When the other end is closed, what is still in the pipe arrives, then eof_received(), then connection_lost(None).

    If this fails: look for a hang-up that is handled before the data, or taken for an error.
    """
    with reading(loop) as (_, protocol, _, end):
        last = bytes(range(240)) * 250  # 60 kB, which fit into a pipe
        os.write(end.number, last)
        end.close()
        lost(loop, patience, protocol)
        assert protocol.received == last
        assert b"" not in [call[1] for call in protocol.calls if call[0] == "data_received"]
        assert [call for call in protocol.calls[1:] if call[0] != "data_received"] == [
            ("eof_received", None),
            ("connection_lost", None),
        ]


@requirement("pipes.end-closes", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_a_pipe_that_ended_is_closed(loop: Loop, patience: Patience) -> None:
    """After its end the transport is closing and closes the file object that it was given.

    If this fails: look for a descriptor that stays open, and ready, for ever.
    """
    with reading(loop) as (transport, protocol, file, end):
        end.close()
        lost(loop, patience, protocol)
        assert transport.is_closing()
        patience.run_until(loop, lambda: file.closed, "the end of the file")


@requirement("pipes.pause", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_reading_a_pipe_can_be_paused(loop: Loop, patience: Patience) -> None:
    """After pause_reading() no data is passed to the protocol until resume_reading(); is_reading() says which.

    If this fails: look for a read that was started before and completes later.
    """
    with reading(loop) as (transport, protocol, _, end):
        transport.pause_reading()
        os.write(end.number, b"data")
        loop.run_until_complete(asyncio.sleep(0.003))
        assert (bytes(protocol.received), transport.is_reading()) == (b"", False)
        transport.resume_reading()
        assert transport.is_reading()
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")


@requirement("pipes.pause-again", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_pausing_and_resuming_again_has_no_effect(loop: Loop, patience: Patience) -> None:
    """pause_reading() and resume_reading() are idempotent.

    If this fails: look for an error, or for a count of pauses.
    """
    with reading(loop) as (transport, protocol, _, end):
        transport.resume_reading()
        transport.pause_reading()
        transport.pause_reading()
        transport.resume_reading()
        os.write(end.number, b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        transport.resume_reading()
        transport.pause_reading()
        os.write(end.number, b"more")
        turn(loop, 20)
        assert protocol.received == b"data"


@requirement("pipes.close-read", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_closing_a_read_pipe_ends_it(loop: Loop, patience: Patience) -> None:
    """close() of a read pipe: no more data is received, connection_lost(None) is called, and the file is closed.

    If this fails: look for what has come that is read first, or a descriptor that stays open.
    """
    with reading(loop) as (transport, protocol, file, end):
        os.write(end.number, b"unread")
        transport.close()
        transport.close()
        assert (transport.is_closing(), transport.is_reading()) == (True, False)
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")
        assert (bytes(protocol.received), protocol.reason) == (b"", None)
        assert protocol.names == ["connection_made", "connection_lost"]
        with pytest.raises(BrokenPipeError):
            os.write(end.number, b"x")


@requirement("pipes.extra-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@each("end", [reading, writing], ids=["read", "write"])
def test_the_transport_gives_its_pipe(loop: Loop, end: Any) -> None:
    """get_extra_info('pipe') gives the pipe object.

    It raises nothing when the transport is closed, either.

    If this fails: look for a name that only subprocesses have, or a descriptor.
    """
    with end(loop) as (transport, _, file, _):
        assert transport.get_extra_info("pipe") is file
        assert transport.get_extra_info("no such name") is None
        assert transport.get_extra_info("no such name", "default") == "default"
        transport.close()
        turn(loop, 3)
        assert transport.get_extra_info("pipe") in (file, None)
        assert transport.get_extra_info("no such name", "default") == "default"


@requirement("pipes.refuses-files", MAY, cite="asyncio-eventloop: loop.connect_read_pipe")
@each("name", ["connect_read_pipe", "connect_write_pipe"])
def test_a_regular_file_for_a_pipe(loop: Loop, tmp_path: Any, name: str, answer: Answer) -> None:
    """Whether a regular file, which no poller takes, is refused where a pipe is expected is left open.

    If this fails: look for EPERM from epoll that ends the loop, or a file that is closed though it was refused.
    """
    with open(tmp_path / "file", "w+b") as file:
        try:
            transport, _ = loop.run_until_complete(getattr(loop, name)(Events, file))
        except NotImplementedError:
            raise
        except (*REFUSALS, OSError) as error:
            answer(type(error).__name__)
            file.write(b"still open")
        else:
            answer("accepted")
            transport.close()
            turn(loop, 4)


@requirement("pipes.set-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@each("before", [b"", b"for the first"])
def test_the_protocol_of_a_pipe_can_be_replaced(loop: Loop, patience: Patience, before: bytes) -> None:
    """set_protocol() sets a new protocol, which gets the data from then on; get_protocol() returns it.

    It may be set inside data_received(), too, and is told of the end that close() makes.

    If this fails: look for data_received() bound to the first protocol when the pipe was connected, or when data came.
    """
    second, third = Events(), Events()
    with reading(loop) as (transport, first, _, end):
        if before:
            os.write(end.number, before)
            patience.run_until(loop, lambda: first.received == before, "the data of the first protocol")
        assert transport.get_protocol() is first
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        os.write(end.number, b"data")
        patience.run_until(loop, lambda: second.received == b"data", "the data")
        end.close()
        lost(loop, patience, second)
        assert first.received == before
        assert not first.lost
    hands_over = Reacts("data_received", lambda transport: transport.set_protocol(third))
    with reading(loop, hands_over) as (transport, _, _, end):
        os.write(end.number, b"d")  # one byte, which comes in one piece
        patience.run_until(loop, lambda: hands_over.received == b"d", "the data of the first protocol")
        assert transport.get_protocol() is third
        os.write(end.number, b"more")
        patience.run_until(loop, lambda: third.received == b"more", "the data of the second protocol")
        transport.close()
        assert transport.get_protocol() is third
        lost(loop, patience, third)


@requirement("pipes.by-name", MUST, cite="asyncio-eventloop: Working with pipes")
def test_the_pipe_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """connect_read_pipe() and connect_write_pipe() take protocol_factory and pipe by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    end, begin = os.pipe()
    theirs, ours = os.fdopen(end, "rb", 0), os.fdopen(begin, "wb", 0)
    writer, _ = loop.run_until_complete(loop.connect_write_pipe(protocol_factory=Events, pipe=ours))
    reader, protocol = loop.run_until_complete(loop.connect_read_pipe(protocol_factory=Events, pipe=theirs))
    writer.write(b"data")
    patience.run_until(loop, lambda: protocol.received == b"data", "the data")
    writer.close()
    lost(loop, patience, protocol)
    reader.close()
    turn(loop, 2)
