"""Chapter streams: readers and writers over TLS, from the start or by StreamWriter.start_tls()."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import threading
from collections import deque
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import are_stopped, drive, receive_all, receive_exactly
from conformance.kit.secured import TIMED_OUT, tls_accept
from conformance.kit.secured_streams import SECURED, TLS_WAYS, secured_stream
from conformance.kit.streams import AT_ONCE, BIG, LONG, opened, opening_to, stream_listener
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
UPGRADE = "asyncio-stream: StreamWriter.start_tls"
MORE = BIG[:600_000]  # forty records, and more than shrunk buffers take at once


@requirement("streams.tls-read", MUST, cite=("asyncio-stream: StreamReader.read", UPGRADE))
@SECURED
def test_a_stream_with_tls_is_read_to_its_end(loop: Loop, patience: Patience, way: str) -> None:
    """Over TLS, read() reads until EOF, which is the peer's goodbye, and returns all read bytes, however many.

    If this fails: look for reading that is not resumed, or decrypted data that waits for the next record.
    """
    with secured_stream(loop, patience, way, limit=1000) as stream:  # reading is paused again and again

        def send() -> None:
            stream.peer.sendall(LONG)
            with contextlib.suppress(OSError):  # whether the loop answers is not asked here
                stream.peer.unwrap()

        helper = in_thread(send)
        assert stream.run(stream.reader.read()) == LONG
        assert stream.reader.at_eof()
        stream.writer.transport.abort()
        drive(loop, patience, helper)


@requirement("streams.tls-reading-is-bounded", MUST, cite=("asyncio-stream: open_connection", UPGRADE))
def test_a_reader_that_is_full_pauses_tls(loop: Loop, patience: Patience) -> None:
    """limit determines the buffer size limit over TLS, too: a peer that sends much more is held up.

    If this fails: look for pause_reading() that pauses nothing beneath the TLS layer.
    """
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(secured_stream(loop, patience, way)).peer for way in TLS_WAYS]
        stopped = dict(zip(TLS_WAYS, are_stopped(loop, peers), strict=True))
        assert stopped == dict.fromkeys(TLS_WAYS, True)


@requirement(
    "streams.tls-write", MUST, cite=("asyncio-stream: StreamWriter.write", "asyncio-stream: StreamWriter.writelines")
)
@SECURED
def test_a_writer_with_tls_writes(loop: Loop, patience: Patience, way: str) -> None:
    """Over TLS, write() sends or queues its data, and writelines() a list, or any iterable, of bytes.

    If this fails: look for a list that is required, pieces out of order, or an empty write that is taken for the end,
    or for data that waits for more of it, or for a timer.
    """
    kinds: Any = (list, tuple, iter, deque)
    with secured_stream(loop, patience, way) as stream:
        stream.writer.write(b"at once")
        turn(loop, AT_ONCE)
        assert receive_exactly(stream.peer, 7) == b"at once"
        for data in (b"a", b"", bytearray(b"b"), memoryview(b"c"), MORE):
            stream.writer.write(data)
        for kind in kinds:
            stream.writer.writelines(kind([b"d", b"", bytearray(b"e"), memoryview(b"f")]))
        expected = b"abc" + MORE + b"def" * len(kinds)
        helper = in_thread(lambda: receive_exactly(stream.peer, len(expected)))
        assert drive(loop, patience, helper) == expected


@requirement("streams.tls-drain", MUST, cite=("asyncio-stream: StreamWriter.drain", UPGRADE))
@SECURED
def test_drain_over_tls_waits_for_the_buffer(loop: Loop, patience: Patience, way: str) -> None:
    """Over TLS, drain() blocks while the buffer is above its limit, and goes on when it has drained.

    If this fails: look for flow control that ends at the transport beneath, or at the protocol before an upgrade.
    """
    with secured_stream(loop, patience, way) as stream:

        async def scenario() -> bytes:
            stream.writer.transport.set_write_buffer_limits(high=100_000)
            for _ in range(2):  # the buffer of the transport beneath takes the first
                stream.writer.write(MORE)
            draining = asyncio.ensure_future(stream.writer.drain())
            await asyncio.sleep(0.001)
            assert not draining.done()
            helper = in_thread(lambda: receive_exactly(stream.peer, 2 * len(MORE)))
            await draining
            await until(patience, lambda: not helper.is_alive(), "the last byte")
            return helper.result()

        assert stream.run(scenario()) == MORE * 2


@requirement("streams.tls-close", MUST, cite=("asyncio-stream: StreamWriter.wait_closed", UPGRADE))
@SECURED
def test_close_of_a_stream_with_tls_flushes_it(loop: Loop, patience: Patience, way: str) -> None:
    """Over TLS, close() closes the stream after what was written, and wait_closed() waits for that; is_closing() tells.

    If this fails: look for a close that drops the buffer, or ends the connection without a goodbye.
    """
    with secured_stream(loop, patience, way) as stream:
        before = stream.writer.is_closing()
        stream.writer.write(MORE)
        stream.writer.close()
        during = stream.writer.is_closing()

        def receive() -> bytes:
            data = receive_all(stream.peer)
            with contextlib.suppress(OSError):
                stream.peer.unwrap()
            return data

        helper = in_thread(receive)
        stream.run(stream.writer.wait_closed())
        assert drive(loop, patience, helper) == MORE
        assert stream.run(stream.reader.read()) == b""
        assert (before, during, stream.writer.is_closing()) == (False, True, True)


@requirement(
    "streams.tls-abort", MUST, cite=("asyncio-protocol: WriteTransport.abort", "asyncio-stream: StreamReader.read")
)
@SECURED
def test_a_read_over_tls_ends_when_the_stream_is_aborted(loop: Loop, patience: Patience, way: str) -> None:
    """abort() of the transport ends a stream with TLS regularly: a read that waits gets an end, and no error.

    If this fails: look for connection_lost() that is called with an exception by abort(), or not at all.
    """
    with secured_stream(loop, patience, way) as stream:

        async def scenario() -> bytes:
            reading = asyncio.ensure_future(stream.reader.read())
            await asyncio.sleep(0)
            stream.writer.transport.abort()
            await stream.writer.wait_closed()
            data: bytes = await reading
            return data

        assert stream.run(scenario()) == b""
        assert stream.writer.is_closing()


@requirement("streams.tls-can-write-eof", MUST, cite="asyncio-stream: StreamWriter.can_write_eof")
@SECURED
def test_a_writer_with_tls_cannot_write_eof(loop: Loop, patience: Patience, way: str) -> None:
    """can_write_eof() returns False if the underlying transport does not support write_eof(), as TLS does not.

    If this fails: look for the method of the transport beneath.
    """
    with secured_stream(loop, patience, way) as stream:
        assert stream.writer.can_write_eof() is False


@requirement("streams.tls-info", MUST, cite=("asyncio-stream: StreamWriter.get_extra_info", UPGRADE))
@SECURED
def test_a_writer_with_tls_gives_its_information(loop: Loop, patience: Patience, way: str) -> None:
    """get_extra_info() of a writer tells of the socket and of TLS, also after an upgrade; default if it tells nothing.

    If this fails: look for what the transport beneath knows, and the TLS transport does not pass on.
    """
    with secured_stream(loop, patience, way) as stream:
        writer, peer = stream.writer, stream.peer
        assert writer.get_extra_info("peername") == peer.getsockname()
        assert writer.get_extra_info("sockname") == peer.getpeername()
        assert writer.get_extra_info("socket").getsockname() == peer.getpeername()
        assert writer.get_extra_info("cipher") == peer.cipher()
        assert isinstance(writer.get_extra_info("sslcontext"), ssl.SSLContext)
        assert writer.get_extra_info("ssl_object").version() == peer.version()
        assert bool(writer.get_extra_info("peercert")) is not way.startswith(("accepted", "unix-accepted"))
        assert writer.get_extra_info("no such thing", "default") == "default"


@requirement("streams.tls-upgrade-flushes", MUST, cite=UPGRADE)
def test_what_a_writer_wrote_before_its_upgrade_goes_first(loop: Loop, patience: Patience) -> None:
    """start_tls() upgrades an existing stream: what was written before is sent as it is, and before the handshake.

    If this fails: look for a buffer that the upgrade drops, encrypts or overtakes.
    """
    with opened(loop, patience) as stream:
        stream.writer.transport.set_write_buffer_limits(high=2 * len(MORE))  # drain() does not wait
        stream.writer.write(MORE)

        def answer() -> ssl.SSLSocket:
            assert receive_exactly(stream.peer, len(MORE)) == MORE
            return server_context().wrap_socket(stream.peer, server_side=True)

        helper = in_thread(answer)
        stream.run(stream.writer.start_tls(client_context(), server_hostname=NAME))
        with drive(loop, patience, helper) as peer:
            stream.writer.write(b"secret")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"secret"
            stream.writer.transport.abort()
            turn(loop, 4)


def _opening(listening: Any, **kwargs: Any) -> Any:
    return opening_to(listening, **{"ssl": client_context(), **kwargs})


def _over(helper: threading.Thread) -> bool:
    return not helper.is_alive()


@requirement(
    "streams.tls-arguments", MUST, cite=("asyncio-stream: open_connection", "asyncio-stream: open_unix_connection")
)
@each("way", ["host", "unix"])
def test_the_arguments_for_tls_are_passed_on(loop: Loop, patience: Patience, watch: Any, way: str) -> None:
    """ssl, server_hostname, ssl_handshake_timeout and ssl_shutdown_timeout are passed on, and do what they say.

    If this fails: look for a path of its own for streams, which knows some of the arguments only.
    """
    watch.allow("reported")  # of a handshake that fails
    with stream_listener(way) as listening:
        with pytest.raises(TIMED_OUT):  # nobody answers
            loop.run_until_complete(_opening(listening, server_hostname=NAME, ssl_handshake_timeout=0.005))
        listening.accept()[0].close()

        refused: list[dict[str, Any]] = [{"server_hostname": "other.example"}]
        if way == "host":  # the default context does not trust the certificate of a test
            refused.append({"server_hostname": NAME, "ssl": True})
        for how in refused:
            helper = tls_accept(listening)
            with pytest.raises(ssl.SSLCertVerificationError):
                loop.run_until_complete(_opening(listening, **how))
            patience.run_until(loop, functools.partial(_over, helper), "the peer's part")

        helper = tls_accept(listening)
        _, writer = loop.run_until_complete(_opening(listening, server_hostname=NAME, ssl_shutdown_timeout=0.01))
        with drive(loop, patience, helper):  # it says no goodbye
            writer.close()
            closed = loop.create_task(writer.wait_closed())
            patience.run_until(loop, closed.done, "the end of wait_closed()")
            closed.exception()  # whether the end is told as a TimeoutError is left open
