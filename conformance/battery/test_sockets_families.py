"""Chapter sockets: the same calls over Unix and IPv6 sockets, and the errors of sockets that cannot do as asked."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.datagrams import refusing_peer, udp_peer, unix_datagram_pair
from conformance.kit.descriptors import HIGH, many_allowed
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, listener, reset, tcp_pair
from conformance.kit.refusals import Answer, refused
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.sock_connect"
ACCEPT = "asyncio-eventloop: loop.sock_accept"
RECV = "asyncio-eventloop: loop.sock_recv"
RECV_INTO = "asyncio-eventloop: loop.sock_recv_into"
RECVFROM = "asyncio-eventloop: loop.sock_recvfrom"
SENDTO = "asyncio-eventloop: loop.sock_sendto"
SENDALL = "asyncio-eventloop: loop.sock_sendall"


@contextlib.contextmanager
def nonblocking(family: int, kind: int) -> Iterator[socket.socket]:
    """A socket for the loop."""
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        yield sock


@requirement("sockets.unix", MUST, cite=(RECV, SENDALL), needs=("unix",))
def test_unix_stream_sockets_are_read_and_written(loop: Loop) -> None:
    """sock_recv() and sock_sendall() are asynchronous versions of recv() and sendall(), for sockets of any family.

    If this fails: look for calls that take a host and a port for granted.
    """

    async def main() -> bytes:
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        await asyncio.sleep(0)
        await loop.sock_sendall(theirs, b"data")
        return await receiving

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        assert loop.run_until_complete(main()) == b"data"


@requirement("sockets.accept-unix", MUST, cite=(ACCEPT, "socket: socket.socket.accept"), needs=("unix",))
def test_a_unix_socket_accepts_connections(loop: Loop, tmp_path: Path) -> None:
    """sock_accept() accepts connections of Unix sockets, too; address is the path of the other end, "" if it has none.

    If this fails: look for an address that is taken apart, or another word for none.
    """
    with nonblocking(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        for path in (str(tmp_path / "p"), ""):
            with socket.socket(socket.AF_UNIX) as peer:
                if path:
                    peer.bind(path)
                peer.settimeout(PEER_TIMEOUT)
                peer.connect(str(tmp_path / "s"))
                conn, address = loop.run_until_complete(loop.sock_accept(listening))
                with conn:
                    assert conn.family == socket.AF_UNIX
                    assert address == path == conn.getpeername()


@requirement("sockets.accept-ipv6", MUST, cite=ACCEPT, needs=("ipv6",))
def test_an_ipv6_socket_accepts_connections(loop: Loop) -> None:
    """The address of a connection of an IPv6 socket is the one bound to the other end, with four items.

    If this fails: look for an address cut to host and port, or a new socket of another family.
    """
    with listener(socket.AF_INET6) as listening:
        listening.setblocking(False)
        with socket.create_connection(listening.getsockname()[:2], PEER_TIMEOUT) as peer:
            conn, address = loop.run_until_complete(loop.sock_accept(listening))
            conn.close()
            assert conn.family == socket.AF_INET6
            assert address == peer.getsockname()


@requirement("sockets.accept-not-listening", SHOULD, cite=ACCEPT)
def test_a_socket_must_listen_to_accept(loop: Loop) -> None:
    """The socket must be bound and listening: sock_accept() of another one raises an exception instead of waiting.

    If this fails: look for an error of accept() that is taken for "nobody yet".
    """
    with nonblocking(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with refused(OSError):
            loop.run_until_complete(loop.sock_accept(sock))


@requirement("sockets.recvfrom-ipv6", MUST, cite=(RECVFROM, SENDTO), needs=("ipv6",))
def test_datagrams_of_ipv6_are_sent_and_received(loop: Loop) -> None:
    """sock_recvfrom() gives the remote address as recvfrom() does, with four items for IPv6; sock_sendto() takes it.

    If this fails: look for an address cut to host and port.
    """
    with nonblocking(socket.AF_INET6, socket.SOCK_DGRAM) as ours, udp_peer(socket.AF_INET6) as peer:
        ours.bind(("::1", 0))
        peer.sendto(b"data", ours.getsockname())
        data, address = loop.run_until_complete(loop.sock_recvfrom(ours, 100))
        assert (data, address) == (b"data", peer.getsockname())
        assert loop.run_until_complete(loop.sock_sendto(ours, b"answer", address)) == 6
        assert peer.recv(100) == b"answer"


@requirement("sockets.recvfrom-unix", MUST, cite=(RECVFROM, SENDTO), needs=("unix",))
def test_datagrams_of_unix_sockets_are_sent_and_received(loop: Loop, tmp_path: Path) -> None:
    """The addresses of sock_recvfrom() and sock_sendto() are those of the socket's family: paths for Unix sockets.

    If this fails: look for an address that must be a tuple.
    """
    with unix_datagram_pair(tmp_path) as (ours, peer), nonblocking(socket.AF_UNIX, socket.SOCK_DGRAM) as third:
        peer.send(b"data")
        assert loop.run_until_complete(loop.sock_recvfrom(ours, 100)) == (b"data", peer.getsockname())
        third.bind(str(tmp_path / "t"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as fourth:
            fourth.settimeout(PEER_TIMEOUT)
            fourth.bind(str(tmp_path / "f"))
            for path in (str(tmp_path / "f"), bytes(tmp_path / "f")):
                assert loop.run_until_complete(loop.sock_sendto(third, b"more", path)) == 4
                assert fourth.recvfrom(100) == (b"more", str(tmp_path / "t"))


@requirement(
    "sockets.recvfrom-error",
    MUST,
    cite=(RECVFROM, "asyncio-eventloop: loop.sock_recvfrom_into", "exceptions: ConnectionRefusedError"),
    needs=("linux",),
)
@each("method", ["sock_recvfrom", "sock_recvfrom_into"])
def test_calls_that_receive_raise_the_errors_of_the_socket(loop: Loop, method: str) -> None:
    """sock_recvfrom() and sock_recvfrom_into() raise the error of the socket, as that of a peer who refused a datagram.

    If this fails: look for a socket that is readable because of an error, and is read again and again.
    """
    with nonblocking(socket.AF_INET, socket.SOCK_DGRAM) as sock, refusing_peer() as nobody:
        sock.connect(nobody.getsockname())
        sock.send(b"nobody is there")
        with pytest.raises(ConnectionRefusedError):
            loop.run_until_complete(getattr(loop, method)(sock, 100 if method == "sock_recvfrom" else bytearray(100)))


@requirement("sockets.recv-into-error", MUST, cite=(RECV_INTO, "exceptions: ConnectionResetError"))
def test_sock_recv_into_raises_when_the_connection_is_reset(loop: Loop) -> None:
    """sock_recv_into() raises ConnectionResetError when the connection was reset.

    If this fails: look for an error that is reported as the end of the stream.
    """

    async def main() -> None:
        receiving = asyncio.ensure_future(loop.sock_recv_into(ours, bytearray(10)))
        await asyncio.sleep(0)
        reset(peer)
        await receiving

    with tcp_pair() as (ours, peer), pytest.raises(ConnectionResetError):
        loop.run_until_complete(main())


@requirement("sockets.connect-resolved", MUST, cite=CONNECT)
def test_a_resolved_address_is_not_looked_up(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """sock_connect() checks whether the address is already resolved: getaddrinfo() is used only if it is not.

    If this fails: look for a look-up, and a thread, for each connection to a numeric address.
    """
    asked: list[Any] = []
    genuine = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        return genuine(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with listener() as listening, nonblocking(socket.AF_INET, socket.SOCK_STREAM) as sock:
        loop.run_until_complete(loop.sock_connect(sock, listening.getsockname()))
        assert sock.getpeername() == listening.getsockname()
    assert asked == []


@requirement("sockets.closed-socket", SHOULD, cite=(RECV, "exceptions: OSError"))
@each("method", ["sock_recv", "sock_sendall", "sock_accept", "sock_connect"])
def test_a_closed_socket_is_refused(loop: Loop, method: str) -> None:
    """A socket that is closed when a call begins makes it raise, instead of waiting for ever.

    If this fails: look for a descriptor of -1 that is given to the poller, or an error that is dropped.
    """
    arguments: dict[str, tuple[Any, ...]] = {
        "sock_recv": (10,),
        "sock_sendall": (b"data",),
        "sock_accept": (),
        "sock_connect": (("127.0.0.1", 9),),
    }
    sock = socket.socket()
    sock.setblocking(False)
    sock.close()
    with refused(OSError, OverflowError):  # of -1 as an unsigned number
        loop.run_until_complete(getattr(loop, method)(sock, *arguments[method]))


@requirement("sockets.high-numbers", MAY, cite="PEP 3156: I/O Callbacks", needs=("linux",))
def test_sockets_of_high_numbers(loop: Loop, patience: Patience, answer: Answer) -> None:
    """Whether the descriptor of sock may have a number above 1023, where select() ends, depends on the selector.

    If this fails: look for a table of a fixed size, beyond which nothing is told.
    """
    with many_allowed(), tcp_pair() as (ours, peer):
        high = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH)
        with socket.socket(fileno=high) as sock:
            sock.setblocking(False)
            waiting = loop.create_task(loop.sock_recv(sock, 100))
            try:
                turn(loop, 2)
                peer.sendall(b"data")
                patience.run_until(loop, waiting.done, "the data")
                assert waiting.result() == b"data"
            except (ValueError, OSError) as error:
                answer(f"it may not: {type(error).__name__}")
            else:
                answer("it may")


@requirement("sockets.left-as-they-were", SHOULD, cite=(CONNECT, RECV, "asyncio-eventloop: loop.sock_accept"))
def test_sockets_stay_open_and_non_blocking(loop: Loop) -> None:
    """sock must be a non-blocking socket, and stays one, and open: each call leaves it to the next as it found it.

    If this fails: look for a mode that is changed for the time of a call, or a socket that is closed with its wrapper.
    """
    with listener() as listening, nonblocking(socket.AF_INET, socket.SOCK_STREAM) as sock:
        listening.setblocking(False)

        async def scenario() -> None:
            await loop.sock_connect(sock, listening.getsockname())
            peer, _ = await loop.sock_accept(listening)
            with peer:
                await loop.sock_sendall(sock, b"data")
                await loop.sock_recv(peer, 2)
                await loop.sock_recv_into(peer, bytearray(2))
                for each in (sock, listening, peer):
                    assert (each.fileno() >= 0, each.getblocking()) == (True, False)

        loop.run_until_complete(scenario())


@requirement("sockets.port-range", SHOULD, cite=(CONNECT, SENDTO, "zuvloop#18"))
@each("beside", [65536, -65536])
@each("method", ["sock_connect", "sock_sendto"])
def test_a_number_that_is_no_port_is_refused(loop: Loop, method: str, beside: int) -> None:
    """An address with a number that is no port is refused, as by connect() and sendto(): no other port is taken.

    If this fails: look for an integer of the language below, of 16 bits.
    """
    with udp_peer() as peer, nonblocking(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        host, port = peer.getsockname()
        arguments = (b"data",) if method == "sock_sendto" else ()
        with refused(OSError):
            loop.run_until_complete(getattr(loop, method)(sock, *arguments, (host, port + beside)))
