"""Chapter tls: that every connection which should have TLS has it: of a server's, and beside other arguments."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from typing import Any

from conformance.battery.test_tcp_addresses import only_the_second
from conformance.battery.test_tls_upgrade import plain
from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_server_context, server_context
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, is_stopped, listener, receive_exactly, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import SIDES, own_context, secured, tls_accept, tls_dial, tls_over, upgrading
from conformance.kit.servers import Service, accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
SERVE = "asyncio-eventloop: loop.create_server"


def speaks_tls(loop: Loop, patience: Patience, service: Service, address: Any, number: int) -> None:
    """Connection `number` of the server, to this address, is one of TLS."""
    helper = tls_dial(address)
    accepted(loop, patience, service, number)
    # The protocol of a connection whose handshake goes on may have been made before.
    protocol: Any = [made for made in service.protocols if made.transport is not None][-1]
    assert protocol.transport.get_extra_info("cipher") is not None
    with drive(loop, patience, helper) as peer:
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")


@requirement("tls.every-socket", MUST, cite=SERVE, needs=("linux",))  # where 127.0.0.2 is an address, too
@each("how", ["hosts", "start_serving", "sock"])
def test_every_socket_of_a_server_has_tls(loop: Loop, patience: Patience, how: str) -> None:
    """ssl enables TLS over the accepted connections: each one, on every socket that the server listens on.

    If this fails: look for a context that is kept with the first socket, or dropped where a server starts later, or
    where its socket was given.
    """
    arguments: Any = {"ssl": server_context(), "start_serving": how != "start_serving"}
    if how == "sock":
        arguments.update(host=None, port=None, sock=socket.create_server(("127.0.0.1", 0)))
    else:
        arguments["host"] = ["127.0.0.1", "127.0.0.2"]
    with serving(loop, **arguments) as service:
        loop.run_until_complete(service.server.start_serving())
        addresses = [sock.getsockname() for sock in service.server.sockets]
        for number, address in enumerate(addresses + addresses, start=1):
            speaks_tls(loop, patience, service, address, number)


@requirement("tls.server-shutdown-timeout", MUST, cite=SERVE)
@each("how", ["host", "sock", "start_serving"])
def test_connections_of_any_server_are_not_waited_for(loop: Loop, patience: Patience, how: str) -> None:
    """create_server() takes ssl_shutdown_timeout, also with sock or start_serving=False: connections end in time.

    If this fails: look for a way to make a server that does not pass it on.
    """
    arguments: Any = {"ssl": server_context(), "ssl_shutdown_timeout": 0.01, "start_serving": how != "start_serving"}
    if how == "sock":
        arguments.update(host=None, port=None, sock=socket.create_server(("127.0.0.1", 0)))
    with serving(loop, **arguments) as service:
        loop.run_until_complete(service.server.start_serving())
        helper = tls_dial(service.address)
        protocol = accepted(loop, patience, service)
        with drive(loop, patience, helper):
            protocol.transport.close()
            patience.run_until(loop, lambda: protocol.lost, "the end of a connection whose peer says nothing")


@requirement("tls.silent-client", MUST, cite=SERVE)
def test_a_silent_client_holds_up_no_other(loop: Loop, patience: Patience) -> None:
    """A client that says nothing, or half of its part of the handshake, holds up neither other clients nor the loop.

    If this fails: look for handshakes that are made one after the other, or with a socket that blocks.
    """
    said = ssl.MemoryBIO()
    client = client_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with serving(loop, ssl=server_context()) as service, dial(service), dial(service) as slow:
        slow.sendall(said.read()[:40])
        turn(loop, 20)
        speaks_tls(loop, patience, service, service.address, 1)


BESIDE: dict[str, Any] = {
    "happy_eyeballs_delay": 0.1, "interleave": 1, "local_addr": ("127.0.0.1", 0), "family": socket.AF_INET,
    "proto": socket.IPPROTO_TCP, "flags": socket.AI_NUMERICHOST,
} | ({"all_errors": True} if sys.version_info >= (3, 12) else {})  # fmt: skip


def carries_tls(loop: Loop, patience: Patience, opening: Any, helper: Any) -> None:
    """What is being opened is a connection of TLS, and what is written to it arrives."""
    with opened(loop, opening) as (transport, _), drive(loop, patience, helper) as peer:
        assert transport.get_extra_info("cipher") is not None
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"


@requirement("tls.beside-keywords", MUST, cite=CONNECT)
@each("name", BESIDE)
def test_tls_stands_beside_other_keywords(loop: Loop, patience: Patience, name: str) -> None:
    """With ssl, a SSL/TLS transport is created, whichever of the other arguments stands beside it.

    If this fails: look for a way to connect that forgets TLS, or for a way to TLS that does not take its arguments.
    """
    arguments: Any = {"ssl": client_context(), "server_hostname": NAME, name: BESIDE[name]}
    with listener() as listening:
        helper = tls_accept(listening)
        carries_tls(loop, patience, loop.create_connection(Events, *listening.getsockname(), **arguments), helper)


@requirement("tls.second-address", MUST, cite=CONNECT, needs=("ipv6",))
def test_tls_over_an_address_that_was_not_the_first(loop: Loop, patience: Patience) -> None:
    """With ssl, too, the addresses of a host are tried in turn, and TLS is made over the one that answers.

    If this fails: look for TLS that is tied to the first attempt.
    """
    arguments: Any = {"ssl": client_context(), "server_hostname": NAME}
    with only_the_second() as listening:
        port = listening.getsockname()[1]
        helper = tls_accept(listening)
        opening = loop.create_connection(Events, None, port, **arguments)
        carries_tls(loop, patience, opening, helper)


class OwnContext(ssl.SSLContext):
    """A context as libraries make them, to verify by other means."""


@requirement("tls.context-subclass", SHOULD, cite=CONNECT)
@SIDES
def test_a_context_may_be_of_a_class_of_its_own(loop: Loop, patience: Patience, side: str) -> None:
    """ssl is an SSLContext object: one of a subclass, such as truststore's, is one.

    If this fails: look for a comparison of types, or a context that is taken apart to make another of it.
    """
    context = own_context(side)
    context.__class__ = OwnContext
    with secured(loop, patience, side, ours=context) as (transport, _, peer):
        assert transport.get_extra_info("sslcontext") is context
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"


@requirement("tls.start-nameless", MUST, cite="asyncio-eventloop: loop.start_tls")
@each("given", [{}, {"server_hostname": None}], ids=["absent", "None"])
def test_an_upgrade_needs_no_name_where_none_is_matched(loop: Loop, patience: Patience, given: dict[str, Any]) -> None:
    """server_hostname of start_tls() is optional: a context that matches no name needs none.

    If this fails: look for the check of create_connection(), which has a host to ask for instead.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with plain(loop) as (beneath, protocol, sock):
        upgrade = loop.create_task(loop.start_tls(beneath, protocol, context, **given))
        turn(loop)
        helper = tls_over(sock, "server")
        transport: Any = loop.run_until_complete(upgrade)
        protocol.transport = transport
        with drive(loop, patience, helper):
            assert transport.get_extra_info("ssl_object").server_hostname is None
            transport.abort()
            turn(loop, 4)


