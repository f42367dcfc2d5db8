"""Chapter tcp: what a stream transport does with bytes, and when it tells its protocol what."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, reset, shrink_buffers, tcp_pair
from conformance.kit.protocols import Events, raising
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
# More than the shrunk buffers take at once, and without a period that would hide a wrong order.
BIG = array("I", range(256 * 1024)).tobytes()


@contextlib.contextmanager
def connected(loop: Loop, protocol: Any = None) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer) of a connection that is open; closed at the end, and run until it is."""
    with tcp_pair() as (ours, peer):
        shrink_buffers(ours, peer)
        transport, made = loop.run_until_complete(
            loop.create_connection(lambda: Events() if protocol is None else protocol, sock=ours)
        )
        try:
            yield transport, made, peer
        finally:
            if not getattr(made, "lost", False):
                transport.abort()
            turn(loop, 3)


def _has(protocol: Events, letter: bytes) -> bool:
    return protocol.received.count(letter) == 1000


def until_lost(loop: Loop, patience: Patience, protocol: Events) -> None:
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tcp.connection-made-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
def test_connection_made_is_called_once_with_the_transport(loop: Loop) -> None:
    """connection_made() is called exactly once, before anything else, with the transport of the connection.

    If this fails: look for a transport that is announced twice, or whose first data overtakes the announcement.
    """
    with connected(loop) as (transport, protocol, peer):
        peer.sendall(b"x")
        turn(loop, 5)
        assert protocol.names.count("connection_made") == 1
        assert protocol.calls[0] == ("connection_made", transport)


@requirement("tcp.data-in-order", MUST, cite="PEP 3156: Stream Protocols")
def test_data_arrives_completely_and_in_order(loop: Loop, patience: Patience) -> None:
    """data_received() gets every byte that the peer sent, in the order in which it was sent.

    If this fails: look for a read buffer that is given out twice, cut, or reused before the protocol has seen it.
    """
    with connected(loop) as (_, protocol, peer):
        helper = in_thread(lambda: peer.sendall(BIG))
        patience.run_until(loop, lambda: len(protocol.received) >= len(BIG), "the last byte")
        helper.result()
        assert protocol.received == BIG


@requirement("tcp.data-is-bytes", MUST, cite="asyncio-protocol: Protocol.data_received")
def test_data_received_gets_a_non_empty_bytes_object(loop: Loop, patience: Patience) -> None:
    """data is a non-empty bytes object containing the incoming data.

    If this fails: look for a memoryview or bytearray handed out instead of bytes, or for an empty read.
    """
    with connected(loop, Events(keep_open=True)) as (_, protocol, peer):
        peer.sendall(b"data")
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        chunks = [argument for name, argument in protocol.calls if name == "data_received"]
        assert [type(chunk) for chunk in chunks] == [bytes] * len(chunks)
        assert all(chunks)


@requirement("tcp.data-stays-valid", SHOULD, cite="asyncio-protocol: Protocol.data_received")
def test_data_given_to_data_received_never_changes_afterwards(loop: Loop, patience: Patience) -> None:
    """The bytes that data_received() was given stay what they were when later data arrives.

    If this fails: look for a bytes object made over a buffer that the next read fills again.
    """
    with connected(loop) as (_, protocol, peer):
        for letter in (b"a", b"b", b"c"):
            peer.sendall(letter * 1000)
            patience.run_until(loop, functools.partial(_has, protocol, letter), "the next chunk")
        chunks = [argument for name, argument in protocol.calls if name == "data_received"]
        assert b"".join(chunks) == b"a" * 1000 + b"b" * 1000 + b"c" * 1000


@requirement("tcp.write-does-not-block", MUST, cite="asyncio-protocol: WriteTransport.write")
def test_write_buffers_what_the_kernel_does_not_take(loop: Loop, patience: Patience) -> None:
    """write() does not block; it buffers the data and arranges for it to be sent out asynchronously.

    If this fails: look for a short write whose rest is dropped, repeated or sent out of order.
    """
    with connected(loop) as (transport, _, peer):
        transport.write(BIG)
        transport.write(b"the end")
        helper = in_thread(lambda: receive_exactly(peer, len(BIG) + 7))
        assert drive(loop, patience, helper) == BIG + b"the end"


