"""Chapter sockets: sock_recv(), sock_recv_into(), sock_sendall(): bytes of a stream, over sockets that tests own."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import listener, receive_exactly, reset, shrink_buffers, tcp_pair
from conformance.kit.threads import running_in_thread
from conformance.kit.waiting import turns, until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECV = "asyncio-eventloop: loop.sock_recv"
RECV_INTO = "asyncio-eventloop: loop.sock_recv_into"
SENDALL = "asyncio-eventloop: loop.sock_sendall"
SOCKETS = "asyncio-eventloop: Working with socket objects directly"
BIG = array("I", range(256 * 1024)).tobytes()


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets whose buffers are small: one for the loop, one for the peer."""
    with tcp_pair() as (ours, peer):
        shrink_buffers(ours, peer)
        yield ours, peer


@requirement("sockets.recv", MUST, cite=RECV)
@each("nbytes", [100, 1 << 20])
def test_sock_recv_returns_what_was_received(loop: Loop, nbytes: int) -> None:
    """sock_recv() receives data from the socket and returns it as a bytes object.

    If this fails: look for a bytearray, or a buffer of the loop's own, handed out.
    """
    with pair() as (ours, peer):
        peer.sendall(b"data")
        data = loop.run_until_complete(loop.sock_recv(ours, nbytes))
        assert type(data) is bytes
        assert data == b"data"


@requirement("sockets.recv-limit", MUST, cite=RECV)
def test_sock_recv_returns_at_most_nbytes(loop: Loop) -> None:
    """sock_recv() receives up to nbytes, which may be 0; what is left is for the next call.

    If this fails: look for a read of fixed size whose excess is dropped, or a limit of 0 that is taken for none.
    """
    with pair() as (ours, peer):
        peer.sendall(b"abcdef")
        assert loop.run_until_complete(loop.sock_recv(ours, 0)) == b""
        assert loop.run_until_complete(loop.sock_recv(ours, 4)) == b"abcd"
        assert loop.run_until_complete(loop.sock_recv(ours, 4)) == b"ef"


@requirement("sockets.recv-waits", MUST, cite=RECV)
def test_sock_recv_waits_without_blocking_the_loop(loop: Loop) -> None:
    """sock_recv() is an asynchronous version of socket.recv(): it waits for data, and the loop runs meanwhile.

    If this fails: look for a blocking read, or a BlockingIOError that gets out.
    """
    trace: list[Any] = []

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        await turns(8)
        assert not receiving.done()
        trace.append("ran")
        peer.sendall(b"x")
        trace.append(await receiving)

    with pair() as (ours, peer):
        loop.run_until_complete(main())
    assert trace == ["ran", b"x"]
    assert type(trace[1]) is bytes


@requirement("sockets.recv-end", MUST, cite=(RECV, "socket: socket.socket.recv"))
def test_sock_recv_returns_nothing_at_the_end(loop: Loop) -> None:
    """At the end of the stream sock_recv() returns an empty bytes object, every time.

    If this fails: look for an end that is taken for "not ready", or raised as an exception.
    """
    with pair() as (ours, peer):
        peer.shutdown(socket.SHUT_WR)
        assert loop.run_until_complete(loop.sock_recv(ours, 100)) == b""
        assert loop.run_until_complete(loop.sock_recv(ours, 100)) == b""


@requirement("sockets.recv-error", MUST, cite=(RECV, "exceptions: ConnectionResetError"))
def test_sock_recv_raises_the_error_of_the_socket(loop: Loop) -> None:
    """sock_recv() raises ConnectionResetError when the connection was reset, also while it waits.

    If this fails: look for an error event that does not wake the reader, or is taken for the end.
    """

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        await turns(2)
        reset(peer)
        with pytest.raises(ConnectionResetError):
            await receiving

    with pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.recv-cancelled", MUST, cite=(RECV, "asyncio-task: Task.cancel"))
def test_a_cancelled_sock_recv_takes_no_data(loop: Loop) -> None:
    """A cancelled sock_recv() leaves the socket usable: what comes later is for the next call.

    If this fails: look for a read that is still under way, or a watcher that is not removed.
    """

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        await turns(2)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        peer.sendall(b"later")
        await turns(3)
        assert await loop.sock_recv(ours, 100) == b"later"

    with pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.cancelled-as-data-comes", SHOULD, cite=(RECV, "asyncio-task: Task.cancel"))
def test_data_that_comes_as_sock_recv_is_cancelled_is_not_lost(loop: Loop) -> None:
    """Cancelled in the very turn in which data comes, sock_recv() either returns the data or leaves it there.

    If this fails: look for data that was read for a future that nobody looks at any more.
    """

    async def main() -> bytes:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 1))
        await turns(2)
        peer.sendall(b"a")
        receiving.cancel()
        got = b""
        with contextlib.suppress(asyncio.CancelledError):
            got = await receiving
        peer.sendall(b"b")
        while len(got) < 2:
            got += await loop.sock_recv(ours, 1)
        return got

    with pair() as (ours, peer):
        assert loop.run_until_complete(main()) == b"ab"


