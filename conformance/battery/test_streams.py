"""Chapter streams: what StreamReader reads over the loop's transports."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import are_stopped, listener, reset
from conformance.kit.streams import (
    LONG,
    TCP,
    TCP_WAYS,
    UNIX,
    WAYS,
    Opened,
    answer_line,
    answer_to_line,
    opened,
)
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@pytest.fixture
def stream(loop: Loop, patience: Patience) -> Iterator[Opened]:
    """A stream with the default limit."""
    with opened(loop, patience) as made:
        yield made


@requirement("streams.open-connection", MUST, cite="asyncio-stream: open_connection")
def test_open_connection_gives_reader_and_writer(loop: Loop) -> None:
    """open_connection() establishes a connection and returns a pair of StreamReader and StreamWriter.

    If this fails: look for a connection_made() that comes after create_connection() has returned.
    """
    with listener() as listening:
        reader, writer = loop.run_until_complete(asyncio.open_connection(*listening.getsockname()))
        assert isinstance(reader, asyncio.StreamReader)
        assert isinstance(writer, asyncio.StreamWriter)
        writer.close()
        turn(loop, 3)


@requirement("streams.read-all", MUST, cite="asyncio-stream: StreamReader.read")
@WAYS
def test_read_without_a_number_reads_to_the_end(loop: Loop, patience: Patience, way: str) -> None:
    """read(), with n not provided or -1, reads until EOF and returns all read bytes.

    If this fails: look for data lost between two chunks, or an end that overtakes data.
    """
    for number in ((), (-1,)):
        with opened(loop, patience, way, limit=1000) as stream:  # reading is paused again and again
            helper = in_thread(functools.partial(stream.sent, LONG, end=True))
            assert stream.run(stream.reader.read(*number)) == LONG
            helper.result()


@requirement("streams.read-some", MUST, cite="asyncio-stream: StreamReader.read")
def test_read_gives_up_to_n_bytes(stream: Opened) -> None:
    """read(n) reads up to n bytes, as soon as there are some.

    If this fails: look for a wait for n bytes, or more than n.
    """
    stream.sent(b"abcdef")
    data = b""
    while len(data) < 6:
        part = stream.run(stream.reader.read(4))
        assert 0 < len(part) <= 4
        data += part
    assert data == b"abcdef"


@requirement("streams.read-end", MUST, cite="asyncio-stream: StreamReader.read")
@WAYS
def test_read_at_the_end_gives_nothing(loop: Loop, patience: Patience, way: str) -> None:
    """If EOF was received and the internal buffer is empty, read() returns an empty bytes object, again and again.

    If this fails: look for an end that is told once, or not at all.
    """
    with opened(loop, patience, way) as stream:
        stream.sent(b"last", end=True)
        assert b"".join(stream.run(stream.reader.read(1)) for _ in range(4)) == b"last"
        assert [stream.run(stream.reader.read(100)) for _ in range(2)] == [b"", b""]


@requirement("streams.readline", MUST, cite="asyncio-stream: StreamReader.readline")
def test_readline_reads_a_line(stream: Opened) -> None:
    """readline() reads one line, a sequence of bytes ending with \\n; at EOF, partial data, and then nothing.

    If this fails: look for chunks that are mixed up, or an end that hides the rest.
    """
    stream.sent(b"one\ntwo\na long")
    assert [stream.run(stream.reader.readline()) for _ in range(2)] == [b"one\n", b"two\n"]

    async def in_pieces() -> bytes:
        reading = asyncio.ensure_future(stream.reader.readline())
        await asyncio.sleep(0.001)
        stream.sent(b" line\n\nrest", end=True)
        line: bytes = await reading
        return line

    assert stream.run(in_pieces()) == b"a long line\n"
    assert [stream.run(stream.reader.readline()) for _ in range(3)] == [b"\n", b"rest", b""]


@requirement("streams.readexactly", MUST, cite="asyncio-stream: StreamReader.readexactly")
@WAYS
def test_readexactly_waits_for_n_bytes(loop: Loop, patience: Patience, way: str) -> None:
    """readexactly(n) reads exactly n bytes, over as many chunks as it takes.

    If this fails: look for a waiter that is not woken by the second chunk, or reading that is paused and not resumed.
    """
    with opened(loop, patience, way, limit=1000) as stream:  # reading is paused again and again
        helper = in_thread(lambda: stream.sent(LONG + b"rest"))
        assert stream.run(stream.reader.readexactly(len(LONG))) == LONG
        assert stream.run(stream.reader.readexactly(4)) == b"rest"
        helper.result()


@requirement("streams.incomplete", MUST, cite="asyncio-stream: StreamReader.readexactly")
def test_readexactly_at_the_end_is_an_error(stream: Opened) -> None:
    """readexactly() raises IncompleteReadError if EOF is reached before n; partial is what was read.

    If this fails: look for an end that is told as an error of its own, or that drops what came before.
    """
    stream.sent(b"short", end=True)
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        stream.run(stream.reader.readexactly(10))
    assert caught.value.partial == b"short"


@requirement("streams.readuntil", MUST, cite="asyncio-stream: StreamReader.readuntil")
def test_readuntil_finds_its_separator(stream: Opened) -> None:
    """readuntil(separator) reads until separator is found, also across chunks; it is included, and consumed.

    If this fails: look for chunks whose border hides the separator.
    """

    async def scenario() -> list[bytes]:
        reading = asyncio.ensure_future(stream.reader.readuntil(b"END"))
        stream.peer.sendall(b"firstE")
        await asyncio.sleep(0.001)
        stream.peer.sendall(b"NDsecondEND")
        return [await reading, await stream.reader.readuntil(b"END")]

    assert stream.run(scenario()) == [b"firstEND", b"secondEND"]


@requirement("streams.readuntil-end", MUST, cite="asyncio-stream: StreamReader.readuntil")
def test_readuntil_at_the_end_is_an_error(stream: Opened) -> None:
    """If EOF is reached before the complete separator, readuntil() raises IncompleteReadError and resets the buffer.

    If this fails: look for an end that does not wake the reader.
    """
    stream.sent(b"partE", end=True)
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        stream.run(stream.reader.readuntil(b"END"))
    assert caught.value.partial == b"partE"
    assert stream.run(stream.reader.read()) == b""


@requirement("streams.limit", MUST, cite="asyncio-stream: StreamReader.readuntil")
@WAYS
def test_more_than_the_limit_is_an_overrun(loop: Loop, patience: Patience, way: str) -> None:
    """If the data exceeds the limit, readuntil() raises LimitOverrunError, and the data can be read again.

    If this fails: look for a limit that open_connection() loses, or data that is dropped.
    """
    with opened(loop, patience, way, limit=16) as stream:
        stream.sent(b"x" * 40 + b"\n")
        with pytest.raises(asyncio.LimitOverrunError):
            stream.run(stream.reader.readuntil())
        assert stream.run(stream.reader.readexactly(41)) == b"x" * 40 + b"\n"


@requirement("streams.readline-limit", SHOULD, cite="asyncio-stream: StreamReader.readline")
def test_a_line_over_the_limit_is_a_value_error(loop: Loop, patience: Patience) -> None:
    """readline() of a line longer than the limit raises ValueError.

    If this fails: look for a limit that open_connection() loses.
    """
    with opened(loop, patience, limit=16) as stream:
        stream.sent(b"x" * 40 + b"\n")
        with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
            stream.run(stream.reader.readline())


@requirement("streams.reading-is-bounded", MUST, cite="asyncio-stream: open_connection")
def test_a_reader_that_is_full_pauses_the_transport(loop: Loop, patience: Patience) -> None:
    """limit determines the buffer size limit: a peer that sends much more than the reader takes is held up.

    If this fails: look for pause_reading() that does not stop data_received(); memory then grows with the peer's zeal.
    """
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(opened(loop, patience, way)).peer for way in TCP + UNIX]
        stopped = dict(zip(TCP + UNIX, are_stopped(loop, peers), strict=True))
        assert stopped == dict.fromkeys(TCP + UNIX, True)


@requirement(
    "streams.end-after-pause",
    MUST,
    cite=("asyncio-stream: StreamReader.read", "asyncio-protocol: §Streaming Protocols"),
)
@WAYS
def test_the_end_waits_while_the_reader_is_full(loop: Loop, patience: Patience, way: str) -> None:
    """read() reads until EOF and returns all bytes, also those that came while the reader was full, and reading paused.

    If this fails: look for an end that is told to a transport that is paused, with data in front of it.
    """
    with opened(loop, patience, way, limit=16) as stream:
        stream.sent(b"x" * 1000)
        stream.run(asyncio.sleep(0.002))
        stream.sent(b"y" * 1000, end=True)
        stream.run(asyncio.sleep(0.002))
        assert not stream.reader.at_eof()
        assert stream.run(stream.reader.read()) == b"x" * 1000 + b"y" * 1000


@requirement("streams.at-eof", MUST, cite="asyncio-stream: StreamReader.at_eof")
def test_at_eof_is_true_when_all_is_read(stream: Opened) -> None:
    """at_eof() returns True if the buffer is empty and the end was received, and False before.

    If this fails: look for an end that is noticed before the data in front of it is handed out.
    """

    async def scenario() -> list[bool]:
        seen = [stream.reader.at_eof()]
        stream.sent(b"xy", end=True)
        await stream.reader.readexactly(1)
        await asyncio.sleep(0.002)
        seen.append(stream.reader.at_eof())
        await stream.reader.read()
        return [*seen, stream.reader.at_eof()]

    assert stream.run(scenario()) == [False, False, True]


@requirement("streams.async-for", MUST, cite="asyncio-stream: StreamReader")
def test_a_reader_is_an_iterable_of_lines(stream: Opened) -> None:
    """As an asynchronous iterable, the reader supports async for: it gives lines until the end.

    If this fails: look for an end that does not wake the reader.
    """

    async def scenario() -> list[bytes]:
        return [line async for line in stream.reader]

    stream.sent(b"one\ntwo\nrest", end=True)
    assert stream.run(scenario()) == [b"one\n", b"two\n", b"rest"]


@requirement("streams.reset", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@TCP_WAYS
def test_a_reset_reaches_the_reader(loop: Loop, patience: Patience, way: str) -> None:
    """A connection that is reset raises ConnectionResetError in the read that waits.

    If this fails: look for connection_lost(None) after an error, which the reader takes for a regular end.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> None:
            reading = asyncio.ensure_future(stream.reader.read())
            await asyncio.sleep(0)
            reset(stream.peer)
            await reading

        with pytest.raises(ConnectionResetError):
            stream.run(scenario())


@requirement("streams.cancelled-read", SHOULD, cite="asyncio-stream: StreamReader.read")
def test_a_cancelled_read_loses_nothing(stream: Opened) -> None:
    """A read that was cancelled takes no data with it: the next read gets all of it.

    If this fails: look for a transfer into the cancelled reader's buffer that completes later.
    """

    async def scenario() -> bytes:
        for _ in range(3):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stream.reader.readexactly(4), 0.001)
        stream.peer.sendall(b"data")
        data: bytes = await stream.reader.readexactly(4)
        return data

    assert stream.run(scenario()) == b"data"


@requirement(
    "streams.unix",
    MUST,
    cite=("asyncio-stream: open_unix_connection", "asyncio-stream: start_unix_server"),
    needs=("unix",),
)
def test_streams_over_unix_sockets(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """open_unix_connection() and start_unix_server() are similar to their TCP relatives, but operate on Unix sockets.

    If this fails: look for a method that does not take a path-like object.
    """
    path = tmp_path / "s"

    async def scenario() -> bytes:
        server = await asyncio.start_unix_server(answer_line, path)
        return await answer_to_line(server, asyncio.open_unix_connection(path))

    assert loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds)) == b"LINE\n"
