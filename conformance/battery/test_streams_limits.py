"""Chapter streams: how much a reader takes and gives at a time, and what its errors tell."""

from __future__ import annotations

import asyncio
import functools

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import drive
from conformance.kit.streams import TCP, UNIX, WAYS, opened
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
LIMIT = 1 << 16


@requirement("streams.limit-default", MUST, cite=("asyncio-stream: open_connection", "asyncio-stream: start_server"))
@WAYS
def test_the_limit_is_64_kib_by_default(loop: Loop, patience: Patience, way: str) -> None:
    """By default the limit is set to 64 KiB: a line of that length is read, and a longer one is a LimitOverrunError.

    Whether the separator counts is left open: the one that is too long is so without it.

    If this fails: look for readers of another limit, or for data that is handed to another buffer than theirs.
    """
    for length in (LIMIT, LIMIT + 2):
        with opened(loop, patience, way) as stream:
            line = b"x" * (length - 1) + b"\n"

            helper = in_thread(functools.partial(stream.sent, line))
            if length == LIMIT:
                assert stream.run(stream.reader.readuntil()) == line
            else:
                with pytest.raises(asyncio.LimitOverrunError):
                    stream.run(stream.reader.readuntil())
                assert stream.run(stream.reader.readexactly(length)) == line
            drive(loop, patience, helper)


@requirement("streams.limit-without-separator", MUST, cite="asyncio-stream: StreamReader.readuntil")
@WAYS
def test_data_without_a_separator_is_an_overrun(loop: Loop, patience: Patience, way: str) -> None:
    """If the amount of data read exceeds the limit, LimitOverrunError is raised, before the separator has come, too.

    consumed is the number of bytes to be consumed. The data is left in the buffer and can be read again.

    If this fails: look for a search that waits for the separator first, while reading is paused.
    """
    with opened(loop, patience, way, limit=16) as stream:
        stream.sent(b"x" * 20)
        with pytest.raises(asyncio.LimitOverrunError) as caught:
            stream.run(stream.reader.readuntil(b"END"))
        consumed = caught.value.consumed
        assert 0 < consumed <= 20
        assert stream.run(stream.reader.readexactly(consumed)) == b"x" * consumed
        stream.sent(b"END")
        rest = b"x" * (20 - consumed) + b"END"
        assert stream.run(stream.reader.readexactly(len(rest))) == rest


@requirement(
    "streams.full-then-empty",
    MUST,
    cite=("asyncio-stream: StreamReader.read", "asyncio-protocol: ReadTransport.resume_reading"),
)
@WAYS
@each("method", ["read", "readexactly"])
def test_a_full_reader_that_is_emptied_at_once_reads_on(loop: Loop, patience: Patience, way: str, method: str) -> None:
    """A reader that was full, and so paused its transport, receives what follows once all that it has was read.

    If this fails: look for a pause that ends between two marks only, which a buffer that is emptied at once passes by.
    """
    with opened(loop, patience, way, limit=99) as stream:
        for _ in range(3):
            stream.sent(b"x" * 400)
            stream.run(asyncio.sleep(0.002))
            taken = stream.run(getattr(stream.reader, method)(400))
            assert taken + stream.run(stream.reader.readexactly(400 - len(taken))) == b"x" * 400


@requirement("streams.readuntil-separators", MUST, cite="asyncio-stream: StreamReader.readuntil", since="3.13")
@WAYS
def test_readuntil_takes_several_separators(loop: Loop, patience: Patience, way: str) -> None:
    """The separator may be a tuple of separators: the return value is the shortest possible that has any as its suffix.

    If this fails: look for separators that are tried one after the other, the first of the tuple first.
    """
    with opened(loop, patience, way) as stream:
        stream.sent(b"one\ntwo\r\nthree;four", end=True)
        found = [stream.run(stream.reader.readuntil((b";", b"\r\n", b"\n"))) for _ in range(3)]
        assert found == [b"one\n", b"two\r\n", b"three;"]
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            stream.run(stream.reader.readuntil((b"#", b"END")))
        assert caught.value.partial == b"four"


@requirement(
    "streams.read-nothing", MUST, cite=("asyncio-stream: StreamReader.read", "asyncio-stream: StreamReader.readexactly")
)
@WAYS
def test_reading_no_bytes_waits_for_none(loop: Loop, patience: Patience, way: str) -> None:
    """read(0) and readexactly(0) return an empty bytes object immediately, also when there is data, or none at all.

    If this fails: look for a 0 that is taken for no number, or for a read that waits for data before it counts.
    """
    with opened(loop, patience, way) as stream:
        for left in (b"ta", b""):
            stream.sent(b"data")
            assert stream.run(stream.reader.readexactly(4 - len(left))) == b"data"[: 4 - len(left)]
            assert stream.run(stream.reader.read(0)) == b""
            assert stream.run(stream.reader.readexactly(0)) == b""
            assert stream.run(stream.reader.readexactly(len(left))) == left


@requirement(
    "streams.incomplete-error",
    MUST,
    cite=("asyncio-exceptions: IncompleteReadError.expected", "asyncio-exceptions: IncompleteReadError.partial"),
)
@WAYS
def test_an_incomplete_read_tells_what_it_expected(loop: Loop, patience: Patience, way: str) -> None:
    """expected is the total number of bytes that were expected, and partial what was read before the end, if only b"".

    If this fails: look for an end that is told as an error of the connection, or for numbers of what was left to read.
    """
    with opened(loop, patience, way) as stream:
        stream.sent(b"first")
        assert stream.run(stream.reader.readexactly(2)) == b"fi"
        stream.sent(b" last", end=True)
        told = []
        for count in (20, 3):
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                stream.run(stream.reader.readexactly(count))
            told.append((caught.value.expected, caught.value.partial))
        assert told == [(20, b"rst last"), (3, b"")]


@requirement("streams.feed-eof", MUST, cite="asyncio-stream: StreamReader.at_eof")
def test_the_end_may_be_fed(loop: Loop, patience: Patience) -> None:
    """feed_eof() acknowledges the end: what is in the buffer is read, then nothing, and at_eof() returns True.

    If this fails: look for a reader whose end is the transport's alone.
    """
    for way in TCP + UNIX:
        with opened(loop, patience, way) as stream:
            stream.sent(b"data")
            assert stream.run(stream.reader.readexactly(1)) == b"d"
            reading = asyncio.ensure_future(stream.reader.read(), loop=loop)
            stream.run(asyncio.sleep(0))
            stream.reader.feed_eof()
            assert (stream.run(reading), stream.reader.at_eof()) == (b"ata", True)
