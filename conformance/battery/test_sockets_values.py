"""Chapter sockets: zones of addresses, sizes of nothing and less, and what is left of a socket after an error."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.battery.test_sockets_families import (
    ACCEPT,
    CONNECT,
    RECV,
    RECV_INTO,
    RECVFROM,
    SENDALL,
    SENDTO,
    nonblocking,
)
from conformance.environment import link_local
from conformance.kit.cases import each
from conformance.kit.datagrams import udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, dialled, free_port, reset, tcp_pair
from conformance.kit.refusals import refused
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECVFROM_INTO = "asyncio-eventloop: loop.sock_recvfrom_into"
FAMILIES = "socket: Socket families"


def _zoned() -> tuple[str, int, int, int]:
    """An address that is local to a link, and that is none without its zone."""
    found = link_local()
    assert found
    return found[0], 0, 0, found[1]


@requirement("sockets.connect-scope", MUST, cite=(CONNECT, ACCEPT, FAMILIES), needs=("link-local",))
def test_the_zone_of_an_address_is_kept_for_streams(loop: Loop) -> None:
    """The scope id of an IPv6 address counts for sock_connect(), as a zone behind a host does; sock_accept() tells it.

    If this fails: look for an address of which only host and port are used, perhaps because it is resolved already.
    """
    with nonblocking(socket.AF_INET6, socket.SOCK_STREAM) as listening:
        listening.bind(_zoned())
        listening.listen()
        name = listening.getsockname()
        by_zone = f"{name[0]}%{socket.if_indextoname(name[3])}", name[1]
        for address in (name, by_zone):
            with nonblocking(socket.AF_INET6, socket.SOCK_STREAM) as sock:
                loop.run_until_complete(loop.sock_connect(sock, address))
                assert sock.getpeername() == name
                conn, sender = loop.run_until_complete(loop.sock_accept(listening))
                conn.close()
                assert sender == sock.getsockname()


@requirement("sockets.recvfrom-scope", MUST, cite=(SENDTO, RECVFROM, RECVFROM_INTO, FAMILIES), needs=("link-local",))
def test_the_zone_of_an_address_is_kept_for_datagrams(loop: Loop, patience: Patience) -> None:
    """The remote address of a datagram that is received has its scope id, and is one that sock_sendto() takes.

    If this fails: look for an address of which only host and port are kept.
    """
    with (
        nonblocking(socket.AF_INET6, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind(_zoned())
        peer.settimeout(PEER_TIMEOUT)
        # Not bound, as a socket that is bound to an address of a zone needs none to send.
        assert loop.run_until_complete(loop.sock_sendto(ours, b"data", peer.getsockname())) == 4
        data, sender = peer.recvfrom(10)
        assert data == b"data"
        for method, argument in (("sock_recvfrom", 10), ("sock_recvfrom_into", bytearray(10))):
            peer.sendto(b"answer", sender)
            receiving = asyncio.wait_for(getattr(loop, method)(ours, argument), patience.seconds)
            assert loop.run_until_complete(receiving)[1] == peer.getsockname()


@requirement("sockets.recvfrom-nothing", SHOULD, cite=(RECVFROM, "socket: socket.socket.recvfrom"))
def test_a_datagram_of_which_nothing_is_wanted_is_taken(loop: Loop, patience: Patience) -> None:
    """A bufsize of 0 receives a datagram too: nothing of it, and its sender, and the next one is for the next call.

    If this fails: look for a shortcut for sizes of 0, which belongs to streams.
    """
    with udp_peer() as ours, udp_peer() as peer:
        ours.setblocking(False)
        for data in (b"one", b"two"):
            peer.sendto(data, ours.getsockname())
        sender = peer.getsockname()
        for size, data in ((0, b""), (10, b"two")):
            receiving = asyncio.wait_for(loop.sock_recvfrom(ours, size), patience.seconds)
            assert loop.run_until_complete(receiving) == (data, sender)


@requirement("sockets.negative-sizes", SHOULD, cite=(RECV, RECVFROM, RECVFROM_INTO, "socket: socket.socket.recv"))
def test_a_negative_size_is_refused(loop: Loop, patience: Patience) -> None:
    """A negative number of bytes raises ValueError, as that of the blocking methods does, when data is there.

    OverflowError will do, which says that no such number is unsigned.

    If this fails: look for a number that is passed on unsigned, or an empty answer that looks like the end.
    """
    with udp_peer() as ours, udp_peer() as peer:
        ours.setblocking(False)
        peer.sendto(b"data", ours.getsockname())  # before that, a loop over completions may wait
        calls: tuple[Any, ...] = (
            lambda: loop.sock_recv(ours, -1),
            lambda: loop.sock_recvfrom(ours, -1),
            lambda: loop.sock_recvfrom_into(ours, bytearray(10), -1),
        )
        for call in calls:
            with pytest.raises((ValueError, OverflowError)):
                loop.run_until_complete(asyncio.wait_for(call(), patience.seconds))


@requirement("sockets.recvfrom-into-too-many", MUST, cite=(RECVFROM_INTO, "gh-148808"))
@each("there", [True, False])
def test_nothing_is_received_behind_the_buffer(loop: Loop, patience: Patience, there: bool) -> None:
    """sock_recvfrom_into() receives into buf: memory behind it is left alone, also if nbytes is more than buf has.

    Such a number may be refused, as the blocking method does, or taken for the size of the buffer.

    If this fails: look for a number of bytes that is passed on to the system without a look at the buffer's size.
    """
    whole = bytearray(16)

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recvfrom_into(ours, memoryview(whole)[4:8], 12))
        await turns(3)
        if not there:
            peer.sendto(b"datagram", ours.getsockname())
        with contextlib.suppress(ValueError, OverflowError):
            await asyncio.wait_for(receiving, patience.seconds)

    with udp_peer() as ours, udp_peer() as peer:
        ours.setblocking(False)
        if there:
            peer.sendto(b"datagram", ours.getsockname())
        loop.run_until_complete(main())
    assert whole[:4] + whole[8:] == bytes(12)


@contextlib.contextmanager
def _failing(call: str) -> Iterator[tuple[socket.socket, Any]]:
    """A socket with which this call fails, and its argument."""
    if call == "sock_connect":
        with nonblocking(socket.AF_INET, socket.SOCK_STREAM) as sock:
            yield sock, ("127.0.0.1", free_port())
    else:
        with tcp_pair() as (ours, peer):
            ours.send(b"unread")
            reset(peer)
            yield ours, b"data" if call == "sock_sendall" else 10


@requirement("sockets.open-after-errors", SHOULD, cite=(CONNECT, SENDALL, RECV))
@each("call", ["sock_connect", "sock_sendall", "sock_recv"])
def test_a_socket_stays_open_when_a_call_fails(loop: Loop, call: str) -> None:
    """A socket whose call fails is its owner's to close, as with the blocking methods: it stays open.

    If this fails: look for a clean-up of transports, which own their sockets, in the way of sockets that are lent.
    """

    async def fail(sock: socket.socket, argument: Any) -> None:
        for _ in range(100):  # the first send() after a reset may go through
            await getattr(loop, call)(sock, argument)

    with _failing(call) as (sock, argument):
        with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
            loop.run_until_complete(fail(sock, argument))
        assert sock.fileno() >= 0


@requirement("sockets.accept-mode", MUST, cite=ACCEPT)
@each("default", [None, 30.0], ids=["no default", "a default timeout"])
@each("family", [socket.AF_INET, *([socket.AF_UNIX] if hasattr(socket, "AF_UNIX") else [])])
def test_an_accepted_socket_is_non_blocking(loop: Loop, tmp_path: Any, family: int, default: float | None) -> None:
    """conn is usable with the calls that demand a non-blocking socket, of whatever family, and with a default timeout.

    If this fails: look for accept(), whose sockets have the mode that socket.setdefaulttimeout() was told, or block.
    """
    with nonblocking(family, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / f"s{default}"))
        listening.listen()
        with dialled(listening.getsockname(), family):
            socket.setdefaulttimeout(default)
            try:
                conn, _ = loop.run_until_complete(loop.sock_accept(listening))
            finally:
                socket.setdefaulttimeout(None)
            with conn:
                assert conn.gettimeout() == 0


@requirement("sockets.recv-into-nothing", SHOULD, cite=(RECV_INTO, "socket: socket.socket.recv_into"))
def test_buffers_without_room_leave_the_data(loop: Loop, patience: Patience) -> None:
    """sock_recv_into() of an empty buffer returns 0, and one that cannot be written to is refused: the data stays.

    If this fails: look for a buffer that is not asked how long it is, or whether it may be written to.
    """

    async def receive(buf: Any) -> int:
        return await asyncio.wait_for(loop.sock_recv_into(ours, buf), patience.seconds)

    with tcp_pair() as (ours, peer):
        peer.sendall(b"data")  # before that, a loop over completions may wait
        assert loop.run_until_complete(receive(bytearray())) == 0
        with pytest.raises((TypeError, BufferError, ValueError)):
            loop.run_until_complete(receive(b"read-only"))
        assert loop.run_until_complete(loop.sock_recv(ours, 10)) == b"data"


@requirement("sockets.sendto-ipv6", MUST, cite=(SENDTO, FAMILIES), needs=("ipv6",))
@each("items", [2, 3, 4])
def test_sock_sendto_takes_ipv6_addresses(loop: Loop, items: int) -> None:
    """An IPv6 address may have two items or four: flow info and scope id can be omitted.

    If this fails: look for an address that must be as long as those that are received.
    """
    with nonblocking(socket.AF_INET6, socket.SOCK_DGRAM) as ours, udp_peer(socket.AF_INET6) as peer:
        assert loop.run_until_complete(loop.sock_sendto(ours, b"data", peer.getsockname()[:items])) == 4
        assert peer.recv(10) == b"data"


@requirement("sockets.sendto-name", SHOULD, cite=(SENDTO, FAMILIES))
def test_sock_sendto_takes_names(loop: Loop) -> None:
    """sock_sendto() is an asynchronous version of socket.sendto(), whose address may have the name of a host.

    If this fails: look for a host that must be a number.
    """
    with nonblocking(socket.AF_INET, socket.SOCK_DGRAM) as ours, udp_peer() as peer:
        assert loop.run_until_complete(loop.sock_sendto(ours, b"data", ("localhost", peer.getsockname()[1]))) == 4
        assert peer.recv(10) == b"data"


@requirement("sockets.send-rejects-text", SHOULD, cite=(SENDALL, SENDTO))
@each("data", ["text", 5, None, [1, 2]])
def test_what_is_no_buffer_is_not_sent(loop: Loop, data: Any) -> None:
    """sock_sendall() and sock_sendto() raise an exception for data that is not bytes-like, and send nothing.

    If this fails: look for an implicit encode(), or for a number that is taken for as many zeros.
    """
    with tcp_pair() as (ours, peer), udp_peer() as datagrams, udp_peer() as other:
        datagrams.setblocking(False)
        for sock, sending in (
            (peer, lambda: loop.sock_sendall(ours, data)),
            (other, lambda: loop.sock_sendto(datagrams, data, other.getsockname())),
        ):
            with refused(BufferError):
                loop.run_until_complete(sending())
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(10)
