"""Chapter sockets: sock_recvfrom(), sock_recvfrom_into(), sock_sendto(), and datagram sockets that are connected."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.battery.test_sockets_peers import CONNECT, client
from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, socket_path
from conformance.kit.waiting import assert_waits, turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECVFROM = "asyncio-eventloop: loop.sock_recvfrom"
RECVFROM_INTO = "asyncio-eventloop: loop.sock_recvfrom_into"
SENDTO = "asyncio-eventloop: loop.sock_sendto"


@contextlib.contextmanager
def datagrams() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two UDP sockets that are bound: one for the loop, one, blocking, for the peer."""
    with client(kind=socket.SOCK_DGRAM) as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for each in (ours, peer):
            each.bind(("127.0.0.1", 0))
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


@contextlib.contextmanager
def full() -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """(ours, peer, path): two Unix datagram sockets, and where the peer, which has no room left, is bound to."""
    with (
        socket_path() as path,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours,
    ):
        peer.bind(path)
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.sendto(b"filler", path)
        yield ours, peer, path


def take_all(peer: socket.socket) -> bytes:
    """What is there for the peer now."""
    taken = bytearray()
    with contextlib.suppress(BlockingIOError):
        while True:
            taken += peer.recv(1 << 16, socket.MSG_DONTWAIT)
    return bytes(taken)


@requirement("sockets.recvfrom", MUST, cite=RECVFROM)
def test_sock_recvfrom_returns_a_datagram_and_its_sender(loop: Loop) -> None:
    """sock_recvfrom() returns a tuple of the received data, as bytes, and the remote address.

    If this fails: look for an address that is not a tuple, or one that was not asked for.
    """
    with datagrams() as (ours, peer):
        peer.sendto(b"data", ours.getsockname())
        answer = loop.run_until_complete(loop.sock_recvfrom(ours, 100))
        assert answer == (b"data", peer.getsockname())
        assert isinstance(answer, tuple)
        assert [type(item) for item in answer] == [bytes, tuple]


@requirement("sockets.recvfrom-size", MUST, cite=(RECVFROM, "socket: socket.socket.recvfrom"))
def test_sock_recvfrom_takes_one_datagram_of_up_to_bufsize(loop: Loop) -> None:
    """sock_recvfrom() receives one datagram of up to bufsize: the rest of a longer one is gone, the next one is whole.

    If this fails: look for datagrams that are joined, or a remainder that is given out as another one.
    """
    with datagrams() as (ours, peer):
        peer.sendto(b"abcdef", ours.getsockname())
        peer.sendto(b"next", ours.getsockname())
        assert loop.run_until_complete(loop.sock_recvfrom(ours, 4))[0] == b"abcd"
        assert loop.run_until_complete(loop.sock_recvfrom(ours, 100))[0] == b"next"


@requirement("sockets.recvfrom-empty", MUST, cite=(RECVFROM, RECVFROM_INTO, "asyncio-eventloop: loop.sock_recv"))
def test_empty_datagrams_are_received(loop: Loop, patience: Patience) -> None:
    """A datagram may be empty: each call that receives returns it, with its sender if that is what it returns.

    If this fails: look for an empty read that is taken for the end of a stream, or for nothing.
    """
    with datagrams() as (ours, peer):
        sender = peer.getsockname()
        for method, argument, expected in (
            ("sock_recvfrom", 100, (b"", sender)),
            ("sock_recvfrom_into", bytearray(8), (0, sender)),
            ("sock_recv", 100, b""),
            ("sock_recv_into", bytearray(8), 0),
        ):
            peer.sendto(b"", ours.getsockname())
            receiving = getattr(loop, method)(ours, argument)
            assert loop.run_until_complete(asyncio.wait_for(receiving, patience.seconds)) == expected, method


@requirement("sockets.recvfrom-waits", MUST, cite=RECVFROM)
def test_sock_recvfrom_waits_for_a_datagram(loop: Loop) -> None:
    """sock_recvfrom() waits for a datagram without blocking the loop; cancelled, it takes none.

    If this fails: look for a BlockingIOError that gets out, or a watcher that outlives the call.
    """

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recvfrom(ours, 100))
        await turns(8)
        assert_waits(receiving)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        receiving = asyncio.ensure_future(loop.sock_recvfrom(ours, 100))
        await turns(2)
        peer.sendto(b"x", ours.getsockname())
        assert await receiving == (b"x", peer.getsockname())

    with datagrams() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.recvfrom-into", MUST, cite=RECVFROM_INTO)
