"""Chapter streams: what StreamWriter and start_server() do over the loop's transports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, reset, shrink_buffers
from conformance.kit.streams import BIG, Opened, opened, said_goodbye
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@pytest.fixture
def stream(loop: Loop, patience: Patience) -> Iterator[Opened]:
    """A stream with the default limit."""
    with opened(loop, patience) as made:
        yield made


@requirement("streams.write", MUST, cite="asyncio-stream: StreamWriter.write")
def test_write_sends_or_queues(stream: Opened) -> None:
    """write() attempts to write the data at once; what the system does not take is queued until it can be sent.

    If this fails: look for a short write whose rest is dropped.
    """
    stream.writer.write(BIG)
    stream.writer.write(b"end")
    helper = in_thread(lambda: receive_exactly(stream.peer, len(BIG) + 3))
    assert drive(stream.loop, stream.patience, helper) == BIG + b"end"


@requirement("streams.writelines", MUST, cite="asyncio-stream: StreamWriter.writelines")
def test_writelines_sends_every_piece(stream: Opened) -> None:
    """writelines() writes a list, or any iterable, of bytes.

    If this fails: look for a list that is required, or pieces out of order.
    """
    stream.writer.writelines(piece for piece in (b"a", b"", b"bc"))
    assert drive(stream.loop, stream.patience, in_thread(lambda: receive_exactly(stream.peer, 3))) == b"abc"


@requirement("streams.drain-waits", MUST, cite="asyncio-stream: StreamWriter.drain")
def test_drain_waits_for_the_buffer(stream: Opened) -> None:
    """When the buffer reaches the high watermark, drain() blocks until it is drained down to the low watermark.

    If this fails: look for pause_writing() or resume_writing() that are not called.
    """

    async def scenario() -> bytes:
        stream.writer.write(BIG * 2)
        draining = asyncio.ensure_future(stream.writer.drain())
        await asyncio.sleep(0.001)
        assert not draining.done()
        helper = in_thread(lambda: receive_exactly(stream.peer, 2 * len(BIG)))
        await draining
        await until(stream.patience, lambda: not helper.is_alive(), "the last byte")
        return helper.result()

    assert stream.run(scenario()) == BIG * 2


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
def test_drain_after_a_reset_is_a_connection_error(stream: Opened) -> None:
    """drain() on a connection that was lost raises ConnectionResetError, also if it waits when that happens.

    If this fails: look for a loss that does not wake the waiting writer.
    """

    async def scenario() -> None:
        stream.writer.write(BIG * 2)
        draining = asyncio.ensure_future(stream.writer.drain())
        await asyncio.sleep(0)
        reset(stream.peer)
        await draining

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        stream.run(scenario())


@requirement("streams.close", MUST, cite="asyncio-stream: StreamWriter.close")
def test_close_closes_the_stream_and_its_socket(stream: Opened) -> None:
    """close() closes the stream and the underlying socket, after what was written; wait_closed() waits for that.

    If this fails: look for a close that drops the buffer, or connection_lost() that does not come.
    """

    async def scenario() -> bytes:
        helper = in_thread(lambda: receive_all(stream.peer))
        stream.writer.write(BIG)
        stream.writer.close()
        await stream.writer.wait_closed()
        await until(stream.patience, lambda: not helper.is_alive(), "the end at the peer")
        return helper.result()

    assert stream.run(scenario()) == BIG


@requirement("streams.wait-closed-waits", MUST, cite="asyncio-stream: StreamWriter.wait_closed")
def test_wait_closed_waits_until_all_is_flushed(loop: Loop, patience: Patience) -> None:
    """wait_closed() waits until the underlying connection is closed, ensuring that all data has been flushed.

    If this fails: look for connection_lost() that is called before the buffer is empty.
    """
    with opened(loop, patience) as stream:
        shrink_buffers(stream.writer.get_extra_info("socket"), stream.peer)

        async def scenario() -> None:
            stream.writer.write(BIG)
            stream.writer.close()
            waiting = asyncio.ensure_future(stream.writer.wait_closed())
            await asyncio.sleep(0.001)
            assert not waiting.done()
            helper = in_thread(lambda: receive_all(stream.peer))
            await waiting
            await until(stream.patience, lambda: not helper.is_alive(), "the end at the peer")
            assert helper.result() == BIG

        stream.run(scenario())


@requirement("streams.is-closing", MUST, cite="asyncio-stream: StreamWriter.is_closing")
def test_is_closing_is_true_after_close(stream: Opened) -> None:
    """is_closing() returns True if the stream is closed or in the process of being closed, and False before.

    If this fails: look for a flag that is set with connection_lost() only.
    """
    before = stream.writer.is_closing()
    stream.writer.close()
    during = stream.writer.is_closing()
    stream.run(stream.writer.wait_closed())
    assert (before, during, stream.writer.is_closing()) == (False, True, True)


@requirement("streams.write-eof", MUST, cite="asyncio-stream: StreamWriter.write_eof")
def test_write_eof_ends_one_direction(stream: Opened) -> None:
    """write_eof() closes the write end after the buffered data is flushed; reading goes on.

    If this fails: look for a close of both directions, or a shutdown() that overtakes the buffer.
    """
    stream.writer.write(BIG)
    stream.writer.write_eof()
    assert drive(stream.loop, stream.patience, in_thread(lambda: receive_all(stream.peer))) == BIG
    stream.sent(b"still", end=True)
    assert stream.run(stream.reader.read()) == b"still"


@requirement("streams.can-write-eof", MUST, cite="asyncio-stream: StreamWriter.can_write_eof")
def test_can_write_eof_over_tcp(stream: Opened) -> None:
    """can_write_eof() returns True if the underlying transport supports write_eof(), as TCP does.

    If this fails: look for the base class's method.
    """
    assert stream.writer.can_write_eof() is True


@requirement("streams.half-open", SHOULD, cite="asyncio-stream: StreamReader.at_eof")
def test_the_end_from_the_peer_leaves_the_writer_open(stream: Opened) -> None:
    """After the peer ended its direction, the writer still writes: a stream stays half-open until close().

    If this fails: look for eof_received() whose true result is not looked at.
    """
    stream.sent(b"", end=True)
    assert stream.run(stream.reader.read()) == b""
    turn(stream.loop, 3)
    stream.writer.write(b"answer")
    assert drive(stream.loop, stream.patience, in_thread(lambda: receive_exactly(stream.peer, 6))) == b"answer"


@requirement(
    "streams.transport",
    MUST,
    cite=("asyncio-stream: StreamWriter.get_extra_info", "asyncio-stream: StreamWriter.transport"),
)
def test_the_writer_gives_its_transport_and_its_information(stream: Opened) -> None:
    """transport returns the underlying transport, and get_extra_info() what it tells; default if it tells nothing.

    If this fails: look for a default that is not returned.
    """
    writer = stream.writer
    assert writer.get_extra_info("peername") == stream.peer.getsockname()
    assert writer.get_extra_info("peername") == writer.transport.get_extra_info("peername")
    assert writer.get_extra_info("no such thing", "default") == "default"


@requirement("streams.server", MUST, cite="asyncio-stream: start_server")
@each("kind", ["coroutine", "callable"])
def test_start_server_calls_back_with_a_pair(loop: Loop, patience: Patience, kind: str) -> None:
    """client_connected_cb is called whenever a connection is established, with reader and writer; a coroutine function
    is scheduled as a task.

    If this fails: look for a callback whose coroutine nobody runs.
    """
    tasks: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        writer.write((await reader.readline()).upper())
        writer.close()

    def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(loop.create_task(serve(reader, writer)))

    async def scenario() -> bytes:
        server = await asyncio.start_server(serve if kind == "coroutine" else plain, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"line\n")
        data = await reader.read()
        await said_goodbye(writer, server)
        return data

    assert loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds)) == b"LINE\n"
    assert isinstance(tasks[0], asyncio.Task)


@requirement("streams.server-error", SHOULD, cite="gh-110894")
def test_a_handler_that_fails_is_reported(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception of a coroutine client_connected_cb is given to the exception handler; the connection is closed.

    If this fails: look for a handler's task whose exception is lost.
    """
    watch.allow("reported")

    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise LookupError("in the handler")

    async def scenario() -> bytes:
        server = await asyncio.start_server(fail, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        data = await reader.read()
        writer.close()
        server.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return data

    assert loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds)) == b""
    assert any(isinstance(context.get("exception"), LookupError) for context in watch.reported)