@requirement("tls.speaks-first", MUST, cite="asyncio-protocol: Protocol.data_received")
@each("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@each("how", ["connection", "upgrade"])
def test_a_server_may_speak_first(loop: Loop, patience: Patience, version: ssl.TLSVersion, how: str) -> None:
    """Data that a server sends with its last word of the handshake, as one that greets does, is received.

    If this fails: look for data behind the handshake, which in TLS 1.2 comes with it, that waits for more or is lost.
    """
    context = new_server_context()
    context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    with tcp_pair() as (ours, peer):

        def greet() -> None:
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    server.do_handshake()
                    break
                if outgoing.pending:
                    peer.sendall(outgoing.read())
                incoming.write(peer.recv(65536))
            server.write(b"hello")
            peer.sendall(outgoing.read())

        helper = in_thread(greet)
        tls: Any = {"ssl": client_context(), "server_hostname": NAME} if how == "connection" else {}
        with opened(loop, loop.create_connection(Events, sock=ours, **tls)) as (beneath, protocol):
            if how == "upgrade":
                loop.run_until_complete(upgrading(loop, beneath, protocol))
            drive(loop, patience, helper)
            patience.run_until(loop, lambda: protocol.received == b"hello", "the greeting")
            assert protocol.names[:2] == ["connection_made", "data_received"]


@requirement("tls.paused-reading-stops-the-peer", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_pausing_over_tls_stops_the_peer(loop: Loop, patience: Patience, side: str) -> None:
    """pause_reading() pauses the receiving end of TLS: its peer can send what the kernel and TLS keep, and no more.

    If this fails: look for records that are read all the same, and kept in the loop's own memory.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop)
        assert is_stopped(loop, peer)
        assert protocol.received == b""
