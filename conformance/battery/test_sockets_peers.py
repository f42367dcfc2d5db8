"""Chapter sockets: sock_connect() and sock_accept(), over sockets that tests own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept, silent_listener
from conformance.kit.lookups import info_of, resolved_to, unless_elsewhere
from conformance.kit.peers import PEER_TIMEOUT, dialled, free_port, listener, socket_path, unix_listener
from conformance.kit.waiting import assert_waits, turns
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.sock_connect"
ACCEPT = "asyncio-eventloop: loop.sock_accept"


@contextlib.contextmanager
def client(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """A non-blocking socket that is not connected."""
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        yield sock


@requirement("sockets.connect", MUST, cite=CONNECT)
def test_sock_connect_connects_the_socket(loop: Loop) -> None:
    """sock_connect() connects the socket to address, and returns None.

    If this fails: look for an attempt that is taken for its success.
    """
    with listener() as listening, client() as sock:
        answer: object = loop.run_until_complete(loop.sock_connect(sock, listening.getsockname()))
        assert answer is None
        assert sock.getpeername() == listening.getsockname()


@requirement("sockets.connect-name", MUST, cite=CONNECT)
@each("service", [int, str])
def test_sock_connect_resolves_a_name(loop: Loop, service: Callable[[int], Any]) -> None:
    """address need not be resolved: a name is looked up, for the family of the socket, and so is the port beside it.

    If this fails: look for socket.connect() called with a name, which blocks the loop for a look-up, or fails.
    """
    with listener() as listening, client() as sock:
        loop.run_until_complete(loop.sock_connect(sock, ("localhost", service(listening.getsockname()[1]))))
        assert sock.getpeername() == listening.getsockname()


@requirement("sockets.connect-name-ipv6", MUST, cite=CONNECT, needs=("ipv6",))
def test_sock_connect_resolves_a_name_for_ipv6(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up for a socket of IPv6, too: the address that it has there is what is connected to.

    If this fails: look for a check whether the address is resolved that takes a name for a wrong address.
    """
    with listener(socket.AF_INET6) as listening, client(socket.AF_INET6) as sock:
        address = ("of-ipv6.invalid", listening.getsockname()[1])
        with resolved_to(monkeypatch, [info_of(listening)], address[0]) as asked:
            with unless_elsewhere(asked):
                loop.run_until_complete(loop.getaddrinfo(*address))
            loop.run_until_complete(loop.sock_connect(sock, address))
        assert sock.getpeername() == listening.getsockname()


@requirement("sockets.connect-ipv6", MUST, cite=CONNECT, needs=("ipv6",))
@each("items", [2, 4])
def test_sock_connect_takes_ipv6_addresses(loop: Loop, items: int) -> None:
    """An IPv6 address may have two items or four.

    If this fails: look for an address unpacked as a pair.
    """
    with listener(socket.AF_INET6) as listening, client(socket.AF_INET6) as sock:
        loop.run_until_complete(loop.sock_connect(sock, listening.getsockname()[:items]))
        assert sock.getpeername() == listening.getsockname()


@requirement("sockets.connect-unix", MUST, cite=(CONNECT, "socket: Socket families"), needs=("unix",))
def test_sock_connect_takes_the_path_of_a_unix_socket(loop: Loop, tmp_path: Path) -> None:
    """sock_connect() is an asynchronous version of socket.connect(): a Unix socket is connected to a path.

    If this fails: look for an address that must be a tuple, or a str, or a result that is not None.
    """
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        for spelled in (path, path.encode()):
            with client(socket.AF_UNIX) as sock:
                answer: object = loop.run_until_complete(loop.sock_connect(sock, spelled))
                assert answer is None
                assert sock.getpeername() == path
    if sys.platform == "linux":
        name = f"\0{path}"  # in the abstract namespace
        for named in (name, name.encode()):
            with unix_listener(name), client(socket.AF_UNIX) as sock:
                loop.run_until_complete(loop.sock_connect(sock, named))
                assert sock.getpeername() == name.encode()


@requirement("sockets.connect-refused", MUST, cite=(CONNECT, "exceptions: ConnectionRefusedError"))
def test_sock_connect_raises_when_it_is_refused(loop: Loop) -> None:
    """A refused connection raises ConnectionRefusedError, whose errno is the system's.

    If this fails: look for a socket that is writable because it failed, and is taken for connected.
    """
    with client() as sock, pytest.raises(ConnectionRefusedError) as caught:
        loop.run_until_complete(loop.sock_connect(sock, ("127.0.0.1", free_port())))
    assert caught.value.errno == errno.ECONNREFUSED


@requirement("sockets.connect-unix-errors", MUST, cite=(CONNECT, "exceptions: OSError"), needs=("unix",))
def test_sock_connect_raises_when_nobody_listens_at_a_path(loop: Loop, tmp_path: Path) -> None:
    """No socket at the path is FileNotFoundError, and one that nobody listens on ConnectionRefusedError.

    If this fails: look for one error that stands for all, or for one without the system's errno.
    """
    path = str(tmp_path / "s")
    for error, number in ((FileNotFoundError, errno.ENOENT), (ConnectionRefusedError, errno.ECONNREFUSED)):
        with client(socket.AF_UNIX) as sock, pytest.raises(error) as caught:
            loop.run_until_complete(loop.sock_connect(sock, path))
        assert caught.value.errno == number
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as left:
            left.bind(path)


