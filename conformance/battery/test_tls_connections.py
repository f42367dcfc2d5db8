"""Chapter tls: how TLS connections are made, or refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, new_server_context, server_context
from conformance.kit.connections import accept
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import (
    dialled,
    drive,
    listener,
    receive_all,
    receive_exactly,
    socket_path,
    tcp_pair,
    unix_listener,
)
from conformance.kit.protocols import Events
from conformance.kit.refusals import REFUSALS, Answer, outcome_of, refused
from conformance.kit.secured import (
    CLIENTS,
    MADE_SIDES,
    SERVERS,
    SIDES,
    TIMED_OUT,
    secured,
    tls_accept,
    tls_dial,
    tls_over,
)
from conformance.kit.servers import accepted, dial, ended, serving
from conformance.kit.threads import in_thread
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
# Where a handshake that takes too long is told to whoever asked for the connection.
MAKERS = [side for side in CLIENTS + SERVERS if side not in ("server", "unix-server")]


def connect(loop: Loop, address: Any, **kwargs: Any) -> Any:
    return loop.run_until_complete(loop.create_connection(Events, *address, **kwargs))


def close(loop: Loop, transport: Any) -> None:
    transport.abort()
    turn(loop, 4)


@requirement("tls.connect", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_a_tls_connection_carries_data(loop: Loop, patience: Patience, side: str) -> None:
    """With ssl, a SSL/TLS transport is created, for a client and for the connections of a server.

    If this fails: look for a handshake that stalls, or plain text on the wire.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"


