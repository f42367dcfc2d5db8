"""Chapter udp: datagrams that wait for room: those that cannot be sent, and an endpoint that closes meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from pathlib import Path

from conformance.kit.cases import each
from conformance.kit.datagrams import arrival, blocked_endpoint, receive_after_filler
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low, until_paused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
ERROR = "asyncio-protocol: DatagramProtocol.error_received"
RECEIVED = "asyncio-protocol: DatagramProtocol.datagram_received"
SENDTO = "asyncio-protocol: DatagramTransport.sendto"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"
RESUME = "asyncio-protocol: BaseProtocol.resume_writing"


@requirement(
    "udp.error-among-buffered", MUST, cite=(ERROR, "asyncio-protocol: DatagramTransport.sendto"), needs=("linux",)
)
def test_the_error_of_one_datagram_keeps_no_other_back(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """If one of the datagrams that wait cannot be sent, error_received() is called for it, and the others are sent.

    If this fails: look for a buffer that is thrown away at the first error, or not looked at again.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(bytes(1 << 24))  # longer than any buffer
        transport.sendto(b"two")
        transport.sendto(b"three")
        receiving = in_thread(lambda: receive_after_filler(peer, 3))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the others")
        assert sorted(receiving.result()) == [b"one", b"three", b"two"]
        patience.run_until(loop, lambda: protocol.errors, "error_received()")
        turn(loop, 5)
        assert len(protocol.errors) == 1
        assert isinstance(protocol.errors[0], OSError)
        assert not transport.is_closing()


@requirement(
    "udp.sendto-inside-error-of-buffered",
    MUST,
    cite=(ERROR, SENDTO),
    needs=("linux",),
)
def test_an_endpoint_may_send_when_a_datagram_that_waited_fails(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """What a protocol sends inside error_received() of a datagram that waited for room is sent, once.

    If this fails: look for a buffer that is put aside while it is sent, or a transport that is locked meanwhile.
    """

    class Insists(Datagrams):
        def error_received(self, exc: Exception) -> None:
            super().error_received(exc)
            self.transport.sendto(b"inside")

    with blocked_endpoint(loop, tmp_path, Insists()) as (transport, protocol, peer):
        for data in (b"one", bytes(1 << 24), b"two"):
            transport.sendto(data)
        receiving = in_thread(lambda: receive_after_filler(peer, 3))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the others")
        assert sorted(receiving.result()) == [b"inside", b"one", b"two"]
        transport.sendto(b"next")
        assert arrival(loop, patience, peer)[0] == b"next"
        assert len(protocol.errors) == 1


@requirement("udp.close-flushes-errors", SHOULD, cite=(CLOSE, ERROR), needs=("linux",))
def test_what_cannot_be_sent_does_not_keep_a_closing_endpoint(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """A closing endpoint whose datagrams cannot be sent tells error_received(); connection_lost() gets None.

    If this fails: look for an error that ends the endpoint while it closes, or that keeps it waiting for ever.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(b"two")
        transport.close()
        turn(loop, 3)
        assert not protocol.lost
        peer.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert protocol.lost == [None]
        assert all(isinstance(error, OSError) for error in protocol.errors)
        assert len(protocol.errors) == 2


@requirement("udp.close-receives-nothing", MUST, cite=CLOSE, needs=("unix",))
def test_an_endpoint_that_flushes_receives_nothing(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """No more data will be received after close(), also while datagrams wait to be sent.

    If this fails: look for reading that ends when the buffer is empty.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"waits")
        peer.send(b"came before")
        transport.close()
        peer.send(b"came after")
        turn(loop, 10)
        assert not protocol.lost
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: protocol.lost and not receiving.is_alive(), "the end")
        assert protocol.received == []
        assert protocol.lost == [None]


