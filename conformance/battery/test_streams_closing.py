"""Chapter streams: the end of a stream, by close(), by abort() or by the peer, as its writer tells of it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, reset
from conformance.kit.streams import BIG, TCP_WAYS, WAYS, opened
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("streams.close", MUST, cite="asyncio-stream: StreamWriter.close")
@WAYS
def test_close_closes_the_stream_and_its_socket(loop: Loop, patience: Patience, way: str) -> None:
    """close() closes the stream and the underlying socket, after what was written; wait_closed() waits for that.

    If this fails: look for a close that drops the buffer, or connection_lost() that does not come.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> bytes:
            helper = in_thread(lambda: receive_all(stream.peer))
            stream.writer.write(BIG)
            stream.writer.close()
            await stream.writer.wait_closed()
            await until(patience, lambda: not helper.is_alive(), "the end at the peer")
            return helper.result()

        assert stream.run(scenario()) == BIG


@requirement("streams.wait-closed-waits", MUST, cite="asyncio-stream: StreamWriter.wait_closed")
@WAYS
def test_wait_closed_waits_until_all_is_flushed(loop: Loop, patience: Patience, way: str) -> None:
    """wait_closed() waits until the underlying connection is closed, ensuring that all data has been flushed.

    If this fails: look for connection_lost() that is called before the buffer is empty.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> None:
            stream.writer.write(BIG)
            stream.writer.close()
            waiting = [asyncio.ensure_future(stream.writer.wait_closed()) for _ in range(2)]
            await asyncio.sleep(0.001)
            assert not any(waiter.done() for waiter in waiting)
            helper = in_thread(lambda: receive_all(stream.peer))
            await asyncio.gather(*waiting)
            await until(patience, lambda: not helper.is_alive(), "the end at the peer")
            assert helper.result() == BIG
            stream.writer.close()  # a second time
            await stream.writer.wait_closed()

        stream.run(scenario())


@requirement("streams.is-closing", MUST, cite="asyncio-stream: StreamWriter.is_closing")
@each("end", ["close", "abort", "transport's close", "close after much"])
@WAYS
def test_is_closing_is_true_after_close(loop: Loop, patience: Patience, way: str, end: str) -> None:
    """is_closing() returns True if the stream is closed or in the process of being closed, and False before.

    If this fails: look for a flag that is set with connection_lost() only.
    """
    with opened(loop, patience, way) as stream:
        writer = stream.writer
        writer.write(BIG if end == "close after much" else b"little")
        before = writer.is_closing()
        ends = {"abort": writer.transport.abort, "transport's close": writer.transport.close}
        ends.get(end, writer.close)()
        at_once = writer.is_closing()
        turn(loop, 3)
        during = writer.is_closing()
        helper = in_thread(lambda: receive_all(stream.peer))
        stream.run(writer.wait_closed())
        assert (before, at_once, during, writer.is_closing()) == (False, True, True, True)
        with contextlib.suppress(ConnectionResetError):  # abort() may reset the connection
            drive(loop, patience, helper)


@requirement("streams.is-closing-lost", MUST, cite="asyncio-stream: StreamWriter.is_closing")
@TCP_WAYS
def test_is_closing_is_true_when_the_connection_is_lost(loop: Loop, patience: Patience, way: str) -> None:
    """is_closing() returns True if the stream is closed, also when nobody here has closed it.

    If this fails: look for a flag that close() alone sets, or a transport beside the one that the connection has.
    """
    with opened(loop, patience, way) as stream:
        reset(stream.peer)
        with pytest.raises(ConnectionResetError):
            stream.run(stream.reader.read())
        with contextlib.suppress(ConnectionResetError):
            stream.run(stream.writer.wait_closed())
        assert stream.writer.is_closing()


@requirement(
    "streams.close-ends-reading",
    MUST,
    cite=("asyncio-stream: StreamWriter.close", "asyncio-protocol: BaseTransport.close"),
)
@each("end", ["close", "abort"])
@WAYS
def test_a_read_ends_when_the_stream_is_closed(loop: Loop, patience: Patience, way: str, end: str) -> None:
    """close(), and abort() of the transport, end a stream regularly: a read that waits gets an end, and no error.

    If this fails: look for connection_lost() that is called with an exception by close() or abort(), or not at all.
    """
    with opened(loop, patience, way) as stream:

        async def scenario() -> bytes:
            reading = asyncio.ensure_future(stream.reader.read())
            await asyncio.sleep(0)
            stream.writer.close() if end == "close" else stream.writer.transport.abort()
            await stream.writer.wait_closed()
            data: bytes = await reading
            return data

        assert stream.run(scenario()) == b""
        assert stream.reader.at_eof()
