"""Chapter flow: what a protocol may do while it is paused, and inside pause_writing() and resume_writing()."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from conformance.kit.blocked import KINDS, SOCKETS, blocked
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.transports import until_paused
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: WriteTransport.set_write_buffer_limits"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"
RESUME = "asyncio-protocol: BaseProtocol.resume_writing"
CLOSE = "asyncio-protocol: BaseTransport.close"
ABORT = "asyncio-protocol: WriteTransport.abort"
REPORTED = "asyncio-dev: Detect never-retrieved exceptions"

kinds = each("kind", KINDS)


@requirement("flow.close-while-paused", MUST, cite=CLOSE, needs=("unix",))
@kinds
def test_closing_while_paused_flushes(loop: Loop, patience: Patience, kind: str) -> None:
    """close() while writing is paused flushes the buffer, and then connection_lost() gets None.

    If this fails: look for a transport that waits for its protocol to go on.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(bytes(300_000))
        transport.close()
        turn(loop, 3)
        assert not protocol.lost
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")
        peer.read_until(loop, patience, lambda: peer.ended, "the end")
        assert len(peer.received) == 300_000
        assert protocol.reason is None


@requirement("flow.not-resumed-by-an-end", MUST, cite=(RESUME, SET), needs=("unix",))
@kinds
@each("end", ["write_eof", "close"])
def test_an_end_of_this_side_is_no_reason_to_go_on(loop: Loop, patience: Patience, kind: str, end: str) -> None:
    """While the buffer is above the low watermark, resume_writing() is not called, by write_eof() and close() neither.

    If this fails: look for a state that is reset when the transport ends, before its buffer is empty.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(bytes(1000))
        until_paused(loop, patience, protocol)
        getattr(transport, end)()
        turn(loop, 10)
        assert transport.get_write_buffer_size() == 1000
        assert protocol.names == ["connection_made", "pause_writing"]
        peer.read_until(loop, patience, lambda: len(peer.received) == 1000, "the data")


@requirement("flow.lost-last", MUST, cite="asyncio-protocol: Base Protocol", needs=("unix",))
@kinds
@each("how", ["close", "abort"])
def test_no_flow_control_after_connection_lost(loop: Loop, patience: Patience, kind: str, how: str) -> None:
    """After connection_lost(), neither pause_writing() nor resume_writing() is called.

    If this fails: look for a resume that is told when the buffer is dropped.
    """
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(bytes(1000))
        turn(loop, 2)
        getattr(transport, how)()
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.names[-1] == "connection_lost"
        assert protocol.names.count("connection_lost") == 1


@requirement("flow.abort-inside-pause", SHOULD, cite=(ABORT, "zuvloop#33"), needs=("unix",))
@kinds
def test_aborting_inside_pause_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """A protocol may abort inside pause_writing(): nothing is sent, it is not resumed, and the descriptor is let go.

    If this fails: look for a write() that goes on with a transport that is gone, and watches its descriptor, or for a
    resume_writing() for the buffer that was dropped.
    """
    protocol = Reacts("pause_writing", lambda transport: transport.abort())
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"nobody reads this")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is None
        turn(loop, 3)
        peer.read_until(loop, patience, lambda: peer.ended, "the end")
        assert peer.received == b""
        assert protocol.names == ["connection_made", "pause_writing", "connection_lost"]
    with contextlib.ExitStack() as stack:
        for sock in (each for _ in range(3) for each in socket.socketpair()):
            stack.enter_context(sock).setblocking(False)
            receiving = loop.create_task(loop.sock_recv(sock, 10))
            turn(loop, 3)
            receiving.cancel()
            turn(loop, 3)


@requirement("flow.close-inside-pause", SHOULD, cite=CLOSE, needs=("unix",))
@kinds
def test_closing_inside_pause_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """A protocol may close inside pause_writing(): what it had written is flushed.

    If this fails: look for a close() that finds the buffer empty, because the write is still under way.
    """
    protocol = Reacts("pause_writing", lambda transport: transport.close())
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"last words")
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")
        peer.read_until(loop, patience, lambda: peer.ended, "the end")
        assert peer.received == b"last words"


@requirement("flow.write-inside-pause", SHOULD, cite=PAUSE, needs=("unix",))
@kinds
def test_writing_inside_pause_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """What is written inside pause_writing() is buffered after what was written before, without another pause.

    If this fails: look for a flag that is set only when pause_writing() has returned.
    """
    protocol = Reacts("pause_writing", lambda transport: transport.write(b"second"))
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"first,")
        peer.read_until(loop, patience, lambda: len(peer.received) >= 12, "the data")
        assert peer.received == b"first,second"
        assert protocol.names.count("pause_writing") == 1


@requirement("flow.write-inside-resume", MUST, cite=(RESUME, PAUSE), needs=("unix",))
@kinds
def test_writing_inside_resume_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """A protocol may write inside resume_writing(), until it is paused again: nothing is lost, and pairs stay pairs.

    If this fails: look for a resume that empties the buffer, or stops watching, after it has told the protocol.
    """
    left = [b"%d" % number * 500_000 for number in range(3)]  # more than the kernel takes
    expected = b"first" + b"".join(left)

    def go_on(transport: Any) -> None:
        if left:
            transport.write(left.pop(0))

    protocol = Reacts("resume_writing", go_on)
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"first")
        for _ in range(4):
            peer.read_until(loop, patience, lambda: not transport.get_write_buffer_size(), "an empty buffer")
            go_on(transport)
        peer.read_until(loop, patience, lambda: len(peer.received) >= len(expected), "all of the data")
        assert peer.received == expected
        flow = [name for name in protocol.names if name.endswith("_writing")]
        assert flow[::2] == ["pause_writing"] * ((len(flow) + 1) // 2)
        assert flow[1::2] == ["resume_writing"] * (len(flow) // 2)


@requirement("flow.write-to-another-inside-resume", SHOULD, cite=(RESUME, "uvloop#496"), needs=("unix",))
@kinds
def test_writing_to_another_transport_inside_resume_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """A protocol may write to another transport inside resume_writing(), as one that passes data on does.

    If this fails: look for a list of transports to flush that is emptied after the callbacks.
    """
    with blocked(loop, kind) as (other, _, other_peer):
        protocol = Reacts("resume_writing", lambda _: other.write(b"passed on"))
        with blocked(loop, kind, protocol) as (transport, _, peer):
            transport.set_write_buffer_limits(high=0)
            transport.write(b"data")
            peer.read_until(loop, patience, lambda: "resume_writing" in protocol.names, "resume_writing()")
            other_peer.read_until(loop, patience, lambda: other_peer.received == b"passed on", "what was passed on")


@requirement("flow.close-inside-resume", SHOULD, cite=(CLOSE, RESUME, "gh-156512"), needs=("unix",))
@kinds
@each("end", ["close", "abort"])
def test_closing_inside_resume_writing(loop: Loop, patience: Patience, kind: str, end: str) -> None:
    """A protocol may close or abort inside resume_writing(): the transport ends once, and nothing is reported.

    If this fails: look for a transport that finds itself closing after its protocol was told to go on, and ends again.
    """
    protocol = Reacts("resume_writing", lambda transport: getattr(transport, end)())
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"last words")
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        peer.read_until(loop, patience, lambda: peer.ended, "the end")
        assert peer.received == b"last words"
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing", "connection_lost"]
        assert protocol.reason is None


@requirement("flow.close-inside-resume-flushes", MUST, cite=(CLOSE, RESUME), needs=("unix",))
@each("kind", SOCKETS)
def test_closing_inside_resume_writing_flushes(loop: Loop, patience: Patience, kind: str) -> None:
    """close() inside resume_writing() of a socket flushes what is left, which may be as much as the low watermark.

    If this fails: look for a resume that stands for an empty buffer.
    """
    protocol = Reacts("resume_writing", lambda transport: transport.close())
    pieces = [b"%02d" % number * 50_000 for number in range(20)]
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=len(pieces[0]) * 10)
        for piece in pieces:
            transport.write(piece)
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")
        peer.read_until(loop, patience, lambda: peer.ended, "the end")
        assert peer.received == b"".join(pieces)
        assert protocol.reason is None


@requirement(
    "flow.pause-inside-connection-made", MUST, cite=(PAUSE, "asyncio-protocol: Base Protocol"), needs=("unix",)
)
@kinds
def test_writing_inside_connection_made(loop: Loop, patience: Patience, kind: str) -> None:
    """A protocol that writes too much inside connection_made() is told to pause, and to resume later.

    If this fails: look for a transport that is not complete while connection_made() runs.
    """

    def too_much(transport: Any) -> None:
        transport.set_write_buffer_limits(high=10)
        transport.write(bytes(100))

    with blocked(loop, kind, Reacts("connection_made", too_much)) as (_, protocol, peer):
        until_paused(loop, patience, protocol)
        assert protocol.names == ["connection_made", "pause_writing"]
        peer.read_until(loop, patience, lambda: len(protocol.names) == 3, "resume_writing()")
        peer.read_until(loop, patience, lambda: len(peer.received) == 100, "the data")
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]


@requirement("flow.failing-pause", SHOULD, cite=REPORTED, needs=("unix",))
@kinds
def test_an_exception_in_pause_writing_is_reported(loop: Loop, patience: Patience, watch: Any, kind: str) -> None:
    """An exception in pause_writing() is given to the exception handler: write() goes on, and no data is lost.

    The protocol is paused all the same: it is told to go on later.

    If this fails: look for a write() that raises what its protocol raised, or for a state that is not entered.
    """
    watch.allow("reported")
    error = LookupError("in pause_writing()")
    with blocked(loop, kind, Reacts("pause_writing", raising(error))) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"da")
        transport.write(b"ta")
        patience.run_until(loop, lambda: watch.reported, "the call of the handler")
        assert [context["exception"] for context in watch.reported] == [error]
        peer.read_until(loop, patience, lambda: peer.received == b"data", "the data")
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]
    watch.reported.clear()


@requirement("flow.failing-resume", SHOULD, cite=REPORTED, needs=("unix",))
@kinds
def test_an_exception_in_resume_writing_is_reported(loop: Loop, patience: Patience, watch: Any, kind: str) -> None:
    """An exception in resume_writing() is given to the exception handler, and the transport goes on.

    If this fails: look for an exception that ends the connection, or leaves the descriptor watched for ever.
    """
    watch.allow("reported")
    error = LookupError("in resume_writing()")
    with blocked(loop, kind, Reacts("resume_writing", raising(error))) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(b"one,")
        peer.read_until(loop, patience, lambda: watch.reported, "the exception handler's call")
        assert [context["exception"] for context in watch.reported] == [error]
        transport.write(b"two")
        peer.read_until(loop, patience, lambda: peer.received == b"one,two", "the data")
        assert not protocol.lost
    watch.reported.clear()


@requirement("flow.another-protocol", SHOULD, cite="asyncio-protocol: BaseTransport.set_protocol", needs=("unix",))
@kinds
def test_the_new_protocol_is_told_to_pause_and_resume(loop: Loop, patience: Patience, kind: str) -> None:
    """After set_protocol(), it is the new protocol whose pause_writing() and resume_writing() are called.

    If this fails: look for a protocol that is remembered when the connection is made, or when it is paused.
    """
    with blocked(loop, kind) as (transport, first, peer):
        transport.set_write_buffer_limits(high=0)
        second, third = Events(), Events()
        transport.set_protocol(second)
        transport.write(b"data")
        patience.in_turns.run_until(loop, lambda: first.names[1:] or second.names, "pause_writing()")
        transport.set_protocol(third)
        peer.read_until(loop, patience, lambda: third.names, "resume_writing()")
        assert (first.names, second.names) == (["connection_made"], ["pause_writing"])
        assert third.names == ["resume_writing"]
        transport.set_protocol(first)


@requirement("flow.raised", MAY, cite=SET, needs=("unix",))
def test_raising_the_limits_while_paused(loop: Loop, patience: Patience, answer: Callable[[object], None]) -> None:
    """Limits that are raised above the size of the buffer resume the protocol at once, or when the buffer drains.

    If this fails: the protocol is never told to go on.
    """
    with blocked(loop) as (transport, protocol, peer):
        transport.set_write_buffer_limits(high=0)
        transport.write(bytes(1000))
        turn(loop, 2)
        transport.set_write_buffer_limits(high=100_000, low=50_000)
        turn(loop, 3)
        answer("at once" if "resume_writing" in protocol.names else "when it drains")
        peer.read_until(loop, patience, lambda: "resume_writing" in protocol.names, "resume_writing()")