@requirement("udp.resume-after-errors", SHOULD, cite=(RESUME, ERROR), needs=("linux",))
def test_a_buffer_that_errors_have_emptied_resumes(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """A paused protocol is told to go on when its datagrams are gone, also if none of them could be sent.

    If this fails: look for a way out of the buffer that ends at an error.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        keep_limits_low(transport)
        for _ in range(200):
            transport.sendto(bytes(1000))
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        peer.close()
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert protocol.names.count("pause_writing") == 1
        assert not transport.is_closing()


def have_come(peer: socket.socket, received: list[bytes]) -> bool:
    """Add the datagrams that are there to `received`; whether a thousand of them are no filler."""
    with contextlib.suppress(BlockingIOError):
        while True:
            received.append(peer.recv(10))
    return received.count(b"x") == 1000


@requirement("udp.resume-at-low", SHOULD, cite=RESUME, needs=("unix",))
def test_datagrams_resume_at_the_low_watermark(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """resume_writing() of an endpoint is called when its buffer has drained to the low watermark, and not before.

    If this fails: look for a resume at the first datagram that leaves, or for < in place of <=.
    """
    sizes: list[int] = []

    class Measures(Datagrams):
        def resume_writing(self) -> None:
            super().resume_writing()
            sizes.append(self.transport.get_write_buffer_size())

    with blocked_endpoint(loop, tmp_path, Measures()) as (transport, _, peer):
        keep_limits_low(transport)
        for _ in range(200):
            transport.sendto(bytes(1000))
        receiving = in_thread(lambda: receive_after_filler(peer, 200))
        patience.run_until(loop, lambda: not receiving.is_alive() and sizes, "resume_writing()")
        assert len(sizes) == 1
        assert sizes[0] <= transport.get_write_buffer_limits()[0]
    low = 0
    for number in range(4):  # the kernel mostly takes what it took the last time, and the rest is the watermark then
        (tmp_path / str(number)).mkdir()
        with blocked_endpoint(loop, tmp_path / str(number)) as (transport, protocol, peer):
            transport.set_write_buffer_limits(high=low, low=low)
            for _ in range(1000):
                transport.sendto(b"x")
            peer.setblocking(False)
            received: list[bytes] = []
            have_come(peer, received)
            turn(loop, 20)
            left = transport.get_write_buffer_size()
            if "pause_writing" in protocol.names and left <= low:
                resumed = functools.partial(protocol.names.__contains__, "resume_writing")
                patience.in_turns.run_until(loop, resumed, "resume_writing()")
            patience.run_until(loop, functools.partial(have_come, peer, received), "the arrival of the others")
            if left == low:
                break
            low = left


@requirement(
    "udp.end-inside-pause", SHOULD, cite=(CLOSE, "asyncio-protocol: BaseProtocol.pause_writing"), needs=("unix",)
)
@each("how", ["close", "abort"])
def test_an_endpoint_may_be_ended_where_it_pauses(loop: Loop, patience: Patience, tmp_path: Path, how: str) -> None:
    """A protocol may close or abort its endpoint inside pause_writing(): it ends, once.

    If this fails: look for a datagram that is added to the buffer of an endpoint that has ended meanwhile.
    """

    class Ends(Datagrams):
        def pause_writing(self) -> None:
            super().pause_writing()
            getattr(self.transport, how)()

    (tmp_path / how).mkdir()
    with blocked_endpoint(loop, tmp_path / how, Ends()) as (transport, protocol, peer):
        keep_limits_low(transport)
        count = 0
        while "pause_writing" not in protocol.names and count < 1000:  # or it is told when the loop runs
            transport.sendto(bytes(1000))
            count += 1
        until_paused(loop, patience, protocol)
        if how == "close":
            receiving = in_thread(lambda: receive_after_filler(peer, count))
            patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagrams")
            assert len(receiving.result()) == count
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert protocol.lost == [None]


@requirement("udp.sendto-inside-flow", SHOULD, cite=(SENDTO, PAUSE, RESUME), needs=("unix",))
def test_a_protocol_may_send_where_it_is_paused_and_resumed(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """What is sent inside pause_writing() or resume_writing() of an endpoint arrives, and what was sent before.

    If this fails: look for a datagram that is not taken while the protocol is being told.
    """

    class Adds(Datagrams):
        def pause_writing(self) -> None:
            super().pause_writing()
            self.transport.sendto(b"though paused")

        def resume_writing(self) -> None:
            super().resume_writing()
            self.transport.sendto(b"as resumed")

    with blocked_endpoint(loop, tmp_path, Adds()) as (transport, protocol, peer):
        keep_limits_low(transport)
        count = 0
        while "pause_writing" not in protocol.names and count < 1000:
            transport.sendto(bytes(1000))
            count += 1
        receiving = in_thread(lambda: receive_after_filler(peer, count + 2))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the datagrams")
        assert sorted(receiving.result()) == [*[bytes(1000)] * count, b"as resumed", b"though paused"]


@requirement("udp.receives-while-blocked", MUST, cite=(RECEIVED, SENDTO), needs=("unix",))
def test_an_endpoint_receives_while_datagrams_wait(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() does not block: datagrams are received while those that were sent wait for room.

    If this fails: look for one watcher for both directions.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"waits")
        peer.send(b"comes")
        patience.in_turns.run_until(loop, lambda: protocol.received, "the datagram")
        assert [data for data, _ in protocol.received] == [b"comes"]
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the datagram that waited")
        assert receiving.result() == [b"waits"]
