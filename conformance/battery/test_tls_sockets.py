"""Chapter tls: TLS over sockets of other kinds, and what the context says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, new_server_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import as_subclass, drive, tcp_pair, unix_listener, unix_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import CLIENTS, SERVERS, secured, tls_accept, tls_over
from conformance.kit.servers import Service, accepted, shut
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
SIDES = each("side", ["client", "server"])


def close(loop: Loop, transport: Any) -> None:
    transport.abort()
    turn(loop, 4)


@requirement("tls.sock", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("kind", ["plain", "with timeout", "subclass"])
def test_tls_over_a_connected_socket(loop: Loop, patience: Patience, kind: str) -> None:
    """ssl may be combined with sock, a connected socket, and server_hostname.

    If this fails: look for a handshake that only create_connection() by address makes, or for more that is asked of a
    socket than without ssl: to be of one class, or not to block.
    """
    with tcp_pair() as (ours, peer):
        if kind == "with timeout":
            ours.settimeout(30)
        elif kind == "subclass":
            ours = as_subclass(ours)
        helper = in_thread(lambda: server_context().wrap_socket(peer, server_side=True))
        transport, _ = loop.run_until_complete(
            loop.create_connection(Events, sock=ours, ssl=client_context(), server_hostname=NAME)
        )
        with drive(loop, patience, helper):
            close(loop, transport)


@requirement("tls.sock-is-owned", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_the_transport_of_tls_owns_the_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the transport, with ssl too: its end closes the socket.

    If this fails: look for a duplicate of the descriptor that the transport closes, while the original stays open.
    """
    with tcp_pair() as (ours, peer):
        helper = in_thread(lambda: server_context().wrap_socket(peer, server_side=True))
        transport, protocol = loop.run_until_complete(
            loop.create_connection(Events, sock=ours, ssl=client_context(), server_hostname=NAME)
        )
        with drive(loop, patience, helper) as secure:
            transport.abort()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            with contextlib.suppress(ConnectionResetError):  # a word of the handshake may be unread
                assert drive(loop, patience, in_thread(lambda: secure.recv(1))) == b""


