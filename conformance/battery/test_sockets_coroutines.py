"""Chapter sockets: the methods are coroutines, which begin when awaited, and take sockets of any class."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from conformance.battery.test_sockets_peers import ACCEPT, CONNECT, client
from conformance.battery.test_sockets_refusals import METHODS
from conformance.battery.test_sockets_streams import RECV, RECV_INTO, SENDALL
from conformance.kit.cases import each
from conformance.kit.coroutines import call_only
from conformance.kit.peers import as_subclass, dialled, listener, tcp_pair
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


def _calls(loop: Loop, sock: Any, listening: Any, other: Any) -> dict[str, Callable[[], Any]]:
    """Each method, by name, as a call that has all that it needs."""
    return {
        "sock_recv": lambda: loop.sock_recv(sock, 10),
        "sock_recv_into": lambda: loop.sock_recv_into(sock, bytearray(10)),
        "sock_recvfrom": lambda: loop.sock_recvfrom(sock, 10),
        "sock_recvfrom_into": lambda: loop.sock_recvfrom_into(sock, bytearray(10)),
        "sock_sendall": lambda: loop.sock_sendall(sock, b"out"),
        "sock_sendto": lambda: loop.sock_sendto(sock, b"out", sock.getpeername()),
        "sock_connect": lambda: loop.sock_connect(other, listening.getsockname()),
        "sock_accept": lambda: loop.sock_accept(listening),
    }


@requirement("sockets.coroutines", MUST, cite=(RECV, RECV_INTO, SENDALL, CONNECT, ACCEPT))
@each("method", METHODS)
def test_the_methods_are_coroutines(loop: Loop, method: str) -> None:
    """The sock_ methods are coroutines, not functions that return a future: they do nothing before they are awaited.

    If this fails: look for a call that has an effect before it is awaited.
    """
    with tcp_pair() as (ours, peer), listener() as listening, client() as other:
        listening.setblocking(False)
        peer.sendall(b"in")
        with dialled(listening.getsockname()):
            call_only(loop, _calls(loop, ours, listening, other)[method])
            assert ours.recv(10) == b"in"
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(10)
            with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
                other.getpeername()
            listening.accept()[0].close()


@requirement("sockets.subclasses", MUST, cite=(RECV, RECV_INTO, SENDALL, CONNECT, ACCEPT))
@each("method", METHODS)
def test_a_socket_may_be_of_a_subclass(loop: Loop, method: str) -> None:
    """The methods work with sockets that are instances of a subclass of socket.socket, as a library may have one.

    If this fails: look for a type that must be socket.socket itself.
    """
    with (
        tcp_pair() as (plain, peer),
        listener() as accepting,
        client() as connecting,
        as_subclass(plain) as ours,
        as_subclass(accepting) as listening,
        as_subclass(connecting) as other,
    ):
        listening.setblocking(False)
        peer.sendall(b"in")
        with dialled(listening.getsockname()):
            result = loop.run_until_complete(_calls(loop, ours, listening, other)[method]())
            if method == "sock_accept":
                result[0].close()
            elif "send" in method:
                assert peer.recv(10) == b"out"
            elif method == "sock_connect":
                assert other.getpeername() == listening.getsockname()
            else:
                with pytest.raises(BlockingIOError):
                    ours.recv(10)
