"""Chapter tcp: create_connection() with a socket that is given, and arguments that exclude each other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.patience import Patience
from conformance.kit.peers import (
    PEER_TIMEOUT,
    as_subclass,
    drive,
    listener,
    receive_all,
    receive_exactly,
    tcp_pair,
    unix_pair,
)
from conformance.kit.protocols import Events
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.threads import in_thread
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"


@requirement("tcp.connect-keywords-only", MUST, cite=CONNECT)
def test_all_but_host_and_port_are_keywords(loop: Loop) -> None:
    """Everything after host and port is keyword-only.

    If this fails: look for a signature that takes ssl as its fourth argument.
    """

    async def main(address: Any) -> None:
        transport, _ = await loop.create_connection(Events, *address, None)  # type: ignore[call-overload]
        transport.abort()

    with listener() as listening, pytest.raises(TypeError):
        loop.run_until_complete(main(listening.getsockname()))


@requirement("tcp.connect-sock", MUST, cite=CONNECT)
@each("timeout", [0.0, None, PEER_TIMEOUT])
@each("derived", [False, True], ids=["socket", "subclass"])
def test_an_existing_socket_is_used_by_the_transport(
    loop: Loop, patience: Patience, timeout: float | None, derived: bool
) -> None:
    """sock, an already connected socket, is used by the transport, for both directions, whatever its timeout is.

    It may be an instance of a subclass of socket.socket.

    If this fails: look for a second connection made to the socket's peer, or for a missing path for sockets.
    """
    with contextlib.ExitStack() as stack:
        ours, peer = stack.enter_context(tcp_pair())
        if derived:
            ours = stack.enter_context(as_subclass(ours))
        ours.settimeout(timeout)
        transport, protocol = stack.enter_context(opened(loop, loop.create_connection(Events, sock=ours)))
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")


@requirement("tcp.connect-sock-is-owned", MUST, cite=CONNECT)
def test_closing_the_transport_closes_the_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the transport: closing the transport closes it.

    If this fails: look for a duplicate of the descriptor that the transport closes, while the original stays open.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""


@requirement("tcp.connect-blocking-socket", SHOULD, cite=CONNECT)
def test_a_blocking_socket_does_not_block_the_loop(loop: Loop, patience: Patience) -> None:
    """A socket that is in blocking mode may be given: the transport puts it into non-blocking mode.

    If this fails: look for a read or a write that is made on the socket as it came.
    """
    with tcp_pair() as (ours, peer):
        ours.setblocking(True)
        with opened(loop, loop.create_connection(Events, sock=ours)) as (transport, protocol):
            transport.write(bytes(8 << 20))  # more than the kernel takes from anybody
            loop.call_soon(peer.sendall, b"x")
            patience.run_until(loop, lambda: protocol.received, "the data")


@requirement("tcp.connect-unix-sock", SHOULD, cite=CONNECT, needs=("unix",))
def test_a_unix_stream_socket_is_accepted(loop: Loop, patience: Patience) -> None:
    """create_connection() takes any connected stream socket as sock, a Unix one too.

    If this fails: look for TCP options set without asking for the family, or for a check of the family.
    """
    with unix_pair() as (ours, peer), opened(loop, loop.create_connection(Events, sock=ours)) as (_, protocol):
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received == b"x", "the data")


@requirement("tcp.connect-sock-or-host", MUST, cite=CONNECT)
@each("given", [("127.0.0.1", 1), ("127.0.0.1", None), (None, 1), (None, 0), ("", None)])
def test_a_socket_excludes_host_and_port(loop: Loop, given: tuple[Any, Any]) -> None:
    """If sock is given, neither host nor port may be specified: an exception is raised.

    If this fails: look for an argument that is ignored in silence.
    """
    with tcp_pair() as (ours, _), refused():
        loop.run_until_complete(loop.create_connection(Events, *given, sock=ours))


@requirement("tcp.connect-nothing", SHOULD, cite=CONNECT)
def test_something_to_connect_to_is_needed(loop: Loop) -> None:
    """Without host, port and sock, create_connection() raises an exception.

    If this fails: look for a default address.
    """
    with refused(socket.gaierror):
        loop.run_until_complete(loop.create_connection(Events))


@requirement("tcp.connect-datagram-sock", SHOULD, cite=CONNECT)
def test_a_datagram_socket_is_refused(loop: Loop) -> None:
    """A socket that is no stream socket raises an exception.

    If this fails: look for a missing check of the socket's type, whose failure would surface as lost data.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, refused(OSError):
        loop.run_until_complete(loop.create_connection(Events, sock=sock))


@requirement("tcp.connect-tls-arguments", MAY, cite=CONNECT)
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_timeouts_of_tls_without_ssl(loop: Loop, name: str, answer: Answer) -> None:
    """Whether create_connection() refuses ssl_handshake_timeout and ssl_shutdown_timeout without ssl is left open.

    If this fails: the connection could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with listener() as listening:
        answer(outcome_of(loop, loop.create_connection(Events, *listening.getsockname(), **arguments)))


@requirement("tcp.connect-tls-needs-a-name", MUST, cite=CONNECT)
@each("host", ["", None], ids=["empty", "none"])
def test_tls_without_a_host_needs_a_server_hostname(loop: Loop, patience: Patience, host: Any) -> None:
    """If host is empty and ssl is given, there is no default: you must pass a value for server_hostname.

    If this fails: look for a handshake that is begun without a name to check.
    """
    with listener() as listening:
        port, context = listening.getsockname()[1], ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        opening = loop.create_connection(Events, host, port, ssl=context)
        with refused(socket.gaierror):
            loop.run_until_complete(asyncio.wait_for(opening, patience.seconds))


@requirement("tcp.connect-hostname", SHOULD, cite=CONNECT)
@each("name", ["name", ""])
@each("ssl", [None, False])
def test_a_server_hostname_needs_tls(loop: Loop, name: str, ssl: Any) -> None:
    """server_hostname should only be passed if ssl is: without it, an exception is raised, also for an empty one.

    If this fails: look for a name that is ignored in silence, perhaps because it is false.
    """
    with listener() as listening, refused():
        loop.run_until_complete(loop.create_connection(Events, *listening.getsockname(), ssl=ssl, server_hostname=name))


@requirement("tcp.methods-by-name", SHOULD, cite="asyncio-protocol: §Transports")
@WAYS
def test_the_methods_of_a_transport_take_arguments_by_name(loop: Loop, patience: Patience, way: str) -> None:
    """write(), writelines() and set_protocol() of a transport take their arguments by the names that they have.

    If this fails: look for parameters that are taken by position only, or called by another name.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.set_protocol(protocol=protocol)
        transport.write(data=b"one")
        transport.writelines(list_of_data=[b"two"])
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"onetwo"


@requirement("tcp.connect-port-range", SHOULD, cite=("asyncio-eventloop: loop.create_connection", "zuvloop#18"))
def test_a_number_that_is_no_port_is_refused(loop: Loop) -> None:
    """A number that is no port is refused: nobody is connected to another port instead.

    If this fails: look for an integer of the language below, of 16 bits.
    """
    with listener() as listening:
        host, port = listening.getsockname()
        for number in (port + 65536, port - 65536):
            with pytest.raises((OverflowError, OSError, ValueError)):
                loop.run_until_complete(loop.create_connection(asyncio.Protocol, host, number))
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