@requirement("sockets.closed-after-cancel", SHOULD, cite="gh-131728")
def test_a_socket_may_be_closed_after_a_cancelled_call(loop: Loop, patience: Patience) -> None:
    """When a cancelled call has ended, its socket may be closed: another one with the same number works.

    If this fails: look for a watcher that is removed a turn too late, and then from another socket.
    """

    async def main() -> None:
        with pair() as (ours, _):
            receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
            await turns(2)
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
        with pair() as (other, peer):
            waiting = asyncio.ensure_future(asyncio.wait_for(loop.sock_recv(other, 100), patience.seconds))
            await turns(2)
            peer.sendall(b"x")
            assert await waiting == b"x"

    loop.run_until_complete(main())


@requirement("sockets.recv-into", MUST, cite=RECV_INTO)
@each("kind", ["bytearray", "memoryview", "array"])
def test_sock_recv_into_fills_the_buffer(loop: Loop, kind: str) -> None:
    """sock_recv_into() receives data into buf and returns the number of bytes written to it: the others stay.

    If this fails: look for a private copy of the buffer that comes back whole, or a type that is taken for granted.
    """
    before = b"12345678"
    buffers: dict[str, Any] = {"bytearray": bytearray(before), "array": array("B", before)}
    buf = buffers[kind] if kind in buffers else memoryview(bytearray(b"----12345678----"))[4:12]
    with pair() as (ours, peer):
        peer.sendall(b"data")
        assert loop.run_until_complete(loop.sock_recv_into(ours, buf)) == 4
    assert bytes(buf) == b"data5678"


@requirement("sockets.recv-into-items", MUST, cite=RECV_INTO)
def test_sock_recv_into_counts_bytes_and_not_items(loop: Loop) -> None:
    """sock_recv_into() returns the number of bytes written to the buffer, also if its items are longer than a byte.

    If this fails: look for len() of an object where its size in bytes is meant.
    """
    buf = array("I", bytes(16))
    with pair() as (ours, peer):
        peer.sendall(bytes(range(1, 13)))
        assert loop.run_until_complete(loop.sock_recv_into(ours, buf)) == 12
    assert buf.tobytes() == bytes(range(1, 13)) + bytes(4)


@requirement("sockets.recv-into-waits", MUST, cite=RECV_INTO)
def test_sock_recv_into_waits_for_data(loop: Loop) -> None:
    """sock_recv_into() waits for data without blocking the loop, and returns 0 at the end of the stream.

    If this fails: look for a result of 0 while nothing has come.
    """

    async def main() -> None:
        buf = bytearray(8)
        receiving = asyncio.ensure_future(loop.sock_recv_into(ours, buf))
        await turns(3)
        assert not receiving.done()
        peer.sendall(b"data")
        assert await receiving == 4
        assert buf == b"data\0\0\0\0"
        peer.shutdown(socket.SHUT_WR)
        assert await loop.sock_recv_into(ours, buf) == 0

    with pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.both-directions", MUST, cite=SOCKETS)
def test_a_socket_may_be_read_and_written_at_once(loop: Loop, patience: Patience) -> None:
    """One task may wait in sock_recv() while another waits in sock_sendall() on the same socket; either may end first.

    If this fails: look for one slot or one lock per descriptor, or a clean-up of one side that takes the other along.
    """

    async def main() -> bytes:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        sending = asyncio.ensure_future(loop.sock_sendall(ours, BIG))
        await turns(3)
        assert not receiving.done()
        assert not sending.done()
        await until(patience, lambda: select.select([peer], [], [], 0)[0], "the beginning of what is sent")
        assert not receiving.done()
        for data in (b"x", b"z"):  # one that began to wait first, one that began later
            peer.sendall(data)
            assert await asyncio.wait_for(receiving, patience.seconds) == data
            assert not sending.done()
            receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
            await turns(3)
        with running_in_thread(lambda: received.append(receive_exactly(peer, len(BIG)))):
            await sending
        await turns(3)
        assert not receiving.done()
        peer.sendall(b"y")
        assert await asyncio.wait_for(receiving, patience.seconds) == b"y"
        return received[0]

    received: list[bytes] = []
    with pair() as (ours, peer):
        assert loop.run_until_complete(main()) == BIG


@requirement("sockets.by-name", MUST, cite="asyncio-eventloop: Working with socket objects directly")
def test_socket_and_data_may_be_given_by_name(loop: Loop) -> None:
    """The sock_ methods take sock, data, buf and address by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    with tcp_pair() as (ours, peer), listener() as listening, socket.socket() as connecting:
        for each in (ours, peer, listening, connecting):
            each.setblocking(False)
        loop.run_until_complete(loop.sock_sendall(sock=ours, data=b"some"))
        buffer = bytearray(4)
        assert loop.run_until_complete(loop.sock_recv_into(sock=peer, buf=buffer)) == 4
        loop.run_until_complete(loop.sock_connect(sock=connecting, address=listening.getsockname()))
        loop.run_until_complete(loop.sock_accept(sock=listening))[0].close()
