"""Chapter sockets: sockets that the methods refuse, or may: blocking ones, those of TLS and those of transports."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from conformance.battery.test_sockets_streams import SOCKETS, pair
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT
from conformance.kit.refusals import Answer, refused
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def _calls(loop: Loop, sock: Any, other: Any) -> dict[str, Any]:
    """Each coroutine of the section, by name, as a function that calls it."""
    return {
        "sock_recv": lambda: loop.sock_recv(sock, 1),
        "sock_recv_into": lambda: loop.sock_recv_into(sock, bytearray(1)),
        "sock_recvfrom": lambda: loop.sock_recvfrom(sock, 1),
        "sock_recvfrom_into": lambda: loop.sock_recvfrom_into(sock, bytearray(1)),
        "sock_sendall": lambda: loop.sock_sendall(sock, b"x"),
        "sock_sendto": lambda: loop.sock_sendto(sock, b"x", other),
        "sock_connect": lambda: loop.sock_connect(sock, other),
        "sock_accept": lambda: loop.sock_accept(sock),
    }


async def _bounded(call: Any, patience: Patience) -> None:
    await asyncio.wait_for(call(), patience.seconds)


METHODS = list(_calls(asyncio.AbstractEventLoop(), None, None))  # type: ignore[abstract]


@requirement("sockets.blocking-in-debug-mode", SHOULD, cite=SOCKETS)
@each("method", METHODS)
def test_a_blocking_socket_is_refused_in_debug_mode(loop: Loop, patience: Patience, method: str) -> None:
    """sock must be a non-blocking socket: in debug mode, another one raises an exception.

    If this fails: look for a check that is missing in this one method.
    """
    loop.set_debug(True)
    with pair() as (ours, peer):
        ours.settimeout(PEER_TIMEOUT)
        with refused():
            loop.run_until_complete(_bounded(_calls(loop, ours, peer.getsockname())[method], patience))


@requirement("sockets.tls-sockets-refused", MUST, cite=("whatsnew 3.9: asyncio", "gh-122706"))
@each("method", METHODS)
def test_an_ssl_socket_is_refused(loop: Loop, patience: Patience, method: str) -> None:
    """An ssl.SSLSocket raises TypeError: its readiness is not the descriptor's.

    If this fails: look for a socket that is used by its number only, past the encryption.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pair() as (ours, peer):
        wrapped = context.wrap_socket(ours, do_handshake_on_connect=False)
        with wrapped, pytest.raises(TypeError):
            loop.run_until_complete(_bounded(_calls(loop, wrapped, peer.getsockname())[method], patience))


@requirement("sockets.transports-are-private", MAY, cite="gh-4365")
def test_the_socket_of_a_transport_may_be_refused(loop: Loop, answer: Answer) -> None:
    """Whether sock_recv() refuses the socket of an open transport, or takes what comes, is left open.

    If this fails: look for a transport that cannot be closed any more.
    """
    with pair() as (ours, _):
        copy = socket.socket(fileno=ours.fileno())
        copy.setblocking(False)
        transport, _protocol = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
        try:
            loop.run_until_complete(asyncio.wait_for(loop.sock_recv(copy, 1), 0.02))
        except TimeoutError:
            answer("accepted")
        except RuntimeError:
            answer("refused")
        finally:
            copy.detach()
            transport.abort()
            turn(loop, 3)
