"""Chapter buffered: protocols that give the loop the buffers into which it receives."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import mmap
import socket
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, tcp_pair
from conformance.kit.threads import in_thread
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
GET = "asyncio-protocol: BufferedProtocol.get_buffer"
UPDATED = "asyncio-protocol: BufferedProtocol.buffer_updated"
EOF = "asyncio-protocol: BufferedProtocol.eof_received"
LARGE = bytes(range(251)) * 2000


@contextlib.contextmanager
def connected(loop: Loop, protocol: Any = None) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer) of an open connection, by default of `Buffers`; closed at the end."""
    with tcp_pair() as (ours, peer):
        transport, made = loop.run_until_complete(
            loop.create_connection(lambda: Buffers() if protocol is None else protocol, sock=ours)
        )
        try:
            yield transport, made, peer
        finally:
            if not made.lost:
                (made.transport or transport).abort()
            turn(loop, 3)


@requirement("buffered.received", MUST, cite=UPDATED)
@WAYS
def test_data_is_received_into_the_buffer(loop: Loop, patience: Patience, way: str) -> None:
    """get_buffer() is called to allocate a receive buffer, and buffer_updated() when it has received data.

    If this fails: look for data_received() called although the protocol has buffers.
    """
    with joined(loop, patience, way, Buffers()) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: len(protocol.received) >= 4, "the data")
        assert protocol.received == b"data"


@requirement("buffered.large", MUST, cite=UPDATED)
@WAYS
def test_much_data_is_received_in_order(loop: Loop, patience: Patience, way: str) -> None:
    """nbytes is the total number of bytes that were written to the buffer: all data arrives, complete and in order.

    If this fails: look for the size of the buffer passed instead of the number of bytes.
    """
    with joined(loop, patience, way, Buffers()) as (_, protocol, peer):
        sending = in_thread(lambda: peer.sendall(LARGE))
        patience.run_until(loop, lambda: len(protocol.received) >= len(LARGE), "the last byte")
        sending.result()
        assert protocol.received == LARGE


@requirement("buffered.nbytes", MUST, cite=UPDATED)
@WAYS
def test_the_number_of_bytes_is_told(loop: Loop, patience: Patience, way: str) -> None:
    """nbytes counts what was received, not what there was room for.

    If this fails: look for a buffer that is padded or waited for until it is full.
    """
    with joined(loop, patience, way, Buffers()) as (_, protocol, peer):
        peer.sendall(b"12345")
        patience.run_until(loop, lambda: sum(protocol.updates) >= 5, "the data")
        assert sum(protocol.updates) == 5


@requirement("buffered.sizehint", MUST, cite=GET)
@WAYS
def test_the_size_hint_is_a_size(loop: Loop, patience: Patience, way: str) -> None:
    """sizehint is the recommended minimum size of the buffer, or -1 if the size can be arbitrary.

    If this fails: look for None, zero, or a call without argument.
    """
    with joined(loop, patience, way, Buffers()) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received, "buffer_updated()")
        assert protocol.hints
        assert all(type(hint) is int and (hint == -1 or hint > 0) for hint in protocol.hints)


@requirement("buffered.smaller", MUST, cite=GET)
@WAYS
def test_a_buffer_may_be_small(loop: Loop, patience: Patience, way: str) -> None:
    """It is acceptable to return smaller buffers than what sizehint suggests: the rest goes into the next.

    If this fails: look for data that is cut at the end of the buffer, or written past it.
    """
    with joined(loop, patience, way, Buffers(size=3)) as (_, protocol, peer):
        peer.sendall(b"more than three bytes")
        patience.run_until(loop, lambda: len(protocol.received) >= 21, "the last byte")
        assert protocol.received == b"more than three bytes"


@requirement("buffered.larger", MUST, cite=GET)
@WAYS
def test_a_buffer_may_be_large(loop: Loop, patience: Patience, way: str) -> None:
    """It is acceptable to return larger buffers than what sizehint suggests.

    If this fails: look for a read that waits until a large buffer is full.
    """
    with joined(loop, patience, way, Buffers(size=4_000_000)) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: len(protocol.received) >= 4, "the data")
        assert protocol.received == b"data"


@requirement("buffered.kinds", MUST, cite=GET)
@each(
    "kind",
    [
        bytearray,
        memoryview,
        lambda buffer: memoryview(buffer)[2:],
        lambda buffer: (ctypes.c_char * len(buffer))(),
        lambda buffer: mmap.mmap(-1, len(buffer)),
    ],
    ids=["bytearray", "memoryview", "part", "ctypes", "mmap"],
)
@WAYS
def test_any_buffer_will_do(loop: Loop, patience: Patience, kind: Callable[[bytearray], Any], way: str) -> None:
    """get_buffer() must return an object implementing the buffer protocol: a bytearray, a memoryview, a part of one.

    If this fails: look for a fast path that knows only bytearrays, or only memoryviews.
    """
    with joined(loop, patience, way, Buffers(kind=kind)) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: len(protocol.received) >= 4, "the data")
        assert protocol.received == b"data"


@requirement("buffered.wide-items", MUST, cite=GET)
@WAYS
def test_a_buffer_of_wide_items_will_do(loop: Loop, patience: Patience, way: str) -> None:
    """get_buffer() may return a buffer whose items have several bytes: nbytes counts bytes all the same.

    If this fails: look for len() of the buffer taken for its size.
    """
    with joined(loop, patience, way, Buffers(kind=lambda _buffer: array("I", bytes(64)))) as (_, protocol, peer):
        peer.sendall(bytes(range(1, 41)))
        patience.run_until(loop, lambda: len(protocol.received) >= 40, "the last byte")
        assert protocol.received == bytes(range(1, 41))


