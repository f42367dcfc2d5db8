"""Chapter pipes: what connect_read_pipe() and connect_write_pipe() make of the ends of a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.protocols import Events
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
BIG = bytes(range(251)) * 8000  # 2 MB: more than a pipe holds


class End:
    """The other end of the pipe: a descriptor that blocks."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def read_all(self) -> bytes:
        with open(os.dup(self.number), "rb", buffering=0) as file:
            return file.read()

    def read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (chunk := os.read(self.number, count - len(data))):
            data += chunk
        return data


@contextlib.contextmanager
def reading(loop: Loop, protocol: Any = None) -> Iterator[tuple[Any, Any, Any, End]]:
    """(transport, protocol, file, other end) of a pipe that the loop reads; closed at the end."""
    ours, theirs = os.pipe()
    file, end = open(ours, "rb", buffering=0), End(theirs)  # noqa: SIM115 (the transport owns it)
    transport, made = loop.run_until_complete(
        loop.connect_read_pipe(lambda: Events() if protocol is None else protocol, file)
    )
    try:
        yield transport, made, file, end
    finally:
        end.close()
        transport.close()
        turn(loop, 4)


@contextlib.contextmanager
def writing(loop: Loop) -> Iterator[tuple[Any, Any, Any, End]]:
    """(transport, protocol, file, other end) of a pipe that the loop writes to; aborted at the end."""
    theirs, ours = os.pipe()
    file, end = open(ours, "wb", buffering=0), End(theirs)  # noqa: SIM115 (the transport owns it)
    transport, made = loop.run_until_complete(loop.connect_write_pipe(Events, file))
    try:
        yield transport, made, file, end
    finally:
        if not made.lost:
            transport.abort()
        turn(loop, 4)
        end.close()


def lost(loop: Loop, patience: Patience, protocol: Events) -> None:
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("pipes.read-pair", MUST, cite="asyncio-eventloop: loop.connect_read_pipe")
def test_connect_read_pipe_gives_a_pair(loop: Loop) -> None:
    """connect_read_pipe() returns a pair of a transport that supports ReadTransport, and what protocol_factory made.

    If this fails: look for missing methods, or a protocol that is not announced yet.
    """
    with reading(loop) as (transport, protocol, _, _):
        assert protocol.calls == [("connection_made", transport)]
        absent = [name for name in dir(asyncio.ReadTransport) if name[0] != "_" and not hasattr(transport, name)]
        assert absent == []


@requirement("pipes.write-pair", MUST, cite="asyncio-eventloop: loop.connect_write_pipe")
def test_connect_write_pipe_gives_a_pair(loop: Loop) -> None:
    """connect_write_pipe() returns a pair of a transport that supports WriteTransport, and what protocol_factory made.

    If this fails: look for missing methods, or a protocol that is not announced yet.
    """
    with writing(loop) as (transport, protocol, _, _):
        assert protocol.calls == [("connection_made", transport)]
        absent = [name for name in dir(asyncio.WriteTransport) if name[0] != "_" and not hasattr(transport, name)]
        assert absent == []


@requirement("pipes.non-blocking", MUST, cite="asyncio-eventloop: loop.connect_read_pipe")
@pytest.mark.parametrize("end", [reading, writing], ids=["read", "write"])
def test_the_pipe_does_not_block_the_loop(loop: Loop, end: Any) -> None:
    """The pipe is set to non-blocking mode.

    If this fails: look for a read or write that stops the loop until the other end moves.
    """
    with end(loop) as (_, _, file, _):
        assert os.get_blocking(file.fileno()) is False