@requirement("tcp.write-accepts-buffers", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_write_takes_bytes_like_objects(loop: Loop, patience: Patience, kind: type) -> None:
    """write() accepts bytes, bytearray and memoryview objects.

    If this fails: look for a fast path that knows only bytes.
    """
    with connected(loop) as (transport, _, peer):
        transport.write(kind(b"like bytes"))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 10))) == b"like bytes"


@requirement("tcp.write-rejects-text", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@pytest.mark.parametrize("data", ["text", 5, [1, 2], None], ids=repr)
def test_write_refuses_what_is_no_buffer(loop: Loop, data: Any) -> None:
    """write() raises TypeError for what is not bytes-like.

    If this fails: look for an implicit encode(), or for an error that surfaces later and elsewhere.
    """
    with connected(loop) as (transport, _, _), pytest.raises(TypeError):
        transport.write(data)


@requirement("tcp.write-of-nothing", SHOULD, cite="asyncio-protocol: WriteTransport.write")
def test_writing_nothing_changes_nothing(loop: Loop, patience: Patience) -> None:
    """write(b"") sends nothing, and does not end the connection.

    If this fails: look for a zero-length send, which some systems and TLS layers take for the end of the stream.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.write(b"")
        transport.write(b"x")
        transport.write(b"")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 1))) == b"x"
        assert not protocol.lost


@requirement("tcp.buffered-data-is-copied", SHOULD, cite="gh-91166")
def test_a_bytearray_may_be_changed_after_write(loop: Loop, patience: Patience) -> None:
    """A bytearray may be changed as soon as write() has returned: what was written is what it held then.

    If this fails: look for a zero-copy buffer that keeps a reference to mutable memory.
    """
    with connected(loop) as (transport, _, peer):
        data = bytearray(BIG)
        transport.write(data)
        data[:] = bytes(len(data))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG


@requirement("tcp.bytearray-not-locked", SHOULD, cite="gh-91166")
def test_a_bytearray_may_be_resized_after_write(loop: Loop, patience: Patience) -> None:
    """A bytearray that was written may be resized: the transport holds no export of it.

    If this fails: look for a memoryview over the caller's bytearray that outlives write().
    """
    with connected(loop) as (transport, _, peer):
        data = bytearray(BIG)
        transport.write(data)
        data.clear()
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG


@requirement("tcp.writelines-concatenates", MUST, cite="asyncio-protocol: WriteTransport.writelines")
@pytest.mark.parametrize(
    "pieces", [[b"a", b"bc", b"", b"d"], [bytearray(b"ab"), memoryview(b"cd")]], ids=["bytes", "mixed"]
)
def test_writelines_writes_every_piece_in_order(loop: Loop, patience: Patience, pieces: list[Any]) -> None:
    """writelines() writes a list (or any iterable) of data bytes, as if write() were called on each.

    If this fails: look for a vectored write that sends pieces out of order or skips empty ones wrongly.
    """
    with connected(loop) as (transport, _, peer):
        transport.writelines(iter(pieces))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 4))) == b"abcd"


@requirement("tcp.writelines-many-pieces", SHOULD, cite="gh-91166")
def test_writelines_takes_more_pieces_than_one_system_call(loop: Loop, patience: Patience) -> None:
    """writelines() writes any number of pieces, of any size, after data that still waits in the buffer.

    If this fails: look for a vectored write limited to IOV_MAX, or one whose partial result is not resumed.
    """
    pieces = [bytes([number % 251]) * (number % 97) for number in range(5000)]
    expected = BIG + b"".join(pieces)
    with connected(loop) as (transport, _, peer):
        transport.write(BIG)
        transport.writelines(pieces)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected


@requirement("tcp.write-eof-half-closes", MUST, cite="asyncio-protocol: WriteTransport.write_eof")
def test_write_eof_closes_the_writing_half_only(loop: Loop, patience: Patience) -> None:
    """write_eof() closes the write end after flushing all buffered data; data may still be received.

    If this fails: look for a shutdown of both directions, or one that overtakes buffered data.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.write(BIG)
        transport.write_eof()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        peer.sendall(b"still here")
        patience.run_until(loop, lambda: protocol.received == b"still here", "data after write_eof()")


@requirement("tcp.can-write-eof", MUST, cite="asyncio-protocol: WriteTransport.can_write_eof")
def test_a_tcp_transport_can_write_eof(loop: Loop) -> None:
    """can_write_eof() returns True for a transport that supports write_eof(), as TCP does.

    If this fails: look for a default that was never overridden.
    """
    with connected(loop) as (transport, _, _):
        assert transport.can_write_eof() is True


@requirement("tcp.no-write-after-eof", SHOULD, cite="PEP 3156: Bidirectional Stream Transports")
@pytest.mark.parametrize("method", ["write", "writelines"])
def test_writing_after_write_eof_is_an_error(loop: Loop, method: str) -> None:
    """After write_eof(), write() and writelines() raise RuntimeError.

    If this fails: look for data accepted and dropped in silence after the writing half was closed.
    """
    with connected(loop) as (transport, _, _):
        transport.write_eof()
        with pytest.raises(RuntimeError):
            getattr(transport, method)(b"late" if method == "write" else [b"late"])


@requirement("tcp.close-flushes", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_close_sends_what_is_buffered(loop: Loop, patience: Patience) -> None:
    """close() flushes buffered outgoing data asynchronously before the connection is closed.

    If this fails: look for a close that frees the write buffer, or closes the socket under it.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.write(BIG)
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        until_lost(loop, patience, protocol)


@requirement("tcp.close-stops-receiving", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_no_data_is_received_after_close(loop: Loop, patience: Patience) -> None:
    """After close(), no more data is received.

    If this fails: look for a read that was already under way (or completed) and is delivered after close().
    """
    with connected(loop) as (transport, protocol, peer):
        transport.write(BIG)  # keeps the transport open while it is closing
        transport.close()
        peer.sendall(b"too late")
        turn(loop, 20)
        assert "data_received" not in protocol.names


@requirement("tcp.close-reports-none", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_close_ends_with_connection_lost_none(loop: Loop, patience: Patience) -> None:
    """After close(), connection_lost() is called with None once buffered data is flushed.

    If this fails: look for an exception made up for an orderly close.
    """
    with connected(loop) as (transport, protocol, _):
        transport.close()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.connection-lost-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_connection_lost_is_called_exactly_once(loop: Loop, patience: Patience) -> None:
    """connection_lost() is called exactly once per connection, however often and by whom it is ended.

    If this fails: look for close() and abort(), or an error and a close, that each report the end.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.close()
        transport.close()
        transport.abort()
        reset(peer)
        until_lost(loop, patience, protocol)
        turn(loop, 5)
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.connection-lost-last", MUST, cite="asyncio-protocol: Base Protocol")
def test_nothing_is_called_after_connection_lost(loop: Loop, patience: Patience) -> None:
    """connection_lost() is the last call that a protocol gets.

    If this fails: look for completions that are delivered after the transport has been closed.
    """
    with connected(loop) as (transport, protocol, peer):
        peer.sendall(b"x" * 1000)
        transport.abort()
        until_lost(loop, patience, protocol)
        turn(loop, 5)
        assert protocol.names[-1] == "connection_lost"


@requirement("tcp.connection-lost-not-inline", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
@pytest.mark.parametrize("method", ["close", "abort"])
def test_connection_lost_is_not_called_inside_close(loop: Loop, patience: Patience, method: str) -> None:
    """connection_lost() is called from the loop, not from inside close() or abort().

    If this fails: look for a callback delivered on the caller's stack, whose own state is half done.
    """
    with connected(loop) as (transport, protocol, _):
        getattr(transport, method)()
        assert not protocol.lost
        until_lost(loop, patience, protocol)


@requirement("tcp.abort-drops", MUST, cite="asyncio-protocol: WriteTransport.abort")
def test_abort_does_not_wait_for_pending_data(loop: Loop, patience: Patience) -> None:
    """abort() closes the transport immediately: buffered data is lost, and connection_lost() gets None.

    If this fails: look for an abort that is an alias of close, and waits for a peer that reads nothing.
    """
    with connected(loop) as (transport, protocol, _peer):
        transport.write(BIG)
        assert transport.get_write_buffer_size() > 0
        transport.abort()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.abort-after-the-end", SHOULD, cite="anyio#1250")
def test_aborting_a_closed_transport_is_harmless(loop: Loop, patience: Patience) -> None:
    """close() and abort() do nothing once the transport has flushed its buffer and connection_lost() was called.

    If this fails: look for an abort() that asks whether it was aborted, but not whether a close() has ended meanwhile.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.write(BIG)
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        until_lost(loop, patience, protocol)
        transport.close()
        transport.abort()
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@pytest.mark.parametrize("method", ["close", "abort"])
def test_is_closing_tells_that_the_transport_is_closing(loop: Loop, patience: Patience, method: str) -> None:
    """is_closing() returns True if the transport is closing or is closed, and not before.

    If this fails: look for a flag that is set only when the socket itself was closed.
    """
    with connected(loop) as (transport, protocol, _):
        assert transport.is_closing() is False
        getattr(transport, method)()
        assert transport.is_closing() is True
        until_lost(loop, patience, protocol)
        assert transport.is_closing() is True


@requirement("tcp.eof-received-once", MUST, cite="asyncio-protocol: Protocol.eof_received")
def test_eof_received_is_called_when_the_peer_will_not_send_more(loop: Loop, patience: Patience) -> None:
    """eof_received() is called at most once, after all data, when the other end won't send any more.

    If this fails: look for a readable-at-EOF descriptor reported again and again, or an EOF that overtakes data.
    """
    with connected(loop, Events(keep_open=True)) as (_, protocol, peer):
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 10)
        assert protocol.received == b"last words"
        assert protocol.names.count("eof_received") == 1
        assert protocol.names[-1] == "eof_received"


@requirement("tcp.eof-false-closes", MUST, cite="asyncio-protocol: Protocol.eof_received")
@pytest.mark.parametrize("answer", [False, None, 0])
def test_a_false_eof_received_closes_the_transport(loop: Loop, patience: Patience, answer: Any) -> None:
    """If eof_received() returns a false value (including None), the transport will close itself.

    If this fails: look for a half-closed connection that is kept without being asked for.
    """
    with connected(loop, Events(keep_open=answer)) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, protocol)
        assert protocol.names[-2:] == ["eof_received", "connection_lost"]
        assert protocol.reason is None
        assert receive_all(peer) == b""


@requirement("tcp.eof-true-keeps-open", MUST, cite="asyncio-protocol: Protocol.eof_received")
def test_a_true_eof_received_leaves_the_transport_to_the_protocol(loop: Loop, patience: Patience) -> None:
    """If eof_received() returns a true value, the protocol used determines whether to close: it can still write.

    If this fails: look for a transport that closes at the peer's EOF, whatever the protocol said.
    """
    with connected(loop, Events(keep_open=True)) as (transport, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 5)
        assert not transport.is_closing()
        transport.write(b"answer")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"


@requirement("tcp.reset-is-reported", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_a_reset_connection_is_lost_with_its_exception(loop: Loop, patience: Patience) -> None:
    """connection_lost() gets an exception object when the connection was aborted by the other side.

    If this fails: look for ECONNRESET turned into an orderly end, or into None.
    """
    with connected(loop) as (_, protocol, peer):
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "the first byte")
        reset(peer)
        until_lost(loop, patience, protocol)
        assert isinstance(protocol.reason, ConnectionResetError)
        assert "eof_received" not in protocol.names


@requirement("tcp.write-error-is-reported", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_a_failed_write_loses_the_connection(loop: Loop, patience: Patience) -> None:
    """A connection whose peer is gone is lost with an OSError also when only writing finds out.

    If this fails: look for a write error that is dropped because reading is paused.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.pause_reading()
        reset(peer)

        def write() -> None:
            if not protocol.lost:
                transport.write(b"x" * 1000)
                loop.call_later(0.001, write)

        write()
        until_lost(loop, patience, protocol)
        assert isinstance(protocol.reason, OSError)


@requirement("tcp.write-after-loss-is-quiet", SHOULD, cite="asyncio-protocol: WriteTransport.write")
def test_writing_to_a_lost_connection_does_not_raise(loop: Loop, patience: Patience) -> None:
    """write() after the connection was lost does not raise: the protocol may not have heard of it yet.

    If this fails: look for a closed socket that write() touches.
    """
    with connected(loop) as (transport, protocol, _):
        transport.abort()
        transport.write(b"nobody")
        until_lost(loop, patience, protocol)
        transport.write(b"nobody")
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.pause-reading", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_no_data_is_received_while_reading_is_paused(loop: Loop, patience: Patience) -> None:
    """No data will be passed to data_received() after pause_reading(), until resume_reading() is called.

    If this fails: look for a read already submitted, or a batch of reads, that is delivered in spite of the pause.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"wait for it")
        turn(loop, 20)
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"wait for it", "the data after resume_reading()")


@requirement("tcp.pause-inside-data-received", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_pausing_inside_data_received_takes_effect_at_once(loop: Loop, patience: Patience) -> None:
    """pause_reading() inside data_received() is obeyed before the next read.

    If this fails: look for an inner loop that reads until EAGAIN without asking whether reading was paused.
    """

    class PausesAtOnce(Events):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()

    with connected(loop, PausesAtOnce()) as (transport, protocol, peer):
        helper = in_thread(lambda: peer.sendall(BIG))
        patience.run_until(loop, lambda: protocol.received, "the first data")
        turn(loop, 20)
        assert protocol.names.count("data_received") == 1
        patience.run_until(loop, lambda: transport.resume_reading() or len(protocol.received) == len(BIG), "the rest")
        helper.result()


@requirement("tcp.pause-reading-idempotent", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_pausing_and_resuming_twice_is_harmless(loop: Loop, patience: Patience) -> None:
    """pause_reading() and resume_reading() are idempotent: they can be called when already paused or reading.

    If this fails: look for a counter, or for an error raised by the second call.
    """
    with connected(loop) as (transport, protocol, peer):
        transport.resume_reading()
        transport.pause_reading()
        transport.pause_reading()
        transport.resume_reading()
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "data after one resume_reading()")
        transport.resume_reading()
        transport.pause_reading()
        peer.sendall(b"y")
        turn(loop, 20)
        assert protocol.received == b"x"
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"xy", "data after the last resume_reading()")


@requirement("tcp.is-reading", MUST, cite="asyncio-protocol: ReadTransport.is_reading")
def test_is_reading_tells_whether_data_is_received(loop: Loop) -> None:
    """is_reading() returns True if the transport is receiving new data, False while paused and once closing.

    If this fails: look for a method that answers from the selector's state instead of the transport's.
    """
    with connected(loop) as (transport, _, _):
        assert transport.is_reading() is True
        transport.pause_reading()
        assert transport.is_reading() is False
        transport.resume_reading()
        assert transport.is_reading() is True
        transport.close()
        assert transport.is_reading() is False


@requirement("tcp.reading-while-closing", SHOULD, cite="asyncio-protocol: ReadTransport.resume_reading")
def test_pausing_a_closing_transport_is_harmless(loop: Loop) -> None:
    """pause_reading() and resume_reading() do nothing on a transport that is closing.

    If this fails: look for a descriptor that is registered again after close().
    """
    with connected(loop) as (transport, protocol, peer):
        transport.close()
        transport.pause_reading()
        transport.resume_reading()
        peer.sendall(b"x")
        turn(loop, 5)
        assert "data_received" not in protocol.names


@requirement("tcp.set-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_set_protocol_hands_the_connection_over(loop: Loop, patience: Patience) -> None:
    """set_protocol() sets a new protocol, which gets what comes from then on, and get_protocol() returns it.

    If this fails: look for callbacks bound to the first protocol when the transport was made.
    """
    with connected(loop) as (transport, first, peer):
        assert transport.get_protocol() is first
        second = Events()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        peer.sendall(b"for the second")
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, second)
        assert first.names == ["connection_made"]
        assert second.names[0] == "data_received"
        assert second.names[-2:] == ["eof_received", "connection_lost"]


@requirement("tcp.failing-data-received", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_in_data_received_is_reported_and_ends_the_connection(
    loop: Loop, patience: Patience, watch: Any
) -> None:
    """An exception in data_received() is given to the exception handler and ends that connection; the loop goes on.

    If this fails: look for an exception swallowed at the border of a foreign function, or one that stops the loop.
    """
    watch.allow("reported")
    error = LookupError("in data_received()")

    class Fails(Events):
        data_received = raising(error)

    with connected(loop, Fails()) as (_, protocol, peer):
        peer.sendall(b"x")
        until_lost(loop, patience, protocol)
        assert [context["exception"] for context in watch.reported] == [error]


@requirement("tcp.failing-eof-received", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_in_eof_received_is_reported_and_ends_the_connection(
    loop: Loop, patience: Patience, watch: Any
) -> None:
    """An exception in eof_received() is given to the exception handler and ends that connection.

    If this fails: look for a return value read from a call that failed.
    """
    watch.allow("reported")
    error = LookupError("in eof_received()")

    class Fails(Events):
        eof_received = raising(error)

    with connected(loop, Fails()) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, protocol)
        assert [context["exception"] for context in watch.reported] == [error]


@requirement("tcp.extra-info-addresses", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_the_addresses_of_a_connection_are_extra_information(loop: Loop) -> None:
    """get_extra_info() gives 'peername' and 'sockname' as socket.getpeername() and socket.getsockname() return them.

    If this fails: look for address objects that are not tuples, or for addresses as text.
    """
    with connected(loop) as (transport, _, peer):
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("sockname") == peer.getpeername()
        assert type(transport.get_extra_info("peername")) is tuple


@requirement("tcp.extra-info-socket", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_the_socket_of_a_connection_is_extra_information(loop: Loop) -> None:
    """get_extra_info('socket') gives a socket.socket-like object of this connection, whose options can be read and set.

    If this fails: look for a missing key, or a stand-in that lacks getsockopt(), fileno() or family.
    """
    with connected(loop) as (transport, _, peer):
        sock = transport.get_extra_info("socket")
        assert sock.family == socket.AF_INET
        assert sock.fileno() >= 0
        assert sock.getpeername() == peer.getsockname()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


@requirement("tcp.extra-info-default", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_unknown_extra_information_is_the_default(loop: Loop) -> None:
    """get_extra_info(name, default) returns default if the information is not available, and None by default.

    If this fails: look for a KeyError.
    """
    with connected(loop) as (transport, _, _):
        marker = object()
        assert transport.get_extra_info("no such thing") is None
        assert transport.get_extra_info("no such thing", marker) is marker
        assert transport.get_extra_info("sslcontext") is None


@requirement("tcp.nodelay", MUST, cite="asyncio-protocol: §Transports")
def test_nagles_algorithm_is_off(loop: Loop) -> None:
    """The socket option TCP_NODELAY is set for TCP transports by default.

    If this fails: look for a connection path that forgets the option (sock=, accepted sockets).
    """
    with connected(loop) as (transport, _, _):
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@requirement("tcp.transport-is-a-transport", MUST, cite="asyncio-protocol: Transport")
def test_a_connection_is_an_asyncio_transport(loop: Loop) -> None:
    """create_connection() returns an instance of asyncio.Transport: both a ReadTransport and a WriteTransport.

    If this fails: look for a class that was not registered with, or derived from, the public base classes.
    """
    with connected(loop) as (transport, _, _):
        assert isinstance(transport, asyncio.Transport)
        assert isinstance(transport, asyncio.ReadTransport)
        assert isinstance(transport, asyncio.WriteTransport)


@requirement("tcp.echo-under-turns", MUST, cite="PEP 3156: Stream Protocols")
def test_a_conversation_of_many_small_messages_keeps_its_order(loop: Loop, patience: Patience) -> None:
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

    with connected(loop, Echo()) as (_, _, peer):
        drive(loop, patience, in_thread(converse))