@requirement("buffered.fresh", MUST, cite=GET)
@WAYS
def test_each_buffer_is_asked_for(loop: Loop, patience: Patience, way: str) -> None:
    """get_buffer() is called for a new receive buffer: what buffer_updated() tells of is in the buffer given last.

    If this fails: look for a buffer that the loop keeps and fills again.
    """

    class Keeps(Buffers):
        """Reads a buffer only when the next one has been received."""

        def get_buffer(self, sizehint: int) -> Any:
            given = super().get_buffer(sizehint)
            self.given = [*getattr(self, "given", []), given]
            return given

    with joined(loop, patience, way, Keeps()) as (_, protocol, peer):
        for letter in (b"a", b"b", b"c"):
            peer.sendall(letter)
            patience.run_until(loop, lambda: protocol.received.endswith(letter), "the next byte")  # noqa: B023
        filled = [bytes(buffer)[:1] for buffer in protocol.given if bytes(buffer)[:1] != b"\0"]
        assert filled == [b"a", b"b", b"c"]


@requirement("buffered.zero", MUST, cite=GET)
@WAYS
def test_a_buffer_without_room_is_an_error(loop: Loop, patience: Patience, watch: Any, way: str) -> None:
    """It is an error to return a buffer with a zero size: the connection ends with an exception.

    If this fails: look for a receive of no bytes, which looks like the end of the stream, or an endless loop.
    """
    watch.allow("reported")
    with joined(loop, patience, way, Buffers(size=0)) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is not None
        assert "eof_received" not in protocol.names


@requirement("buffered.eof", MUST, cite=EOF)
@WAYS
def test_the_end_is_told(loop: Loop, patience: Patience, way: str) -> None:
    """eof_received() is called once when the peer will send no more data, after all data, and never as an update of 0.

    If this fails: look for buffer_updated(0).
    """
    with joined(loop, patience, way, Buffers(keep_open=True)) as (_, protocol, peer):
        peer.sendall(b"data")
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 5)
        assert protocol.received == b"data"
        assert 0 not in protocol.updates
        assert protocol.names.count("eof_received") == 1


@requirement("buffered.eof-last", MUST, cite=EOF)
@WAYS
def test_no_buffer_is_asked_for_after_the_end(loop: Loop, patience: Patience, way: str) -> None:
    """After eof_received(), get_buffer() and buffer_updated() are not called.

    If this fails: look for a descriptor that is still watched, and always readable.
    """
    with joined(loop, patience, way, Buffers(keep_open=True)) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 5)
        assert protocol.names[-1] == "eof_received"


@requirement("buffered.eof-closes", MUST, cite=EOF)
@each("answer", [False, None, 0, ""])
@WAYS
def test_the_end_closes_the_transport(loop: Loop, patience: Patience, answer: Any, way: str) -> None:
    """If eof_received() returns a false value, the transport closes itself.

    If this fails: look for a result that is looked at for streaming protocols only.
    """
    with joined(loop, patience, way, Buffers(keep_open=answer)) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is None


@requirement("buffered.eof-keeps", MUST, cite=EOF)
@each("answer", [True, 1, "yes"])
@WAYS
def test_the_end_may_keep_the_transport_open(loop: Loop, patience: Patience, answer: Any, way: str) -> None:
    """If eof_received() returns a true value, the protocol may go on writing.

    If this fails: look for a transport that is closed at the end of the stream in any case.
    """
    with joined(loop, patience, way, Buffers(keep_open=answer)) as (transport, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        transport.write(b"still here")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 10))) == b"still here"


@requirement("buffered.made", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@WAYS
def test_no_buffer_is_asked_for_before_the_connection_is_made(loop: Loop, patience: Patience, way: str) -> None:
    """connection_made() is called once, and before the first get_buffer().

    If this fails: look for a read that is started before the protocol knows its transport.
    """
    with joined(loop, patience, way, Buffers()) as (transport, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received, "buffer_updated()")
        assert protocol.names[0] == "connection_made"
        assert protocol.names.count("connection_made") == 1
        assert protocol.transport is transport


@requirement("buffered.echo", SHOULD, cite=UPDATED)
def test_a_buffer_may_be_used_again_at_once(loop: Loop, patience: Patience) -> None:
    """What is written out of the receive buffer is sent as it was, though the buffer is filled again.

    If this fails: look for a write that keeps a view of the protocol's memory.
    """

    class Echoes(Buffers):
        memory = bytearray(1000)

        def get_buffer(self, sizehint: int) -> Any:
            self.buffer = self.memory
            return self.memory

        def buffer_updated(self, nbytes: int) -> None:
            self.transport.write(memoryview(self.memory)[:nbytes])
            self.memory[:] = bytes(1000)

    with connected(loop, Echoes()) as (_, _, peer):

        def talk() -> bytes:
            for start in range(0, 5000, 100):
                peer.sendall(LARGE[start : start + 100])
            return receive_exactly(peer, 5000)

        assert drive(loop, patience, in_thread(talk)) == LARGE[:5000]


@requirement("buffered.pause", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_reading_into_buffers_can_be_paused(loop: Loop, patience: Patience, way: str) -> None:
    """After pause_reading() no buffer is filled until resume_reading() is called.

    If this fails: look for a receive that is under way when reading is paused.
    """
    with joined(loop, patience, way, Buffers()) as (transport, protocol, peer):
        turn(loop, 2)
        transport.pause_reading()
        peer.sendall(b"data")
        loop.run_until_complete(asyncio.sleep(0.003))
        assert protocol.updates == []
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