@requirement("pipes.data", MUST, cite="asyncio-protocol: Protocol.data_received")
def test_what_is_written_into_the_pipe_arrives(loop: Loop, patience: Patience) -> None:
    """data_received() gets, as bytes, everything that was written into the pipe, in order.

    If this fails: look for chunks that are lost, or given as memoryviews.
    """
    with reading(loop) as (_, protocol, _, end):
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
        turn(loop, 2)
        assert transport.is_closing()
        assert file.closed


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
        transport.pause_reading()
        transport.pause_reading()
        transport.resume_reading()
        transport.resume_reading()
        os.write(end.number, b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")


@requirement("pipes.close-read", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_closing_a_read_pipe_ends_it(loop: Loop, patience: Patience) -> None:
    """close() of a read pipe: no more data is received, connection_lost(None) is called later, and the file is closed.

    If this fails: look for a callback inside close(), or a descriptor that stays open.
    """
    with reading(loop) as (transport, protocol, file, end):
        os.write(end.number, b"unread")
        transport.close()
        transport.close()
        assert (transport.is_closing(), transport.is_reading(), protocol.lost) == (True, False, False)
        lost(loop, patience, protocol)
        turn(loop, 2)
        assert (bytes(protocol.received), protocol.reason, file.closed) == (b"", None, True)
        assert protocol.names == ["connection_made", "connection_lost"]
        with pytest.raises(BrokenPipeError):
            os.write(end.number, b"x")


@requirement("pipes.write", MUST, cite="asyncio-protocol: WriteTransport.write")
def test_write_sends_or_queues(loop: Loop, patience: Patience) -> None:
    """write() does not block; what the pipe does not take is buffered and sent later, in order.

    If this fails: look for a short write whose rest is dropped, or a pipe in blocking mode.
    """
    with writing(loop) as (transport, _, _, end):
        transport.write(BIG)
        transport.write(b"end")
        helper = in_thread(lambda: end.read_exactly(len(BIG) + 3))
        assert drive(loop, patience, helper) == BIG + b"end"


@requirement("pipes.write-buffers", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@each("kind", [bytearray, memoryview])
def test_write_takes_bytes_like_objects(loop: Loop, patience: Patience, kind: type) -> None:
    """write() accepts bytearray and memoryview objects too, and what it buffers does not change with them.

    If this fails: look for a buffer that is sent later and belongs to the caller.
    """
    source = bytearray(BIG)
    with writing(loop) as (transport, _, _, end):
        transport.write(kind(source))
        if kind is bytearray:
            source[:] = bytes(len(source))
        helper = in_thread(lambda: end.read_exactly(len(BIG)))
        if kind is memoryview:
            assert drive(loop, patience, helper) == BIG
        else:
            assert len(drive(loop, patience, helper)) == len(BIG)


@requirement("pipes.writelines", MUST, cite="asyncio-protocol: WriteTransport.writelines")
def test_writelines_writes_every_piece(loop: Loop, patience: Patience) -> None:
    """writelines() writes a list, or any iterable, of data bytes.

    If this fails: look for a method of the base class that is not implemented.
    """
    with writing(loop) as (transport, _, _, end):
        pieces = [b"a", b"", b"bc", *(b"%d," % number for number in range(2000))]
        transport.writelines(iter(pieces))
        data = b"".join(pieces)
        assert drive(loop, patience, in_thread(lambda: end.read_exactly(len(data)))) == data


@requirement("pipes.pause-writing", MUST, cite="asyncio-protocol: BaseProtocol.pause_writing")
def test_a_full_pipe_pauses_the_protocol(loop: Loop, patience: Patience) -> None:
    """pause_writing() is called when the buffer passes the high-water mark, resume_writing() when it has drained.

    If this fails: look for flow control that only sockets have.
    """
    with writing(loop) as (transport, protocol, _, end):
        transport.write(BIG)
        drive(loop, patience, in_thread(lambda: end.read_exactly(len(BIG))))
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]


@requirement("pipes.buffer-size", MUST, cite="asyncio-protocol: WriteTransport.get_write_buffer_size")
def test_the_buffers_size_is_told(loop: Loop, patience: Patience) -> None:
    """get_write_buffer_size() is the size of what waits to be written, and get_write_buffer_limits() the two marks.

    If this fails: look for a size that leaves something out, or limits that cannot be set.
    """
    with writing(loop) as (transport, _, _, end):
        assert transport.get_write_buffer_size() == 0
        transport.set_write_buffer_limits(high=1000, low=10)
        assert transport.get_write_buffer_limits() == (10, 1000)
        transport.write(BIG)
        turn(loop, 2)
        in_pipe = len(BIG) - transport.get_write_buffer_size()
        assert 0 < in_pipe < len(BIG)
        os.set_blocking(end.number, False)
        assert len(end.read_exactly(in_pipe)) == in_pipe


@requirement("pipes.close-write", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("data", [b"", BIG])
def test_closing_a_write_pipe_flushes_it(loop: Loop, patience: Patience, data: bytes) -> None:
    """close() of a write pipe: buffered data is flushed, then connection_lost(None) is called, and the file is closed.

    If this fails: look for a close that drops the buffer or does not wait for it, or a reader that never sees the end.
    """
    with writing(loop) as (transport, protocol, file, end):
        transport.write(data)
        transport.close()
        assert (transport.is_closing(), protocol.lost) == (True, False)
        if data:
            turn(loop, 5)
            assert (protocol.lost, transport.get_write_buffer_size() > 0) == (False, True)
        assert drive(loop, patience, in_thread(end.read_all)) == data
        lost(loop, patience, protocol)
        turn(loop, 2)
        assert (protocol.reason, file.closed) == (None, True)
        assert protocol.names.count("connection_lost") == 1


@requirement("pipes.write-eof", MUST, cite="asyncio-protocol: WriteTransport.write_eof")
@each("data", [b"", BIG])
def test_write_eof_closes_the_pipe_after_the_buffer(loop: Loop, patience: Patience, data: bytes) -> None:
    """can_write_eof() of a write pipe is True: write_eof() flushes the buffer, and the reader then sees the end.

    If this fails: look for an end that comes with the process only.
    """
    with writing(loop) as (transport, _, _, end):
        assert transport.can_write_eof() is True
        transport.write(data)
        transport.write_eof()
        assert drive(loop, patience, in_thread(end.read_all)) == data


@requirement("pipes.abort", MUST, cite="asyncio-protocol: WriteTransport.abort")
@each("closing", [False, True])
def test_aborting_a_write_pipe_drops_the_buffer(loop: Loop, patience: Patience, closing: bool) -> None:
    """abort() closes immediately, without waiting for pending operations: buffered data is lost, after close() too.

    If this fails: look for an abort() that flushes as close() does, or that does nothing to what is closing.
    """
    with writing(loop) as (transport, protocol, file, end):
        transport.write(BIG)
        if closing:
            transport.close()
        transport.abort()
        lost(loop, patience, protocol)
        assert protocol.reason is None
        turn(loop, 2)
        assert file.closed
        assert len(end.read_all()) < len(BIG)


@requirement("pipes.broken", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_a_reader_that_goes_away_ends_the_connection(loop: Loop, patience: Patience) -> None:
    """When the reader closes its end while data waits, connection_lost() is called with a BrokenPipeError.

    If this fails: look for a writer that waits for ever, a signal that ends the process, or None.
    """
    with writing(loop) as (transport, protocol, _, end):
        transport.write(BIG)
        turn(loop, 2)
        end.close()
        lost(loop, patience, protocol)
        assert isinstance(protocol.reason, BrokenPipeError)


@requirement("pipes.reader-gone", SHOULD, cite="PEP 3156: Event Loop Classes")
def test_an_idle_writer_notices_that_its_reader_is_gone(loop: Loop, patience: Patience) -> None:
    """When the reader closes its end while nothing is written, connection_lost() is called all the same.

    If this fails: look for a write pipe that is watched only while data waits.
    """
    with writing(loop) as (_, protocol, _, end):
        turn(loop, 2)
        end.close()
        lost(loop, patience, protocol)


@requirement("pipes.extra-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@pytest.mark.parametrize("end", [reading, writing], ids=["read", "write"])
def test_the_transport_gives_its_pipe(loop: Loop, end: Any) -> None:
    """get_extra_info('pipe') gives the pipe object.

    If this fails: look for a name that only subprocesses have, or a descriptor.
    """
    with end(loop) as (transport, _, file, _):
        assert transport.get_extra_info("pipe") is file
        assert transport.get_extra_info("no such name") is None
        assert transport.get_extra_info("no such name", "default") == "default"


@requirement("pipes.refuses-files", SHOULD, cite="asyncio-eventloop: loop.connect_read_pipe")
@pytest.mark.parametrize("name", ["connect_read_pipe", "connect_write_pipe"])
def test_a_regular_file_is_refused(loop: Loop, tmp_path: Any, name: str) -> None:
    """pipe must be a pipe, a socket or a character device: a regular file, which is always ready, raises ValueError.

    If this fails: look for EPERM from epoll, or a file that is closed by the failure and belongs to the caller.
    """
    with open(tmp_path / "file", "w+b") as file:
        with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
            loop.run_until_complete(getattr(loop, name)(Events, file))
        file.write(b"still open")


@requirement("pipes.set-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_the_protocol_of_a_pipe_can_be_replaced(loop: Loop, patience: Patience) -> None:
    """set_protocol() sets a new protocol, which gets the data from then on; get_protocol() returns it.

    If this fails: look for data_received() bound to the first protocol.
    """
    second = Events()
    with reading(loop) as (transport, first, _, end):
        assert transport.get_protocol() is first
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        os.write(end.number, b"data")
        patience.run_until(loop, lambda: second.received == b"data", "the data")
        assert first.received == b""


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