@requirement("tls.unix", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_tls_over_a_unix_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_unix_connection() and create_unix_server() take ssl as their TCP relatives do.

    If this fails: look for a handshake that needs an internet address.
    """
    service = Service()
    path = str(tmp_path / "s")
    service.server = loop.run_until_complete(loop.create_unix_server(service, path, ssl=server_context()))
    transport, _ = loop.run_until_complete(
        loop.create_unix_connection(Events, path, ssl=client_context(), server_hostname=NAME)
    )
    protocol = accepted(loop, patience, service)
    transport.write(b"in")
    patience.run_until(loop, lambda: protocol.received == b"in", "the data")
    transport.abort()
    shut(loop, service)


@requirement("tls.accepted-socket", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_tls_over_an_accepted_socket(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() with ssl makes the server's side of the handshake.

    If this fails: look for the client's side, or no handshake.
    """
    protocol = Events()
    with tcp_pair() as (ours, peer):
        helper = in_thread(lambda: client_context().wrap_socket(peer, server_hostname=NAME))
        loop.run_until_complete(loop.connect_accepted_socket(lambda: protocol, ours, ssl=server_context()))
        with drive(loop, patience, helper) as tls:
            tls.sendall(b"in")
            patience.run_until(loop, lambda: protocol.received == b"in", "the data")
            close(loop, protocol.transport)


@requirement("tls.accepted-socket-returns", MUST, cite="asyncio-eventloop: loop.connect_accepted_socket")
def test_an_accepted_socket_with_tls_returns_the_pair(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() with ssl returns the pair (transport, protocol) that the application made.

    If this fails: look for the TLS layer's own protocol, or the transport beneath, returned instead.
    """
    protocol = Events()
    with tcp_pair() as (ours, peer):
        helper = in_thread(lambda: client_context().wrap_socket(peer, server_hostname=NAME))
        pair = loop.run_until_complete(loop.connect_accepted_socket(lambda: protocol, ours, ssl=server_context()))
        with drive(loop, patience, helper):
            close(loop, protocol.transport)
        assert pair == (protocol.transport, protocol)


@requirement("tls.alpn", MUST, cite="ssl: ssl.SSLContext.set_alpn_protocols")
@SIDES
def test_the_protocol_is_negotiated(loop: Loop, patience: Patience, side: str) -> None:
    """ALPN protocols of the context are negotiated, and 'ssl_object' tells the one that was chosen.

    If this fails: look for a context that is rebuilt from some of its settings.
    """
    ours = new_client_context() if side == "client" else new_server_context()
    theirs = new_server_context() if side == "client" else new_client_context()
    ours.set_alpn_protocols(["first", "second"])
    theirs.set_alpn_protocols(["second"])
    with secured(loop, patience, side, ours=ours, theirs=theirs) as (transport, _, peer):
        assert transport.get_extra_info("ssl_object").selected_alpn_protocol() == "second"
        assert peer.selected_alpn_protocol() == "second"


@requirement("tls.client-certificate", MUST, cite="ssl: ssl.SSLContext.verify_mode")
@each("side", SERVERS)
def test_a_server_asks_for_a_certificate(loop: Loop, patience: Patience, side: str) -> None:
    """A server whose context requires certificates gets the client's, and 'peercert' tells it.

    If this fails: look for a context that is rebuilt from some of its settings.
    """
    ours, theirs = server_context(client_certificates=True), client_context(certificate="client.example")
    with secured(loop, patience, side, ours=ours, theirs=theirs) as (transport, _, _):
        names = transport.get_extra_info("peercert")["subjectAltName"]
        assert names == (("DNS", "client.example"),)


@requirement("tls.names-of-sockets", MUST, cite="asyncio-eventloop: loop.create_connection", needs=("unix",))
@each("way", ["sock", "path", "unix-sock"])
def test_names_are_matched_over_any_socket(
    loop: Loop, patience: Patience, way: str, tmp_path: Path, watch: Any
) -> None:
    """server_hostname is what the certificate is matched against, over a given socket and over Unix sockets, too.

    If this fails: look for a name that is checked only where a host was given.
    """
    watch.allow("reported")
    context: Any = {"ssl": client_context(), "server_hostname": "other.example"}
    with contextlib.ExitStack() as stack:
        if way == "path":
            helper = tls_accept(stack.enter_context(unix_listener(str(tmp_path / "s"))))
            opening: Any = loop.create_unix_connection(Events, str(tmp_path / "s"), **context)
        else:
            pair: Any = tcp_pair() if way == "sock" else unix_pair()
            ours, peer = stack.enter_context(pair)
            helper = tls_over(peer, "server")
            create: Any = loop.create_connection if way == "sock" else loop.create_unix_connection
            opening = create(Events, sock=ours, **context)
        with pytest.raises(ssl.SSLCertVerificationError):
            loop.run_until_complete(opening)
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.accepted-socket-verifies", MUST, cite="ssl: ssl.SSLContext.verify_mode")
def test_an_accepted_socket_asks_for_a_certificate(loop: Loop, patience: Patience, watch: Any) -> None:
    """connect_accepted_socket() with a context that requires certificates refuses a client that has none.

    If this fails: look for a context that is rebuilt from some of its settings.
    """
    watch.allow("reported")
    with tcp_pair() as (ours, peer):
        helper = tls_over(peer, "client")
        context = server_context(client_certificates=True)
        with pytest.raises(ssl.SSLError):
            loop.run_until_complete(loop.connect_accepted_socket(Events, ours, ssl=context))
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.factory-once", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_one_protocol_is_made_for_a_tls_connection(loop: Loop, patience: Patience, side: str) -> None:
    """protocol_factory is called once for a connection with TLS, and what it returns is the protocol.

    If this fails: look for a protocol that is made for the connection beneath, and another for TLS.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    with secured(loop, patience, side, protocol=factory) as (_, protocol, _):
        assert made == [protocol]


@requirement(
    "tls.peercert-unverified",
    MUST,
    cite=("asyncio-protocol: BaseTransport.get_extra_info", "ssl: ssl.SSLSocket.getpeercert"),
)
@each("side", CLIENTS)
def test_a_certificate_that_was_not_validated_is_an_empty_dictionary(loop: Loop, patience: Patience, side: str) -> None:
    """'peercert' is the result of getpeercert(), an empty dictionary, if the certificate was not validated.

    If this fails: look for a value that is false and counts as none, or a certificate read by other means.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with secured(loop, patience, side, ours=context) as (transport, _, _):
        assert transport.get_extra_info("peercert", "default") == {}