@requirement("tls.made-after-handshake", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@MADE_SIDES
def test_the_connection_is_made_when_the_handshake_is(loop: Loop, patience: Patience, side: str) -> None:
    """connection_made() is called once, when the handshake is complete, with the TLS transport.

    If this fails: look for an announcement of the TCP connection beneath.
    """

    class Looks(Events):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.cipher = transport.get_extra_info("cipher")

    with secured(loop, patience, side, protocol=Looks) as (transport, protocol, _):
        turn(loop, 3)
        assert protocol.calls == [("connection_made", transport)]
        assert protocol.cipher is not None


def assert_refused(loop: Loop, patience: Patience, **kwargs: Any) -> None:
    """The client refuses the server's certificate, and has closed its socket some turns later."""
    with listener() as listening:
        helper = tls_accept(listening)
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(loop, listening.getsockname(), **kwargs)
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()
        turn(loop, 4)


@requirement("tls.default-context", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_true_is_a_default_context(loop: Loop, patience: Patience, watch: Any) -> None:
    """If ssl is True, the context of ssl.create_default_context() is used: it verifies, and does not know this server.

    If this fails: look for a context that verifies nothing.
    """
    watch.allow("reported")
    assert_refused(loop, patience, ssl=True, server_hostname=NAME)


@requirement("tls.hostname-default", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("verifies", [True, False])
def test_the_host_is_the_name_to_verify(loop: Loop, patience: Patience, verifies: bool) -> None:
    """server_hostname is, by default, the host argument: it is sent to the server, and matched against the certificate.

    If this fails: look for a name that is None, so that nothing is checked, or the address that it resolved to, or for
    one that is not sent by a context that checks no names.
    """
    ours = new_client_context()
    ours.check_hostname = verifies
    names: list[str | None] = []
    context = new_server_context()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with listener() as listening:
        helper = tls_accept(listening, context)
        transport, _ = connect(loop, (NAME, listening.getsockname()[1]), ssl=ours, family=socket.AF_INET)
        drive(loop, patience, helper).close()
        close(loop, transport)
    assert names == [NAME]


@requirement("tls.hostname-override", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_server_hostname_overrides_the_host(loop: Loop, patience: Patience) -> None:
    """server_hostname sets or overrides the host name that the server's certificate is matched against.

    If this fails: look for the host that wins.
    """
    with listener() as listening:
        helper = tls_accept(listening, server_context("other.example"))
        transport, _ = connect(loop, listening.getsockname(), ssl=client_context(), server_hostname="other.example")
        drive(loop, patience, helper).close()
        close(loop, transport)


@requirement("tls.hostname-required", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_a_socket_with_tls_needs_a_name(loop: Loop) -> None:
    """If ssl is given and host is not, server_hostname is required: an exception is raised.

    If this fails: look for a certificate that is checked against nothing.
    """
    with tcp_pair() as (ours, _), refused():
        loop.run_until_complete(loop.create_connection(Events, sock=ours, ssl=client_context()))


@requirement("tls.hostname-without-tls", SHOULD, cite="asyncio-eventloop: loop.create_connection")
def test_a_name_without_tls_is_refused(loop: Loop) -> None:
    """server_hostname is used only with ssl: without it, an exception is raised.

    If this fails: look for an argument that is ignored, so that the caller believes in TLS.
    """
    with listener() as listening, refused():
        connect(loop, listening.getsockname(), server_hostname=NAME)


@requirement("tls.unknown-authority", MUST, cite="ssl: ssl.SSLCertVerificationError")
def test_a_certificate_of_an_unknown_authority_is_refused(loop: Loop, patience: Patience, watch: Any) -> None:
    """A server whose certificate cannot be verified is refused with ssl.SSLCertVerificationError.

    If this fails: look for another exception type, as ConnectionAbortedError, or none.
    """
    watch.allow("reported")
    assert_refused(loop, patience, ssl=client_context(trusting=False), server_hostname=NAME)


@requirement("tls.wrong-name", MUST, cite="ssl: ssl.SSLCertVerificationError")
def test_a_certificate_for_another_name_is_refused(loop: Loop, patience: Patience, watch: Any) -> None:
    """A server whose certificate is for another name is refused with ssl.SSLCertVerificationError.

    If this fails: look for a name that does not reach the TLS object.
    """
    watch.allow("reported")
    assert_refused(loop, patience, ssl=client_context(), server_hostname="other.example")


@requirement("tls.refused-not-announced", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_made")
@each("way", ["host", "sock", "path"] if hasattr(socket, "AF_UNIX") else ["host", "sock"])
def test_a_failed_handshake_announces_nothing(loop: Loop, patience: Patience, way: str, watch: Any) -> None:
    """If the handshake fails, the protocol is told of nothing: neither of a connection nor of its end.

    If this fails: look for connection_made() before the handshake, or connection_lost() without it.
    """
    watch.allow("reported")
    protocol = Events()
    kwargs: Any = {"ssl": client_context(trusting=False), "server_hostname": NAME}
    with contextlib.ExitStack() as stack:
        if way == "path":
            listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
            opening: Any = loop.create_unix_connection(lambda: protocol, listening.getsockname(), **kwargs)
        else:
            listening = stack.enter_context(listener())
            address: Any = listening.getsockname()
            if way == "sock":
                kwargs["sock"] = stack.enter_context(dialled(address))
            opening = loop.create_connection(lambda: protocol, *(() if way == "sock" else address), **kwargs)
        helper = tls_accept(listening)
        with contextlib.suppress(ssl.SSLError):
            loop.run_until_complete(opening)
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()
        turn(loop, 3)
    assert protocol.names == []


@requirement("tls.server-goes-on", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_server_survives_a_failed_handshake(loop: Loop, patience: Patience, watch: Any) -> None:
    """A client that refuses the certificate, or speaks no TLS, does not stop the server.

    If this fails: look for an error of one connection that reaches the listener.
    """
    watch.allow("reported")  # whether a failed handshake is reported is left open
    with serving(loop, ssl=server_context()) as service:
        helper = tls_dial(service.address, client_context(trusting=False))
        patience.run_until(loop, lambda: not helper.is_alive(), "the refusal")
        with pytest.raises(ssl.SSLCertVerificationError):
            helper.result()
        with dial(service) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(OSError):
                drive(loop, patience, in_thread(lambda: plain.recv(100)))
        trusting = tls_dial(service.address)
        accepted(loop, patience, service)
        drive(loop, patience, trusting).close()


@requirement("tls.refused-is-finished", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
def test_a_connection_whose_handshake_failed_has_finished(loop: Loop, patience: Patience, watch: Any) -> None:
    """wait_closed() waits until all active connections have finished: one whose handshake failed has.

    If this fails: look for connections that are counted when they are accepted, and taken off by connection_lost().
    """
    watch.allow("reported")
    said = ssl.MemoryBIO()
    client = client_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()

    async def scenario(server: Any, peer: socket.socket) -> None:
        waiter = asyncio.ensure_future(server.wait_closed())
        await asyncio.sleep(0.002)
        peer.close()
        await ended(waiter, patience)

    with serving(loop, ssl=server_context()) as service, dial(service) as peer:
        peer.sendall(said.read())
        drive(loop, patience, in_thread(lambda: peer.recv(1)))  # it answers, so it has accepted
        service.server.close()
        loop.run_until_complete(scenario(service.server, peer))


@requirement("tls.timeout-value", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@each("value", [0, -1.0], ids=["zero", "negative"])
def test_no_time_is_not_the_default(loop: Loop, patience: Patience, name: str, value: float, watch: Any) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout are times to wait: zero and less is refused, or no time.

    If this fails: look for zero taken for the default.
    """
    watch.allow("descriptor", "reported")  # the stock loop looks at the number when it has connected
    arguments: dict[str, Any] = {"ssl": client_context(), "server_hostname": NAME, name: value}
    if name == "ssl_handshake_timeout":
        with listener() as listening, refused(*TIMED_OUT):
            connect(loop, listening.getsockname(), **arguments)
        return
    with tcp_pair() as (ours, peer):
        helper = tls_over(peer, "server")
        try:
            transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours, **arguments))
        except NotImplementedError:
            raise
        except REFUSALS:
            ours.close()
        else:
            transport.close()
            patience.in_turns.run_until(loop, lambda: protocol.lost, "connection_lost() without the peer's goodbye")
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()


@requirement("tls.timeout-without-tls", MAY, cite="asyncio-eventloop: loop.create_connection")
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_timeouts_without_tls(loop: Loop, name: str, answer: Answer) -> None:
    """Whether the timeouts, which are for a TLS connection, are refused without ssl is left open.

    If this fails: the connection could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with listener() as listening:
        answer(outcome_of(loop, loop.create_connection(Events, *listening.getsockname(), **arguments)))


@requirement("tls.handshake-timeout", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("beside", [{}, {"ssl_shutdown_timeout": 60.0}])
def test_a_handshake_that_takes_too_long_is_aborted(
    loop: Loop, patience: Patience, beside: dict[str, Any], watch: Any
) -> None:
    """After ssl_handshake_timeout seconds without a handshake the connection is aborted, with an exception.

    If this fails: look for a timeout that is not passed on, another exception type, or a socket that is left open.
    """
    watch.allow("reported")
    arguments: dict[str, Any] = {"ssl": client_context(), "server_hostname": NAME, "ssl_handshake_timeout": 0.005}
    arguments.update(beside)
    with listener() as listening:
        with pytest.raises(TIMED_OUT):
            connect(loop, listening.getsockname(), **arguments)
        with accept(listening) as peer, contextlib.suppress(ConnectionResetError):
            drive(loop, patience, in_thread(lambda: receive_all(peer)))
    with tcp_pair() as (ours, _), pytest.raises(TIMED_OUT):
        loop.run_until_complete(loop.create_connection(Events, sock=ours, **arguments))


@requirement("tls.handshake-timeout-over", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("side", MAKERS)
def test_the_time_for_a_handshake_ends_with_it(loop: Loop, patience: Patience, watch: Any, side: str) -> None:
    """ssl_handshake_timeout is the time for the handshake: a connection whose handshake is complete is not aborted.

    If this fails: look for a timer that goes on when the handshake is complete.
    """
    watch.allow("reported")
    for timeout in (0.1, 1.0, 5.0):  # a slow machine needs more
        turn(loop, 3)  # what a handshake that was aborted left is let go
        with contextlib.suppress(*TIMED_OUT):
            with secured(loop, patience, side, ssl_handshake_timeout=timeout) as (transport, protocol, _):
                loop.run_until_complete(asyncio.sleep(timeout))
                turn(loop, 3)
                assert not protocol.lost
                assert not transport.is_closing()
            break


@requirement("tls.handshake-eof", MUST, cite="exceptions: OSError")
def test_an_end_during_the_handshake_is_an_error(loop: Loop, watch: Any) -> None:
    """A peer that closes before the handshake is complete is an OSError for who connects.

    If this fails: look for a wait that nothing ends.
    """
    watch.allow("reported")
    with listener() as listening:
        helper = in_thread(lambda: listening.accept()[0].close())
        with pytest.raises(OSError):  # noqa: PT011 (which one depends on how far the handshake was)
            connect(loop, listening.getsockname(), ssl=client_context(), server_hostname=NAME)
        helper.result()
