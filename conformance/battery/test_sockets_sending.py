"""Chapter sockets: sock_sendall(), and what all of these methods have in common."""

from __future__ import annotations

import asyncio
import socket
from array import array
from typing import Any

import pytest

from conformance.battery.test_sockets_datagrams import full, take_all
from conformance.battery.test_sockets_streams import BIG, SENDALL, pair
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, reset
from conformance.kit.threads import Helper, in_thread
from conformance.kit.waiting import assert_waits, turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("sockets.sendall", MUST, cite=SENDALL)
@each("kind", [bytes, bytearray, memoryview])
def test_sock_sendall_sends_bytes_like_objects(loop: Loop, kind: type) -> None:
    """sock_sendall() sends data, any bytes-like object, and returns None on success.

    If this fails: look for a number of bytes that is returned, or a type that is taken for granted.
    """
    with pair() as (ours, peer):
        answer: object = loop.run_until_complete(loop.sock_sendall(ours, kind(b"data")))
        assert answer is None
        assert receive_exactly(peer, 4) == b"data"


@requirement("sockets.sendall-items", MUST, cite=(SENDALL, "socket: socket.socket.sendall", "gh-135862"))
def test_sock_sendall_counts_bytes_and_not_items(loop: Loop, patience: Patience) -> None:
    """data may be a buffer whose items are longer than a byte, as with socket.sendall(): all of it is sent.

    If this fails: look for len() of an object where its size in bytes is meant.
    """
    data = array("I", range(1000))
    with pair() as (ours, peer):
        sending = loop.create_task(loop.sock_sendall(ours, data))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 4000))) == data.tobytes()
        patience.in_turns.run_until(loop, sending.done, "the end of sock_sendall()")


@requirement("sockets.sendall-big", MUST, cite=SENDALL)
def test_sock_sendall_goes_on_until_all_is_sent(loop: Loop) -> None:
    """sock_sendall() continues to send until all data has been sent, returns None, and the loop runs meanwhile.

    If this fails: look for a short write that is taken for the whole, or continued from a wrong place.
    """
    ran: list[int] = []
    answers: list[object] = []

    async def main() -> bytes:
        sending: asyncio.Future[Any] = asyncio.ensure_future(loop.sock_sendall(ours, BIG))
        await turns(3)
        assert not sending.done()
        ran.append(1)
        receiving = in_thread(lambda: receive_exactly(peer, len(BIG)))
        await sending
        answers.append(sending.result())
        return receiving.result()

    with pair() as (ours, peer):
        assert loop.run_until_complete(main()) == BIG
    assert ran
    assert answers == [None]


@requirement("sockets.sendall-nothing", SHOULD, cite=SENDALL)
def test_sock_sendall_of_nothing_returns(loop: Loop) -> None:
    """sock_sendall() of no bytes returns None, also when there is no room to write.

    If this fails: look for a wait for room that nothing needs.
    """
    with pair() as (ours, _peer):
        answer: object = loop.run_until_complete(loop.sock_sendall(ours, b""))
        assert answer is None


@requirement("sockets.sendall-error", MUST, cite=SENDALL)
def test_sock_sendall_raises_on_error(loop: Loop) -> None:
    """On error, an exception is raised: also when the connection is reset while sock_sendall() waits.

    If this fails: look for an error event that does not wake the writer.
    """

    async def main() -> None:
        sending = asyncio.ensure_future(loop.sock_sendall(ours, BIG))
        await turns(3)
        reset(peer)
        with pytest.raises(ConnectionError):
            await sending

    with pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.sendall-cancelled", MUST, cite=(SENDALL, "asyncio-task: Task.cancel"))
def test_a_cancelled_sock_sendall_sends_no_more(loop: Loop) -> None:
    """A cancelled sock_sendall() has sent the beginning of data, and sends nothing more.

    If this fails: look for a buffer that is flushed behind the caller's back, or a watcher that stays.
    """

    async def main() -> None:
        sending = asyncio.ensure_future(loop.sock_sendall(ours, BIG))
        await turns(3)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await turns(2)

    def receive() -> bytes:
        received = bytearray()
        while not received.endswith(b"the end"):
            received += peer.recv(65536) or pytest.fail("the stream has ended")
        return bytes(received[:-7])

    with pair() as (ours, peer):
        loop.run_until_complete(main())
        receiving = in_thread(receive)
        loop.run_until_complete(loop.sock_sendall(ours, b"the end"))
        prefix = receiving.result()
    assert len(prefix) < len(BIG)
    assert BIG.startswith(prefix)
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.setblocking(False)
        assert loop.run_until_complete(_cancelled(loop.sock_sendall(ours, BIG), peer)) == b""


@requirement(
    "sockets.sendto-cancelled",
    MUST,
    cite=("asyncio-eventloop: loop.sock_sendto", "asyncio-task: Task.cancel"),
    needs=("unix", "linux"),
)
def test_a_cancelled_sock_sendto_sends_nothing(loop: Loop) -> None:
    """A cancelled sock_sendto() that waited for room sends nothing when there is room again.

    If this fails: look for a datagram that is kept for later, or a watcher that stays.
    """
    with full() as (ours, peer, path):
        assert loop.run_until_complete(_cancelled(loop.sock_sendto(ours, b"late", path), peer)) == b""


@requirement(
    "sockets.sendto-error-later",
    MUST,
    cite=("asyncio-eventloop: loop.sock_sendto", "exceptions: ConnectionRefusedError"),
    needs=("unix", "linux"),
)
def test_sock_sendto_raises_what_goes_wrong_while_it_waits(loop: Loop, patience: Patience) -> None:
    """sock_sendto() that waits for room raises an error that comes meanwhile, as when nobody is there any more.

    If this fails: look for an error event that does not wake the writer, or for a result of 0.
    """
    with full() as (ours, peer, path):
        sending = loop.create_task(loop.sock_sendto(ours, b"late", path))
        turn(loop, 3)
        assert_waits(sending)
        peer.close()
        patience.run_until(loop, sending.done, "the end of sock_sendto()")
        with pytest.raises(OSError):  # noqa: PT011 (the documentation names none)
            sending.result()


@requirement("sockets.sendall-again-when-cancelled", SHOULD, cite=(SENDALL, "gh-74250"))
def test_the_next_sock_sendall_may_begin_as_the_last_is_cancelled(loop: Loop, patience: Patience) -> None:
    """sock_sendall() may be called in the moment in which the one before it is cancelled: it sends all of its data.

    If this fails: look for the clean-up of the cancelled call, a turn later, which removes the writer of the new one.
    """

    async def main() -> None:
        sending = asyncio.ensure_future(loop.sock_sendall(ours, BIG))
        await turns(3)
        sending.cancel()
        loop.call_later(0.005, receiving.start)
        async with asyncio.timeout(patience.seconds):
            await loop.sock_sendall(ours, BIG + b"the end")  # in this task: another one would begin after the clean-up

    def receive() -> None:
        received = b""
        while not received.endswith(b"the end"):
            received = received[-6:] + (peer.recv(65536) or pytest.fail("the stream has ended"))

    receiving = Helper(receive)
    with pair() as (ours, peer):
        loop.run_until_complete(main())
        receiving.result()


async def _cancelled(sending: Any, peer: socket.socket) -> bytes:
    """What a call that waits for room still sends after it was cancelled, when there is room again."""
    waiting = asyncio.ensure_future(sending)
    await turns(3)
    assert_waits(waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await turns(2)
    take_all(peer)
    await turns(5)
    return take_all(peer)
