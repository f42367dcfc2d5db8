"""Chapter buffered: what the loop leaves alone of the memory that it is given, ends, and buffers over TLS."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.secured import SIDES, secured
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
UPDATED = "asyncio-protocol: BufferedProtocol.buffer_updated"


class Marked(Buffers):
    """Gives a part of a memory that is marked all over, and keeps what is around the bytes that were received."""

    def get_buffer(self, sizehint: int) -> Any:
        super().get_buffer(sizehint)
        self.memory = bytearray(b"-" * 200)
        self.buffer = memoryview(self.memory)[50:150]
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        self.around = bytes(self.memory[:50]), bytes(self.memory[50 + nbytes :])
        self.expected = b"-" * 50, b"-" * (150 - nbytes)


def check(loop: Loop, patience: Patience, protocol: Any, peer: Any) -> None:
    for data in (b"a long message", b"short"):
        protocol.received.clear()
        peer.sendall(data)
        patience.run_until(loop, lambda: protocol.received == data, "the data")  # noqa: B023
        assert protocol.around == protocol.expected


@requirement("buffered.rest", MUST, cite=UPDATED)
@WAYS
def test_the_rest_of_a_buffer_is_left_alone(loop: Loop, patience: Patience, way: str) -> None:
    """nbytes is the total number of bytes that were written to the buffer: those behind them, and before it, are not.

    If this fails: look for a buffer that is cleared, or for a larger one that is copied into it as a whole.
    """
    with joined(loop, patience, way, Marked()) as (_, protocol, peer):
        check(loop, patience, protocol, peer)


@requirement("buffered.end-inside", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("how", ["close", "abort"])
@WAYS
def test_a_buffered_protocol_may_end_as_it_reads(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """After close() or abort() inside buffer_updated(), no more data is received, though there is some.

    If this fails: look for a loop that fills buffers until nothing is left, and asks only then whether it may.
    """

    class Ends(Buffers):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            getattr(self.transport, how)()

    with joined(loop, patience, way, Ends(size=4)) as (_, protocol, peer):
        peer.sendall(b"more than four bytes")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert len(protocol.updates) == 1
        # Whether a buffer is asked for that nobody fills is left open.
        assert [name for name in protocol.names if name != "get_buffer"][-2:] == ["buffer_updated", "connection_lost"]
        assert protocol.reason is None


@requirement("buffered.after-write-eof", MUST, cite="asyncio-protocol: WriteTransport.write_eof")
@WAYS
def test_buffers_are_filled_after_write_eof(loop: Loop, patience: Patience, way: str) -> None:
    """After write_eof(), data may still be received into buffers, and the peer's end is told.

    If this fails: look for an end of one direction that is taken for the end of both.
    """
    with joined(loop, patience, way, Buffers(keep_open=True)) as (transport, protocol, peer):
        transport.write_eof()
        turn(loop, 3)
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 3)
        assert not protocol.lost


@requirement("buffered.tls-rest", MUST, cite=UPDATED)
@SIDES
def test_the_rest_of_a_buffer_is_left_alone_by_tls(loop: Loop, patience: Patience, side: str) -> None:
    """nbytes is the number of decrypted bytes that were written to the buffer: what is behind them is left alone.

    If this fails: look for records that are decrypted in the buffer itself.
    """
    with secured(loop, patience, side, Marked) as (_, protocol, peer):
        check(loop, patience, protocol, peer)


@requirement("buffered.tls-smaller", MUST, cite="asyncio-protocol: BufferedProtocol.get_buffer")
@SIDES
def test_a_buffer_may_be_small_for_tls(loop: Loop, patience: Patience, side: str) -> None:
    """It is acceptable to return smaller buffers than what sizehint suggests, over TLS too: the rest is for the next.

    If this fails: look for data of a record that is dropped, or that waits until the peer says something more.
    """
    with secured(loop, patience, side, lambda: Buffers(size=3)) as (_, protocol, peer):
        peer.sendall(b"more than three bytes")
        patience.run_until(loop, lambda: len(protocol.received) >= 21, "the last byte")
        assert protocol.received == b"more than three bytes"


@requirement("buffered.tls-callback-error", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@SIDES
def test_an_error_in_buffer_updated_over_tls_is_reported(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """An exception in buffer_updated() of a TLS connection is given to the exception handler.

    If this fails: look for an error that ends the connection in silence, or the loop.
    """
    error = LookupError("in buffer_updated()")
    watch.allow("reported")
    watch.reported.clear()

    class Fails(Buffers):
        buffer_updated = raising(error)

    with secured(loop, patience, side, Fails) as (_, _, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: watch.reported, "the report")
        assert error in [context.get("exception") for context in watch.reported]
