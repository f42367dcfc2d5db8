"""Chapter udp: close(), abort() and connection_lost() of an endpoint, and what get_extra_info() tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, arrival, blocked_endpoint, endpoint, receive_after_filler, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
ABORT = "asyncio-protocol: DatagramTransport.abort"
LOST = "asyncio-protocol: BaseProtocol.connection_lost"
INFO = "asyncio-protocol: BaseTransport.get_extra_info"


@requirement("udp.close", MUST, cite=(CLOSE, LOST))
def test_closing_an_endpoint_loses_its_connection(loop: Loop, patience: Patience) -> None:
    """After close(), connection_lost() is called with None as its argument, exactly once, as the last callback.

    If this fails: look for a transport that only stops reading.
    """
    with endpoint(loop) as (transport, protocol):
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.lost == [None]
        assert protocol.names == ["connection_made", "connection_lost"]


@requirement("udp.close-again", SHOULD, cite=(CLOSE, LOST))
@each("again", ["close", "abort"])
def test_closing_an_endpoint_again_is_harmless(loop: Loop, patience: Patience, again: str) -> None:
    """close() and abort() on an endpoint that is closing, or closed, do nothing.

    If this fails: look for connection_lost() that is scheduled by each call.
    """
    with endpoint(loop) as (transport, protocol):
        transport.close()
        getattr(transport, again)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        getattr(transport, again)()
        turn(loop, 5)
        assert protocol.lost == [None]


@requirement("udp.close-not-inline", SHOULD, cite=LOST)
@each("how", ["close", "abort"])
def test_connection_lost_of_an_endpoint_is_not_called_inside_close(loop: Loop, patience: Patience, how: str) -> None:
    """connection_lost() is called by the loop, not inside close() or abort().

    If this fails: look for a protocol that is called back while it is in the middle of something.
    """
    with endpoint(loop) as (transport, protocol):
        getattr(transport, how)()
        assert protocol.lost == []
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("udp.close-stops-receiving", MUST, cite=CLOSE)
@each("how", ["close", "abort"])
def test_a_closed_endpoint_receives_nothing(loop: Loop, patience: Patience, how: str) -> None:
    """No more data will be received after close() or abort(), also not what has already arrived.

    If this fails: look for datagrams that were read in advance.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        for _ in range(3):
            peer.sendto(b"x", transport.get_extra_info("sockname"))
        getattr(transport, how)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.received == []


