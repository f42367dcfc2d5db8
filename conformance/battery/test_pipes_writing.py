"""Chapter pipes: connect_write_pipe() and its transports."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from conformance.kit.cases import each
from conformance.kit.oddities import Word, part, wide
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.protocols import Events
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("pipes.write-pair", MUST, cite="asyncio-eventloop: loop.connect_write_pipe")
def test_connect_write_pipe_gives_a_pair(loop: Loop) -> None:
    """connect_write_pipe() returns a pair of a transport that supports WriteTransport, and what protocol_factory made.

    If this fails: look for missing methods, or a protocol that is not announced yet.
    """
    with writing(loop) as (transport, protocol, _, _):
        assert protocol.calls == [("connection_made", transport)]
        absent = [name for name in dir(asyncio.WriteTransport) if name[0] != "_" and not hasattr(transport, name)]
        assert absent == []


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

    If this fails: look for a buffer that is sent later and belongs to the caller, or for a view that begins where its
    memory does.
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
        for odd in (Word, part):
            transport.write(odd(b"like bytes"))
            assert drive(loop, patience, in_thread(lambda: end.read_exactly(10))) == b"like bytes", odd


@requirement("pipes.wide-items", MUST, cite=("asyncio-protocol: WriteTransport.write", "gh-135862"))
def test_a_view_of_wide_items_is_written_whole(loop: Loop, patience: Patience) -> None:
    """write() sends all of a memoryview whose items have several bytes, and nothing else, also what is buffered of it.

    If this fails: look for len() of a view that is taken for its size.
    """
    for data in (b"like bytes", BIG):
        with writing(loop) as (transport, _, _, end):
            transport.write(wide(data))
            transport.write(b"the end")
            transport.close()  # or what is missing would be waited for
            assert drive(loop, patience, in_thread(end.read_all)) == data + b"the end"


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


def _until_resumed(loop: Loop, patience: Patience, protocol: Any, times: int) -> None:
    patience.run_until(loop, lambda: protocol.names.count("resume_writing") == times, "resume_writing()")


@requirement("pipes.pause-writing", MUST, cite="asyncio-protocol: BaseProtocol.pause_writing")
@each("how", ["write", "writelines"])
def test_a_full_pipe_pauses_the_protocol(loop: Loop, patience: Patience, how: str) -> None:
    """pause_writing() is called when the buffer passes the high-water mark, resume_writing() when it has drained.

    They are called in pairs, as often as that happens.

    If this fails: look for flow control that only sockets have, that works once, or that writelines() leaves out.
    """
    with writing(loop) as (transport, protocol, _, end):
        keep_limits_low(transport)
        for times in (1, 2):
            transport.write(BIG) if how == "write" else transport.writelines([BIG[:1000], BIG[1000:]])
            drive(loop, patience, in_thread(lambda: end.read_exactly(len(BIG))))
            _until_resumed(loop, patience, protocol, times)
            assert protocol.names == ["connection_made"] + ["pause_writing", "resume_writing"] * times


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
        turn(loop, 5)
        waits = transport.get_write_buffer_size()
        in_pipe = end.read_what_is_there()
        # What is being written may count until the whole of it is known to be in the pipe.
        assert len(BIG) - len(in_pipe) <= waits <= len(BIG)
        drive(loop, patience, in_thread(lambda: end.read_exactly(len(BIG) - len(in_pipe))))
        patience.in_turns.run_until(loop, lambda: transport.get_write_buffer_size() == 0, "the buffer's end")


@requirement("pipes.close-write", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("data", [b"", BIG])
def test_closing_a_write_pipe_flushes_it(loop: Loop, patience: Patience, data: bytes) -> None:
    """close() of a write pipe: buffered data is flushed, then connection_lost(None) is called, and the file is closed.

    If this fails: look for a close that drops the buffer or does not wait for it, or a reader that never sees the end.
    """
    with writing(loop) as (transport, protocol, file, end):
        transport.write(data)
        transport.close()
        assert transport.is_closing()
        if data:
            turn(loop, 5)
            assert (protocol.lost, transport.get_write_buffer_size() > 0) == (False, True)
        assert drive(loop, patience, in_thread(end.read_all)) == data
        lost(loop, patience, protocol)
        patience.run_until(loop, lambda: file.closed, "the end of the file")
        assert protocol.reason is None
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
        patience.run_until(loop, lambda: file.closed, "the end of the file")
        assert transport.get_write_buffer_size() == 0
        assert len(end.read_all()) < len(BIG)


@requirement("pipes.broken", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_a_reader_that_goes_away_ends_the_connection(loop: Loop, patience: Patience) -> None:
    """When the reader closes its end while data waits, connection_lost() is called with an OSError.

    None would mean a regular end. Which error it is, BrokenPipeError or another, is left open.

    If this fails: look for a writer that waits for ever, a signal that ends the process, or None.
    """
    with writing(loop) as (transport, protocol, _, end):
        transport.write(BIG)
        turn(loop, 2)
        end.close()
        lost(loop, patience, protocol)
        assert isinstance(protocol.reason, OSError)


@requirement("pipes.reader-gone", SHOULD, cite="PEP 3156: Event Loop Classes")
@each("debug", [False, True])
def test_an_idle_writer_notices_that_its_reader_is_gone(loop: Loop, patience: Patience, debug: bool) -> None:
    """When the reader closes its end while nothing is written, connection_lost() is called all the same.

    If this fails: look for a write pipe that is watched only while data waits, or that waits for a change.
    """
    loop.set_debug(debug)
    with writing(loop) as (_, protocol, _, end):
        turn(loop, 2)
        end.close()
        lost(loop, patience, protocol)
    theirs, ours = os.pipe()
    os.close(theirs)
    file = open(ours, "wb", buffering=0)  # noqa: SIM115 (the transport owns it)
    transport, late = loop.run_until_complete(loop.connect_write_pipe(Events, file))
    lost(loop, patience, late)
    transport.close()
    turn(loop, 2)


@requirement("pipes.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("how", ["close", "abort", "the other end"])
@each("end", [reading, writing])
def test_the_end_of_a_pipe_is_closing_and_closed(loop: Loop, patience: Patience, end: Any, how: str) -> None:
    """is_closing() of either end of a pipe returns True if it is closing or is closed, and not before.

    If this fails: look for an answer that depends on a file which is gone when the pipe is closed.
    """
    with end(loop) as (transport, protocol, _, other):
        if how == "abort" and end is reading:
            return  # a ReadTransport has none
        assert transport.is_closing() is False
        if how == "the other end":
            other.close()
        else:
            getattr(transport, how)()
            assert transport.is_closing() is True
        lost(loop, patience, protocol)
        turn(loop, 2)
        assert transport.is_closing() is True


@requirement("pipes.write-returns-none", MUST, cite="PEP 3156: Unidirectional Stream Transports")
def test_write_to_a_pipe_returns_none(loop: Loop) -> None:
    """write() to a pipe returns None, as that of other transports, whether the pipe takes all of the data or nothing.

    If this fails: look for the number of bytes that were taken, or for an object that stands for the operation.
    """
    with writing(loop) as (transport, _, _, _):
        data = (b"", b"data", BIG, b"more", b"")
        assert [transport.write(each) for each in data] == [None] * len(data)
