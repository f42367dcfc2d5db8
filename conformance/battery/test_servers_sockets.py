"""Chapter servers: options of the listening sockets, sockets that are given, and refused arguments."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import Derived, dialled, free_port, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.servers import Service, accepted, create, dial, ended, serving, shut
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
LOCAL = "127.0.0.1"
# Linux has them all. Each has a port of its own, though two may be given the same by chance: seven may not.
SEVERAL = [f"127.0.0.{number}" for number in range(1, 8)]


def option(sock: Any, name: int) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, name))


@requirement("servers.port-of-each", MUST, cite="asyncio-eventloop: loop.create_server", needs=("linux",))
def test_each_interface_has_a_random_port(loop: Loop) -> None:
    """If port is 0 and host resolves to multiple interfaces, a different random port is selected for each.

    If this fails: look for the port of the first socket that is asked for again, perhaps for all interfaces only.
    """
    hosts = [SEVERAL, None] if need_named("ipv6").present() else [SEVERAL]
    for host in hosts:
        found = []
        for _ in range(3):  # two families may be given the same by chance, too
            with serving(loop, host) as service:
                found.append(len({sock.getsockname()[1] for sock in service.server.sockets}))
        assert max(found) > 1, f"{host=}"


@requirement("servers.reuse-address", MUST, cite="asyncio-eventloop: loop.create_server")
@each("host", [LOCAL, None, [LOCAL]])
@each(("value", "expected"), [(None, True), (True, True), (False, False)])
def test_reuse_address_is_set_by_default(loop: Loop, host: Any, value: bool | None, expected: bool) -> None:
    """reuse_address tells the kernel to reuse a socket in TIME_WAIT; if not specified it is set to True on Unix.

    If this fails: look for a default of False, or an option that is always set, or set for the first socket only, or
    not with ssl.
    """
    shared: dict[str, Any] = {"reuse_port": True} if need_named("reuse-port").present() else {}
    for beside in ({}, shared, {"ssl": server_context()}):
        for how in ({"reuse_address": value}, *([] if value is not None else [{}])):
            with serving(loop, host, **how, **beside) as service:
                assert {option(sock, socket.SO_REUSEADDR) for sock in service.server.sockets} == {expected}


@requirement("servers.reuse-port", MUST, cite="asyncio-eventloop: loop.create_server", needs=("reuse-port",))
def test_reuse_port_lets_two_servers_share_a_port(loop: Loop) -> None:
    """reuse_port allows this endpoint to be bound to the same port as others, so long as they all set this flag.

    If this fails: look for SO_REUSEADDR set instead of SO_REUSEPORT, or set after bind(), or not with ssl.
    """
    with serving(loop, reuse_port=True) as one, serving(loop, LOCAL, one.port, reuse_port=True) as two:
        assert one.port == two.port
    for host in (None, [LOCAL], [LOCAL, "::1"] if need_named("ipv6").present() else LOCAL):
        for beside in ({}, {"ssl": server_context()}, {"start_serving": False}):
            with serving(loop, host, reuse_port=True, **beside) as everywhere:
                assert all(option(sock, socket.SO_REUSEPORT) for sock in everywhere.server.sockets)


@requirement("servers.reuse-port-off", MUST, cite="asyncio-eventloop: loop.create_server", needs=("reuse-port",))
@each("value", [None, False], ids=["None", "False"])
def test_reuse_port_is_off_by_default(loop: Loop, value: bool | None) -> None:
    """Without reuse_port a second server on the same port is an error.

    If this fails: look for SO_REUSEPORT that is always set: two programs would steal connections from each other.
    """
    with serving(loop, reuse_port=value) as service:
        assert not option(service.server.sockets[0], socket.SO_REUSEPORT)
        with pytest.raises(OSError):  # noqa: PT011 (which one is the system's affair)
            create(loop, LOCAL, service.port, reuse_port=value)


@requirement("servers.keep-alive", MUST, cite="asyncio-eventloop: loop.create_server", since="3.13")
@each(
    ("value", "beside"),
    [(None, {}), (False, {}), (True, {}), (True, {"reuse_port": True}), (True, {"start_serving": False})],
)
def test_keep_alive_is_set_when_asked_for(
    loop: Loop, patience: Patience, value: bool | None, beside: dict[str, Any]
) -> None:
    """keep_alive set to True keeps connections active by enabling the periodic transmission of messages.

    If this fails: look for SO_KEEPALIVE that accepted connections do not have, those of one family perhaps, or have
    unasked.
    """
    hosts = [LOCAL, "::1"] if need_named("ipv6").present() else [LOCAL]
    with serving(loop, hosts, keep_alive=value, **beside) as service:
        loop.run_until_complete(service.server.start_serving())
        for count, listening in enumerate(service.server.sockets, 1):
            with dialled(listening.getsockname(), listening.family):
                sock = accepted(loop, patience, service, count).transport.get_extra_info("socket")
                assert option(sock, socket.SO_KEEPALIVE) is bool(value)


@requirement("servers.nodelay", MUST, cite="asyncio-eventloop: loop.create_server")
def test_accepted_connections_have_nodelay(loop: Loop, patience: Patience) -> None:
    """The socket option TCP_NODELAY is set by default for all TCP connections.

    If this fails: look for an option that is set on outgoing connections only.
    """
    with serving(loop) as service, dial(service):
        sock = accepted(loop, patience, service).transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@requirement("servers.sock", MUST, cite="asyncio-eventloop: loop.create_server")
@each("listening", [False, True], ids=["bound", "listening"])
@each("kind", [socket.socket, Derived])
def test_a_socket_may_be_given(loop: Loop, patience: Patience, listening: bool, kind: type[socket.socket]) -> None:
    """sock can be specified to use a preexisting socket object, blocking or not, listening or not, or of a subclass.

    If this fails: look for accept() that blocks the loop, or a socket that nobody makes listen.
    """
    sock = kind()
    sock.bind((LOCAL, 0))
    name = sock.getsockname()
    if listening:
        sock.listen()
    with serving(loop, None, None, sock=sock) as service:
        assert [each.getsockname() for each in service.server.sockets] == [name]
        with dial(service, name):
            accepted(loop, patience, service)


@requirement("servers.sock-ownership", MUST, cite="asyncio-eventloop: loop.create_server")
def test_the_server_owns_its_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the server: its close() closes the socket.

    If this fails: look for a duplicate that is closed instead.
    """
    sock = socket.socket()
    sock.bind((LOCAL, free_port()))
    with serving(loop, None, None, sock=sock) as service:
        name = sock.getsockname()
        service.server.close()
        loop.run_until_complete(ended(service.server.wait_closed(), patience))
        turn(loop, 2)
        with pytest.raises(ConnectionRefusedError):
            dial(service, name)
        assert sock.fileno() == -1