@requirement("udp.close-inside-datagram-received", MUST, cite=CLOSE)
def test_closing_inside_datagram_received_takes_effect_at_once(loop: Loop, patience: Patience) -> None:
    """After close() inside datagram_received(), no more data is received.

    If this fails: look for a batch of datagrams that is delivered to its end in spite of it.
    """

    class ClosesAtOnce(Datagrams):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            self.transport.close()

    with udp_peer() as peer, endpoint(loop, local_addr=HERE, protocol=ClosesAtOnce()) as (transport, protocol):
        for number in range(5):
            peer.sendto(b"%d" % number, transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.names == ["connection_made", "datagram_received", "connection_lost"]


@requirement("udp.close-flushes", MUST, cite=CLOSE, needs=("unix",))
def test_closing_an_endpoint_flushes_its_buffer(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """close() flushes buffered data asynchronously, and connection_lost() is called after all of it is flushed.

    If this fails: look for datagrams that are dropped by close(), all of them or those behind the first batch.
    """
    messages = [f"message {number:02}".encode() for number in range(100)]
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        for message in messages:
            transport.sendto(message)
        transport.close()
        turn(loop, 5)
        assert protocol.lost == []
        receiving = in_thread(lambda: receive_after_filler(peer, len(messages)))
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert sorted(receiving.result()) == messages
        assert protocol.lost == [None]


@requirement("udp.close-again-flushes", SHOULD, cite=CLOSE, needs=("unix",))
def test_closing_an_endpoint_again_still_flushes(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """A second close() changes nothing: the datagrams that wait are sent all the same.

    If this fails: look for a close that loses its patience when it is called again.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(b"two")
        transport.close()
        turn(loop, 3)
        transport.close()
        receiving = in_thread(lambda: receive_after_filler(peer, 2))
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert sorted(receiving.result()) == [b"one", b"two"]


@requirement("udp.abort-after-the-end", SHOULD, cite=(LOST, "anyio#1250"), needs=("unix",))
def test_aborting_an_endpoint_that_has_flushed_is_harmless(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """close() and abort() do nothing once an endpoint has sent what waited, and connection_lost() was called.

    If this fails: look for an end that is reached by flushing, and not noted down as that of an empty buffer is.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.close()
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert receiving.result() == [b"one"]
        for end in (transport.abort, transport.close, transport.abort):
            end()
            turn(loop, 3)
        assert protocol.lost == [None]


@requirement("udp.end-inside-resume", SHOULD, cite=(CLOSE, ABORT, "gh-156512"), needs=("unix",))
@pytest.mark.parametrize(("end", "size"), [("close", 100_000), ("close", 1000), ("abort", 100_000), ("abort", 1000)])
def test_ending_an_endpoint_inside_resume_writing(
    loop: Loop, patience: Patience, tmp_path: Path, end: str, size: int
) -> None:
    """A protocol may close or abort inside resume_writing(): the endpoint ends once, and nothing is reported.

    close() flushes there, too: what was below the low watermark is sent. abort() drops it.

    If this fails: look for a transport that finds itself closing after its protocol was told to go on, and ends again,
    or that sends what is left first, whichever it was.
    """

    class Ends(Datagrams):
        def resume_writing(self) -> None:
            super().resume_writing()
            getattr(self.transport, end)()

    received = []
    with blocked_endpoint(loop, tmp_path, Ends()) as (transport, protocol, peer):
        keep_limits_low(transport)
        if size == 1000:  # more than the kernel takes at once is left
            transport.set_write_buffer_limits(high=400_000, low=300_000)
        count = 0
        while "pause_writing" not in protocol.names and transport.get_write_buffer_size() < 1_000_000:
            transport.sendto(bytes(size))
            count += 1
        peer.setblocking(False)

        def lost() -> bool:
            with contextlib.suppress(OSError):  # there is no more, or the other end is gone
                while True:
                    received.append(peer.recv(1 << 18))
            return bool(protocol.lost)

        patience.run_until(loop, lost, "connection_lost()")
        turn(loop, 3)
        assert lost()
        if end == "close":
            assert received.count(bytes(size)) == count
        elif size == 1000:
            assert received.count(bytes(size)) < count
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing", "connection_lost"]
        assert protocol.lost == [None]


@requirement("udp.abort", MUST, cite=ABORT)
def test_aborting_an_endpoint_loses_its_connection(loop: Loop, patience: Patience) -> None:
    """After abort(), connection_lost() is eventually called with None as its argument.

    If this fails: look for an exception that is made up for the protocol.
    """
    with endpoint(loop) as (transport, protocol):
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.lost == [None]


@requirement("udp.abort-drops", MUST, cite=ABORT, needs=("unix",))
@pytest.mark.parametrize("when", ["open", "closing", "inside"])
def test_aborting_an_endpoint_drops_its_buffer(loop: Loop, patience: Patience, tmp_path: Path, when: str) -> None:
    """abort() closes the transport immediately, without waiting for pending operations: buffered data is lost.

    connection_lost() is the last callback, also of a protocol that was paused, or that aborts in datagram_received().

    If this fails: look for an abort() that waits for room like close(), or does nothing while the transport closes.
    """

    class Aborts(Datagrams):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            self.transport.abort()

    with blocked_endpoint(loop, tmp_path, Aborts()) as (transport, protocol, peer):
        transport.sendto(b"lost")
        for _ in range(200):  # which pauses the protocol
            transport.sendto(bytes(1000))
        if when == "closing":
            transport.close()
        if when == "inside":
            peer.send(b"abort")
        else:
            transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert protocol.lost == [None]
        assert protocol.names[-1] == "connection_lost"
        peer.setblocking(False)
        rest = []
        with contextlib.suppress(OSError):  # there is no more, or the other end is gone
            while True:
                rest.append(peer.recv(100))
        assert b"lost" not in rest


@requirement("udp.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("how", ["close", "abort"])
def test_is_closing_of_an_endpoint(loop: Loop, patience: Patience, how: str) -> None:
    """is_closing() returns True if the endpoint is closing or is closed, and False before.

    If this fails: look for a flag that is set only when connection_lost() is called.
    """
    with endpoint(loop) as (transport, protocol):
        assert transport.is_closing() is False
        getattr(transport, how)()
        assert transport.is_closing() is True
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.is_closing() is True


@requirement("udp.is-closing-while-flushing", MUST, cite="asyncio-protocol: BaseTransport.is_closing", needs=("unix",))
def test_an_endpoint_that_flushes_is_closing(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """is_closing() returns True from close() on, though datagrams have yet to be sent.

    If this fails: look for a flag that is set when the buffer is empty.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"waits")
        transport.close()
        turn(loop, 3)
        assert not protocol.lost
        assert transport.is_closing() is True
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: protocol.lost and not receiving.is_alive(), "the end")


@requirement("udp.set-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_set_protocol_hands_an_endpoint_over(loop: Loop, patience: Patience) -> None:
    """set_protocol() sets a new protocol, which receives from then on, and get_protocol() returns it.

    If this fails: look for callbacks bound to the first protocol when the transport was made, or let go by close().
    """
    with udp_peer() as peer, endpoint(loop) as (transport, first):
        assert transport.get_protocol() is first
        second = Datagrams()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        peer.sendto(b"x", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: second.received, "the datagram")
        transport.close()
        assert transport.get_protocol() is second
        patience.run_until(loop, lambda: second.lost, "connection_lost()")
        assert first.names == ["connection_made"]


@requirement("udp.extra-info", MUST, cite=INFO)
def test_the_addresses_of_an_endpoint_are_extra_information(loop: Loop) -> None:
    """get_extra_info() gives 'sockname' and 'peername', the latter None if there is no remote address.

    If this fails: look for a peer name that is asked of a socket without one, and raises.
    """
    with udp_peer() as peer:
        with endpoint(loop) as (transport, _):
            sock = transport.get_extra_info("socket")
            assert transport.get_extra_info("sockname") == sock.getsockname()
            assert transport.get_extra_info("peername") is None
        with endpoint(loop, remote_addr=peer.getsockname()) as (transport, _):
            assert transport.get_extra_info("peername") == peer.getsockname()


@requirement("udp.extra-info-socket", MUST, cite=INFO)
def test_the_socket_of_an_endpoint_is_extra_information(loop: Loop, patience: Patience) -> None:
    """get_extra_info('socket') gives the socket of the endpoint, whose options can be set: multicast needs them.

    If this fails: look for a missing key, or a stand-in that lacks setsockopt().
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        sock = transport.get_extra_info("socket")
        assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 7
        transport.sendto(b"x", peer.getsockname())
        assert arrival(loop, patience, peer)[1] == sock.getsockname()


@requirement("udp.extra-info-default", MUST, cite=INFO)
def test_unknown_extra_information_of_an_endpoint_is_the_default(loop: Loop) -> None:
    """get_extra_info(name, default) returns default if the information is not available, and None by default.

    If this fails: look for a KeyError, or a default that is dropped because it is false.
    """
    with endpoint(loop) as (transport, _):
        marker = object()
        assert transport.get_extra_info("no such thing") is None
        assert transport.get_extra_info("no such thing", marker) is marker
        assert transport.get_extra_info(name="no such thing", default=marker) is marker
        assert [transport.get_extra_info("no such thing", false) for false in (0, "", ())] == [0, "", ()]


@requirement("udp.extra-info-closed", SHOULD, cite=INFO)
def test_a_closed_endpoint_can_be_asked(loop: Loop, patience: Patience) -> None:
    """get_extra_info() of an endpoint raises nothing when it is closed: it gives what is known, or the default.

    If this fails: look for a question to a socket that is gone.
    """
    with endpoint(loop) as (transport, protocol):
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        for name in ("socket", "sockname", "peername"):
            transport.get_extra_info(name)
        assert transport.get_extra_info("no such thing", "default") == "default"
