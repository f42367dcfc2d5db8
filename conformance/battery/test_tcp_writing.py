"""Chapter tcp: write(), writelines() and write_eof() of a stream transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.oddities import Word, part, wide
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_all, receive_exactly
from conformance.kit.protocols import Events
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("tcp.write-does-not-block", MUST, cite="asyncio-protocol: WriteTransport.write")
@WAYS
def test_write_buffers_what_the_kernel_does_not_take(loop: Loop, patience: Patience, way: str) -> None:
    """write() does not block; it buffers the data and arranges for it to be sent out asynchronously.

    If this fails: look for a short write whose rest is dropped, repeated or sent out of order.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        transport.write(BIG)
        transport.write(b"the end")
        helper = in_thread(lambda: receive_exactly(peer, len(BIG) + 7))
        assert drive(loop, patience, helper) == BIG + b"the end"


@requirement("tcp.write-accepts-buffers", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@each("kind", [bytes, bytearray, memoryview, Word, wide, part])
@WAYS
def test_write_takes_bytes_like_objects(loop: Loop, patience: Patience, way: str, kind: Callable[[bytes], Any]) -> None:
    """write() accepts bytes, bytearray and memoryview objects, of a subclass or of wider items, too.

    If this fails: look for a fast path that knows only bytes, takes len() of a buffer for its size, or begins where the
    memory of a view does.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        transport.write(kind(b"like bytes"))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 10))) == b"like bytes"


@requirement("tcp.wide-items-buffered", MUST, cite=("asyncio-protocol: WriteTransport.write", "gh-135862"))
@WAYS
def test_a_view_of_wide_items_is_buffered_whole(loop: Loop, patience: Patience, way: str) -> None:
    """write() buffers what the kernel does not take, also of a memoryview whose items have several bytes.

    If this fails: look for a rest that is cut out by items where bytes were counted.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        transport.write(wide(BIG))
        transport.write(wide(b"behind"))
        transport.close()  # or what is missing would be waited for
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG + b"behind"


@requirement("tcp.write-rejects-text", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("data", ["text", 5, [1, 2], None])
@WAYS
def test_write_refuses_what_is_no_buffer(loop: Loop, patience: Patience, data: Any, way: str) -> None:
    """write() raises an exception for what is not bytes-like.

    If this fails: look for an implicit encode(), or for an error that surfaces later and elsewhere.
    """
    with joined(loop, patience, way) as (transport, _, _), refused():
        transport.write(data)


@requirement("tcp.write-of-nothing", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@WAYS
def test_writing_nothing_changes_nothing(loop: Loop, patience: Patience, way: str) -> None:
    """write(b"") sends nothing, and does not end the connection; nor does an empty buffer of another kind.

    If this fails: look for a zero-length send, which some systems and TLS layers take for the end of the stream.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(b"")
        transport.write(b"x")
        for nothing in (b"", bytearray(), memoryview(b"")):
            transport.write(nothing)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 1))) == b"x"
        assert not protocol.lost


@requirement("tcp.buffered-data-is-copied", SHOULD, cite="gh-91166")
@WAYS
def test_a_bytearray_may_be_changed_after_write(loop: Loop, patience: Patience, way: str) -> None:
    """A bytearray may be changed as soon as write() or writelines() has returned: what was written is what it held.

    If this fails: look for a zero-copy buffer that keeps a reference to mutable memory, perhaps behind other data.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        data, behind, line = bytearray(BIG), bytearray(b"behind"), bytearray(b"in a line")
        transport.write(data)
        transport.write(behind)
        transport.writelines([b", ", line])
        for buffer in (data, behind, line):
            buffer[:] = bytes(len(buffer))
        expected = BIG + b"behind, in a line"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected


@requirement("tcp.bytearray-not-locked", SHOULD, cite="gh-91166")
@WAYS
def test_a_bytearray_may_be_resized_after_write(loop: Loop, patience: Patience, way: str) -> None:
    """A bytearray that was written may be resized: the transport holds no export of it.

    If this fails: look for a memoryview over the caller's bytearray that outlives write().
    """
    with joined(loop, patience, way) as (transport, _, peer):
        data = bytearray(BIG)
        transport.write(data)
        data.clear()
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG


@requirement("tcp.writelines-concatenates", MUST, cite="asyncio-protocol: WriteTransport.writelines")
@each("kind", [list, tuple, iter, deque])
@each("pieces", [[b"a", b"bc", b"", b"d"], [b"", bytearray(b"ab"), memoryview(b"cd")]])
@WAYS
def test_writelines_writes_every_piece_in_order(
    loop: Loop, patience: Patience, way: str, pieces: list[Any], kind: Callable[[list[Any]], Any]
) -> None:
    """writelines() writes a list (or any iterable) of data bytes, as if write() were called on each.

    If this fails: look for a vectored write that sends pieces out of order or skips empty ones wrongly.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        transport.writelines([])
        transport.writelines(kind(pieces))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 4))) == b"abcd"


@requirement("tcp.writelines-many-pieces", SHOULD, cite=("gh-91166", "gh-103462"))
@WAYS
def test_writelines_takes_more_pieces_than_one_system_call(loop: Loop, patience: Patience, way: str) -> None:
    """writelines() writes any number of pieces, of any size, whether data still waits in the buffer or not.

    If this fails: look for a vectored write limited to IOV_MAX, or one whose partial result is not resumed.
    """
    pieces = [bytes([number % 251]) * (number % 97) for number in range(5000)]
    expected = BIG + b"a few" + b"".join(pieces)
    with joined(loop, patience, way) as (transport, _, peer):
        transport.writelines([BIG, b"the rest"])
        helper = in_thread(lambda: receive_exactly(peer, len(BIG) + 8))
        assert drive(loop, patience, helper) == BIG + b"the rest"
        transport.write(BIG)
        transport.writelines([b"a few"])
        transport.writelines(pieces)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected


@requirement(
    "tcp.writelines-empty-pieces",
    MUST,
    cite=("asyncio-protocol: WriteTransport.writelines", "asyncio-protocol: BaseTransport.close", "gh-155888"),
)
@each("end", ["close", "write_eof"])
@each("pieces", [[b"data", b""], [b"", b"data", bytearray()], [b""], [b"", b""]])
@WAYS
def test_empty_pieces_do_not_hold_up_the_end(
    loop: Loop, patience: Patience, way: str, pieces: list[Any], end: str
) -> None:
    """Empty pieces of writelines() are nothing that waits: close() and write_eof() after them end the stream.

    If this fails: look for an empty buffer that is queued, and that no write ever takes away.
    """
    with joined(loop, patience, way) as (transport, _, peer):
        transport.writelines(pieces)
        getattr(transport, end)()
        assert drive(loop, patience.in_turns, in_thread(lambda: receive_all(peer))) == b"".join(pieces)


@requirement("tcp.write-eof-half-closes", MUST, cite="asyncio-protocol: WriteTransport.write_eof")
@each("data", [b"", BIG])
@WAYS
def test_write_eof_closes_the_writing_half_only(loop: Loop, patience: Patience, way: str, data: bytes) -> None:
    """write_eof() closes the write end after flushing all buffered data; data may still be received.

    If this fails: look for a shutdown of both directions, or one that overtakes buffered data, or waits for some, or
    for data that is thrown away until the end is sent.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        if data:
            transport.write(data)
            transport.write(data[:7])
        transport.write_eof()
        peer.sendall(b"still ")
        patience.run_until(loop, lambda: protocol.received == b"still ", "data after write_eof()")
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == data + data[:7]
        peer.sendall(b"here")
        patience.run_until(loop, lambda: protocol.received == b"still here", "data after the end that was sent")


@requirement(
    "tcp.can-write-eof",
    MUST,
    cite=("asyncio-protocol: WriteTransport.can_write_eof", "PEP 3156: Bidirectional Stream Transports"),
)
@WAYS
def test_a_tcp_transport_can_write_eof(loop: Loop, patience: Patience, way: str) -> None:
    """can_write_eof() returns True for a transport that supports write_eof(), as TCP does, also at its end.

    It depends on the transport's class, not on its state: it says so after write_eof(), and after close().

    If this fails: look for a default that was never overridden, or an answer to whether there is still a half to end.
    """
    with joined(loop, patience, way) as (transport, _, _):
        assert transport.can_write_eof() is True
        transport.write_eof()
        assert transport.can_write_eof() is True
        transport.close()
        assert transport.can_write_eof() is True


@requirement("tcp.no-write-after-eof", SHOULD, cite="PEP 3156: Bidirectional Stream Transports")
@each("method", ["write", "writelines"])
@WAYS
def test_writing_after_write_eof_is_an_error(loop: Loop, patience: Patience, way: str, method: str) -> None:
    """After write_eof(), write() and writelines() raise an exception.

    If this fails: look for data accepted and dropped in silence after the writing half was closed.
    """
    with joined(loop, patience, way) as (transport, _, _):
        transport.write_eof()
        with refused(OSError):
            getattr(transport, method)(b"late" if method == "write" else [b"late"])


@requirement("tcp.write-after-loss-is-quiet", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@WAYS
def test_writing_to_a_lost_connection_does_not_raise(loop: Loop, patience: Patience, way: str) -> None:
    """write() after the connection was lost does not raise: the protocol may not have heard of it yet.

    If this fails: look for a closed socket that write() touches.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        transport.abort()
        transport.write(b"nobody")
        until_lost(loop, patience, protocol)
        for _ in range(10):
            transport.write(b"nobody")
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.echo-under-turns", MUST, cite="PEP 3156: Stream Protocols")
@WAYS
def test_a_conversation_of_many_small_messages_keeps_its_order(loop: Loop, patience: Patience, way: str) -> None:
    """Writes made inside data_received() leave in the order in which they were made.

    If this fails: look for writes that are posted to another queue than those made outside callbacks.
    """

    class Echo(Events):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            for position in range(len(data)):
                self.transport.write(data[position : position + 1])

    messages = [f"{number:08d}".encode() for number in range(100)]

    def converse() -> None:
        for message in messages:
            peer.sendall(message)
            assert receive_exactly(peer, 8) == message
        peer.sendall(b"".join(messages))
        assert receive_exactly(peer, 800) == b"".join(messages)

    with joined(loop, patience, way, Echo()) as (_, _, peer):
        drive(loop, patience, in_thread(converse))


@requirement("tcp.write-returns-none", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@WAYS
def test_write_returns_none(loop: Loop, patience: Patience, way: str) -> None:
    """write() returns None, whether the kernel takes all of the data, a part of it or nothing.

    If this fails: look for the number of bytes that were taken, or for an object that stands for the operation.
    """
    with joined(loop, patience, way) as (transport, _, _):
        data = (b"", b"data", BIG, b"more", b"")
        assert [transport.write(each) for each in data] == [None] * len(data)