@requirement("sockets.connect-unresolvable", MUST, cite=(CONNECT, "socket: socket.gaierror"))
def test_sock_connect_raises_when_the_name_cannot_be_resolved(loop: Loop) -> None:
    """A name that cannot be resolved for the family of the socket raises socket.gaierror.

    An address of another family may be given to the system, which says EAFNOSUPPORT.

    If this fails: look for an IPv6 address cast to another family, or an empty answer taken for one.
    """
    with client() as sock, pytest.raises(OSError) as caught:  # noqa: PT011 (its kind is looked at below)
        loop.run_until_complete(loop.sock_connect(sock, ("::1", 80)))
    assert isinstance(caught.value, socket.gaierror) or caught.value.errno == errno.EAFNOSUPPORT


@requirement("sockets.connect-in-background", MUST, cite=CONNECT)
def test_the_loop_runs_while_sock_connect_waits(loop: Loop) -> None:
    """sock_connect() is asynchronous: the loop runs while the connection is being made, and it can be cancelled.

    If this fails: look for a blocking connect(), or a watcher that outlives the call.
    """
    ran: list[int] = []

    async def main(address: Any) -> None:
        connecting = asyncio.ensure_future(loop.sock_connect(sock, address))
        for number in range(5):
            loop.call_soon(ran.append, number)
            await asyncio.sleep(0)
        assert not connecting.done()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    with silent_listener() as address, client() as sock:
        loop.run_until_complete(main(address))
    assert ran == list(range(5))


@requirement("sockets.accept", MUST, cite=ACCEPT)
def test_sock_accept_returns_a_connection_and_its_address(loop: Loop) -> None:
    """sock_accept() returns a pair (conn, address): a new socket, and the address of the other end.

    If this fails: look for the listener's own address, or a number in place of a socket.
    """
    with listener() as listening, socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
        listening.setblocking(False)
        answer = loop.run_until_complete(loop.sock_accept(listening))
        conn, address = answer
        with conn:
            assert isinstance(answer, tuple)
            assert isinstance(conn, socket.socket)
            assert address == peer.getsockname()
            assert conn.getpeername() == peer.getsockname()


@requirement("sockets.accept-usable", MUST, cite=(ACCEPT, "PEP 3156: Wrapped Socket Methods"))
@each("family", [socket.AF_INET, *([socket.AF_UNIX] if hasattr(socket, "AF_UNIX") else [])])
def test_an_accepted_socket_is_usable_with_the_loop(loop: Loop, family: int) -> None:
    """conn is usable to send and receive data on the connection: it is non-blocking, as the other calls demand.

    If this fails: look for an accepted socket that is left in blocking mode, and blocks the loop.
    """

    async def main() -> None:
        conn, _ = await loop.sock_accept(listening)
        with conn:
            assert conn.gettimeout() == 0
            await loop.sock_sendall(conn, b"hello")
            assert peer.recv(5) == b"hello"
            receiving = asyncio.ensure_future(loop.sock_recv(conn, 10))
            await turns(3)
            peer.sendall(b"x")
            assert await receiving == b"x"

    with contextlib.ExitStack() as stack:
        if family == socket.AF_INET:
            listening = stack.enter_context(listener())
        else:
            listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
        peer = stack.enter_context(dialled(listening.getsockname(), family))
        listening.setblocking(False)
        loop.run_until_complete(main())


@requirement("sockets.accept-waits", MUST, cite=ACCEPT)
def test_sock_accept_waits_for_a_connection(loop: Loop) -> None:
    """sock_accept() waits for a connection without blocking the loop, and gives each to one caller.

    If this fails: look for a BlockingIOError that gets out, or a connection that is accepted and forgotten.
    """

    async def main() -> None:
        for _ in range(2):
            accepting = asyncio.ensure_future(loop.sock_accept(listening))
            await turns(8)
            assert_waits(accepting)
            with socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
                conn, address = await accepting
                conn.close()
                assert address == peer.getsockname()

    with listener() as listening:
        listening.setblocking(False)
        loop.run_until_complete(main())


@requirement("sockets.accept-cancelled", MUST, cite=(ACCEPT, "asyncio-task: Task.cancel"))
def test_a_cancelled_sock_accept_accepts_nothing(loop: Loop) -> None:
    """A cancelled sock_accept() leaves the next connection to whoever asks next.

    If this fails: look for an accept that is still under way.
    """

    async def main() -> None:
        accepting = asyncio.ensure_future(loop.sock_accept(listening))
        await turns(2)
        accepting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await accepting
        with socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
            await turns(3)
            listening.settimeout(PEER_TIMEOUT)
            with accept(listening) as conn:
                assert conn.getpeername() == peer.getsockname()

    with listener() as listening:
        listening.setblocking(False)
        loop.run_until_complete(main())