@requirement("servers.port-range", SHOULD, cite=("asyncio-eventloop: loop.create_server", "zuvloop#18"))
@each("number", [65536, 65536 + 40000, -1, -25000])
def test_a_server_refuses_a_number_that_is_no_port(loop: Loop, number: int) -> None:
    """A number that is no port is refused: the server does not listen on another one instead.

    If this fails: look for an integer of the language below, of 16 bits.
    """
    with refused(OSError, OverflowError):
        create(loop, LOCAL, number)


@requirement("servers.unreferenced", SHOULD, cite=("uvloop#81", "asyncio-eventloop: loop.create_server"))
def test_a_server_that_nobody_keeps_goes_on_serving(loop: Loop, patience: Patience) -> None:
    """A server serves on when its Server object is dropped: the loop keeps what it needs.

    If this fails: look for listening sockets that belong to the Server object alone, and go with it.
    """
    service, sock = Service(), socket.socket()
    sock.bind((LOCAL, 0))
    kept = _weakly(loop.run_until_complete(loop.create_server(service, sock=sock)))
    gc.collect()
    with dialled(sock.getsockname()):
        accepted(loop, patience, service).transport.abort()
    turn(loop, 4)
    service.server = kept()
    if service.server is not None:
        shut(loop, service)
    else:  # what listens has no object of the caller's any more
        loop.close()
        sock.close()


