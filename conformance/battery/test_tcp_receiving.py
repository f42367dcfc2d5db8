"""Chapter tcp: what a stream transport gives to its protocol, and how reading is paused."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.servers import accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def _has(protocol: Events, letter: bytes) -> bool:
    return protocol.received.count(letter) == 1000


@requirement("tcp.data-in-order", MUST, cite="PEP 3156: Stream Protocols")
@WAYS
def test_data_arrives_completely_and_in_order(loop: Loop, patience: Patience, way: str) -> None:
    """data_received() gets every byte that the peer sent, in the order in which it was sent.

    If this fails: look for a read buffer that is given out twice, cut, or reused before the protocol has seen it.
    """
    with joined(loop, patience, way) as (_, protocol, peer):
        helper = in_thread(lambda: peer.sendall(BIG))
        patience.run_until(loop, lambda: len(protocol.received) >= len(BIG), "the last byte")
        helper.result()
        assert protocol.received == BIG


@requirement("tcp.data-before-made", MUST, cite="asyncio-protocol: Protocol.data_received")
@each("way", ["sock", "wrapped", "accepted"])
def test_what_came_before_the_transport_is_received(loop: Loop, patience: Patience, way: str) -> None:
    """data_received() gets what the peer sent before there was a transport, over sockets that are given as well.

    If this fails: look for a socket that is emptied, or whose state of before is forgotten, when it is taken over.
    """
    with contextlib.ExitStack() as stack:
        if way == "accepted":
            service = stack.enter_context(serving(loop))
            stack.enter_context(dial(service)).sendall(b"early")
            protocol = accepted(loop, patience, service)
        else:
            ours, peer = stack.enter_context(tcp_pair())
            peer.sendall(b"early")
            give: Any = loop.connect_accepted_socket if way == "wrapped" else loop.create_connection
            protocol = stack.enter_context(opened(loop, give(Events, sock=ours)))[1]
        patience.in_turns.run_until(loop, lambda: protocol.received == b"early", "data_received()")


@requirement("tcp.data-is-bytes", MUST, cite="asyncio-protocol: Protocol.data_received")
@WAYS
def test_data_received_gets_a_non_empty_bytes_object(loop: Loop, patience: Patience, way: str) -> None:
    """data is a non-empty bytes object containing the incoming data.

    If this fails: look for a memoryview or bytearray handed out instead of bytes, perhaps only if there is much, or
    for an empty read.
    """

    def send() -> None:
        peer.sendall(b"data")
        peer.sendall(BIG[:300_000])
        peer.shutdown(socket.SHUT_WR)

    with joined(loop, patience, way, Events(keep_open=True)) as (_, protocol, peer):
        helper = in_thread(send)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        chunks = [argument for name, argument in protocol.calls if name == "data_received"]
        helper.result()
        assert [type(chunk) for chunk in chunks] == [bytes] * len(chunks)
        assert all(chunks)


@requirement("tcp.data-stays-valid", SHOULD, cite="asyncio-protocol: Protocol.data_received")
@WAYS
def test_data_given_to_data_received_never_changes_afterwards(loop: Loop, patience: Patience, way: str) -> None:
    """The bytes that data_received() was given stay what they were when later data arrives.

    If this fails: look for a bytes object made over a buffer that the next read fills again.
    """
    with joined(loop, patience, way) as (_, protocol, peer):
        for letter in (b"a", b"b", b"c"):
            peer.sendall(letter * 1000)
            patience.run_until(loop, functools.partial(_has, protocol, letter), "the next chunk")
        chunks = [argument for name, argument in protocol.calls if name == "data_received"]
        assert b"".join(chunks) == b"a" * 1000 + b"b" * 1000 + b"c" * 1000


@requirement("tcp.pause-reading", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_no_data_is_received_while_reading_is_paused(loop: Loop, patience: Patience, way: str) -> None:
    """No data will be passed to data_received() after pause_reading(), until resume_reading() is called.

    If this fails: look for a read already submitted, or a batch of reads, that is delivered in spite of the pause.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"wait for it")
        turn(loop, 20)
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"wait for it", "the data after resume_reading()")
        peer.sendall(b"on its way")
        transport.pause_reading()
        turn(loop, 20)
        assert protocol.received == b"wait for it"
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"wait for iton its way", "what came before the pause")


