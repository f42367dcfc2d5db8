"""Chapter tcp: how the peer's end of the stream is told, and what becomes of the transport then."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
RESUME = "asyncio-protocol: ReadTransport.resume_reading"


@requirement("tcp.eof-received-once", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("data", [b"last words", BIG], ids=["little", "much"])
@WAYS
def test_eof_received_is_called_when_the_peer_will_not_send_more(
    loop: Loop, patience: Patience, way: str, data: bytes
) -> None:
    """eof_received() is called at most once, after all data, when the other end won't send any more.

    If this fails: look for a readable-at-EOF descriptor reported again and again, or an EOF that overtakes data, small
    or large.
    """

    def send() -> None:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    with joined(loop, patience, way, Events(keep_open=True)) as (_, protocol, peer):
        sending = in_thread(send)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        sending.result()
        turn(loop, 10)
        assert protocol.received == data
        assert protocol.names.count("eof_received") == 1
        assert protocol.names[-1] == "eof_received"


@requirement("tcp.eof-not-again", MUST, cite=("asyncio-protocol: Protocol.eof_received", RESUME))
@each("make", [Events, Buffers], ids=["streaming", "buffered"])
@WAYS
def test_resuming_does_not_repeat_the_end(loop: Loop, patience: Patience, way: str, make: Any) -> None:
    """eof_received() is called at most once, also if reading is paused and resumed after it.

    If this fails: look for a descriptor that is watched again by resume_reading(), though its end was told.
    """
    with joined(loop, patience, way, make(keep_open=True)) as (transport, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        transport.pause_reading()
        turn(loop, 3)
        transport.resume_reading()
        turn(loop, 5)
        transport.write(b"answer")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"
        names = [name for name in protocol.names if not name.endswith("_writing")]
        assert names.count("eof_received") == 1
        assert names[-1] == "eof_received"


@requirement("tcp.eof-false-closes", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("answer", [False, None, 0, ""])
@WAYS
def test_a_false_eof_received_closes_the_transport(loop: Loop, patience: Patience, way: str, answer: Any) -> None:
    """If eof_received() returns a false value (including None), the transport will close itself.

    If this fails: look for a half-closed connection that is kept without being asked for, or a comparison with False.
    """
    with joined(loop, patience, way, Events(keep_open=answer)) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, protocol)
        assert protocol.names[-2:] == ["eof_received", "connection_lost"]
        assert protocol.reason is None
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""


@requirement("tcp.eof-false-flushes", MUST, cite=("asyncio-protocol: Protocol.eof_received", CLOSE))
@WAYS
def test_a_transport_that_closes_itself_flushes(loop: Loop, patience: Patience, way: str) -> None:
    """A transport that closes itself after eof_received() flushes what is buffered, and what was written there.

    If this fails: look for an abort where a close was promised, or a transport that is closing before it asks.
    """

    answers = Reacts("eof_received", lambda transport: transport.write(b"goodbye"))
    with joined(loop, patience, way, answers) as (transport, protocol, peer):
        transport.write(BIG)
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG + b"goodbye"
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.eof-true-keeps-open", MUST, cite="asyncio-protocol: Protocol.eof_received")
@WAYS
@each(
    ("answer", "before"),
    [(True, "nothing"), (1, "nothing"), ("yes", "nothing"), (True, "a pause"), (True, "data that waits")],
)
def test_a_true_eof_received_leaves_the_transport_to_the_protocol(
    loop: Loop, patience: Patience, way: str, answer: Any, before: str
) -> None:
    """If eof_received() returns a true value, the protocol used determines whether to close: it can still write.

    If this fails: look for a transport that closes at the peer's EOF, whatever the protocol said, or unless it said
    exactly True; or that closes when what waited to be sent then is sent.
    """
    with joined(loop, patience, way, Events(keep_open=answer)) as (transport, protocol, peer):
        if before == "a pause":
            transport.pause_reading()
            turn(loop, 2)
            transport.resume_reading()
        waits = BIG if before == "data that waits" else b""
        transport.write(waits)
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        turn(loop, 5)
        assert not transport.is_closing()
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(waits)))) == waits
        turn(loop, 5)
        assert not transport.is_closing()
        transport.write(b"answer")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"


@requirement("tcp.eof-both-ends", MUST, cite="asyncio-protocol: Protocol.eof_received")
@WAYS
@each("first", ["peer", "transport"])
def test_the_protocol_determines_the_end_of_both_halves(loop: Loop, patience: Patience, way: str, first: str) -> None:
    """If eof_received() returns a true value, the protocol closes the transport, even if both ends will not send more.

    If this fails: look for a transport that ends itself when write_eof() and the peer's end have come together.
    """
    with joined(loop, patience, way, Events(keep_open=True)) as (transport, protocol, peer):
        if first == "transport":
            transport.write_eof()
            turn(loop, 3)
        peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        if first == "peer":
            transport.write_eof()
        turn(loop, 5)
        assert not transport.is_closing()
        assert not protocol.lost
        assert protocol.names.count("eof_received") == 1
        transport.close()
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.failing-eof-received", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@WAYS
def test_an_exception_in_eof_received_is_reported_and_ends_the_connection(
    loop: Loop, patience: Patience, watch: Any, way: str
) -> None:
    """An exception in eof_received() is given to the exception handler and ends that connection.

    If this fails: look for a return value read from a call that failed.
    """
    watch.allow("reported")
    watch.reported.clear()
    error = LookupError("in eof_received()")
    with joined(loop, patience, way, Reacts("eof_received", raising(error))) as (_, protocol, peer):
        peer.shutdown(socket.SHUT_WR)
        until_lost(loop, patience, protocol)
        assert [context["exception"] for context in watch.reported] == [error]