@requirement("servers.sock-and-host", MUST, cite="asyncio-eventloop: loop.create_server")
@each("where", [(LOCAL, None), (None, 0), (LOCAL, 0)])
def test_a_socket_excludes_host_and_port(loop: Loop, where: tuple[Any, Any]) -> None:
    """If sock is specified, host and port must not be specified: an exception is raised.

    If this fails: look for one of the two that wins silently, port 0 above all.
    """
    with socket.socket() as sock, refused():
        create(loop, *where, sock=sock)


@requirement("servers.sock-type", SHOULD, cite="asyncio-eventloop: loop.create_server")
def test_a_socket_must_be_a_stream(loop: Loop) -> None:
    """A sock that is no SOCK_STREAM socket is refused.

    If this fails: look for listen() on a datagram socket, which fails later and elsewhere.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as sock, refused(OSError):
        create(loop, sock=sock)


@requirement("servers.nothing-given", SHOULD, cite="asyncio-eventloop: loop.create_server")
def test_neither_address_nor_socket_is_an_error(loop: Loop) -> None:
    """create_server() without host, port and sock raises an exception.

    If this fails: look for a server that listens somewhere nobody asked for.
    """
    with refused():
        create(loop)


@requirement("servers.tls-timeouts-without-tls", MAY, cite="asyncio-eventloop: loop.create_server")
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_tls_timeouts_of_a_server_without_tls(loop: Loop, name: str, answer: Answer) -> None:
    """Whether create_server() refuses ssl_handshake_timeout and ssl_shutdown_timeout without ssl is left open.

    If this fails: the server could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    answer(outcome_of(loop, loop.create_server(asyncio.Protocol, LOCAL, 0, **arguments)))


@requirement(
    "servers.tls-needs-context",
    SHOULD,
    cite=(
        "asyncio-eventloop: loop.create_server",
        "asyncio-eventloop: loop.create_unix_server",
        "asyncio-eventloop: loop.connect_accepted_socket",
    ),
)
def test_a_tls_server_needs_a_context(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """ssl can be set to an SSLContext instance; True, which is enough for a client, raises an exception for a server.

    If this fails: look for a server without a certificate, at a path or over a socket that was accepted elsewhere.
    """
    with refused():
        create(loop, LOCAL, 0, ssl=True)
    if hasattr(socket, "AF_UNIX"):
        over_unix: Any = loop.create_unix_server
        with refused():
            loop.run_until_complete(over_unix(Events, str(tmp_path / "s"), ssl=True)).close()
    accept: Any = loop.connect_accepted_socket
    with tcp_pair() as (ours, _), refused():
        loop.run_until_complete(asyncio.wait_for(accept(Events, ours, ssl=True), patience.seconds))


@requirement("servers.false-protocol", MUST, cite="asyncio-eventloop: loop.create_server")
def test_protocols_of_a_server_may_be_false(loop: Loop, patience: Patience) -> None:
    """protocol_factory may return any protocol, also one that is false, as an object without items is.

    If this fails: look for a test for truth where one for None was meant.
    """

    class Empty(Events):
        def __len__(self) -> int:
            return 0

    service = Service(make=Empty)
    service.server = loop.run_until_complete(loop.create_server(service, LOCAL, 0))
    try:
        with dial(service) as peer:
            protocol = accepted(loop, patience, service)
            peer.sendall(b"in")
            patience.run_until(loop, lambda: protocol.received == b"in", "the data")
    finally:
        shut(loop, service)


@requirement("servers.no-address", SHOULD, cite="exceptions: OSError")
def test_an_address_of_somebody_else_is_an_error(loop: Loop) -> None:
    """create_server() on an address that this machine does not have raises OSError.

    If this fails: look for a server without sockets.
    """
    with pytest.raises(OSError):  # noqa: PT011 (which one is the system's affair)
        create(loop, "192.0.2.1", 0)


def _weakly(server: Any) -> Callable[[], Any]:
    """What gives the server as long as somebody keeps it; None, if it cannot be referred to weakly."""
    try:
        return weakref.ref(server)
    except TypeError:
        return lambda: None
