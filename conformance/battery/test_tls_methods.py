"""Chapter tls: the methods of a TLS transport are those of any other: limits, pauses, pieces, protocols."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.battery.test_tls_upgrade import SIDES as UPGRADES
from conformance.battery.test_tls_upgrade import as_
from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly
from conformance.kit.protocols import Events
from conformance.kit.refusals import refused
from conformance.kit.secured import BIG, CLIENTS, MADE_SIDES, SERVERS, SIDES, secured, tls_over, upgrading
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: WriteTransport.set_write_buffer_limits"


@requirement("tls.transport-class", MUST, cite="asyncio-protocol: Transport")
@SIDES
def test_a_tls_transport_is_an_asyncio_transport(loop: Loop, patience: Patience, side: str) -> None:
    """A TLS transport is an instance of asyncio.Transport, as that of every connection.

    If this fails: look for a class that was not registered with, or derived from, the public base classes.
    """
    with secured(loop, patience, side) as (transport, _, _):
        assert isinstance(transport, asyncio.Transport)


@requirement("tls.info-when-made", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@MADE_SIDES
def test_what_is_known_of_tls_is_known_when_the_connection_is_made(loop: Loop, patience: Patience, side: str) -> None:
    """get_extra_info() tells of TLS, and of the socket beneath, inside connection_made(), for both sides.

    If this fails: look for information that is stored when connection_made() has returned, or by clients only.
    """
    names = ("cipher", "peername", "sockname", "ssl_object", "sslcontext")

    class Asks(Events):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.told = [transport.get_extra_info(name) for name in names]

    with secured(loop, patience, side, protocol=Asks) as (transport, protocol, peer):
        cipher, peername, sockname, tls, context = protocol.told
        assert (cipher, peername, sockname) == (peer.cipher(), peer.getsockname(), peer.getpeername())
        assert [cipher, peername, sockname] == [transport.get_extra_info(name) for name in names[:3]]
        assert tls.server_side is (side in SERVERS)
        assert context is not None


@requirement("tls.nodelay", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("side", [side for side in CLIENTS + SERVERS if "unix" not in side])
def test_nagles_algorithm_is_off_beneath_tls(loop: Loop, patience: Patience, side: str) -> None:
    """The socket option TCP_NODELAY is set by default for all TCP connections, those with TLS among them.

    If this fails: look for a path of its own from the socket to TLS.
    """
    with secured(loop, patience, side) as (transport, _, _):
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@requirement("tls.pause-reading-idempotent", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_pausing_and_resuming_tls_twice_is_harmless(loop: Loop, patience: Patience, side: str) -> None:
    """pause_reading() and resume_reading() of a TLS transport are idempotent, and is_reading() follows them.

    If this fails: look for a counter, or for an error raised by the second call.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        assert transport.is_reading() is True
        transport.resume_reading()
        transport.pause_reading()
        assert transport.is_reading() is False
        transport.pause_reading()
        assert transport.is_reading() is False
        transport.resume_reading()
        assert transport.is_reading() is True
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "data after one resume_reading()")


@requirement("tls.pause-reading-when-closed", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_a_closed_tls_transport_can_be_paused(loop: Loop, patience: Patience) -> None:
    """pause_reading() can be called when a TLS transport is already closed.

    If this fails: look for an error raised for a transport that is closing.
    """
    with secured(loop, patience) as (transport, protocol, peer):
        transport.close()
        transport.pause_reading()
        helper = in_thread(peer.close)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        drive(loop, patience, helper)
        transport.pause_reading()


@requirement("tls.writelines-order", MUST, cite="asyncio-protocol: WriteTransport.writelines")
def test_lines_follow_what_was_written_before(loop: Loop, patience: Patience) -> None:
    """writelines() is equivalent to calling write() on each element: after what waits; an empty list writes nothing.

    If this fails: look for a second way to the buffer, or a list that must have a first element.
    """
    with secured(loop, patience) as (transport, _, peer):
        transport.writelines([])
        for _ in range(3):
            transport.write(BIG)
            transport.writelines([b"one", b"two"])
        expected = (BIG + b"onetwo") * 3
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected


@requirement("tls.write-wide-items", MUST, cite="PEP 3156: Bidirectional Stream Transports")
def test_a_view_of_wide_items_is_written_whole(loop: Loop, patience: Patience) -> None:
    """write() of a TLS transport sends all bytes of a memoryview whose items have several, and those of a part only.

    If this fails: look for len() of a buffer taken for its size, or for the beginning of its memory for its own.
    """
    with secured(loop, patience) as (transport, _, peer):
        transport.write(memoryview(b"wide items").cast("H"))
        transport.write(memoryview(bytearray(b"<< part>>"))[2:-2])
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 15))) == b"wide items part"


