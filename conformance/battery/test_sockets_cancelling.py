"""Chapter sockets: what calls that receive, and were cancelled, leave for the next one."""

from __future__ import annotations

import asyncio
import socket
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from conformance.battery.test_sockets_datagrams import datagrams
from conformance.battery.test_sockets_streams import BIG, SOCKETS, pair
from conformance.kit.cases import each
from conformance.kit.connections import silent_listener
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import receive_exactly
from conformance.kit.threads import running_in_thread
from conformance.kit.waiting import assert_waits, turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECVFROM = "asyncio-eventloop: loop.sock_recvfrom"
RECVFROM_INTO = "asyncio-eventloop: loop.sock_recvfrom_into"

_CALLS: dict[str, Callable[[Loop, socket.socket], Any]] = {
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(100)),
    "sock_recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 100),
    "sock_recvfrom_into": lambda loop, sock: loop.sock_recvfrom_into(sock, bytearray(100)),
}


@requirement(
    "sockets.receive-cancelled",
    MUST,
    cite=(
        "asyncio-eventloop: loop.sock_recv_into",
        RECVFROM,
        "asyncio-task: Task.cancel",
    ),
)
@each("call", _CALLS)
def test_a_cancelled_call_takes_no_data(loop: Loop, patience: Patience, call: str) -> None:
    """A cancelled sock_recv_into(), sock_recvfrom() or sock_recvfrom_into() takes nothing of what comes later.

    If this fails: look for a read that is still under way, or a watcher that is not removed.
    """

    async def main() -> tuple[bytes, Any]:
        receiving = asyncio.ensure_future(_CALLS[call](loop, ours))
        await turns(2)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        peer.sendto(b"later", ours.getsockname())
        await asyncio.sleep(0.005)
        return await asyncio.wait_for(loop.sock_recvfrom(ours, 100), patience.seconds)

    with datagrams() as (ours, peer):
        assert loop.run_until_complete(main()) == (b"later", peer.getsockname())


@requirement("sockets.recvfrom-into-buffers", MUST, cite=RECVFROM_INTO)
def test_sock_recvfrom_into_fills_a_part_of_a_buffer(loop: Loop) -> None:
    """sock_recvfrom_into() receives into any buf, as a part of a larger one, or an array, and tells the remote address.

    If this fails: look for a type that is taken for granted, or a view that is followed to what it is a view of.
    """
    whole, items = bytearray(16), array("I", bytes(16))
    with datagrams() as (ours, peer):
        peer.sendto(b"datagram", ours.getsockname())
        answer = loop.run_until_complete(loop.sock_recvfrom_into(ours, items, 8))
        assert (answer, items.tobytes()) == ((8, peer.getsockname()), b"datagram" + bytes(8))
        for nbytes, expected in ((0, 8), (8, 8), (3, 3)):
            peer.sendto(b"datagram", ours.getsockname())
            answer = loop.run_until_complete(loop.sock_recvfrom_into(ours, memoryview(whole)[4:], nbytes))
            assert answer == (expected, peer.getsockname())
    assert whole == bytes(4) + b"datagram" + bytes(4)


@requirement(
    "sockets.connect-cancelled",
    SHOULD,
    cite=("asyncio-eventloop: loop.sock_connect", "asyncio-task: Task Cancellation", "uvloop#378"),
)
def test_a_cancelled_connect_lets_go_of_the_socket(loop: Loop, patience: Patience) -> None:
    """A cancelled sock_connect() lets go of the socket, which stays open: nothing waits for it any more.

    If this fails: look for a writer that stays registered, and tells of a connection that nobody waits for.
    """
    with silent_listener() as address, socket.socket() as ours:
        ours.setblocking(False)
        connecting = loop.create_task(loop.sock_connect(ours, address))
        turn(loop, 3)
        assert_waits(connecting)
        connecting.cancel()
        patience.run_until(loop, connecting.done, "the end of sock_connect()")
        assert connecting.cancelled()
        assert not loop.remove_writer(ours)
        assert ours.fileno() != -1


@requirement("sockets.called-again-when-cancelled", SHOULD, cite=("asyncio-eventloop: loop.sock_recv", "gh-74250"))
@each("call", ["sock_recv", *_CALLS])
def test_the_next_call_may_begin_as_the_last_is_cancelled(loop: Loop, patience: Patience, call: str) -> None:
    """A call may begin in the moment in which the one before it is cancelled: it gets what comes next.

    If this fails: look for the clean-up of the cancelled call, a turn later, which removes the watcher of the new one.
    """

    async def main() -> Any:
        waiting = asyncio.ensure_future(_CALLS[call](loop, ours) if call in _CALLS else loop.sock_recv(ours, 100))
        await turns(3)
        waiting.cancel()
        loop.call_later(0.01, peer.sendto, b"next", ours.getsockname())
        async with asyncio.timeout(patience.seconds):
            return await loop.sock_recv(ours, 100)  # in this task: another one would begin only after the clean-up

    with datagrams() as (ours, peer):
        assert loop.run_until_complete(main()) == b"next"


@requirement("sockets.cancelled-one-way", MUST, cite=(SOCKETS, "asyncio-task: Task.cancel"))
@each("cancelled", ["sock_recv", "sock_sendall"])
def test_a_cancelled_call_leaves_that_of_the_other_way_alone(loop: Loop, patience: Patience, cancelled: str) -> None:
    """Of two tasks that receive from a socket and send to it, one may be cancelled: the other's call goes on.

    If this fails: look for a clean-up of one side of a descriptor that takes the other along.
    """

    async def main() -> None:
        tasks = {
            "sock_recv": asyncio.ensure_future(loop.sock_recv(ours, 10)),
            "sock_sendall": asyncio.ensure_future(loop.sock_sendall(ours, BIG)),
        }
        await turns(3)
        gone = tasks.pop(cancelled)
        assert_waits(gone)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        (left,) = tasks.values()
        assert_waits(left)
        peer.sendall(b"in")
        if cancelled == "sock_recv":
            with running_in_thread(lambda: receive_exactly(peer, len(BIG))):
                assert await asyncio.wait_for(left, patience.seconds) is None
        else:
            assert await asyncio.wait_for(left, patience.seconds) == b"in"

    with pair() as (ours, peer):
        loop.run_until_complete(main())
