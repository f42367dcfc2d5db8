"""Chapter flow: when pause_writing() and resume_writing() are called, and when they are not."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.blocked import KINDS, PAGE, SOCKETS, blocked
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events
from conformance.kit.transports import until_paused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: WriteTransport.set_write_buffer_limits"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"
WRITELINES = "asyncio-protocol: WriteTransport.writelines"
RESUME = "asyncio-protocol: BaseProtocol.resume_writing"

kinds = each("kind", KINDS)
sockets = each("kind", SOCKETS)


def flow_of(protocol: Any) -> list[str]:
    """The flow control callbacks that a protocol got, in order."""
    return [name for name in protocol.names if name.endswith("_writing")]


@requirement("flow.pause", MUST, cite=PAUSE, needs=("unix",))
@kinds
def test_pause_writing_is_called_over_the_high_watermark(loop: Loop, patience: Patience, kind: str) -> None:
    """pause_writing() is called when the transport's buffer goes over the high watermark, and not before.

    If this fails: look for a check that only the default limits get, or none at all.
    """
    with blocked(loop, kind) as (transport, protocol, _):
        transport.set_write_buffer_limits(high=1000, low=100)
        transport.write(bytes(900))
        turn(loop, 3)
        assert flow_of(protocol) == []
        transport.write(bytes(900))
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]


@requirement("flow.pause-strictly", MUST, cite=(PAUSE, RESUME), needs=("unix",))
@kinds
def test_pause_writing_is_not_called_at_the_high_watermark(loop: Loop, patience: Patience, kind: str) -> None:
    """If the buffer size equals the high watermark, pause_writing() is not called: it must go strictly over.

    If this fails: look for >= in place of >.
    """
    with blocked(loop, kind) as (transport, protocol, _):
        transport.set_write_buffer_limits(high=1000, low=100)
        transport.write(bytes(1000))
        turn(loop, 3)
        assert flow_of(protocol) == []
        transport.write(b"x")
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]


@requirement("flow.zero-high-pauses", MUST, cite=SET, needs=("unix",))
@kinds
def test_a_high_watermark_of_zero_pauses_at_the_first_byte(loop: Loop, patience: Patience, kind: str) -> None:
    """Setting high to zero causes pause_writing() to be called whenever the buffer becomes non-empty.

    If this fails: look for 0 that is taken for "no limit".
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"")
        turn(loop, 3)
        assert flow_of(protocol) == []
        transport.write(b"x")
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]
        peer.read_until(loop, patience, lambda: peer.received == b"x", "the byte")
        patience.run_until(loop, lambda: len(flow_of(protocol)) == 2, "resume_writing()")


@requirement("flow.pause-once", MUST, cite=PAUSE, needs=("unix",))
@kinds
def test_pause_writing_is_called_once(loop: Loop, patience: Patience, kind: str) -> None:
    """While writing is paused, pause_writing() is not called again, even if more writes increase the buffer size.

    If this fails: look for a check of the size without a flag.
    """
    with blocked(loop, kind) as (transport, protocol, _):
        transport.set_write_buffer_limits(high=100, low=10)
        for _ in range(5):
            transport.write(bytes(200))
        until_paused(loop, patience, protocol)
        transport.write(bytes(200))
        turn(loop, 10)
        assert flow_of(protocol) == ["pause_writing"]