@each("nbytes", [None, 0, 3, 8])
def test_sock_recvfrom_into_fills_the_buffer(loop: Loop, nbytes: int | None) -> None:
    """sock_recvfrom_into() receives up to nbytes of a datagram into buf, by default all; it gives (count, sender).

    If this fails: look for a default of 0 that is taken at its word.
    """
    buf = bytearray(8)
    arguments = () if nbytes is None else (nbytes,)
    expected = 3 if nbytes == 3 else 4
    with datagrams() as (ours, peer):
        peer.sendto(b"data", ours.getsockname())
        answer = loop.run_until_complete(loop.sock_recvfrom_into(ours, buf, *arguments))
        assert answer == (expected, peer.getsockname())
    assert buf == b"data"[:expected].ljust(8, b"\0")


@requirement("sockets.recvfrom-into-waits", MUST, cite=RECVFROM_INTO)
def test_sock_recvfrom_into_waits_for_a_datagram(loop: Loop) -> None:
    """sock_recvfrom_into() waits for a datagram without blocking the loop, and then fills the same buffer.

    If this fails: look for an address, or nbytes, that is lost on the way round the selector.
    """

    async def main() -> None:
        buf = bytearray(8)
        receiving = asyncio.ensure_future(loop.sock_recvfrom_into(ours, buf))
        await turns(8)
        assert_waits(receiving)
        peer.sendto(b"data", ours.getsockname())
        assert await receiving == (4, peer.getsockname())
        receiving = asyncio.ensure_future(loop.sock_recvfrom_into(ours, buf, 2))
        await turns(8)
        peer.sendto(b"more", ours.getsockname())
        assert await receiving == (2, peer.getsockname())
        assert buf[:4] == b"mota"

    with datagrams() as (ours, peer):
        loop.run_until_complete(main())


@requirement("sockets.sendto", MUST, cite=SENDTO)
@each(
    "data",
    [b"data", b"", bytearray(b"bytearray"), memoryview(b"view"), memoryview(b"wide").cast("H"), array("H", b"wide")],
    ids=["bytes", "empty", "bytearray", "view", "wide items", "array"],
)
def test_sock_sendto_sends_a_datagram(loop: Loop, data: Any) -> None:
    """sock_sendto() sends one datagram, also an empty one, to address, and returns the number of bytes sent.

    If this fails: look for None returned as by sock_sendall(), or an empty datagram that is not sent.
    """
    with datagrams() as (ours, peer):
        assert loop.run_until_complete(loop.sock_sendto(ours, data, peer.getsockname())) == len(bytes(data))
        assert peer.recvfrom(100) == (bytes(data), ours.getsockname())


@requirement("sockets.sendto-error", MUST, cite=(SENDTO, "exceptions: OSError"))
def test_sock_sendto_raises_on_error(loop: Loop) -> None:
    """A datagram that cannot be sent, as one that is too long, raises OSError.

    If this fails: look for an error that is taken for "not ready", and waited for.
    """
    with datagrams() as (ours, peer), pytest.raises(OSError):  # noqa: PT011 (as above)
        loop.run_until_complete(loop.sock_sendto(ours, bytes(70_000), peer.getsockname()))


@requirement("sockets.sendto-waits", MUST, cite=SENDTO, needs=("unix", "linux"))
def test_sock_sendto_waits_for_room(loop: Loop, patience: Patience) -> None:
    """sock_sendto() waits, without blocking the loop, until there is room for the datagram.

    If this fails: look for a BlockingIOError that gets out, or a datagram that is dropped.
    """

    async def main() -> bytes:
        sending = asyncio.ensure_future(asyncio.wait_for(loop.sock_sendto(ours, b"last", path), patience.seconds))
        await turns(5)
        assert_waits(sending)
        received = take_all(peer)
        assert await sending == 4
        return received + take_all(peer)

    with full() as (ours, peer, path):
        received = loop.run_until_complete(main())
    assert received.replace(b"filler", b"") == b"last"


@requirement("sockets.connect-datagram", SHOULD, cite=(CONNECT, "socket: socket.socket.connect"))
def test_sock_connect_connects_a_datagram_socket(loop: Loop) -> None:
    """sock_connect() connects a datagram socket, too, also once more: what is sent then goes to address.

    If this fails: look for a look-up that asks for streams only, or a connected socket that is refused.
    """
    with datagrams() as (ours, peer):
        loop.run_until_complete(loop.sock_connect(ours, ("localhost", peer.getsockname()[1])))
        assert ours.getpeername() == peer.getsockname()
        loop.run_until_complete(loop.sock_sendall(ours, b"data"))
        assert peer.recv(100) == b"data"
        with datagrams() as (_, other):
            loop.run_until_complete(loop.sock_connect(ours, other.getsockname()))
            assert ours.getpeername() == other.getsockname()
