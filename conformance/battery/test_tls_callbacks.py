"""Chapter tls: ends that a protocol brings about in its callbacks, is told of, or fails at."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, reset
from conformance.kit.protocols import Reacts, raising
from conformance.kit.secured import BIG, SIDES, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
REPORT = "asyncio-dev: Detect never-retrieved exceptions"
SOME = BIG[:700_000]


def read_to_the_end(peer: Any) -> bytes:
    """What the peer gets; it answers the goodbye."""
    data = receive_all(peer)
    with contextlib.suppress(OSError):
        peer.unwrap()
    return data


@requirement("tls.close-again", MUST, cite=CLOSE)
@SIDES
def test_closing_tls_again_changes_nothing(loop: Loop, patience: Patience, side: str) -> None:
    """A second close() of a TLS transport changes nothing: buffered data is flushed all the same.

    If this fails: look for a close() that takes what is closing already for closed, and cuts it off.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.write(SOME)
        transport.close()
        transport.close()
        turn(loop)
        transport.close()
        assert drive(loop, patience, in_thread(lambda: read_to_the_end(peer))) == SOME
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tls.close-inside", MUST, cite=CLOSE)
@SIDES
def test_closing_tls_where_it_is_read(loop: Loop, patience: Patience, side: str) -> None:
    """close() inside data_received() of a TLS connection flushes what is buffered, and no more data is received.

    If this fails: look for a close() in the midst of decrypting that goes past what waits to be encrypted.
    """

    def answer_and_close(transport: Any) -> None:
        transport.write(SOME)
        transport.close()

    with secured(loop, patience, side, lambda: Reacts("data_received", answer_and_close)) as (_, protocol, peer):
        peer.sendall(b"question")
        assert drive(loop, patience, in_thread(lambda: read_to_the_end(peer))) == SOME
        until_lost(loop, patience, protocol)
        assert protocol.received == b"question"
        assert protocol.reason is None


@requirement("tls.reset", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each("data", [b"", 2 * BIG], ids=["nothing-waits", "data-waits"])
@SIDES
def test_a_reset_of_a_tls_connection_is_an_error(loop: Loop, patience: Patience, side: str, data: bytes) -> None:
    """connection_lost() of a TLS connection gets an exception when the connection was aborted by the other side.

    If this fails: look for an error of the connection beneath that is taken for its end.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.write(data)
        reset(peer)
        until_lost(loop, patience, protocol)
        # A Unix socket cannot be reset: its end without a goodbye may be one.
        assert isinstance(protocol.reason, OSError) or "unix" in side


@requirement("tls.eof-of-the-peer", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("how", ["close", "abort"])
@SIDES
def test_this_sides_end_is_none_of_the_peers(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """eof_received() is called when the other end will send no more, and not because this side ends TLS.

    If this fails: look for one function that ends both directions and tells the protocol of one.
    """
    with secured(loop, patience, side) as (transport, protocol, _):
        getattr(transport, how)()
        turn(loop, 5)
        transport.abort()  # the peer has said nothing
        until_lost(loop, patience, protocol)
        assert "eof_received" not in protocol.names


@requirement("tls.write-after-loss-is-quiet", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("how", ["close", "abort", "reset"])
@SIDES
def test_writing_to_tls_that_is_gone(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """write() of a TLS transport does not raise after the end: the protocol may not have heard of it yet.

    If this fails: look for the TLS object, or the transport beneath, that is gone and still used.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        if how == "reset":
            reset(peer)
        else:
            getattr(transport, how)()
            peer.close()
        for when in ("at once", "later"):
            for _ in range(10):
                transport.write(b"nobody")
            transport.writelines([b"nobody"])
            if when == "at once":
                until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1


@requirement("tls.failing-connection-lost", SHOULD, cite=REPORT)
@SIDES
def test_an_exception_in_connection_lost_over_tls(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """An exception in connection_lost() of a TLS connection is given to the exception handler.

    If this fails: look for a last callback, of a layer that is being taken down, outside of any report.
    """
    error = LookupError("in connection_lost()")
    watch.allow("reported")
    watch.reported.clear()
    with secured(loop, patience, side, lambda: Reacts("connection_lost", raising(error))) as (
        transport,
        protocol,
        peer,
    ):
        transport.abort()
        until_lost(loop, patience, protocol)
        turn(loop, 2)
        assert drive(loop, patience, in_thread(lambda: ended(peer)))
        assert error in [context.get("exception") for context in watch.reported]


def ended(peer: Any) -> bool:
    """The peer sees an end, of whatever kind."""
    try:
        data: bytes = peer.recv(1)
    except OSError:
        return True
    return data == b""


@requirement("tls.failing-eof-received", SHOULD, cite=REPORT)
@SIDES
def test_an_exception_in_eof_received_over_tls(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """An exception in eof_received() of a TLS connection is given to the exception handler, and ends the connection.

    If this fails: look for a return value read from a call that failed.
    """
    error = LookupError("in eof_received()")
    watch.allow("reported")
    watch.reported.clear()
    with secured(loop, patience, side, lambda: Reacts("eof_received", raising(error))) as (_, protocol, peer):

        def leave() -> None:
            with contextlib.suppress(OSError):
                peer.unwrap()

        helper = in_thread(leave)
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper)
        assert error in [context.get("exception") for context in watch.reported]