@requirement("flow.resume", MUST, cite=RESUME, needs=("unix",))
@kinds
def test_resume_writing_is_called_when_the_buffer_has_drained(loop: Loop, patience: Patience, kind: str) -> None:
    """resume_writing() is called once, when the buffer has drained to the low watermark or below.

    If this fails: look for a resume that depends on another write, or comes at each write that succeeds.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=1000, low=100)
        transport.write(bytes(50_000))
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]
        peer.read_until(loop, patience, lambda: len(peer.received) == 50_000, "all of the data")
        patience.run_until(loop, lambda: len(flow_of(protocol)) == 2, "resume_writing()")
        turn(loop, 5)
        assert flow_of(protocol) == ["pause_writing", "resume_writing"]


@requirement("flow.not-resumed-above-low", MUST, cite=(RESUME, SET), needs=("linux",))
def test_resume_writing_is_not_called_above_the_low_watermark(loop: Loop, patience: Patience) -> None:
    """While the buffer is above the low watermark, resume_writing() is not called.

    If this fails: look for a resume below the high watermark, or at the first byte that leaves.
    """
    with blocked(loop, "pipe") as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=PAGE, low=PAGE - 1)
        transport.write(bytes(2 * PAGE))
        until_paused(loop, patience, protocol)
        assert peer.read(PAGE) == PAGE
        turn(loop, 20)  # one page of two goes into the pipe; it may be taken off the size together with the other
        assert transport.get_write_buffer_size() >= PAGE
        assert flow_of(protocol) == ["pause_writing"]
        peer.read(PAGE)
        patience.run_until(loop, lambda: len(flow_of(protocol)) == 2, "resume_writing()")


@requirement("flow.resume-at-low", MUST, cite=RESUME, needs=("linux",))
def test_resume_writing_is_called_at_the_low_watermark(loop: Loop, patience: Patience) -> None:
    """resume_writing() is called when the buffer size is equal to the low watermark, not only below it.

    If this fails: look for < in place of <=.
    """
    with blocked(loop, "pipe") as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=PAGE, low=PAGE)
        for _ in range(2):
            transport.write(bytes(PAGE))
            turn(loop, 3)
        until_paused(loop, patience, protocol)
        assert peer.read(PAGE) == PAGE
        turn(loop, 20)
        if transport.get_write_buffer_size() == PAGE:  # a loop may hear of both pages at once
            patience.in_turns.run_until(loop, lambda: len(flow_of(protocol)) == 2, "resume_writing()")
            assert flow_of(protocol) == ["pause_writing", "resume_writing"]
            assert transport.get_write_buffer_size() == PAGE


@requirement("flow.resume-before-empty", MUST, cite=RESUME, needs=("unix",))
@sockets
def test_resume_writing_does_not_wait_for_an_empty_buffer(loop: Loop, patience: Patience, kind: str) -> None:
    """resume_writing() is called once the buffer is at or below the low watermark, not only when it is empty.

    If this fails: look for a check that is made only when there is nothing more to send.
    """
    sizes: list[int] = []

    class Measures(Events):
        def resume_writing(self) -> None:
            sizes.append(self.transport.get_write_buffer_size())

    with blocked(loop, kind, Measures()) as (transport, _, peer):
        part = max(100_000, peer.filler // 4)  # so that the kernel takes four of them at most
        transport.set_write_buffer_limits(high=18 * part, low=10 * part)
        for _ in range(20):
            transport.write(bytes(part))
            turn(loop)
        # What is left is not read before the protocol has been told, which may come some turns later.
        peer.read_until(loop, patience, lambda: transport.get_write_buffer_size() <= 10 * part, "the low watermark")
        patience.run_until(loop, lambda: sizes, "resume_writing()")
        assert 0 < sizes[0] <= 10 * part
        peer.read_until(loop, patience, lambda: len(peer.received) == 20 * part, "all of the data")
        assert len(sizes) == 1


@requirement("flow.zero-low-resumes", MUST, cite=SET, needs=("unix",))
@kinds
def test_a_low_watermark_of_zero_resumes_when_the_buffer_is_empty(loop: Loop, patience: Patience, kind: str) -> None:
    """Setting low to zero causes resume_writing() to be called only once the buffer is empty.

    If this fails: look for 0 that is taken for "the default".
    """
    sizes: list[int] = []

    class Measures(Events):
        def resume_writing(self) -> None:
            sizes.append(self.transport.get_write_buffer_size())

    with blocked(loop, kind, Measures()) as (transport, _, peer):
        transport.set_write_buffer_limits(high=800_000, low=0)
        for _ in range(40):
            transport.write(bytes(25_000))
        peer.read_until(loop, patience, lambda: len(peer.received) == 1_000_000, "all of the data")
        patience.run_until(loop, lambda: sizes, "resume_writing()")
        assert sizes == [0]


@requirement("flow.paired", MUST, cite=(PAUSE, RESUME), needs=("unix",))
@kinds
def test_pauses_and_resumes_alternate(loop: Loop, patience: Patience, kind: str) -> None:
    """pause_writing() and resume_writing() come in pairs, in this order, as often as the buffer fills and drains.

    If this fails: look for a flag that is not taken back, or a resume that nobody waits for.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=1000, low=0)
        much = max(500_000, 2 * peer.filler)  # more than the kernel takes
        total = 0
        for _ in range(3):
            total += much
            transport.write(bytes(much))
            turn(loop, 2)
            peer.read_until(loop, patience, lambda: len(peer.received) == total, "what was written")  # noqa: B023
            patience.run_until(loop, lambda: not transport.get_write_buffer_size(), "an empty buffer")
            turn(loop, 2)
        patience.run_until(loop, lambda: len(flow_of(protocol)) == 6, "as many resumes as pauses")
        assert flow_of(protocol)[::2] == ["pause_writing"] * 3
        assert flow_of(protocol)[1::2] == ["resume_writing"] * 3


