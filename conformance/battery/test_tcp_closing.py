"""Chapter tcp: how a stream transport ends: close(), abort(), errors, and connection_lost()."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, reset
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost, write_until_lost
from conformance.kit.ways import TCP_WAYS, WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
BEFORE = each("before", [None, "write_eof", "pause_reading"])


@requirement("tcp.close-flushes", MUST, cite="asyncio-protocol: BaseTransport.close")
@WAYS
@BEFORE
def test_close_sends_what_is_buffered(loop: Loop, patience: Patience, way: str, before: str | None) -> None:
    """close() flushes buffered outgoing data asynchronously before the connection is closed.

    If this fails: look for a close that frees the write buffer, or closes the socket under it; or for one that takes
    a half that is closed, or paused, for a connection that has ended.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(BIG)
        transport.write(b"the end")
        if before:
            getattr(transport, before)()
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG + b"the end"
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.close-again", SHOULD, cite="asyncio-protocol: BaseTransport.close")
@WAYS
def test_closing_again_still_flushes(loop: Loop, patience: Patience, way: str) -> None:
    """A second close() changes nothing: buffered data is flushed all the same.

    If this fails: look for a close that loses its patience when it is called again.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(BIG)
        transport.close()
        turn(loop, 3)
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.close-stops-receiving", MUST, cite="asyncio-protocol: BaseTransport.close")
@WAYS
def test_no_data_is_received_after_close(loop: Loop, patience: Patience, way: str) -> None:
    """After close(), no more data is received.

    If this fails: look for a read that was already under way (or completed) and is delivered after close().
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(BIG)  # keeps the transport open while it is closing
        peer.sendall(b"on its way")
        transport.close()
        peer.sendall(b"too late")
        turn(loop, 20)
        assert "data_received" not in protocol.names


@requirement("tcp.abort-stops-receiving", MUST, cite="asyncio-protocol: WriteTransport.abort")
@WAYS
def test_no_data_is_received_after_abort(loop: Loop, patience: Patience, way: str) -> None:
    """After abort(), no more data is received: not what waits already, and not before connection_lost() either.

    If this fails: look for a read that was already under way (or completed) and is delivered after abort().
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        peer.sendall(b"on its way")
        transport.abort()
        until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "connection_lost"]


@requirement("tcp.close-reports-none", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("before", [None, "write_eof", "pause_reading"])
@WAYS
def test_close_ends_with_connection_lost_none(loop: Loop, patience: Patience, way: str, before: str | None) -> None:
    """After close(), connection_lost() is called with None once buffered data is flushed.

    If this fails: look for an exception made up for an orderly close, or for one that waits for the peer.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        if before:
            getattr(transport, before)()
        transport.close()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.connection-lost-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@WAYS
def test_connection_lost_is_called_exactly_once(loop: Loop, patience: Patience, way: str) -> None:
    """connection_lost() is called exactly once per connection, however often and by whom it is ended.

    If this fails: look for close() and abort(), or an error and a close, that each report the end; or for an end
    inside connection_lost() that is reported again.
    """

    def end_again(transport: Any) -> None:
        transport.close()
        transport.abort()

    with joined(loop, patience, way, Reacts("connection_lost", end_again)) as (transport, protocol, peer):
        transport.close()
        transport.close()
        transport.abort()
        reset(peer)
        until_lost(loop, patience, protocol)
        turn(loop, 5)
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.connection-lost-last", MUST, cite="asyncio-protocol: Base Protocol")
@WAYS
def test_nothing_is_called_after_connection_lost(loop: Loop, patience: Patience, way: str) -> None:
    """connection_lost() is the last call that a protocol gets.

    If this fails: look for completions that are delivered after the transport has been closed.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        peer.sendall(b"x" * 1000)
        transport.abort()
        until_lost(loop, patience, protocol)
        turn(loop, 5)
        assert protocol.names[-1] == "connection_lost"


@requirement("tcp.connection-lost-not-inline", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each("method", ["close", "abort"])
@WAYS
def test_connection_lost_is_not_called_inside_close(loop: Loop, patience: Patience, way: str, method: str) -> None:
    """connection_lost() is called from the loop, not from inside close() or abort().

    If this fails: look for a callback delivered on the caller's stack, whose own state is half done.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        getattr(transport, method)()
        assert not protocol.lost
        until_lost(loop, patience, protocol)


