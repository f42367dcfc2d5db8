"""Chapter streams: what StreamWriter and start_server() do over the loop's transports."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, reset
from conformance.kit.streams import AT_ONCE, BIG, TCP_WAYS, WAYS, Opened, opened
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@pytest.fixture
def stream(loop: Loop, patience: Patience) -> Iterator[Opened]:
    """A stream with the default limit."""
    with opened(loop, patience) as made:
        yield made


@requirement("streams.write", MUST, cite="asyncio-stream: StreamWriter.write")
@each("kind", [bytes, bytearray, memoryview])
@WAYS
def test_write_sends_or_queues(loop: Loop, patience: Patience, way: str, kind: Any) -> None:
    """write() attempts to write the data at once; what the system does not take is queued until it can be sent.

    If this fails: look for a short write whose rest is dropped, or an empty write that is taken for the end, or for
    data that waits for more of it, or for a timer.
    """
    with opened(loop, patience, way) as stream:
        stream.writer.write(kind(b"at once"))
        turn(loop, AT_ONCE)
        assert receive_exactly(stream.peer, 7) == b"at once"
        for data in (b"first", b"", BIG if kind is bytes else b"second", b"", b"end"):
            stream.writer.write(kind(data))
        expected = b"first" + (BIG if kind is bytes else b"second") + b"end"
        helper = in_thread(lambda: receive_exactly(stream.peer, len(expected)))
        assert drive(loop, patience, helper) == expected


@requirement("streams.writelines", MUST, cite="asyncio-stream: StreamWriter.writelines")
@each("kind", [list, tuple, iter, deque])
@WAYS
def test_writelines_sends_every_piece(loop: Loop, patience: Patience, way: str, kind: Any) -> None:
    """writelines() writes a list, or any iterable, of bytes; what the system does not take is queued in its place.

    If this fails: look for a list that is required, pieces out of order, or more of them than one system call takes,
    or for pieces that wait for more of them, or for a timer.
    """
    pieces: list[Any] = [b"a", b"", bytearray(b"bc"), memoryview(b"d")]
    queued = BIG[:500_000] if kind is list else b""  # more than the system takes
    if kind is list:
        pieces += [b"x", b"yz"] * 1000
    written = b"".join(pieces)
    expected = written + queued + written + b"end"
    with opened(loop, patience, way) as stream:
        stream.writer.writelines(kind([b"at ", b"once"]))
        turn(loop, AT_ONCE)
        assert receive_exactly(stream.peer, 7) == b"at once"
        stream.writer.writelines([])
        stream.writer.writelines(kind(pieces))
        stream.writer.write(queued)
        stream.writer.writelines(kind(pieces))
        stream.writer.write(b"end")
        helper = in_thread(lambda: receive_exactly(stream.peer, len(expected)))
        assert drive(loop, patience, helper) == expected


@requirement("streams.drain-waits", MUST, cite="asyncio-stream: StreamWriter.drain")
@WAYS
def test_drain_waits_for_the_buffer(loop: Loop, patience: Patience, way: str) -> None:
    """When the buffer reaches the high watermark, drain() blocks until it is drained down to the low watermark.

    If this fails: look for pause_writing() or resume_writing() that are not called, or not a second time.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> bytes:
            stream.writer.transport.set_write_buffer_limits(high=len(BIG) // 2, low=1000)
            stream.writer.write(BIG)
            draining = asyncio.ensure_future(stream.writer.drain())
            await asyncio.sleep(0.001)
            assert not draining.done()
            helper = in_thread(lambda: receive_exactly(stream.peer, len(BIG)))
            await draining
            assert stream.writer.transport.get_write_buffer_size() <= 1000
            await until(patience, lambda: not helper.is_alive(), "the last byte")
            return helper.result()

        for _ in range(2):
            assert stream.run(scenario()) == BIG


@requirement(
    "streams.drain-ends", MUST, cite=("asyncio-stream: StreamWriter.drain", "asyncio-protocol: WriteTransport.abort")
)
@WAYS
def test_drain_ends_with_the_connection(loop: Loop, patience: Patience, way: str) -> None:
    """drain() that waits goes on, with or without an error, when the transport is aborted: the buffer is lost.

    If this fails: look for connection_lost() that a paused protocol is not told.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> None:
            stream.writer.write(BIG)
            draining = asyncio.ensure_future(stream.writer.drain())
            await asyncio.sleep(0)
            stream.writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await draining
            await stream.writer.wait_closed()

        stream.run(scenario())


@requirement("streams.drain-at-once", MUST, cite="asyncio-stream: StreamWriter.drain")
def test_drain_returns_when_there_is_nothing_to_wait_for(stream: Opened) -> None:
    """When there is nothing to wait for, drain() returns immediately: no callback runs before it does.

    If this fails: look for a limit of zero, so that the smallest write pauses.
    """

    async def scenario() -> list[str]:
        order: list[str] = []
        stream.writer.write(b"small")
        stream.loop.call_soon(order.append, "another")
        await stream.writer.drain()
        return [*order, "drained"]

    assert stream.run(scenario()) == ["drained"]


@requirement("streams.drain-several", SHOULD, cite="gh-74116")
def test_several_may_wait_in_drain(stream: Opened) -> None:
    """Several coroutines may wait in drain() of one writer, and all go on when the buffer has drained.

    If this fails: look for resume_writing() that is called while the buffer is still full.
    """

    async def scenario() -> None:
        stream.writer.write(BIG * 2)
        draining = [asyncio.ensure_future(stream.writer.drain()) for _ in range(3)]
        helper = in_thread(lambda: receive_exactly(stream.peer, 2 * len(BIG)))
        await asyncio.gather(*draining)
        await until(stream.patience, lambda: not helper.is_alive(), "the last byte")

    stream.run(scenario())


@requirement("streams.drain-after-reset", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@TCP_WAYS
def test_drain_after_a_reset_is_a_connection_error(loop: Loop, patience: Patience, way: str) -> None:
    """drain() on a connection that was lost raises ConnectionResetError, also if it waits when that happens.

    If this fails: look for a loss that does not wake the waiting writer.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> None:
            keep_limits_low(stream.writer.transport)
            stream.writer.write(BIG)
            draining = asyncio.ensure_future(stream.writer.drain())
            await asyncio.sleep(0)
            reset(stream.peer)
            await draining

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            stream.run(scenario())


@requirement("streams.write-eof", MUST, cite="asyncio-stream: StreamWriter.write_eof")
@WAYS
def test_write_eof_ends_one_direction(loop: Loop, patience: Patience, way: str) -> None:
    """write_eof() closes the write end after the buffered data is flushed; reading goes on.

    If this fails: look for a close of both directions, or a shutdown() that overtakes the buffer.
    """
    with opened(loop, patience, way) as stream:
        stream.writer.write(BIG)
        stream.writer.write_eof()
        assert drive(loop, patience, in_thread(lambda: receive_all(stream.peer))) == BIG
        assert not stream.writer.is_closing()
        stream.sent(b"still", end=True)
        assert stream.run(stream.reader.read()) == b"still"


@requirement("streams.can-write-eof", MUST, cite="asyncio-stream: StreamWriter.can_write_eof")
@WAYS
def test_can_write_eof_over_sockets(loop: Loop, patience: Patience, way: str) -> None:
    """can_write_eof() returns True if the underlying transport supports write_eof(), as TCP and Unix sockets do.

    If this fails: look for the base class's method.
    """
    with opened(loop, patience, way) as stream:
        assert stream.writer.can_write_eof() is True


@requirement("streams.half-open", SHOULD, cite="asyncio-stream: StreamReader.at_eof")
@each("waits", [b"", BIG], ids=["nothing-waits", "data-waits"])
@WAYS
def test_the_end_from_the_peer_leaves_the_writer_open(loop: Loop, patience: Patience, way: str, waits: bytes) -> None:
    """After the peer ended its direction, the writer still writes: a stream stays half-open until close().

    If this fails: look for eof_received() whose true result is not looked at.
    """
    with opened(loop, patience, way) as stream:
        stream.writer.write(waits)
        stream.sent(b"", end=True)
        assert stream.run(stream.reader.read()) == b""
        turn(loop, 3)
        assert not stream.writer.is_closing()
        stream.writer.write(b"answer")
        expected = waits + b"answer"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(stream.peer, len(expected)))) == expected
        turn(loop, 3)
        assert not stream.writer.is_closing()


@requirement(
    "streams.transport",
    MUST,
    cite=("asyncio-stream: StreamWriter.get_extra_info", "asyncio-stream: StreamWriter.transport"),
)
@WAYS
def test_the_writer_gives_its_transport_and_its_information(loop: Loop, patience: Patience, way: str) -> None:
    """transport returns the underlying transport, and get_extra_info() what it tells; default if it tells nothing.

    If this fails: look for a default that is not returned, or a kind of connection that does not tell its addresses.
    """
    with opened(loop, patience, way) as stream:
        writer, peer = stream.writer, stream.peer
        for name, value in (("peername", peer.getsockname()), ("sockname", peer.getpeername())):
            assert writer.get_extra_info(name) == writer.transport.get_extra_info(name) == value
        assert writer.get_extra_info("socket").getsockname() == peer.getpeername()
        assert writer.get_extra_info("no such thing") is None
        assert writer.get_extra_info("no such thing", "default") == "default"
        assert writer.get_extra_info("no such thing", default=0) == 0