@requirement("tcp.pause-inside-data-received", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_pausing_inside_data_received_takes_effect_at_once(loop: Loop, patience: Patience, way: str) -> None:
    """pause_reading() inside data_received() is obeyed before the next read.

    If this fails: look for an inner loop that reads until EAGAIN without asking whether reading was paused.
    """

    data = BIG[:200_000]
    pausing = Reacts("data_received", lambda transport: transport.pause_reading(), once=True)
    with joined(loop, patience, way, pausing) as (transport, protocol, peer):
        helper = in_thread(lambda: peer.sendall(data))
        patience.run_until(loop, lambda: protocol.received, "the first data")
        turn(loop, 20)
        assert protocol.names.count("data_received") == 1
        transport.resume_reading()
        patience.run_until(loop, lambda: len(protocol.received) == len(data), "the rest")
        helper.result()


@requirement("tcp.pause-and-resume-inside", MUST, cite="asyncio-protocol: ReadTransport.resume_reading")
@WAYS
def test_resuming_inside_data_received_takes_effect(loop: Loop, patience: Patience, way: str) -> None:
    """resume_reading() inside data_received(), after pause_reading() there, is obeyed: more data is received.

    If this fails: look for a read that is not started again because one is still being delivered.
    """

    def pause_for_a_moment(transport: Any) -> None:
        transport.pause_reading()
        transport.resume_reading()

    with joined(loop, patience, way, Reacts("data_received", pause_for_a_moment)) as (transport, protocol, peer):
        for number in range(3):
            peer.sendall(b"x")
            patience.run_until(loop, lambda: len(protocol.received) == number + 1, "the next byte")  # noqa: B023
            assert transport.is_reading() is True


@requirement("tcp.pause-reading-idempotent", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_pausing_and_resuming_twice_is_harmless(loop: Loop, patience: Patience, way: str) -> None:
    """pause_reading() and resume_reading() are idempotent: they can be called when already paused or reading.

    If this fails: look for a counter, or for an error raised by the second call.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.resume_reading()
        transport.pause_reading()
        transport.pause_reading()
        transport.resume_reading()
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "data after one resume_reading()")
        transport.resume_reading()
        transport.pause_reading()
        peer.sendall(b"y")
        turn(loop, 20)
        assert protocol.received == b"x"
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"xy", "data after the last resume_reading()")


@requirement("tcp.is-reading", MUST, cite="asyncio-protocol: ReadTransport.is_reading")
@WAYS
@each("how", ["close", "abort"])
def test_is_reading_tells_whether_data_is_received(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """is_reading() returns True if the transport is receiving new data, False while paused and once it is ended.

    If this fails: look for a method that answers from the selector's state instead of the transport's.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        assert transport.is_reading() is True
        transport.pause_reading()
        assert transport.is_reading() is False
        transport.resume_reading()
        assert transport.is_reading() is True
        getattr(transport, how)()
        assert transport.is_reading() is False
        until_lost(loop, patience, protocol)
        assert transport.is_reading() is False


@requirement("tcp.reading-while-closing", SHOULD, cite="asyncio-protocol: ReadTransport.resume_reading")
@each("paused", [False, True])
@each("written", [b"", BIG])
@WAYS
def test_pausing_a_closing_transport_is_harmless(
    loop: Loop, patience: Patience, paused: bool, written: bytes, way: str
) -> None:
    """pause_reading() and resume_reading() do nothing on a transport that is closing, also if it was paused before.

    If this fails: look for a descriptor that is registered again after close().
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(written)
        if paused:
            transport.pause_reading()
        transport.close()
        transport.pause_reading()
        transport.resume_reading()
        peer.sendall(b"x")
        turn(loop, 5)
        assert "data_received" not in protocol.names


@requirement("tcp.failing-data-received", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@WAYS
def test_an_exception_in_data_received_is_reported_and_ends_the_connection(
    loop: Loop, patience: Patience, watch: Any, way: str
) -> None:
    """An exception in data_received() is given to the exception handler and ends that connection; the loop goes on.

    If this fails: look for an exception swallowed at the border of a foreign function, or one that stops the loop.
    """
    watch.allow("reported")
    watch.reported.clear()
    error = LookupError("in data_received()")
    with joined(loop, patience, way, Reacts("data_received", raising(error))) as (_, protocol, peer):
        peer.sendall(b"x")
        until_lost(loop, patience, protocol)
        assert [context["exception"] for context in watch.reported] == [error]
