"""Chapter flow: pause_reading() and resume_reading() as back pressure: nothing is read in secret."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, is_stopped, receive_all, reset, tcp_pair
from conformance.kit.protocols import Events, Reacts
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, received_inside_resume, told_inside_resume
from conformance.kit.ways import TCP_WAYS, WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
PAUSE = "asyncio-protocol: ReadTransport.pause_reading"
RESUME = "asyncio-protocol: ReadTransport.resume_reading"


@requirement("flow.paused-reading-stops-the-peer", MUST, cite=PAUSE)
def test_pausing_stops_the_receiving_end(loop: Loop) -> None:
    """pause_reading() pauses the receiving end of the transport: its peer can send what the kernel keeps, and no more.

    If this fails: look for data that is read all the same, and kept in the loop's own memory.
    """
    with tcp_pair() as (ours, peer):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        with opened(loop, loop.create_connection(Events, sock=ours)) as (transport, protocol):
            transport.pause_reading()
            turn(loop)
            assert is_stopped(loop, peer)
            assert protocol.received == b""


@requirement("flow.pause-reading-inside-connection-made", MUST, cite=PAUSE)
@WAYS
def test_pausing_inside_connection_made(loop: Loop, patience: Patience, way: str) -> None:
    """pause_reading() inside connection_made() holds before anything is read, until resume_reading().

    If this fails: look for reading that is started when connection_made() has returned, whatever it did.
    """

    pausing = Reacts("connection_made", lambda transport: transport.pause_reading())
    with joined(loop, patience, way, pausing) as (transport, protocol, peer):
        peer.sendall(b"early")
        assert transport.is_reading() is False
        turn(loop, 20)
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"early", "the data after resume_reading()")


@requirement("flow.pause-reading-when-closed", MUST, cite=PAUSE)
@each("state", ["closing", "closed"])
@WAYS
def test_pausing_a_closed_transport(loop: Loop, patience: Patience, way: str, state: str) -> None:
    """pause_reading() can be called when the transport is already paused or closed.

    If this fails: look for an error raised because there is no descriptor any more.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        transport.pause_reading()
        transport.close()
        if state == "closed":
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            turn(loop, 3)
        transport.pause_reading()
        assert transport.is_reading() is False


@requirement("flow.close-while-reading-is-paused", MUST, cite=(PAUSE, "asyncio-protocol: BaseTransport.close"))
@WAYS
def test_a_paused_transport_can_be_closed(loop: Loop, patience: Patience, way: str) -> None:
    """close() while reading is paused calls connection_lost(None), and delivers nothing that had come.

    If this fails: look for a close that waits for the end of the stream, which nobody reads.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"unread")
        turn(loop, 3)
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is None
        assert protocol.names == ["connection_made", "connection_lost"]


@requirement("flow.eof-after-resume", MUST, cite=RESUME)
@WAYS
def test_the_end_that_came_while_paused_is_told_after_resume(loop: Loop, patience: Patience, way: str) -> None:
    """After resume_reading(), data that came during the pause is received, and then the end of the stream.

    If this fails: look for an end that overtakes the data, or is lost with the event that announced it.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop)
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        turn(loop, 10)
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        assert protocol.received == b"last words"


@requirement("flow.pause-and-resume", MUST, cite=RESUME)
@each("times", [1, 10])
def test_pausing_and_resuming_between_reads(loop: Loop, patience: Patience, times: int) -> None:
    """resume_reading() takes pause_reading() back, also at once and many times: all data is received, in order.

    If this fails: look for a request to the kernel that is submitted twice, or cancelled too late.
    """
    with tcp_pair() as (ours, peer), opened(loop, loop.create_connection(Events, sock=ours)) as (transport, protocol):
        expected = b""
        for number in range(10):
            for _ in range(times):
                transport.pause_reading()
                transport.resume_reading()
            expected += bytes([number]) * 1000
            peer.sendall(expected[-1000:])
            turn(loop)
            transport.pause_reading()
            transport.resume_reading()
        patience.run_until(loop, lambda: len(protocol.received) >= len(expected), "all of the data")
        assert protocol.received == expected


@requirement("flow.resume-reading-not-inline", SHOULD, cite=("PEP 3156: Mutual Exclusion of Callbacks", RESUME))
@WAYS
def test_resuming_does_not_receive_by_itself(loop: Loop, patience: Patience, way: str) -> None:
    """resume_reading() returns before data is received: no callback starts while another one is still running.

    If this fails: look for what came meanwhile that is read, or handed out, on the spot.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"data")
        turn(loop, 3)
        assert received_inside_resume(loop, patience, transport, protocol, b"data") == b""


@requirement("flow.resume-tells-no-end", SHOULD, cite=("PEP 3156: Mutual Exclusion of Callbacks", RESUME))
@each("how", ["end", "reset"])
@WAYS
def test_resuming_does_not_tell_of_an_end_by_itself(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """resume_reading() returns before the protocol is told of an end that came meanwhile: neither EOF nor a loss.

    If this fails: look for a read that is tried on the spot, whose outcome is told on the caller's stack if it is no
    data.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop, 2)
        peer.close() if how == "end" else reset(peer)
        assert told_inside_resume(loop, patience, transport, protocol) == []


@requirement("flow.pause-outlasts-writing", MUST, cite=(PAUSE, RESUME))
@WAYS
def test_a_pause_of_reading_outlasts_writing(loop: Loop, patience: Patience, way: str) -> None:
    """No data is received until resume_reading() is called: neither writing, nor an empty buffer, ends a pause.

    If this fails: look for a watcher of both directions that is registered anew when there is something to write, or
    no longer.
    """

    def write(transport: Any) -> None:
        transport.set_write_buffer_limits(high=100)
        transport.write(b"sent at once")
        transport.write(BIG)
        transport.writelines([b"one", b"two"])
        transport.write_eof()

    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"unread")
        write(transport)
        assert transport.is_reading() is False
        expected = b"sent at once" + BIG + b"onetwo"
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == expected
        turn(loop, 10)
        assert transport.is_reading() is False
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"unread", "the data after resume_reading()")


@requirement("flow.reset-after-resume", MUST, cite=(RESUME, "asyncio-protocol: BaseProtocol.connection_lost"))
@TCP_WAYS
def test_a_reset_that_came_while_paused_is_told_after_resume(loop: Loop, patience: Patience, way: str) -> None:
    """A reset that came while reading was paused is told, at the latest, after resume_reading(), with its exception.

    If this fails: look for an end that is told for whatever came during a pause.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop, 2)
        reset(peer)
        turn(loop, 10)
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert isinstance(protocol.reason, ConnectionResetError)
        assert "eof_received" not in protocol.names