@requirement("tcp.abort-drops", MUST, cite="asyncio-protocol: WriteTransport.abort")
@WAYS
def test_abort_does_not_wait_for_pending_data(loop: Loop, patience: Patience, way: str) -> None:
    """abort() closes the transport immediately: buffered data is lost, and connection_lost() gets None.

    If this fails: look for an abort that is an alias of close, and waits for a peer that reads nothing.
    """
    with joined(loop, patience, way) as (transport, protocol, _peer):
        transport.write(BIG)
        assert transport.get_write_buffer_size() > 0
        transport.abort()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.abort-while-closing", MUST, cite="asyncio-protocol: WriteTransport.abort")
@WAYS
@each("before", ["close", "write_eof", "pause_reading"])
def test_abort_does_not_wait_for_what_was_asked_before(loop: Loop, patience: Patience, way: str, before: str) -> None:
    """abort() does not wait for pending operations: a close() or write_eof() that waits for its data is one.

    If this fails: look for an abort that returns at once, because the transport is closing already.
    """
    with joined(loop, patience, way) as (transport, protocol, _peer):
        transport.write(BIG)
        assert transport.get_write_buffer_size() > 0
        getattr(transport, before)()
        turn(loop, 3)
        assert not protocol.lost
        transport.abort()
        until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1
        assert protocol.reason is None


@requirement("tcp.abort-after-the-end", SHOULD, cite="anyio#1250")
@WAYS
def test_aborting_a_closed_transport_is_harmless(loop: Loop, patience: Patience, way: str) -> None:
    """close() and abort() do nothing once the transport has flushed its buffer and connection_lost() was called.

    If this fails: look for an abort() that asks whether it was aborted, but not whether a close() has ended meanwhile.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(BIG)
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        until_lost(loop, patience, protocol)
        transport.close()
        transport.abort()
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1


@requirement("tcp.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("how", ["close", "abort", "end", "reset"])
@WAYS
def test_is_closing_tells_that_the_transport_is_closing(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """is_closing() returns True if the transport is closing or is closed, whoever has closed it, and not before.

    If this fails: look for a flag that is set only when the socket itself was closed, or by close() and abort(); or
    for one that connection_lost() is called before.
    """

    class Asks(Events):
        closing: object = None

        def connection_lost(self, exc: BaseException | None) -> None:
            self.closing = self.transport.is_closing()
            super().connection_lost(exc)

    protocol = Asks()
    with joined(loop, patience, way, protocol) as (transport, _, peer):
        assert transport.is_closing() is False
        if how in ("end", "reset"):
            (peer.close if how == "end" else lambda: reset(peer))()
        else:
            getattr(transport, how)()
            assert transport.is_closing() is True
        until_lost(loop, patience, protocol)
        assert protocol.closing is True
        assert transport.is_closing() is True


@requirement("tcp.reset-is-reported", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@TCP_WAYS
def test_a_reset_connection_is_lost_with_its_exception(loop: Loop, patience: Patience, way: str) -> None:
    """connection_lost() gets an exception object when the connection was aborted by the other side.

    If this fails: look for ECONNRESET turned into an orderly end, or into None.
    """
    with joined(loop, patience, way) as (_, protocol, peer):
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "the first byte")
        reset(peer)
        until_lost(loop, patience, protocol)
        assert isinstance(protocol.reason, ConnectionResetError)
        assert "eof_received" not in protocol.names


@requirement("tcp.write-error-is-reported", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@TCP_WAYS
def test_a_failed_write_loses_the_connection(loop: Loop, patience: Patience, way: str) -> None:
    """A connection whose peer is gone is lost with an OSError also when only writing finds out.

    If this fails: look for a write error that is dropped because reading is paused.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        reset(peer)
        write_until_lost(loop, patience, transport, protocol)
        assert isinstance(protocol.reason, OSError)


@requirement("tcp.failing-connection-lost", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@TCP_WAYS
def test_an_exception_in_connection_lost_is_reported(loop: Loop, patience: Patience, watch: Any, way: str) -> None:
    """An exception in connection_lost() is given to the exception handler, and the socket is closed all the same.

    If this fails: look for a last callback outside of any try, or for a close() behind it that is skipped.
    """
    error = LookupError("in connection_lost()")
    watch.allow("reported")
    watch.reported.clear()
    with joined(loop, patience, way, Reacts("connection_lost", raising(error))) as (transport, protocol, peer):
        transport.close()
        until_lost(loop, patience, protocol)
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""
        assert [context["exception"] for context in watch.reported] == [error]
