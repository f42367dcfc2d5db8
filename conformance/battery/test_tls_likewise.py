"""Chapter tls: what transports promise whatever is beneath them, asked of TLS connections as well."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, reset
from conformance.kit.protocols import Events, Reacts
from conformance.kit.secured import BIG, SIDES, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import lost_inside_write, told_inside_resume, until_lost
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("tls.pause-and-resume-inside", MUST, cite="asyncio-protocol: ReadTransport.resume_reading")
@SIDES
def test_resuming_tls_inside_data_received_takes_effect(loop: Loop, patience: Patience, side: str) -> None:
    """resume_reading() inside data_received(), after pause_reading() there, is obeyed: more data is received.

    If this fails: look for records that are not decrypted any more because some are just being delivered.
    """

    def pause_for_a_moment(transport: Any) -> None:
        transport.pause_reading()
        transport.resume_reading()

    with secured(loop, patience, side, lambda: Reacts("data_received", pause_for_a_moment)) as (_, protocol, peer):
        for number in range(3):
            peer.sendall(b"x")
            patience.run_until(loop, lambda: len(protocol.received) == number + 1, "the next byte")  # noqa: B023


@requirement("tls.write-while-closing-is-quiet", SHOULD, cite="asyncio-protocol: BaseTransport.close")
@SIDES
def test_writing_to_tls_that_is_closing_does_not_raise(loop: Loop, patience: Patience, side: str) -> None:
    """write() does not raise after close(), while what was written before is flushed: others may not know of it yet.

    If this fails: look for a TLS object that has said goodbye and is asked to encrypt, or data that is lost with it.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.write(BIG)
        transport.close()
        for _ in range(10):
            transport.write(b"late")
            transport.writelines([b"late"])
        received = drive(loop, patience, in_thread(lambda: _received(peer)))
        assert received.startswith(BIG)  # what becomes of the rest is left open
        until_lost(loop, patience, protocol)


def _goodbye(peer: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError):
        peer.unwrap().close()


def _received(peer: ssl.SSLSocket) -> bytes:
    data = receive_all(peer)
    _goodbye(peer)
    return data


@requirement("tls.writelines-many-pieces", SHOULD, cite=("asyncio-protocol: WriteTransport.writelines", "gh-91166"))
@SIDES
def test_writelines_takes_many_pieces_over_tls(loop: Loop, patience: Patience, side: str) -> None:
    """writelines() writes any number of pieces, of any size, whether data still waits in the buffer or not.

    If this fails: look for a limit of pieces, or for some that are encrypted before what waits.
    """
    pieces = [bytes([number % 251]) * (number % 97) for number in range(3000)]
    expected = b"".join([*pieces, BIG, b"a few", *pieces])
    with secured(loop, patience, side) as (transport, _, peer):
        transport.writelines(pieces)
        transport.writelines([BIG, b"a few"])
        transport.writelines(pieces)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected


@requirement("tls.end-inside-eof-received", MUST, cite="asyncio-protocol: Protocol.eof_received")
@each("how", ["close", "abort"])
@SIDES
def test_a_protocol_may_end_tls_inside_eof_received(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """A protocol may close or abort the transport inside eof_received(): it ends, once, and without an error.

    If this fails: look for the end that TLS makes of the peer's, though the transport has ended meanwhile.
    """
    ends = Reacts("eof_received", lambda transport: getattr(transport, how)())
    with secured(loop, patience, side, lambda: ends) as (_, protocol, peer):
        helper = in_thread(lambda: _goodbye(peer))
        until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "eof_received", "connection_lost"]
        assert protocol.reason is None
        drive(loop, patience, helper)


@requirement("tls.stop-inside", MUST, cite=("asyncio-eventloop: loop.stop", "asyncio-protocol: Protocol.data_received"))
def test_a_stop_loses_no_data_over_tls(loop: Loop, patience: Patience) -> None:
    """After stop() inside a callback of one connection, what another has got is received, in this run or the next.

    If this fails: look for records that are read and not delivered when the loop stops.
    """

    class Stops(Events):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            loop.stop()

    with (
        secured(loop, patience, "client", Stops) as (_, one, first),
        secured(loop, patience, "client", Stops) as (
            _,
            two,
            second,
        ),
    ):
        turn(loop, 2)
        for peer in (first, second):
            peer.sendall(b"data")  # the loop has not run since: it finds both at once
        patience.run_through_stops(loop, lambda: one.received == two.received == b"data", "the arrival of both")


@requirement("tls.lost-not-inside-write", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
@each("method", ["write", "writelines"])
@SIDES
def test_a_write_over_tls_that_fails_returns_before_the_loss_is_told(
    loop: Loop, patience: Patience, side: str, method: str
) -> None:
    """write() of a TLS transport that finds the peer gone returns before connection_lost() is called.

    If this fails: look for an error of the transport beneath that is told where it was found, on the caller's stack.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()  # only writing finds out
        turn(loop, 2)
        reset(peer)
        assert not lost_inside_write(loop, patience, transport, protocol, method)


@requirement("tls.resume-tells-no-end", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
@each("how", ["goodbye", "reset"])
@SIDES
def test_resuming_tls_does_not_tell_of_an_end_by_itself(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """resume_reading() of a TLS transport returns before the protocol is told of an end that came meanwhile.

    If this fails: look for records that are decrypted on the spot, the last of which is no data.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop, 2)
        if how == "goodbye":
            peer.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.unwrap()
        else:
            reset(peer)
        turn(loop, 5)
        peer.close()
        assert told_inside_resume(loop, patience, transport, protocol) == []