@requirement("flow.small-writes", MUST, cite=(PAUSE, RESUME), needs=("unix",))
@kinds
def test_nothing_is_paused_below_the_high_watermark(loop: Loop, patience: Patience, kind: str) -> None:
    """As long as the buffer stays at or below the high watermark, neither callback is called, however much is sent.

    If this fails: look for a count of bytes that were ever written, or a resume without a pause.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=1000, low=1000)
        for number in range(1, 6):
            transport.write(bytes(1000))
            peer.read_until(loop, patience, lambda: len(peer.received) == 1000 * number, "the data")  # noqa: B023
            patience.run_until(loop, lambda: not transport.get_write_buffer_size(), "an empty buffer")
        turn(loop, 3)
        assert flow_of(protocol) == []


@requirement("flow.writelines", MUST, cite=(WRITELINES, "gh-127655"), needs=("unix",))
@kinds
def test_writelines_pauses_like_write(loop: Loop, patience: Patience, kind: str) -> None:
    """writelines() is functionally equivalent to write() on each element: it also calls pause_writing().

    If this fails: look for a fast path of its own that leaves the check out.
    """
    with blocked(loop, kind) as (transport, protocol, _):
        transport.set_write_buffer_limits(high=1000, low=100)
        transport.writelines([bytes(500), bytes(500)])
        turn(loop, 3)
        assert flow_of(protocol) == []
        transport.writelines([b"x", b"y"])
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]


@requirement("flow.write-while-paused", MUST, cite=("asyncio-protocol: WriteTransport.write", PAUSE), needs=("unix",))
@kinds
def test_what_is_written_while_paused_is_sent(loop: Loop, patience: Patience, kind: str) -> None:
    """Pausing is advice to the protocol: what it writes in spite of it is buffered, and sent in order.

    If this fails: look for a write() that raises, or drops data, once the buffer is full.
    """
    with blocked(loop, kind) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        for number in range(10):
            transport.write(bytes([number]) * 1000)
        peer.read_until(loop, patience, lambda: len(peer.received) >= 10_000, "all of the data")
        assert peer.received == b"".join(bytes([number]) * 1000 for number in range(10))


@requirement("flow.lowered", SHOULD, cite=SET, needs=("unix",))
@kinds
def test_lowering_the_high_watermark_below_the_buffer_pauses(loop: Loop, patience: Patience, kind: str) -> None:
    """set_write_buffer_limits() with a high watermark below the buffer's size causes pause_writing() to be called.

    If this fails: look for a check that is made by write() alone.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=100_000)
        transport.write(bytes(1000))
        turn(loop, 3)
        assert flow_of(protocol) == []
        transport.set_write_buffer_limits(high=10)
        until_paused(loop, patience, protocol)
        assert flow_of(protocol) == ["pause_writing"]
        peer.read_until(loop, patience, lambda: len(flow_of(protocol)) == 2, "resume_writing()")