@requirement("tls.limits-related", MUST, cite=SET)
@each("high", [0, 1, 1000, 1 << 24])
def test_the_low_watermark_of_tls_follows_the_high_one(loop: Loop, patience: Patience, high: int) -> None:
    """If only one watermark of a TLS transport is given, low is not above high; a high of zero forces low to zero.

    If this fails: look for a low watermark that stays what it was, or a zero taken for "not given".
    """
    with secured(loop, patience) as (transport, _, _):
        transport.set_write_buffer_limits(high=high)
        low, now = transport.get_write_buffer_limits()
        assert now == high
        assert 0 <= low <= high
        transport.set_write_buffer_limits(low=1000)
        low, now = transport.get_write_buffer_limits()
        assert low == 1000
        assert now >= low


@requirement("tls.limits-refused", SHOULD, cite=SET)
@SIDES
def test_impossible_limits_of_tls_are_refused(loop: Loop, patience: Patience, side: str) -> None:
    """Limits of a TLS transport that are negative, or with low above high, raise an exception, and nothing changes.

    If this fails: look for limits that are corrected in silence.
    """
    with secured(loop, patience, side) as (transport, _, _):
        before = transport.get_write_buffer_limits()
        for high, low in ((10, 20), (-1, None), (10, -1)):
            with refused():
                transport.set_write_buffer_limits(high=high, low=low)
            assert transport.get_write_buffer_limits() == before


@requirement("tls.buffer-size", MUST, cite="asyncio-protocol: WriteTransport.get_write_buffer_size")
@SIDES
def test_the_size_of_the_buffer_of_tls_is_known(loop: Loop, patience: Patience, side: str) -> None:
    """When pause_writing() of a TLS connection is called, get_write_buffer_size() is not below the high watermark.

    Nor is it zero while the connection is closing, as long as data waits.

    If this fails: look for a size that belongs to one of several buffers, and always is zero.
    """

    class Measures(Events):
        size = 0

        def pause_writing(self) -> None:
            super().pause_writing()
            self.size = self.transport.get_write_buffer_size()

    data = BIG[:750_000]
    with secured(loop, patience, side, Measures) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=100_000)
        transport.write(data)
        transport.write(data)
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        assert protocol.size >= 100_000
        drive(loop, patience, in_thread(lambda: receive_exactly(peer, 2 * len(data))))
        patience.run_until(loop, lambda: not transport.get_write_buffer_size(), "an empty buffer")
        transport.write(data)
        transport.write(data)
        waits = transport.get_write_buffer_size() > 100_000  # more than a last attempt to send it takes away
        transport.close()
        assert transport.get_write_buffer_size() > 0 or not waits


@requirement("tls.close-while-paused", MUST, cite="asyncio-protocol: BaseTransport.close")
def test_close_flushes_while_reading_is_paused(loop: Loop, patience: Patience) -> None:
    """close() flushes buffered data though reading is paused.

    If this fails: look for an end that is reached by reading only, or an abort in place of a close.
    """
    with secured(loop, patience) as (transport, _, peer):
        transport.pause_reading()
        transport.write(BIG)
        transport.close()

        def read_to_the_end() -> bytes:
            data = receive_all(peer)
            peer.close()
            return data

        assert drive(loop, patience, in_thread(read_to_the_end)) == BIG


@requirement("tls.start-ways", MUST, cite="asyncio-eventloop: loop.start_tls")
@WAYS
@UPGRADES
def test_a_connection_of_any_kind_can_be_upgraded(loop: Loop, patience: Patience, way: str, side: str) -> None:
    """start_tls() upgrades connections to a host, accepted ones and those of Unix sockets; server_side says which end.

    If this fails: look for a side that is guessed from how the connection came about, or a transport that is refused.
    """
    with joined(loop, patience, way) as (beneath, protocol, sock):
        beginning = upgrading(loop, beneath, protocol, **as_(side))
        helper = tls_over(sock, "server" if side == "client" else "client")
        transport = loop.run_until_complete(beginning)
        with drive(loop, patience, helper) as peer:
            transport.write(b"out")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
            peer.sendall(b"in")
            patience.run_until(loop, lambda: protocol.received == b"in", "the data")
            transport.abort()
            until_lost(loop, patience, protocol)


@requirement("tls.buffered-pause", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_reading_into_buffers_over_tls_can_be_paused(loop: Loop, patience: Patience, side: str) -> None:
    """A protocol with buffers gets no data over TLS while reading is paused, and is told of the peer's end.

    If this fails: look for a read path of buffers that does not ask whether reading is paused, or asks before the
    first of many buffers only; or for an empty update.
    """

    class Pauses(Buffers):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            if self.size == 10:
                self.transport.pause_reading()

    with secured(loop, patience, side, protocol=Pauses) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"data")
        turn(loop, 20)
        assert protocol.updates == []
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        protocol.size = 10
        before = len(protocol.updates)
        peer.sendall(b"more than is asked for")
        patience.run_until(loop, lambda: len(protocol.received) > 4, "the first buffer")
        turn(loop, 20)
        assert len(protocol.updates) == before + 1
        protocol.size = 20
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"datamore than is asked for", "the rest")
        helper = in_thread(peer.unwrap)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        drive(loop, patience, helper).close()
        assert protocol.names.count("eof_received") == 1
        assert protocol.names[-1] == "connection_lost"
        assert 0 not in protocol.updates
