"""Chapter buffered: what the loop leaves alone of the memory that it is given."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.buffers import Buffers
from conformance.kit.patience import Patience
from conformance.kit.protocols import raising
from conformance.kit.secured import SIDES, secured
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
UPDATED = "asyncio-protocol: BufferedProtocol.buffer_updated"


class Marked(Buffers):
    """Gives a part of a memory that is marked all over."""

    def get_buffer(self, sizehint: int) -> Any:
        super().get_buffer(sizehint)
        self.memory = bytearray(b"-" * 200)
        self.buffer = memoryview(self.memory)[50:150]
        return self.buffer


def check(loop: Loop, patience: Patience, protocol: Any, peer: Any) -> None:
    for data in (b"a long message", b"short"):
        protocol.received.clear()
        peer.sendall(data)
        patience.run_until(loop, lambda: protocol.received == data, "the data")  # noqa: B023
        assert bytes(protocol.memory).split(data) == [b"-" * 50, b"-" * (150 - len(data))]


@requirement("buffered.rest", MUST, cite=UPDATED)
@WAYS
def test_the_rest_of_a_buffer_is_left_alone(loop: Loop, patience: Patience, way: str) -> None:
    """nbytes is the total number of bytes that were written to the buffer: those behind them, and before it, are not.

    If this fails: look for a buffer that is cleared, or for a larger one that is copied into it as a whole.
    """
    with joined(loop, patience, way, Marked()) as (_, protocol, peer):
        check(loop, patience, protocol, peer)


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
