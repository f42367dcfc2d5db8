"""Chapter tcp: a transport one half of which is closed, or which is closing while something waits to be sent."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, reset
from conformance.kit.protocols import Events, Reacts
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost, write_until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


def _half_closed(loop: Loop, patience: Patience, half: str, transport: Any, protocol: Events, peer: Any) -> None:
    """Close the writing half, or have the peer close the other, and let the loop see to it."""
    if half == "ours":
        transport.write_eof()
        turn(loop, 3)
    else:
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")


@requirement("tcp.is-closing-halves", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("half", ["ours", "theirs"])
@WAYS
def test_a_half_closed_transport_is_not_closing(loop: Loop, patience: Patience, way: str, half: str) -> None:
    """is_closing() is False while one half only is closed: by write_eof(), or by a peer whom eof_received() outlives.

    It is False inside eof_received(), too, which has yet to say what becomes of the transport.

    If this fails: look for an end of one direction that is noted as the end of the transport, or for one that is
    before the protocol was asked.
    """
    told: list[bool] = []
    asks = Reacts("eof_received", lambda transport: told.append(transport.is_closing()), keep_open=True)
    with joined(loop, patience, way, asks) as (transport, protocol, peer):
        _half_closed(loop, patience, half, transport, protocol, peer)
        assert transport.is_closing() is False
        assert told == [False] * (half == "theirs")


@requirement("tcp.is-closing-while-flushing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@WAYS
def test_a_transport_that_flushes_is_closing(loop: Loop, patience: Patience, way: str) -> None:
    """is_closing() returns True from close() on, though buffered data has yet to be flushed.

    If this fails: look for a flag that is set when the buffer is empty.
    """
    with joined(loop, patience, way) as (transport, protocol, _peer):
        transport.write(BIG)
        transport.close()
        assert transport.is_closing() is True
        turn(loop, 3)
        assert not protocol.lost
        assert transport.is_closing() is True


@requirement("tcp.abort-half-closed", MUST, cite="asyncio-protocol: WriteTransport.abort")
@each("data", [b"", BIG], ids=["nothing-waits", "data-waits"])
@each("half", ["ours", "theirs"])
@WAYS
def test_a_half_closed_transport_can_be_aborted(
    loop: Loop, patience: Patience, way: str, half: str, data: bytes
) -> None:
    """abort() closes a transport immediately also if one half is closed, by write_eof() or by the peer.

    If this fails: look for an abort() that leaves the end to a shutdown, or to what waits to be sent.
    """
    with joined(loop, patience, way, Events(keep_open=True)) as (transport, protocol, peer):
        if data:
            transport.write(data)
        _half_closed(loop, patience, half, transport, protocol, peer)
        assert not protocol.lost
        transport.abort()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.write-eof-inside", MUST, cite="asyncio-protocol: WriteTransport.write_eof")
@each("where", ["connection_made", "data_received", "eof_received"])
@WAYS
def test_a_protocol_may_end_its_half_inside_a_callback(loop: Loop, patience: Patience, way: str, where: str) -> None:
    """write_eof() inside a callback of the protocol closes the write end, after what was written there.

    If this fails: look for an end that is noted before the transport is ready to write, or overwritten after that.
    """

    def say_and_end(transport: Any) -> None:
        transport.write(b"bye")
        transport.write_eof()

    ends = Reacts(where, say_and_end, once=True, keep_open=True)
    with joined(loop, patience, way, ends) as (_, protocol, peer):
        if where == "data_received":
            peer.sendall(b"x")
        elif where == "eof_received":
            peer.shutdown(socket.SHUT_WR)
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b"bye"
        if where != "eof_received":
            peer.sendall(b"still here")
            patience.run_until(loop, lambda: protocol.received.endswith(b"still here"), "data after write_eof()")


@requirement("tcp.end-inside-eof-received", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("how", ["close", "abort"])
@each("answer", [True, False])
@WAYS
def test_a_protocol_may_end_inside_eof_received(
    loop: Loop, patience: Patience, way: str, answer: bool, how: str
) -> None:
    """A protocol may close or abort the transport inside eof_received(), whatever that returns: it ends, once.

    If this fails: look for an answer that is obeyed though the transport has ended meanwhile.
    """

    ends = Reacts("eof_received", lambda transport: getattr(transport, how)(), keep_open=answer)
    with joined(loop, patience, way, ends) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "eof_received", "connection_lost"]
        assert protocol.reason is None


@requirement("tcp.pause-after-the-end", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_reading_may_be_paused_after_the_end(loop: Loop, patience: Patience, way: str) -> None:
    """pause_reading() and resume_reading() raise nothing when the peer has sent its end: the transport still writes.

    If this fails: look for a watcher of a descriptor that is watched no more.
    """
    with joined(loop, patience, way, Events(keep_open=True)) as (transport, protocol, peer):
        _half_closed(loop, patience, "theirs", transport, protocol, peer)
        for _ in range(2):
            transport.pause_reading()
            transport.pause_reading()
            turn(loop, 2)
            transport.resume_reading()
            transport.resume_reading()
            turn(loop, 2)
        transport.write(b"bye")
        transport.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b"bye"


@requirement("tcp.set-protocol-until-the-end", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@each("how", ["close", "abort", "reset"])
@WAYS
def test_a_new_protocol_is_told_of_any_end(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """connection_lost() is called on the protocol that was set last, and on no other, however the connection ends.

    If this fails: look for an error that is reported to the protocol for which the transport was made.
    """
    if how == "reset" and way.startswith("unix"):
        return  # which knows none
    with joined(loop, patience, way) as (transport, first, peer):
        second = Events()
        transport.set_protocol(second)
        if how == "reset":
            reset(peer)
        else:
            getattr(transport, how)()
        until_lost(loop, patience, second)
        turn(loop, 2)
        assert second.names == ["connection_lost"]
        assert (second.reason is not None) is (how == "reset")
        assert first.names == ["connection_made"]


@requirement("tcp.set-protocol-inside", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@each("where", ["connection_made", "data_received", "eof_received"])
@WAYS
def test_a_protocol_may_hand_over_inside_a_callback(loop: Loop, patience: Patience, way: str, where: str) -> None:
    """set_protocol() inside connection_made(), data_received() or eof_received() holds: what follows is the new one's.

    If this fails: look for a protocol that is written back when its callback has returned.
    """
    second = Events()
    told = ["connection_made", "data_received", "eof_received", "connection_lost"]
    first = Reacts(where, lambda transport: transport.set_protocol(second))
    with joined(loop, patience, way, first) as (transport, _, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: first.received + second.received == b"data", "the data")
        assert transport.get_protocol() is (first if where == "eof_received" else second)
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, second)
        assert [name for name, _ in itertools.groupby(first.names + second.names)] == told
        assert first.names[-1] == where
        assert first.names.count("data_received") == 1 or where != "data_received"


@requirement("tcp.write-error-after-eof", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@WAYS
def test_a_write_that_fails_after_the_end_loses_the_connection(loop: Loop, patience: Patience, way: str) -> None:
    """A connection that outlives the peer's end is lost with an OSError when writing finds out that the peer is gone.

    If this fails: look for an error that is told by reading only, which is over, or for one that is taken for the end
    that has been told.
    """
    with joined(loop, patience, way, Events(keep_open=True)) as (transport, protocol, peer):
        peer.close()
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        write_until_lost(loop, patience, transport, protocol)
        assert isinstance(protocol.reason, OSError)
        names = [name for name in protocol.names if not name.endswith("_writing")]
        assert names == ["connection_made", "eof_received", "connection_lost"]
